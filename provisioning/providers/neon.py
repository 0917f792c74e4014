"""Neon: one project with one database per session (API v2, as in its OpenAPI description).

Facts this rests on: POST /projects is not idempotent and names are not unique, so what a lost reply left behind is
found with `?search=` (a partial match: compare exactly). 201 comes before the database accepts a connection; operations
have to finish first. DELETE answers 200 with the project and is final for us, though Neon can recover it for a week.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

import psycopg
import pydantic
from django.conf import settings

from provisioning.exceptions import VendorError
from provisioning.outcome import Hint, Outcome, Verb, Wire
from provisioning.providers.base import (
    NAME_PREFIX,
    Api,
    Found,
    Identifier,
    Made,
    Nothing,
    Order,
    Rotates,
    Step,
    gone_is_fine,
    partial,
    require,
)
from provisioning.providers.neon_uri import read_uri, with_password
from provisioning.secrets import Secret

DATABASE = "neondb"
ROLE = "neondb_owner"
# What one session may use before Neon stops it: ten hours awake, 2 GB in and out, 512 MB kept.
QUOTA = {
    "active_time_seconds": 36_000,
    "compute_time_seconds": 36_000,
    "written_data_bytes": 2_000_000_000,
    "data_transfer_bytes": 2_000_000_000,
    "logical_size_bytes": 512_000_000,
}
_PAGE, _MAX_PAGES = 400, 100
_WELL, _BADLY = {"finished", "skipped"}, {"failed", "error", "cancelled"}  # how an operation ends


class _Project(pydantic.BaseModel):
    id: Identifier
    name: str
    created_at: datetime | None = None


class _Uri(pydantic.BaseModel):
    connection_uri: str


class _Made(pydantic.BaseModel):
    project: _Project
    connection_uris: list[_Uri] = pydantic.Field(min_length=1)


class _Got(pydantic.BaseModel):
    project: _Project


class _Pagination(pydantic.BaseModel):
    cursor: str | None = None


class _Listed(pydantic.BaseModel):
    projects: list[_Project]
    pagination: _Pagination | None = None
    unavailable: list[Any] | None = None  # projects Neon could not look at in time


class _ConnectionUri(pydantic.BaseModel):
    uri: str


class _Branch(pydantic.BaseModel):
    id: Identifier
    default: bool = False


class _Branches(pydantic.BaseModel):
    branches: list[_Branch] = pydantic.Field(min_length=1)


class _Database(pydantic.BaseModel):
    name: Identifier
    owner_name: Identifier


class _Databases(pydantic.BaseModel):
    databases: list[_Database] = pydantic.Field(min_length=1)


class _Role(pydantic.BaseModel):
    password: str = pydantic.Field(min_length=1, max_length=200)


class _Reset(pydantic.BaseModel):
    role: _Role


class _Operation(pydantic.BaseModel):
    status: str
    created_at: datetime


class _Operations(pydantic.BaseModel):
    operations: list[_Operation]


class _Api(Api):
    vendor = "neon"

    def base_url(self) -> str:
        return str(settings.NEON_API_URL)

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {settings.NEON_API_KEY}"}

    def read_error(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[Hint, str]:  # noqa: ARG002
        code = body.get("code")
        code = code if isinstance(code, str) else ""
        return (Hint.QUOTA if code.endswith("LIMIT_EXCEEDED") and status == 422 else Hint.NONE), code


class Project(Step):
    """A project with one database and the role that owns it."""

    provider: ClassVar[str] = "neon"
    kind: ClassVar[str] = "project"
    label: ClassVar[str] = "Neon"
    thing: ClassVar[str] = "a database"
    without: ClassVar[str] = "The app works without a database: what is typed into it will not be kept."
    cost: ClassVar[int] = 6  # the create, and about five looks at its operations until the database is up

    settles_within: ClassVar[float] = 10.0
    rotates: ClassVar[Rotates] = Rotates.IN_PLACE  # a role has one password

    def __init__(self) -> None:
        self._api = _Api()

    @property
    def base_url(self) -> str:
        return str(settings.NEON_API_URL)

    def page(self, external_id: str) -> str:
        return f"{settings.NEON_CONSOLE_URL}/{external_id}"

    def check(self) -> None:
        require("NEON_API_KEY", settings.NEON_API_KEY)

    async def create(self, order: Order) -> Made:
        project: dict[str, Any] = {
            "name": order.name,
            "pg_version": settings.NEON_PG_VERSION,
            "region_id": settings.NEON_REGION,
            "branch": {"name": "main", "role_name": ROLE, "database_name": DATABASE},
            "default_endpoint_settings": {
                "autoscaling_limit_min_cu": 0.25,
                "autoscaling_limit_max_cu": 0.25,
                "suspend_timeout_seconds": 0,  # 0 is Neon's default, five minutes
            },
            "settings": {"quota": QUOTA},
        }
        if settings.NEON_ORG_ID:
            project["org_id"] = settings.NEON_ORG_ID
        made = await self._api.call(
            Verb.CREATE, "create_project", "POST", "/projects", _Made, body={"project": project}, total=25
        )
        return self._made(made.project.id, made.connection_uris[0].connection_uri, "create_project")

    async def find(self, order: Order) -> list[Found]:
        params = {"search": order.name, "limit": "100"}
        if settings.NEON_ORG_ID:
            params["org_id"] = settings.NEON_ORG_ID
        listed = await self._list(params)
        mine = [Found(one.id, one.created_at, name=one.name) for one in listed.projects if one.name == order.name]
        return sorted(mine, key=lambda one: (one.created_at is None, one.created_at and one.created_at.timestamp()))

    async def inventory(self) -> list[Found]:
        """Neon may send a cursor with the last page too: the end is a page without items, or without a new cursor."""
        found: dict[str, Found] = {}
        params = {"search": NAME_PREFIX, "limit": str(_PAGE)}
        if settings.NEON_ORG_ID:
            params["org_id"] = settings.NEON_ORG_ID
        for _ in range(_MAX_PAGES):
            listed = await self._list(params)
            for one in listed.projects:
                if one.name.startswith(NAME_PREFIX):  # the search is partial, and looks at ids too
                    found[one.id] = Found(one.id, one.created_at, name=one.name)
            cursor = listed.pagination.cursor if listed.pagination else None
            if not cursor or not listed.projects:
                return list(found.values())
            if cursor == params.get("cursor"):
                raise partial("list_projects", "the cursor stands still")
            params["cursor"] = cursor
        raise partial("list_projects", f"more than {_MAX_PAGES} pages")

    async def _list(self, params: Mapping[str, str]) -> _Listed:
        """One page of projects, without gaps."""
        listed = await self._api.call(Verb.READ, "list_projects", "GET", "/projects", _Listed, params=params)
        if listed.unavailable:
            raise partial("list_projects", f"{len(listed.unavailable)} unavailable")
        return listed

    async def adopt(self, order: Order, found: Found) -> Made:  # noqa: ARG002 - the contract's shape
        """Ask for the connection of the database that is there, whatever it came to be called."""
        path = f"/projects/{found.external_id}"
        branch = await self._branch(found.external_id)
        held = await self._api.call(
            Verb.READ, "list_databases", "GET", f"{path}/branches/{branch}/databases", _Databases
        )
        params = {"database_name": held.databases[0].name, "role_name": held.databases[0].owner_name}
        answer = await self._api.call(
            Verb.READ, "connection_uri", "GET", f"{path}/connection_uri", _ConnectionUri, params=params
        )
        return self._made(found.external_id, answer.uri, "connection_uri")

    async def finish(self, order: Order, made: Made) -> None:  # noqa: ARG002 - the contract's shape
        await self._await_operations(made.external_id)
        await self._await_connection(made.secrets["DATABASE_URL"])

    async def _await_operations(self, project: str) -> None:
        """Until none is under way. What counts is how those begun last ended: one that failed before is history."""
        pause = 0.1
        while True:
            path = f"/projects/{project}/operations"
            answer = await self._api.call(Verb.READ, "operations", "GET", path, _Operations, params={"limit": "100"})
            if {one.status for one in answer.operations} <= _WELL | _BADLY:
                begun = max((one.created_at for one in answer.operations), default=None)  # in whole seconds
                if any(one.status in _BADLY for one in answer.operations if one.created_at == begun):
                    raise VendorError("operations", Outcome.REJECTED, status=200, broken=True, code="operation_failed")
                return
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 1.0)

    async def _await_connection(self, url: Secret) -> None:
        try:
            async with asyncio.timeout(8):
                async with await psycopg.AsyncConnection.connect(url.expose(), connect_timeout=5) as connection:
                    await connection.execute("select 1")
        except (
            psycopg.Error,
            OSError,
        ) as error:  # TimeoutError is one; the driver's text names the host, so keep it out
            raise VendorError(
                "connect", Outcome.NOT_SENT, verb=Verb.READ, wire=Wire.UNSENT, detail=type(error).__name__
            ) from None

    async def exists(self, made: Made) -> bool:
        try:
            await self._api.call(Verb.READ, "get_project", "GET", f"/projects/{made.external_id}", _Got)
        except VendorError as error:
            if error.outcome is Outcome.GONE:
                return False
            raise
        return True

    async def destroy(self, made: Made) -> None:
        path = f"/projects/{made.external_id}"
        await gone_is_fine(self._api.call(Verb.DELETE, "delete_project", "DELETE", path, Nothing))

    async def revoke(self, made: Made) -> None:
        """Give the role another password, which nobody is told: the data stays, the old password opens nothing."""
        path = await self._role(made)
        await self._api.call(Verb.DELETE, "reset_password", "POST", f"{path}/reset_password", Nothing)
        await self._await_operations(made.external_id)  # until then the old one holds

    async def rotate(self, order: Order, made: Made) -> Made:  # noqa: ARG002 - the contract's shape
        path = f"{await self._role(made)}/reset_password"
        reset = await self._api.call(Verb.CREATE, "reset_password", "POST", path, _Reset, total=20)
        uri = with_password(made.secrets["DATABASE_URL"].expose(), reset.role.password)
        return self._made(made.external_id, uri, "reset_password")

    async def caught_up(self, order: Order, made: Made) -> Made | None:
        """Neon tells the password that holds now."""
        now = await self.adopt(order, Found(made.external_id))
        return None if now.secrets["NEON_ROLE_PASSWORD"] == made.secrets["NEON_ROLE_PASSWORD"] else now

    async def _role(self, made: Made) -> str:
        branch = await self._branch(made.external_id)
        return f"/projects/{made.external_id}/branches/{branch}/roles/{made.meta['role']}"

    async def _branch(self, project: str) -> str:
        listed = await self._api.call(Verb.READ, "list_branches", "GET", f"/projects/{project}/branches", _Branches)
        return next((one for one in listed.branches if one.default), listed.branches[0]).id

    def env(self, made: Made) -> dict[str, Secret]:
        values = {
            "DATABASE_URL": made.secrets["DATABASE_URL"],
            "NEON_HOST": Secret(made.meta["host"]),
            "NEON_DB_NAME": Secret(made.meta["database"]),
            "NEON_ROLE_NAME": Secret(made.meta["role"]),
            "NEON_ROLE_PASSWORD": made.secrets["NEON_ROLE_PASSWORD"],
        }
        if made.meta["port"] != 5432:
            values["NEON_PORT"] = Secret(str(made.meta["port"]))
        return values

    def _made(self, project: str, uri: str, operation: str) -> Made:
        meta, secrets = read_uri(uri, operation)
        url = f"https://console.neon.tech/app/projects/{project}" if "neon.tech" in self.base_url else ""
        return Made(project, url, meta, secrets)
