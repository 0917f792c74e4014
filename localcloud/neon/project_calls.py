"""Calls about projects: the account's list, one project's life, its operations, its handing over."""

from __future__ import annotations

from aiohttp import web

from localcloud.faults import operation
from localcloud.neon import bodies, branch_bodies, wishes
from localcloud.neon.access import ACCOUNT, BASE, PROJECT, Access, Route
from localcloud.neon.projects import Projects
from localcloud.neon.wishes import RefusedError

DAY = 24 * 3600


class ProjectCalls:
    """The handlers; each names its operation for faults."""

    def __init__(self, access: Access, projects: Projects) -> None:
        self._access = access
        self._projects = projects

    def routes(self) -> list[Route]:
        return [
            ("GET", f"{BASE}/users/me", self.me),
            ("POST", f"{BASE}/projects", self.create),
            ("GET", f"{BASE}/projects", self.listing),
            ("GET", PROJECT, self.get),
            ("PATCH", PROJECT, self.update),
            ("DELETE", PROJECT, self.delete),
            ("POST", f"{PROJECT}/recover", self.recover),
            ("GET", f"{PROJECT}/operations", self.list_operations),
            ("GET", f"{PROJECT}/operations/{{operation}}", self.get_operation),
            ("GET", f"{PROJECT}/connection_uri", self.connection_uri),
            ("POST", f"{PROJECT}/transfer_requests", self.offer),
            ("PUT", f"{PROJECT}/transfer_requests/{{request}}", self.take),
        ]

    @property
    def _version(self) -> int:
        return self._projects.databases.version

    @operation("neon", "get_current_user")
    async def me(self, request: web.Request) -> web.Response:
        return web.json_response(bodies.user(request[ACCOUNT], self._projects.limit))

    @operation("neon", "create_project")
    async def create(self, request: web.Request) -> web.Response:
        wished = await wishes.read_project(request)
        databases = self._projects.databases
        await databases.ensure()
        made = self._projects.create(request[ACCOUNT], wished.pop("name", ""), wished)
        branch = self._access.records.default_branch(made)
        body = branch_bodies.created(made, branch, made.data["operations"], databases.port)
        return web.json_response({"project": bodies.project(made, self._version)} | body, status=201)

    @operation("neon", "list_projects")
    async def listing(self, request: web.Request) -> web.Response:
        query, account = request.query, request[ACCOUNT]
        limit = wishes.read_limit(query, default=10, most=400)
        until: dict[str, str] = {}
        if wishes.flag(query, "recoverable"):
            deleted = self._projects.recoverable(account)
            found, until = [item for item, _ in deleted], {item.id: moment for item, moment in deleted}
        else:
            found = self._projects.of(account)
        found.sort(key=lambda item: (item.created_at, item.id))
        search = query.get("search", "").lower()
        found = [item for item in found if search in item.name.lower() or search in item.id]
        page = wishes.after(found, query.get("cursor"))[:limit]
        answer: dict[str, object] = {
            "projects": [
                bodies.recoverable(item, self._version, until[item.id])
                if item.id in until
                else bodies.project(item, self._version, listed=True)
                for item in page
            ],
            "applications": {},
            "integrations": {},
        }
        if page:  # as in the real service, also on the last page
            answer["pagination"] = {"cursor": wishes.cursor_of(page[-1])}
        return web.json_response(answer)

    @operation("neon", "get_project")
    async def get(self, request: web.Request) -> web.Response:
        return web.json_response({"project": bodies.project(self._access.project(request), self._version)})

    @operation("neon", "update_project")
    async def update(self, request: web.Request) -> web.Response:
        found = self._access.project(request)
        changed = self._projects.update(found, await wishes.read_project(request))
        return web.json_response({"project": bodies.project(changed, self._version), "operations": []})

    @operation("neon", "delete_project")
    async def delete(self, request: web.Request) -> web.Response:
        found = self._access.project(request)
        await self._projects.delete(found)
        return web.json_response({"project": bodies.project(found, self._version)})

    @operation("neon", "recover_project")
    async def recover(self, request: web.Request) -> web.Response:
        project = await self._projects.recover(request[ACCOUNT], request.match_info["project"])
        branches = [branch_bodies.branch(project, one) for one in self._access.records.branches(project.id)]
        return web.json_response({"project": bodies.project(project, self._version), "branches": branches})

    @operation("neon", "list_operations")
    async def list_operations(self, request: web.Request) -> web.Response:
        found = self._access.project(request)
        every = [bodies.operation(found.id, one) for one in reversed(found.data["operations"])]
        limit = wishes.read_limit(request.query, default=1000, most=1000)
        begin = 0
        if cursor := request.query.get("cursor"):
            (last,) = wishes.decode_cursor(cursor, 1)
            begin = next((number + 1 for number, one in enumerate(every) if one["id"] == last), len(every))
        page = every[begin : begin + limit]
        last = page[-1]["id"] if page else every[-1]["id"]
        return web.json_response({"operations": page, "pagination": {"cursor": wishes.encode_cursor(last)}})

    @operation("neon", "get_operation")
    async def get_operation(self, request: web.Request) -> web.Response:
        found = self._access.project(request)
        for kept in found.data["operations"]:
            if kept["id"] == request.match_info["operation"]:
                return web.json_response({"operation": bodies.operation(found.id, kept)})
        raise RefusedError(404, "operation not found")

    @operation("neon", "get_connection_uri")
    async def connection_uri(self, request: web.Request) -> web.Response:
        project, query = self._access.project(request), request.query
        for name in ("database_name", "role_name"):
            if name not in query:
                raise RefusedError(400, f'parameter "{name}" in query has an error: value is required')
        if "endpoint_id" in query:
            branch = self._access.endpoint_of(project, query["endpoint_id"])
            if query.get("branch_id", branch.id) != branch.id:
                raise RefusedError(404, "endpoint not found")
        else:
            branch = self._access.branch_of(project, query.get("branch_id", project.data["default_branch"]))
        if branch.data["endpoint"] is None:
            raise RefusedError(404, "endpoint not found")
        database = self._access.database_of(branch, query["database_name"])
        role = self._access.role_of(branch, query["role_name"])
        return web.json_response({"uri": branch_bodies.uri(role, database, self._projects.databases.port)})

    @operation("neon", "create_transfer_request")
    async def offer(self, request: web.Request) -> web.Response:
        project = self._access.project(request)
        wished = wishes.known(await wishes.read_body(request, optional=True), {"ttl_seconds": (int,)})
        wishes.within(wished, "", "ttl_seconds", 1, 365 * DAY)
        made = self._projects.offer(project, wished.get("ttl_seconds", DAY))
        return web.json_response(bodies.transfer(project.id, made), status=201)

    @operation("neon", "accept_transfer_request")
    async def take(self, request: web.Request) -> web.Response:
        account = request[ACCOUNT]
        wished = wishes.known(await wishes.read_body(request, optional=True), {"org_id": (str,)})
        if wished.get("org_id", account.organization) != account.organization:
            raise RefusedError(404, "organization not found")
        try:
            self._projects.take(account, request.match_info["project"], request.match_info["request"])
        except RefusedError as error:
            if error.status != 422:
                raise
            reasons = [{"code": error.code, "message": str(error)}]
            return web.json_response({"reasons": reasons}, status=406)
        return web.Response(status=204)
