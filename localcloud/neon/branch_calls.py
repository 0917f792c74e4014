"""Calls about branches."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from localcloud.faults import operation
from localcloud.neon import bodies, branch_bodies, wishes
from localcloud.neon.access import BRANCH, PROJECT, Access, Route
from localcloud.neon.operations import Operation
from localcloud.neon.projects import Projects
from localcloud.neon.wishes import RefusedError
from localcloud.store import Object

ENDPOINT: wishes.Kinds = {"type": (str,), "settings": (dict,)} | wishes.COMPUTE
CREATE: wishes.Kinds = {
    "parent_id": (str,),
    "name": (str,),
    "parent_lsn": (str,),
    "parent_timestamp": (str,),
    "protected": (bool,),
    "archived": (bool,),
    "init_source": (str,),
    "expires_at": (str,),
}
UPDATE: wishes.Kinds = {"name": (str,), "protected": (bool,), "expires_at": (str,)}
RESTORE: wishes.Kinds = {
    "source_branch_id": (str,),
    "source_lsn": (str,),
    "source_timestamp": (str,),
    "preserve_under_name": (str,),
}
SORTED_BY = ("updated_at", "created_at", "name")


class BranchCalls:
    """The handlers; each names its operation for faults."""

    def __init__(self, access: Access, projects: Projects) -> None:
        self._access = access
        self._projects = projects

    def routes(self) -> list[Route]:
        return [
            ("POST", f"{PROJECT}/branches", self.create),
            ("GET", f"{PROJECT}/branches", self.listing),
            ("GET", f"{PROJECT}/branches/count", self.count),
            ("GET", BRANCH, self.get),
            ("PATCH", BRANCH, self.update),
            ("DELETE", BRANCH, self.delete),
            ("POST", f"{BRANCH}/restore", self.restore),
            ("POST", f"{BRANCH}/set_as_default", self.set_default),
        ]

    @operation("neon", "create_branch")
    async def create(self, request: web.Request) -> web.Response:
        project = self._access.project(request)
        body = await wishes.read_body(request, optional=True)
        wished = wishes.member(body, "branch", CREATE, optional=True)
        wishes.within(wished, "/branch", "name", 1, 256)
        wishes.check_point(wished, "/branch", "parent_lsn", "parent_timestamp")
        _refuse_uncovered(wished)
        annotation = wishes.known(body, {"annotation_value": (dict,)}).get("annotation_value", {})
        parent = self._access.branch_of(project, wished.get("parent_id") or project.data["default_branch"])
        wished["annotation"] = annotation
        branch, operations = self._projects.branches.create(project, parent, wished, _one_endpoint(body))
        port = self._projects.databases.port
        return web.json_response(branch_bodies.created(project, branch, operations, port), status=201)

    @operation("neon", "list_branches")
    async def listing(self, request: web.Request) -> web.Response:
        project, query = self._access.project(request), request.query
        found = self._search(project, query.get("search", ""))
        member = wishes.choice(query, "sort_by", "updated_at", SORTED_BY)
        order = wishes.choice(query, "sort_order", "desc", ("asc", "desc"))
        limit = wishes.read_limit(query, default=10_000, most=10_000)

        def place(row: Object) -> tuple[str, str]:
            return (row.name if member == "name" else row.data[member]), row.id

        found.sort(key=place, reverse=order == "desc")
        if cursor := query.get("cursor"):
            last = tuple(wishes.decode_cursor(cursor, 2))
            found = [row for row in found if (place(row) < last if order == "desc" else place(row) > last)]
        page = found[:limit]
        answer: dict[str, Any] = {
            "branches": [branch_bodies.branch(project, row) for row in page],
            "annotations": {row.id: branch_bodies.annotation(row) for row in page if row.data["annotation"]},
            "pagination": {"sort_by": member, "sort_order": order},
        }
        if len(found) > limit:
            answer["pagination"]["next"] = wishes.encode_cursor(*place(page[-1]))
        return web.json_response(answer)

    def _search(self, project: Object, text: str) -> list[Object]:
        wanted = text.lower()
        return [
            row for row in self._access.records.branches(project.id) if wanted in row.name.lower() or wanted in row.id
        ]

    @operation("neon", "count_branches")
    async def count(self, request: web.Request) -> web.Response:
        wanted = request.query.get("search", "").lower()
        found = self._access.records.branches(self._access.project(request).id)
        return web.json_response({"count": sum(wanted in row.name.lower() for row in found)})

    @operation("neon", "get_branch")
    async def get(self, request: web.Request) -> web.Response:
        project, branch = self._access.branch(request)
        annotation = branch_bodies.annotation(branch)
        return web.json_response({"branch": branch_bodies.branch(project, branch), "annotation": annotation})

    @operation("neon", "update_branch")
    async def update(self, request: web.Request) -> web.Response:
        project, branch = self._access.branch(request)
        wished = wishes.member(await wishes.read_body(request), "branch", UPDATE)
        wishes.within(wished, "/branch", "name", 1, 256)
        _refuse_uncovered(wished)
        changed = self._projects.branches.update(branch, project, wished)
        return _answer(project, changed, [])

    @operation("neon", "delete_branch")
    async def delete(self, request: web.Request) -> web.Response:
        project, branch = self._access.branch(request)
        return _answer(project, branch, self._projects.branches.delete(project, branch))

    @operation("neon", "restore_branch")
    async def restore(self, request: web.Request) -> web.Response:
        project, branch = self._access.branch(request)
        wished = wishes.known(await wishes.read_body(request), RESTORE)
        if "source_branch_id" not in wished:
            raise RefusedError(400, 'request body has an error: property "source_branch_id" is missing')
        wishes.within(wished, "", "preserve_under_name", 0, 256)
        wishes.check_point(wished, "", "source_lsn", "source_timestamp")
        origin = self._access.branch_of(project, wished["source_branch_id"])
        if origin.id == branch.id and not {"source_lsn", "source_timestamp"} & set(wished):
            raise RefusedError(400, "source_timestamp or source_lsn is required when a branch is restored from itself")
        branches = self._projects.branches
        source = branches.source(origin, wished.get("source_lsn"), wished.get("source_timestamp"))
        operations = branches.restore(project, branch, source, origin, wished.get("preserve_under_name", ""))
        return _answer(project, self._access.branch_of(project, branch.id), operations)

    @operation("neon", "set_default_branch")
    async def set_default(self, request: web.Request) -> web.Response:
        project, branch = self._access.branch(request)
        return _answer(self._access.records.change(project, default_branch=branch.id), branch, [])


def _answer(project: Object, branch: Object, operations: list[Operation]) -> web.Response:
    begun = [bodies.operation(project.id, one) for one in operations]
    return web.json_response({"branch": branch_bodies.branch(project, branch), "operations": begun})


def _one_endpoint(body: dict[str, Any]) -> dict[str, Any] | None:
    """What is wished of the compute; a branch has at most one here. Raises `RefusedError`."""
    wished = wishes.known(body, {"endpoints": (list,)}).get("endpoints", [])
    if not wished:
        return None
    if not all(isinstance(one, dict) for one in wished):
        raise wishes.bad("/endpoints", "wrong type")
    found = [read_endpoint(one, f"/endpoints/{number}") for number, one in enumerate(wished)]
    if len(found) > 1:
        raise RefusedError(409, "read_write endpoint already exists")
    return found[0]


def read_endpoint(wished: dict[str, Any], where: str) -> dict[str, Any]:
    """A compute as it is wished for with its branch. Raises `RefusedError`."""
    found = wishes.known(wished, ENDPOINT, where)
    wishes.check_compute(found, where)
    kind = found.pop("type", None)
    if kind not in ("read_write", "read_only"):
        raise wishes.bad(f"{where}/type", "value is not one of the allowed values")
    if kind == "read_only":
        raise RefusedError(501, "localcloud has no read-only computes: a branch's databases have one address.")
    return found


def _refuse_uncovered(wished: dict[str, Any]) -> None:
    if wished.get("init_source", "parent-data") != "parent-data":
        raise RefusedError(501, "localcloud makes branches with their parent's data only.")
    if wished.get("archived"):
        raise RefusedError(501, "localcloud does not archive branches.")
    if "expires_at" in wished:
        raise RefusedError(501, "localcloud does not let branches expire: delete them.")
