"""Calls about compute endpoints. What a compute is here is whether its branch's databases can be connected to.

A suspended one ends its connections and is woken by the next, as in the real service; a disabled one lets nobody in.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from localcloud.faults import operation
from localcloud.neon import bodies, branch_bodies, records, wishes
from localcloud.neon.access import BRANCH, PROJECT, Access, Route
from localcloud.neon.branch_calls import ENDPOINT, read_endpoint
from localcloud.neon.operations import Operation, planned
from localcloud.neon.projects import Projects
from localcloud.neon.records import Thing, names
from localcloud.neon.wishes import RefusedError
from localcloud.store import Object, now

CHANGES: wishes.Kinds = {"settings": (dict,), "disabled": (bool,), "name": (str,), "branch_id": (str,)} | wishes.COMPUTE


class EndpointCalls:
    """The handlers; each names its operation for faults."""

    def __init__(self, access: Access, projects: Projects) -> None:
        self._access = access
        self._projects = projects

    def routes(self) -> list[Route]:
        one = f"{PROJECT}/endpoints/{{endpoint}}"
        return [
            ("GET", f"{PROJECT}/endpoints", self.listing),
            ("GET", f"{BRANCH}/endpoints", self.list_of_branch),
            ("POST", f"{PROJECT}/endpoints", self.create),
            ("GET", one, self.get),
            ("PATCH", one, self.update),
            ("DELETE", one, self.delete),
            ("POST", f"{one}/start", self.start),
            ("POST", f"{one}/suspend", self.suspend),
            ("POST", f"{one}/restart", self.restart),
        ]

    def _find(self, request: web.Request) -> tuple[Object, Object]:
        project = self._access.project(request)
        return project, self._access.endpoint_of(project, request.match_info["endpoint"])

    def _enabled(self, request: web.Request) -> tuple[Object, Object]:
        """As `_find`, for what would let somebody in. Raises `RefusedError` also when the endpoint is disabled."""
        project, branch = self._find(request)
        if branch.data["endpoint"]["wishes"].get("disabled"):
            raise RefusedError(422, "endpoint is disabled")
        return project, branch

    async def _seen(self, branch: Object) -> Object:
        """The branch's row, its compute awake when a connection has woken it."""
        endpoint = branch.data["endpoint"]
        if endpoint["state"] != "idle" or endpoint["wishes"].get("disabled"):
            return branch
        if await self._projects.databases.sessions(names(branch.data["databases"])) == 0:
            return branch
        return self._access.records.change_endpoint(branch, state="active", started_at=now())

    @operation("neon", "list_endpoints")
    async def listing(self, request: web.Request) -> web.Response:
        project = self._access.project(request)
        return await self._list(project, self._access.records.branches(project.id))

    @operation("neon", "list_branch_endpoints")
    async def list_of_branch(self, request: web.Request) -> web.Response:
        project, branch = self._access.branch(request)
        return await self._list(project, [branch])

    async def _list(self, project: Object, branches: list[Object]) -> web.Response:
        found = [await self._seen(one) for one in branches if one.data["endpoint"]]
        return web.json_response({"endpoints": [branch_bodies.endpoint(project, one) for one in found]})

    @operation("neon", "get_endpoint")
    async def get(self, request: web.Request) -> web.Response:
        project, branch = self._find(request)
        return web.json_response({"endpoint": branch_bodies.endpoint(project, await self._seen(branch))})

    @operation("neon", "create_endpoint")
    async def create(self, request: web.Request) -> web.Response:
        project = self._access.project(request)
        body = await wishes.read_body(request)
        kinds = ENDPOINT | CHANGES
        wished = wishes.member(body, "endpoint", kinds)
        if "branch_id" not in wished:
            raise wishes.bad("/endpoint/branch_id", "property is missing")
        wishes.within(wished, "/endpoint", "name", 1, 64)
        more = {name: wished[name] for name in ("name", "disabled") if name in wished}
        kept = read_endpoint(wished, "/endpoint") | more
        branch = self._access.branch_of(project, wished["branch_id"])
        if branch.data["endpoint"]:
            raise RefusedError(409, "read_write endpoint already exists")
        made = records.endpoint(records.fresh_id("ep", project.id), kept)
        step = "close" if kept.get("disabled") else "start"
        begun = self._begin(project, branch, [("start_compute", step)], made)
        return self._answer(project, branch.id, begun, status=201)

    @operation("neon", "update_endpoint")
    async def update(self, request: web.Request) -> web.Response:
        project, branch = self._find(request)
        wished = wishes.member(await wishes.read_body(request), "endpoint", CHANGES)
        if wished.pop("branch_id", branch.id) != branch.id:
            raise RefusedError(501, "localcloud does not move a compute to another branch.")
        wishes.check_compute(wished, "/endpoint")
        wishes.within(wished, "/endpoint", "name", 1, 64)
        before = branch.data["endpoint"]["wishes"]
        changed = branch.data["endpoint"] | {"wishes": before | wished, "updated_at": now()}
        steps = [("apply_config", "configure")]
        if wished.get("disabled"):
            steps = [("apply_config", "close"), ("suspend_compute", "suspend")]
        elif before.get("disabled") and "disabled" in wished:
            steps.append(("start_compute", "start"))
        return self._answer(project, branch.id, self._begin(project, branch, steps, changed))

    @operation("neon", "delete_endpoint")
    async def delete(self, request: web.Request) -> web.Response:
        project, branch = self._find(request)
        begun = self._begin(project, branch, [("suspend_compute", "close")])
        body = _body(project, branch, begun)
        self._access.records.change(branch, endpoint=None)
        return web.json_response(body)

    @operation("neon", "start_endpoint")
    async def start(self, request: web.Request) -> web.Response:
        project, branch = self._enabled(request)
        return self._answer(project, branch.id, self._begin(project, branch, [("start_compute", "start")]))

    @operation("neon", "suspend_endpoint")
    async def suspend(self, request: web.Request) -> web.Response:
        project, branch = self._find(request)
        return self._answer(project, branch.id, self._begin(project, branch, [("suspend_compute", "suspend")]))

    @operation("neon", "restart_endpoint")
    async def restart(self, request: web.Request) -> web.Response:
        project, branch = self._enabled(request)
        steps = [("suspend_compute", "suspend"), ("start_compute", "start")]
        return self._answer(project, branch.id, self._begin(project, branch, steps))

    def _begin(
        self, project: Object, branch: Object, steps: list[tuple[str, str]], endpoint: Thing | None = None
    ) -> list[Operation]:
        """Write the endpoint down as it shall be, and begin to bring it about. Raises `Locked`, and writes nothing."""
        kept: Thing = endpoint or branch.data["endpoint"]
        with self._access.records.store.transaction():
            self._access.records.change(branch, endpoint=kept)
            ordered = [planned(action, do, branch, endpoint=kept["id"]) for action, do in steps]
            return self._projects.operations.schedule(project.id, *ordered)

    def _answer(self, project: Object, branch_id: str, begun: list[Operation], *, status: int = 200) -> web.Response:
        branch = self._access.branch_of(project, branch_id)
        return web.json_response(_body(project, branch, begun), status=status)


def _body(project: Object, branch: Object, begun: list[Operation]) -> dict[str, Any]:
    operations = [bodies.operation(project.id, one) for one in begun]
    return {"endpoint": branch_bodies.endpoint(project, branch), "operations": operations}
