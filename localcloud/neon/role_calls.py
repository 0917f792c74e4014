"""Calls about the roles and databases of a branch.

Each change is written to the branch's row at once and holds in the cluster when its operation has finished.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from localcloud.faults import operation
from localcloud.neon import bodies, branch_bodies, records, wishes
from localcloud.neon.access import BRANCH, Access, Route
from localcloud.neon.operations import Operation, ensure_idle, planned
from localcloud.neon.projects import Projects
from localcloud.neon.records import Thing
from localcloud.neon.wishes import RefusedError
from localcloud.store import Object, now

NAME_BYTES = 63


class RoleCalls:
    """The handlers; each names its operation for faults."""

    def __init__(self, access: Access, projects: Projects) -> None:
        self._access = access
        self._projects = projects

    def routes(self) -> list[Route]:
        role, database = f"{BRANCH}/roles/{{role}}", f"{BRANCH}/databases/{{database}}"
        return [
            ("GET", f"{BRANCH}/roles", self.list_roles),
            ("POST", f"{BRANCH}/roles", self.create_role),
            ("GET", role, self.get_role),
            ("DELETE", role, self.delete_role),
            ("GET", f"{role}/reveal_password", self.reveal_password),
            ("POST", f"{role}/reset_password", self.reset_password),
            ("GET", f"{BRANCH}/databases", self.list_databases),
            ("POST", f"{BRANCH}/databases", self.create_database),
            ("GET", database, self.get_database),
            ("PATCH", database, self.update_database),
            ("DELETE", database, self.delete_database),
        ]

    # Roles

    def _role(self, request: web.Request) -> tuple[Object, Object, Thing]:
        project, branch = self._access.branch(request)
        return project, branch, self._access.role_of(branch, request.match_info["role"])

    @operation("neon", "list_roles")
    async def list_roles(self, request: web.Request) -> web.Response:
        _, branch = self._access.branch(request)
        return web.json_response({"roles": [branch_bodies.role(branch, one) for one in branch.data["roles"]]})

    @operation("neon", "get_role")
    async def get_role(self, request: web.Request) -> web.Response:
        _, branch, role = self._role(request)
        return web.json_response({"role": branch_bodies.role(branch, role)})

    @operation("neon", "create_role")
    async def create_role(self, request: web.Request) -> web.Response:
        project, branch = self._access.branch(request)
        wished = wishes.member(await wishes.read_body(request), "role", {"name": (str,), "no_login": (bool,)})
        name = _name(wished, "/role/name")
        ensure_idle(project)
        login = not wished.get("no_login", False)
        made = records.role(name, branch.data["suffix"], records.password(), login=login)
        _ensure_free(branch.data["roles"], name, made, "role")
        begun = self._apply(project, branch, {"set": [made["name"]]}, roles=[*branch.data["roles"], made])
        return _answer("role", branch_bodies.role(branch, made, told=True), project, begun, status=201)

    @operation("neon", "delete_role")
    async def delete_role(self, request: web.Request) -> web.Response:
        project, branch = self._access.branch(request)
        role = records.called(branch.data["roles"], request.match_info["role"])
        if role is None:
            return web.Response(status=204)
        owned = [one["name"] for one in branch.data["databases"] if one["owner"] == role["name"]]
        if owned:
            raise RefusedError(422, f"role owns databases and cannot be deleted: {', '.join(owned)}")
        left = [one for one in branch.data["roles"] if one is not role]
        begun = self._apply(project, branch, {"roles": [role["name"]]}, roles=left)
        return _answer("role", branch_bodies.role(branch, role), project, begun)

    @operation("neon", "reveal_password")
    async def reveal_password(self, request: web.Request) -> web.Response:
        project, _, role = self._role(request)
        if not project.data["wishes"].get("store_passwords", True):
            raise RefusedError(412, "passwords are not stored in this project")
        if not role["login"]:
            raise RefusedError(404, "the role has no password")
        return web.json_response({"password": role["password"]})

    @operation("neon", "reset_password")
    async def reset_password(self, request: web.Request) -> web.Response:
        """As in the real service the new one is told at once, and connections that are open stay open."""
        project, branch, role = self._role(request)
        if not role["login"]:
            raise RefusedError(422, "the role cannot log in and has no password")
        changed = role | {"password": records.password(), "updated_at": now()}
        roles = _replaced(branch.data["roles"], role, changed)
        begun = self._apply(project, branch, {"set": [role["name"]]}, roles=roles)
        return _answer("role", branch_bodies.role(branch, changed, told=True), project, begun)

    # Databases

    def _database(self, request: web.Request) -> tuple[Object, Object, Thing]:
        project, branch = self._access.branch(request)
        return project, branch, self._access.database_of(branch, request.match_info["database"])

    @operation("neon", "list_databases")
    async def list_databases(self, request: web.Request) -> web.Response:
        _, branch = self._access.branch(request)
        found = [branch_bodies.database(branch, one) for one in branch.data["databases"]]
        return web.json_response({"databases": found})

    @operation("neon", "get_database")
    async def get_database(self, request: web.Request) -> web.Response:
        _, branch, database = self._database(request)
        return web.json_response({"database": branch_bodies.database(branch, database)})

    @operation("neon", "create_database")
    async def create_database(self, request: web.Request) -> web.Response:
        project, branch = self._access.branch(request)
        wished = wishes.member(await wishes.read_body(request), "database", {"name": (str,), "owner_name": (str,)})
        name = _name(wished, "/database/name")
        if "owner_name" not in wished:
            raise wishes.bad("/database/owner_name", "property is missing")
        owner = self._access.role_of(branch, wished["owner_name"])
        ensure_idle(project)
        made = records.database(name, branch.data["suffix"], owner["name"])
        _ensure_free(branch.data["databases"], name, made, "database")
        begun = self._apply(project, branch, databases=[*branch.data["databases"], made])
        return _answer("database", branch_bodies.database(branch, made), project, begun, status=201)

    @operation("neon", "update_database")
    async def update_database(self, request: web.Request) -> web.Response:
        project, branch, database = self._database(request)
        wished = wishes.member(await wishes.read_body(request), "database", {"name": (str,), "owner_name": (str,)})
        changed, work = database | {"updated_at": now()}, {}
        if "owner_name" in wished:
            changed["owner"] = self._access.role_of(branch, wished["owner_name"])["name"]
        if "name" in wished and records.called([database], wished["name"]) is None:
            name = _name(wished, "/database/name")
            renamed = records.database(name, branch.data["suffix"], changed["owner"])
            _ensure_free(branch.data["databases"], name, renamed, "database")
            changed |= {"name": renamed["name"], "also": renamed["also"]}
            work = {"renamed": {database["name"]: renamed["name"]}}
        begun = self._apply(project, branch, work, databases=_replaced(branch.data["databases"], database, changed))
        return _answer("database", branch_bodies.database(branch, changed), project, begun)

    @operation("neon", "delete_database")
    async def delete_database(self, request: web.Request) -> web.Response:
        project, branch = self._access.branch(request)
        database = records.called(branch.data["databases"], request.match_info["database"])
        if database is None:
            return web.Response(status=204)
        left = [one for one in branch.data["databases"] if one is not database]
        begun = self._apply(project, branch, {"databases": [database["name"]]}, databases=left)
        return _answer("database", branch_bodies.database(branch, database), project, begun)

    def _apply(
        self, project: Object, branch: Object, work: dict[str, Any] | None = None, **changes: list[Thing]
    ) -> list[Operation]:
        """Write the change down and begin to bring it about. Raises `Locked`, and then nothing is written."""
        endpoint = branch.data["endpoint"]
        with self._access.records.store.transaction():
            self._access.records.change(branch, **changes)
            step = planned("apply_config", "configure", branch, endpoint=endpoint["id"] if endpoint else None)
            step["work"] |= work or {}
            return self._projects.operations.schedule(project.id, step)


def _name(wished: dict[str, Any], where: str) -> str:
    """A name that Postgres can take. Raises `RefusedError`."""
    name = wished.get("name", "")
    if not name:
        raise wishes.bad(where, "property is missing")
    if len(name.encode()) > NAME_BYTES or not name.isprintable():
        raise wishes.bad(where, f"not usable as a name of at most {NAME_BYTES} bytes")
    return str(name)


def _ensure_free(things: list[Thing], name: str, made: Thing, what: str) -> None:
    if records.called(things, name) or records.called(things, made["name"]):
        raise RefusedError(409, f"{what} already exists")


def _replaced(things: list[Thing], old: Thing, new: Thing) -> list[Thing]:
    return [new if one is old else one for one in things]


def _answer(
    kind: str, body: dict[str, Any], project: Object, begun: list[Operation], *, status: int = 200
) -> web.Response:
    operations = [bodies.operation(project.id, one) for one in begun]
    return web.json_response({kind: body, "operations": operations}, status=status)
