"""Routes of the GitHub stand-in's REST API under `/github`."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from localcloud.cloud import Cloud, Handler
from localcloud.faults import operation
from localcloud.github import bodies
from localcloud.github.access import Access, Caller
from localcloud.github.bodies import RefusedError
from localcloud.github.git import GitError
from localcloud.github.history import History
from localcloud.github.lists import in_order, paged
from localcloud.github.repositories import ORGANIZATION, USER, Repositories
from localcloud.github.smart_http import SmartHttp
from localcloud.github.transfers import Transfers
from localcloud.store import Object

CALLER: web.RequestKey[Caller | None] = web.RequestKey("github_caller", Caller)
REPOSITORIES: web.AppKey[Repositories] = web.AppKey("github_repositories", Repositories)
ORGANIZATION_SUFFIX = "-org"
STRANGER_SUFFIX = "-friend"


def setup(app: web.Application, cloud: Cloud) -> None:
    """Add the REST routes and those of git itself."""
    cloud.error_bodies["github"] = bodies.error
    owner, stranger = cloud.github_owner, cloud.github_owner + STRANGER_SUFFIX
    accounts = {owner: USER, owner + ORGANIZATION_SUFFIX: ORGANIZATION, stranger: USER}
    repositories = app[REPOSITORIES] = Repositories(cloud.store, cloud.directory / "git", accounts, stranger)
    repositories.clear_leftovers()
    access = Access(cloud)
    cloud.extra["github_app"] = access.app
    cloud.notes["github"] = f"Bare repositories of {' and '.join(accounts)}, served by git http-backend."
    github = GitHub(cloud, access, repositories)
    github.add_routes(app)
    github.transfers.setup(app)
    SmartHttp(cloud, access, repositories).setup(app)


class GitHub:
    """The REST handlers; each names its operation for faults."""

    def __init__(self, cloud: Cloud, access: Access, repositories: Repositories) -> None:
        self._cloud, self._access, self._repositories = cloud, access, repositories
        self.transfers = Transfers(cloud, repositories, self._administered)

    def add_routes(self, app: web.Application) -> None:
        history = History(self._repository, self._repositories)
        one = "/repos/{owner}/{name}"
        for method, path, handler in (
            ("GET", "/user", self.me),
            ("GET", "/users/{login}", self.account),
            ("GET", "/orgs/{login}", self.account),
            ("GET", "/rate_limit", self.rate_limit),
            ("POST", "/user/repos", self.create_repository),
            ("POST", "/orgs/{org}/repos", self.create_org_repository),
            ("GET", "/user/repos", self.list_repositories),
            ("GET", "/orgs/{org}/repos", self.list_repositories),
            ("GET", "/users/{org}/repos", self.list_repositories),
            ("GET", "/installation/repositories", self.installation_repositories),
            ("GET", one, self.get_repository),
            ("PATCH", one, self.update_repository),
            ("DELETE", one, self.delete_repository),
            ("POST", f"{one}/transfer", self.transfers.transfer),
            ("GET", "/repositories/{id}", self.get_repository_by_id),
            ("GET", f"{one}/actions/permissions", self.get_actions),
            ("PUT", f"{one}/actions/permissions", self.set_actions),
            ("GET", f"{one}/branches", history.list_branches),
            ("GET", f"{one}/branches/{{branch:.+}}", history.get_branch),
            ("GET", f"{one}/commits", history.list_commits),
            ("GET", f"{one}/commits/{{ref:.+}}", history.get_commit),
            ("GET", f"{one}/contents/{{path:.*}}", history.get_contents),
            ("POST", "/app/installations/{installation}/access_tokens", self.create_installation_token),
            ("DELETE", "/installation/token", self.revoke_installation_token),
            ("GET", "/repos/{owner}/{name}/installation", self.get_installation),
            ("GET", "/orgs/{login}/installation", self.get_installation),
            ("GET", "/users/{login}/installation", self.get_installation),
        ):
            app.router.add_route(method, f"/github{path}", self._known(handler))

    def _known(self, handler: Handler) -> Handler:
        async def check(request: web.Request) -> web.StreamResponse:
            try:
                if not request.headers.get("User-Agent"):
                    raise RefusedError(
                        403,
                        "Request forbidden by administrative rules. Please make sure your request has a "
                        "User-Agent header.",
                    )
                request[CALLER] = self._access.caller(request)
                answer = await handler(request)
            except RefusedError as refused:
                return refused.answer()
            except GitError as error:
                return bodies.error(500, str(error))
            answer.headers.update(bodies.HEADERS)
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
            raise RefusedError(403, "Resource not accessible by integration")
        return caller

    def _repository(self, request: web.Request) -> Object:
        """The repository a request names, if its caller may know about it. Raises `RefusedError`."""
        owner, name = request.match_info["owner"], request.match_info["name"]
        found = self._repositories.get(owner, name)
        if found is None:
            moved = self._visible(request, self._repositories.moved(owner, name))
            rest = request.path.removeprefix(f"/github/repos/{owner}/{name}")
            raise bodies.MovedError(request.method, f"{self._cloud.base_url}/github/repositories/{moved.id}{rest}")
        return self._visible(request, found)

    def _visible(self, request: web.Request, found: Object | None) -> Object:
        caller = request[CALLER]
        if found is None or (found.data["private"] and caller is None):
            raise bodies.not_found()
        if caller is not None and (caller.app or not caller.reaches(found.id)):
            raise bodies.not_found()
        if found.data["private"] and found.data["owner"] == self._repositories.stranger:
            raise bodies.not_found()
        return found

    def _administered(self, request: web.Request) -> Object:
        caller, found = self._caller(request), self._repository(request)
        if not caller.may_administer():
            raise RefusedError(403, "Resource not accessible by integration")
        return found

    def _body(self, item: Object) -> dict[str, Any]:
        return self.transfers.body(item)

    # Accounts

    @operation("github", "get_user")
    async def me(self, request: web.Request) -> web.Response:
        self._owner(request)
        return web.json_response(self._account(self._cloud.github_owner, own=True))

    @operation("github", "get_account")
    async def account(self, request: web.Request) -> web.Response:
        login = self._repositories.owner(request.match_info["login"])
        if login is None:
            raise bodies.not_found()
        return web.json_response(self._account(login))

    def _account(self, login: str, *, own: bool = False) -> dict[str, Any]:
        every = self._repositories.all(login)
        private = sum(bool(item.data["private"]) for item in every)
        return bodies.profile(
            self._cloud.base_url, login, self._repositories.accounts[login],
            own=own, public=len(every) - private, private=private,
        )  # fmt: skip

    @operation("github", "get_rate_limit")
    async def rate_limit(self, _request: web.Request) -> web.Response:
        most = {"limit": 1_000_000, "used": 0, "remaining": 1_000_000, "reset": 4_000_000_000}
        return web.json_response({"resources": {"core": most, "search": most}, "rate": most})

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
        if not caller.may_administer():
            raise RefusedError(403, "Resource not accessible by integration")
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
            self._caller(request)
            if "organization_member" not in request.query.get("affiliation", "organization_member"):
                owner = self._cloud.github_owner
        elif (owner := self._repositories.owner(login)) is None:
            raise bodies.not_found()
        found = [
            item
            for item in self._repositories.all(owner)
            if item.data["owner"] != self._repositories.stranger
            and (not item.data["private"] or caller is not None)
            and (caller is None or caller.reaches(item.id))
        ]
        shown = bodies.listed if login is None else bodies.minimal
        return paged(request, self._cloud.base_url, [shown(self._body(item)) for item in in_order(request, found)])

    @operation("github", "list_installation_repositories")
    async def installation_repositories(self, request: web.Request) -> web.Response:
        caller = self._caller(request)
        ours = [item for item in self._repositories.all() if item.data["owner"] != self._repositories.stranger]
        found = [bodies.listed(self._body(item)) for item in ours if caller.reaches(item.id)]
        return web.json_response({"total_count": len(found), "repositories": found[:100]})

    @operation("github", "get_repository")
    async def get_repository(self, request: web.Request) -> web.Response:
        return web.json_response(self._body(self._repository(request)))

    @operation("github", "get_repository")
    async def get_repository_by_id(self, request: web.Request) -> web.Response:
        return web.json_response(
            self._body(self._visible(request, self._repositories.numbered(request.match_info["id"])))
        )

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

    # The App and its tokens

    @operation("github", "create_installation_token")
    async def create_installation_token(self, request: web.Request) -> web.Response:
        if not self._caller(request).app:
            raise RefusedError(401, "A JSON web token could not be decoded")
        if request.match_info["installation"] != self._access.app["installation_id"]:
            raise bodies.not_found()
        wished = await bodies.read_object(request)
        chosen = self._chosen(wished)
        permissions = wished.get("permissions") or {"administration": "write", "contents": "write", "metadata": "read"}
        if not isinstance(permissions, dict):
            raise RefusedError(422, "The permissions requested are not granted to this installation.")
        secret, ends = self._access.mint(
            None if chosen is None else [item.id for item in chosen],
            [f"{name}:{level}" for name, level in permissions.items()],
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

    def _chosen(self, wished: dict[str, Any]) -> list[Object] | None:
        names, numbers = wished.get("repositories"), wished.get("repository_ids")
        if names is None and numbers is None:
            return None
        every = self._repositories.all()
        wanted_names = {str(name).lower() for name in names or []}
        wanted_numbers = {str(number) for number in numbers or []}
        found = [item for item in every if item.name.lower() in wanted_names or item.id in wanted_numbers]
        if len(found) < len(wanted_names | wanted_numbers):
            raise RefusedError(
                422,
                "There is at least one repository that does not exist or is not accessible to the parent installation.",
            )
        return found

    @operation("github", "revoke_installation_token")
    async def revoke_installation_token(self, request: web.Request) -> web.Response:
        if self._caller(request).owner:
            raise RefusedError(403, "You must authenticate with an installation access token")
        self._access.revoke(request)
        return web.Response(status=204)

    @operation("github", "get_installation")
    async def get_installation(self, request: web.Request) -> web.Response:
        if not self._caller(request).app:
            raise RefusedError(401, "A JSON web token could not be decoded")
        login = self._repositories.owner(request.match_info.get("login") or request.match_info["owner"])
        if login is None:
            raise bodies.not_found()
        app = self._access.app
        owner = bodies.account(self._cloud.base_url, login, self._repositories.accounts[login])
        return web.json_response({"id": int(app["installation_id"]), "app_id": int(app["id"]), "account": owner})
