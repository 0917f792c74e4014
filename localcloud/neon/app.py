"""Routes of the Neon stand-in under `/neon/api/v2`, and the life of its cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
from aiohttp import web

from localcloud.cloud import Cloud, Handler
from localcloud.faults import operation
from localcloud.neon import bodies, wishes
from localcloud.neon.databases import DatabaseDown, Databases
from localcloud.neon.projects import Locked, Projects
from localcloud.operator import same
from localcloud.store import Object

BASE = "/neon/api/v2"


def setup(app: web.Application, cloud: Cloud) -> None:
    """Add the routes; the cluster starts with the application and stops with it."""
    databases = Databases(cloud.directory / "postgres", cloud.postgres_port)
    neon = Neon(cloud, Projects(cloud.store, databases))
    cloud.error_bodies["neon"] = bodies.error
    neon.add_routes(app)

    async def cluster(_app: web.Application) -> AsyncIterator[None]:
        await databases.start()
        if databases.port != cloud.postgres_port:
            cloud.move_postgres(databases.port)
        cloud.notes["neon"] = databases.trouble or f"PostgreSQL {databases.version} on 127.0.0.1:{databases.port}"
        neon.projects.resume()
        yield
        await neon.projects.close()
        await databases.stop()

    app.cleanup_ctx.append(cluster)


class Neon:
    """The handlers; each names its operation for faults."""

    def __init__(self, cloud: Cloud, projects: Projects) -> None:
        self._key = cloud.keys.neon
        self.projects = projects

    def add_routes(self, app: web.Application) -> None:
        one = f"{BASE}/projects/{{project}}"
        branch = f"{one}/branches/{{branch}}"
        for method, path, handler in (
            ("GET", f"{BASE}/users/me", self.me),
            ("POST", f"{BASE}/projects", self.create_project),
            ("GET", f"{BASE}/projects", self.list_projects),
            ("GET", one, self.get_project),
            ("PATCH", one, self.update_project),
            ("DELETE", one, self.delete_project),
            ("GET", f"{one}/operations", self.list_operations),
            ("GET", f"{one}/operations/{{operation}}", self.get_operation),
            ("GET", f"{one}/connection_uri", self.connection_uri),
            ("GET", f"{one}/endpoints", self.list_endpoints),
            ("GET", f"{one}/branches", self.list_branches),
            ("GET", branch, self.get_branch),
            ("GET", f"{branch}/roles", self.list_roles),
            ("GET", f"{branch}/databases", self.list_databases),
            ("GET", f"{branch}/roles/{{role}}/reveal_password", self.reveal_password),
            ("POST", f"{branch}/roles/{{role}}/reset_password", self.reset_password),
        ):
            app.router.add_route(method, path, self._known(handler))

    def _known(self, handler: Handler) -> Handler:
        """Let only our key in, and answer in Neon's form when the database or the request is at fault."""

        async def check(request: web.Request) -> web.StreamResponse:
            scheme, _, key = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not same(key.strip(), self._key):
                return bodies.error(401, "supplied credentials do not pass authentication")
            try:
                return await handler(request)
            except wishes.BadRequestError as error:
                return bodies.error(error.status, str(error))
            except Locked:
                return bodies.error(423, "project already has running operations, scheduling of new ones is prohibited")
            except (DatabaseDown, psycopg.Error) as error:
                return bodies.error(503, str(error))

        check.operation = handler.operation  # type: ignore[attr-defined]
        return check

    def _project(self, request: web.Request) -> Object:
        found = self.projects.get(request.match_info["project"])
        if found is None:
            raise wishes.BadRequestError("project not found", status=404)
        if request.match_info.get("branch", found.data["branch_id"]) != found.data["branch_id"]:
            raise wishes.BadRequestError("branch not found", status=404)
        if request.match_info.get("role", found.data["role"]) != found.data["role"]:
            raise wishes.BadRequestError("role not found", status=404)
        return found

    @property
    def _version(self) -> int:
        return self.projects.databases.version

    @operation("neon", "get_current_user")
    async def me(self, _request: web.Request) -> web.Response:
        return web.json_response(bodies.user(len(self.projects.all())))

    @operation("neon", "create_project")
    async def create_project(self, request: web.Request) -> web.Response:
        wished = await wishes.read_project(request)
        databases = self.projects.databases
        if databases.trouble:
            raise DatabaseDown(databases.trouble)
        made = self.projects.create(wished.pop("name", ""), wished)
        return web.json_response(bodies.created(made, self._version, databases.port), status=201)

    @operation("neon", "list_projects")
    async def list_projects(self, request: web.Request) -> web.Response:
        query = request.query
        limit = wishes.read_limit(query, default=10, most=400)
        found = [] if query.get("recoverable") == "true" else self.projects.all()
        found.sort(key=lambda item: (item.created_at, item.id))
        search = query.get("search", "").lower()
        found = [item for item in found if search in item.name.lower() or search in item.id]
        page = wishes.after(found, query.get("cursor"))[:limit]
        answer: dict[str, object] = {
            "projects": [bodies.project(item, self._version, listed=True) for item in page],
            "applications": {},
            "integrations": {},
        }
        if page:  # as in the real service, also on the last page
            answer["pagination"] = {"cursor": wishes.cursor_of(page[-1])}
        return web.json_response(answer)

    @operation("neon", "get_project")
    async def get_project(self, request: web.Request) -> web.Response:
        return web.json_response({"project": bodies.project(self._project(request), self._version)})

    @operation("neon", "update_project")
    async def update_project(self, request: web.Request) -> web.Response:
        found = self._project(request)
        wished = await wishes.read_project(request)
        if "name" in wished:
            found = self.projects.rename(found.id, wished["name"])
        return web.json_response({"project": bodies.project(found, self._version), "operations": []})

    @operation("neon", "delete_project")
    async def delete_project(self, request: web.Request) -> web.Response:
        found = self._project(request)
        await self.projects.delete(found)
        return web.json_response({"project": bodies.project(found, self._version)})

    @operation("neon", "list_operations")
    async def list_operations(self, request: web.Request) -> web.Response:
        found = self._project(request)
        every = [bodies.operation(found, number) for number in reversed(range(len(found.data["operations"])))]
        limit = wishes.read_limit(request.query, default=1000, most=1000)
        cursor = request.query.get("cursor")
        page = [] if cursor else every[:limit]
        return web.json_response({"operations": page, "pagination": {"cursor": found.data["updated_at"]}})

    @operation("neon", "get_operation")
    async def get_operation(self, request: web.Request) -> web.Response:
        found = self._project(request)
        for number, kept in enumerate(found.data["operations"]):
            if kept["id"] == request.match_info["operation"]:
                return web.json_response({"operation": bodies.operation(found, number)})
        return bodies.error(404, "operation not found")

    @operation("neon", "get_connection_uri")
    async def connection_uri(self, request: web.Request) -> web.Response:
        found = self._project(request)
        for parameter, member, what in (
            ("database_name", "database", "database"),
            ("role_name", "role", "role"),
            ("branch_id", "branch_id", "branch"),
            ("endpoint_id", "endpoint_id", "endpoint"),
        ):
            value = request.query.get(parameter)
            if value is None and parameter.endswith("_name"):
                return bodies.error(400, f'parameter "{parameter}" in query has an error: value is required')
            if value is not None and value != found.data[member]:
                return bodies.error(404, f"{what} not found")
        return web.json_response({"uri": bodies.uri(found, self.projects.databases.port)})

    @operation("neon", "list_endpoints")
    async def list_endpoints(self, request: web.Request) -> web.Response:
        return web.json_response({"endpoints": [bodies.endpoint(self._project(request))]})

    @operation("neon", "list_branches")
    async def list_branches(self, request: web.Request) -> web.Response:
        return web.json_response({"branches": [bodies.branch(self._project(request))], "annotations": {}})

    @operation("neon", "get_branch")
    async def get_branch(self, request: web.Request) -> web.Response:
        return web.json_response({"branch": bodies.branch(self._project(request))})

    @operation("neon", "list_roles")
    async def list_roles(self, request: web.Request) -> web.Response:
        return web.json_response({"roles": [bodies.role(self._project(request))]})

    @operation("neon", "list_databases")
    async def list_databases(self, request: web.Request) -> web.Response:
        return web.json_response({"databases": [bodies.database(self._project(request))]})

    @operation("neon", "reveal_password")
    async def reveal_password(self, request: web.Request) -> web.Response:
        return web.json_response({"password": self._project(request).data["password"]})

    @operation("neon", "reset_password")
    async def reset_password(self, request: web.Request) -> web.Response:
        changed, number = self.projects.reset_password(self._project(request))
        role = bodies.role(changed) | {"password": changed.data["password"]}
        return web.json_response({"role": role, "operations": [bodies.operation(changed, number)]})
