"""Handlers of the GitHub App: itself, its installations, and the tokens it is given for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from localcloud.cloud import Cloud
from localcloud.faults import operation
from localcloud.github import bodies, jwt
from localcloud.github.access import CALLER, Caller, covers, credential
from localcloud.github.bodies import RefusedError
from localcloud.github.installations import APP_ID, CLIENT_ID, GRANTED, SLUG, Grant, Installation, Installations
from localcloud.github.lists import page_of, paged
from localcloud.github.repositories import Repositories
from localcloud.operator import guarded
from localcloud.store import Object

MOST_REPOSITORIES = 500
BEGUN = "2026-01-01T00:00:00Z"


class Apps:
    """Who is not the App is told that a JWT was expected, as GitHub tells everybody there."""

    def __init__(
        self,
        cloud: Cloud,
        installations: Installations,
        repositories: Repositories,
        body: Callable[[Object], dict[str, Any]],
    ) -> None:
        self._cloud, self._installations, self._repositories, self._body = cloud, installations, repositories, body

    def setup(self, app: web.Application) -> None:
        """What the operator calls."""
        app.router.add_post("/_cloud/api/github/expire", guarded(self.expire))

    async def expire(self, _request: web.Request) -> web.Response:
        """Every installation token ends now, as if its hour were over."""
        return web.json_response({"expired": self._installations.expire()})

    # The App and where it is installed

    @operation("github", "get_app")
    async def get_app(self, request: web.Request) -> web.Response:
        self._app(request)
        return web.json_response(
            {
                "id": APP_ID,
                "slug": SLUG,
                "node_id": f"A_local_{APP_ID}",
                "client_id": CLIENT_ID,
                "owner": self._account(self._installations.all[0]),
                "name": SLUG,
                "description": "The GitHub App of this localcloud.",
                "external_url": f"{self._cloud.base_url}/_cloud/",
                "html_url": f"{self._cloud.base_url}/_cloud/",
                "created_at": BEGUN,
                "updated_at": BEGUN,
                "permissions": GRANTED,
                "events": [],
                "installations_count": len(self._installations.all),
            }
        )

    @operation("github", "list_installations")
    async def list_installations(self, request: web.Request) -> web.Response:
        self._app(request)
        return paged(request, self._cloud.base_url, [self._installation(one) for one in self._installations.all])

    @operation("github", "get_installation")
    async def get_installation(self, request: web.Request) -> web.Response:
        """By its id, or by the account or the repository it is found on."""
        self._app(request)
        given = request.match_info
        if "installation" in given:
            found = self._installations.numbered(given["installation"])
        elif "name" in given and not self._repositories.get(given["owner"], given["name"]):
            found = None
        else:
            found = self._installations.on(given.get("login") or given["owner"])
        if found is None:
            raise bodies.not_found()
        return web.json_response(self._installation(found))

    # Tokens

    @operation("github", "create_installation_token")
    async def create_token(self, request: web.Request) -> web.Response:
        self._app(request)
        on = self._installations.numbered(request.match_info["installation"])
        if on is None:
            raise bodies.not_found()
        wished = await bodies.read_object(request)
        chosen, permissions = self._chosen(on, wished), _permissions(wished)
        secret, ends = self._installations.mint(
            on, None if chosen is None else [item.id for item in chosen], permissions
        )
        body: dict[str, Any] = {
            "token": secret,
            "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "permissions": permissions,
            "repository_selection": "all" if chosen is None else "selected",
        }
        if chosen is not None:
            body["repositories"] = [bodies.listed(self._body(item)) for item in chosen]
        return web.json_response(body, status=201)

    @operation("github", "revoke_installation_token")
    async def revoke_token(self, request: web.Request) -> web.Response:
        self._granted(request, "in order to revoke it")
        self._installations.revoke(credential(request) or "")
        return web.Response(status=204)

    @operation("github", "list_installation_repositories")
    async def repositories(self, request: web.Request) -> web.Response:
        caller = self._granted(request, "in order to list repositories for an installation")
        found = [bodies.listed(self._body(item)) for item in self._repositories.all() if caller.reaches(item)]
        items, headers = page_of(request, self._cloud.base_url, found)
        selection = "all" if caller.grant is not None and caller.grant.repositories is None else "selected"
        body = {"total_count": len(found), "repository_selection": selection, "repositories": items}
        return web.json_response(body, headers=headers)

    def _chosen(self, on: Installation, wished: dict[str, Any]) -> list[Object] | None:
        """The repositories a token is wished for, None for all. Raises `RefusedError`."""
        names, numbers = wished.get("repositories"), wished.get("repository_ids")
        if names is None and numbers is None:
            return None
        names, numbers = ([] if given is None else given for given in (names, numbers))
        if not isinstance(names, list) or not isinstance(numbers, list) or not names + numbers:
            raise RefusedError(422, "Invalid request.\n\nrepositories and repository_ids must be lists of some length.")
        if len(names) + len(numbers) > MOST_REPOSITORIES:
            raise RefusedError(422, f"At most {MOST_REPOSITORIES} repositories can be listed.")
        everything = Caller(grant=Grant(on, None, GRANTED))
        within = [item for item in self._repositories.all() if everything.reaches(item)]
        by_name, by_id = {item.name.lower(): item for item in within}, {item.id: item for item in within}
        found = [by_name.get(str(name).lower()) for name in names] + [by_id.get(str(number)) for number in numbers]
        chosen = {item.id: item for item in found if item is not None}
        if None in found:
            raise RefusedError(
                422,
                "There is at least one repository that does not exist or is not accessible to the parent installation.",
            )
        return list(chosen.values())

    # Who and what

    def _app(self, request: web.Request) -> None:
        caller = request[CALLER]
        if caller is None or not caller.app:
            raise RefusedError(401, jwt.UNREADABLE)

    def _granted(self, request: web.Request, why: str) -> Caller:
        caller = request[CALLER]
        if caller is None:
            raise RefusedError(401, "Requires authentication")
        if caller.grant is None:
            raise RefusedError(403, f"You must authenticate with an installation access token {why}.")
        return caller

    def _account(self, on: Installation) -> dict[str, Any]:
        return bodies.account(self._cloud.base_url, on.login, on.kind)

    def _installation(self, on: Installation) -> dict[str, Any]:
        api, account = f"{self._cloud.base_url}/github", self._account(on)
        return {
            "id": on.id,
            "account": account,
            "repository_selection": "all",
            "access_tokens_url": f"{api}/app/installations/{on.id}/access_tokens",
            "repositories_url": f"{api}/installation/repositories",
            "html_url": f"{self._cloud.base_url}/_cloud/",
            "app_id": APP_ID,
            "client_id": CLIENT_ID,
            "app_slug": SLUG,
            "target_id": account["id"],
            "target_type": on.kind,
            "permissions": GRANTED,
            "events": [],
            "created_at": BEGUN,
            "updated_at": BEGUN,
            "single_file_name": None,
            "has_multiple_single_files": False,
            "single_file_paths": [],
            "suspended_by": None,
            "suspended_at": None,
        }


def _permissions(wished: dict[str, Any]) -> dict[str, str]:
    """What a token is wished to be good for: never more than the App was given. Raises `RefusedError`."""
    given = wished.get("permissions")
    if given is None or given == {}:
        return dict(GRANTED)
    if not isinstance(given, dict) or not all(covers(GRANTED.get(name), level) for name, level in given.items()):
        raise RefusedError(422, "The permissions requested are not granted to this installation.")
    return {**given, "metadata": "read"}
