"""Routes of the GitHub stand-in's REST API under `/github`."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from localcloud.cloud import Cloud, Handler
from localcloud.faults import operation
from localcloud.github import bodies
from localcloud.github.access import CALLER, Access, Caller
from localcloud.github.apps import Apps
from localcloud.github.bodies import RefusedError
from localcloud.github.git import GitError
from localcloud.github.history import History
from localcloud.github.installations import Installations
from localcloud.github.lists import in_order, of_kind, paged
from localcloud.github.rates import LIMIT_FORM, Rates
from localcloud.github.repositories import ORGANIZATION, USER, Repositories
from localcloud.github.smart_http import SmartHttp
from localcloud.github.transfers import Transfers
from localcloud.store import Object

REPOSITORIES: web.AppKey[Repositories] = web.AppKey("github_repositories", Repositories)
ORGANIZATION_SUFFIX = "-org"
STRANGER_SUFFIX = "-friend"


def setup(app: web.Application, cloud: Cloud) -> None:
    """Add the REST routes and those of git itself."""
    cloud.error_bodies["github"] = bodies.error
    cloud.limit_forms["github"] = LIMIT_FORM
    owner, stranger = cloud.github_owner, cloud.github_owner + STRANGER_SUFFIX
    accounts = {owner: USER, owner + ORGANIZATION_SUFFIX: ORGANIZATION, stranger: USER}
    repositories = app[REPOSITORIES] = Repositories(cloud.store, cloud.directory / "git", accounts, stranger)
    repositories.clear_leftovers()
    installations = Installations(cloud, {login: kind for login, kind in accounts.items() if login != stranger})
    access = Access(cloud, installations)
    cloud.extra["github_app"] = installations.announced
    cloud.notes["github"] = f"Bare repositories of {' and '.join(accounts)}, served by git http-backend."
    github = GitHub(cloud, access, repositories, installations)
    github.add_routes(app)
    SmartHttp(cloud, access, repositories).setup(app)


class GitHub:
    """The REST handlers; each names its operation for faults."""

    def __init__(self, cloud: Cloud, access: Access, repositories: Repositories, installations: Installations) -> None:
        self._cloud, self._access, self._repositories = cloud, access, repositories
        self._rates = Rates(access, cloud.limits)
        self._transfers = Transfers(cloud, repositories, self._administered)
        self._apps = Apps(cloud, installations, repositories, self._body)

    def add_routes(self, app: web.Application) -> None:
        history, transfers, apps = History(self._readable, self._repositories), self._transfers, self._apps
        for setup in (self._rates.setup, transfers.setup, apps.setup):
            setup(app)
        for method, path, handler in (
            ("GET", "/user", self.me),
            ("GET", "/users/{login}", self.account),
            ("GET", "/orgs/{login}", self.organization),
            ("GET", "/rate_limit", self.rate_limit),
            ("POST", "/user/repos", self.create_repository),
            ("POST", "/orgs/{org}/repos", self.create_org_repository),
            ("GET", "/user/repos", self.list_repositories),
            ("GET", "/orgs/{org}/repos", self.list_repositories),
            ("GET", "/users/{org}/repos", self.list_repositories),
            ("GET", "/app", apps.get_app),
            ("GET", "/app/installations", apps.list_installations),
            ("GET", "/app/installations/{installation}", apps.get_installation),
            ("POST", "/app/installations/{installation}/access_tokens", apps.create_token),
            ("DELETE", "/installation/token", apps.revoke_token),
            ("GET", "/installation/repositories", apps.repositories),
            ("GET", "/repos/{owner}/{name}/installation", apps.get_installation),
            ("GET", "/orgs/{login}/installation", apps.get_installation),
            ("GET", "/users/{login}/installation", apps.get_installation),
        ):
            app.router.add_route(method, f"/github{path}", self._known(handler))
        for method, rest, handler in (
            ("GET", "", self.get_repository),
            ("PATCH", "", self.update_repository),
            ("DELETE", "", self.delete_repository),
            ("POST", "/transfer", transfers.transfer),
            ("GET", "/actions/permissions", self.get_actions),
            ("PUT", "/actions/permissions", self.set_actions),
            ("GET", "/branches", history.list_branches),
            ("GET", "/branches/{branch:.+}", history.get_branch),
            ("GET", "/commits", history.list_commits),
            ("GET", "/commits/{ref:.+}", history.get_commit),
            ("GET", "/contents", history.get_contents),
            ("GET", "/contents/{path:.*}", history.get_contents),
        ):
            # By number as well: that is where a repository's old address leads.
            for one in ("/repos/{owner}/{name}", "/repositories/{id}"):
                app.router.add_route(method, f"/github{one}{rest}", self._known(handler))

    def _known(self, handler: Handler) -> Handler:
        async def check(request: web.Request) -> web.StreamResponse:
            try:
                if not request.headers.get("User-Agent"):
                    raise RefusedError(
                        403,
                        "Request forbidden by administrative rules. Please make sure your request has a "
                        "User-Agent header.",
                    )
                caller = request[CALLER] = self._access.caller(request)
                answer = await handler(request)
            except RefusedError as refused:
                return refused.answer()
            except GitError as error:
                return bodies.error(500, str(error))
            answer.headers.update(bodies.HEADERS)
            if caller is not None and caller.owner:
                answer.headers["X-OAuth-Scopes"] = "delete_repo, repo"
            return answer

        check.operation = handler.operation  # type: ignore[attr-defined]
        return check

    # Who and what

    def _caller(self, request: web.Request) -> Caller:
        caller = request[CALLER]
        if caller is None:
            raise RefusedError(401, "Requires authentication")
        return caller

    def _owner(self, request: web.Request) -> Caller:
        caller = self._caller(request)
        if not caller.owner:
            raise bodies.not_for_apps()
        return caller

    def _repository(self, request: web.Request) -> Object:
        """The repository a request names, if its caller may know about it. Raises `RefusedError`."""
        if "id" in request.match_info:
            return self._visible(request, self._repositories.numbered(request.match_info["id"]))
        owner, name = request.match_info["owner"], request.match_info["name"]
        found = self._repositories.get(owner, name)
        if found is None:
            moved = self._visible(request, self._repositories.moved(owner, name))
            rest = request.rel_url.raw_path_qs.removeprefix(f"/github/repos/{owner}/{name}")
            raise bodies.MovedError(request.method, f"{self._cloud.base_url}/github/repositories/{moved.id}{rest}")
        return self._visible(request, found)

    def _visible(self, request: web.Request, found: Object | None) -> Object:
        """404 rather than 403: whoever may not see a private repository is not told that there is one."""
        caller = request[CALLER]
        if found is None or (found.data["private"] and (caller is None or not caller.reaches(found))):
            raise bodies.not_found()
        if found.data["private"] and found.data["owner"] == self._repositories.stranger:
            raise bodies.not_found()
        return found

    def _readable(self, request: web.Request) -> Object:
        """The repository, for those who may read what is in it."""
        found, caller = self._repository(request), request[CALLER]
        if found.data["private"] and caller is not None and not caller.may("contents", "read"):
            raise bodies.not_for_apps()
        return found

    def _administered(self, request: web.Request) -> Object:
        caller, found = self._caller(request), self._repository(request)
        if not (caller.reaches(found) and caller.may("administration", "write")):
            raise bodies.not_for_apps()
        return found

    def _body(self, item: Object) -> dict[str, Any]:
        return self._transfers.body(item)

    # Accounts

    @operation("github", "get_user")
    async def me(self, request: web.Request) -> web.Response:
        self._owner(request)
        login = self._cloud.github_owner
        return web.json_response(bodies.own_profile(self._cloud.base_url, login, **self._counts(login)))

    @operation("github", "get_account")
    async def account(self, request: web.Request) -> web.Response:
        login = self._repositories.owner(request.match_info["login"])
        if login is None:
            raise bodies.not_found()
        kind = self._repositories.accounts[login]
        return web.json_response(
            bodies.profile(self._cloud.base_url, login, kind, public=self._counts(login)["public"])
        )

    @operation("github", "get_organization")
    async def organization(self, request: web.Request) -> web.Response:
        login = self._repositories.owner(request.match_info["login"])
        if login is None or self._repositories.accounts[login] != ORGANIZATION:
            raise bodies.not_found()
        return web.json_response(bodies.organization(self._cloud.base_url, login, **self._counts(login)))

    def _counts(self, login: str) -> dict[str, int]:
        every = self._repositories.all(login)
        private = sum(bool(item.data["private"]) for item in every)
        return {"public": len(every) - private, "private": private}

    @operation("github", "get_rate_limit")
    async def rate_limit(self, request: web.Request) -> web.Response:
        core = self._rates.standing(request)
        idle = {"used": 0, "reset": core["reset"]}
        resources = {
            "core": core,
            "search": {"limit": 30, "remaining": 30, **idle},
            "graphql": {"limit": 5000, "remaining": 5000, **idle},
        }
        return web.json_response({"resources": resources, "rate": core})

    # Repositories

    @operation("github", "create_repository")
    async def create_repository(self, request: web.Request) -> web.Response:
        self._owner(request)
        return await self._create(request, self._cloud.github_owner)

    @operation("github", "create_repository")
    async def create_org_repository(self, request: web.Request) -> web.Response:
        caller = self._caller(request)
        owner = self._repositories.owner(request.match_info["org"], ORGANIZATION)
        if owner is None:
            raise bodies.not_found()
        if not caller.may("administration", "write") or (caller.grant and caller.grant.installation.login != owner):
            raise bodies.not_for_apps()
        return await self._create(request, owner)

    async def _create(self, request: web.Request, owner: str) -> web.Response:
        made = await self._repositories.create(owner, await bodies.read_object(request))
        body = self._body(made)
        return web.json_response(body, status=201, headers={"Location": body["url"]})

    @operation("github", "list_repositories")
    async def list_repositories(self, request: web.Request) -> web.Response:
        caller, login = request[CALLER], request.match_info.get("org")
        owner = None
        if login is None:
            self._owner(request)
            if "organization_member" not in request.query.get("affiliation", "organization_member"):
                owner = self._cloud.github_owner
        elif (owner := self._repositories.owner(login)) is None:
            raise bodies.not_found()
        found = [
            item
            for item in self._repositories.all(owner)
            if item.data["owner"] != self._repositories.stranger
            and (not item.data["private"] or (caller is not None and caller.reaches(item)))
        ]
        shown = bodies.listed if login is None else bodies.minimal
        chosen = in_order(request, of_kind(request, found))
        return paged(request, self._cloud.base_url, [shown(self._body(item)) for item in chosen])

    @operation("github", "get_repository")
    async def get_repository(self, request: web.Request) -> web.Response:
        return web.json_response(self._body(self._repository(request)))

    @operation("github", "update_repository")
    async def update_repository(self, request: web.Request) -> web.Response:
        found = self._administered(request)
        return web.json_response(self._body(self._repositories.update(found, await bodies.read_object(request))))

    @operation("github", "delete_repository")
    async def delete_repository(self, request: web.Request) -> web.Response:
        await self._repositories.delete(self._administered(request))
        return web.Response(status=204)

    @operation("github", "get_actions_permissions")
    async def get_actions(self, request: web.Request) -> web.Response:
        return web.json_response(self._administered(request).data["actions"])

    @operation("github", "set_actions_permissions")
    async def set_actions(self, request: web.Request) -> web.Response:
        found, wished = self._administered(request), await bodies.read_object(request)
        if not isinstance(wished.get("enabled"), bool):
            raise RefusedError(422, 'Invalid request.\n\n"enabled" wasn\'t supplied.')
        kept: dict[str, Any] = {"enabled": wished["enabled"]}
        if wished["enabled"]:
            kept["allowed_actions"] = wished.get("allowed_actions", "all")
        self._repositories.note(found, actions=kept)
        return web.Response(status=204)
