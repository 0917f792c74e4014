"""Calls about snapshots: what a branch held at one moment, kept apart, and made into a branch again."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from localcloud.faults import operation
from localcloud.neon import bodies, branch_bodies, records, wishes
from localcloud.neon.access import BRANCH, PROJECT, Access, Route
from localcloud.neon.operations import ensure_idle, planned
from localcloud.neon.projects import Projects
from localcloud.neon.records import SNAPSHOT, VENDOR
from localcloud.neon.wishes import RefusedError
from localcloud.store import Object, now

SNAPSHOTS_LIMIT = 10  # per project
RESTORE: wishes.Kinds = {"name": (str,), "target_branch_id": (str,), "finalize_restore": (bool,)}


class SnapshotCalls:
    """The handlers; each names its operation for faults."""

    def __init__(self, access: Access, projects: Projects) -> None:
        self._access = access
        self._projects = projects

    def routes(self) -> list[Route]:
        one = f"{PROJECT}/snapshots/{{snapshot}}"
        return [
            ("POST", f"{BRANCH}/snapshot", self.create),
            ("GET", f"{PROJECT}/snapshots", self.listing),
            ("PATCH", one, self.rename),
            ("DELETE", one, self.delete),
            ("POST", f"{one}/restore", self.restore),
        ]

    def _find(self, request: web.Request) -> tuple[Object, Object]:
        project = self._access.project(request)
        for one in self._access.records.snapshots(project.id):
            if one.id == request.match_info["snapshot"]:
                return project, one
        raise RefusedError(404, "snapshot not found")

    @operation("neon", "create_snapshot")
    async def create(self, request: web.Request) -> web.Response:
        project, branch = self._access.branch(request)
        if {"lsn", "timestamp"} & set(request.query):
            raise RefusedError(501, "localcloud keeps no history of a branch: a snapshot is of what it holds now.")
        if "expires_at" in request.query:
            raise RefusedError(501, "localcloud does not let snapshots expire: delete them.")
        ensure_idle(project)
        number = len(self._access.records.snapshots(project.id))
        if number >= SNAPSHOTS_LIMIT:
            message = f"snapshots limit of {SNAPSHOTS_LIMIT} exceeded, got {number}"
            raise RefusedError(422, message, code="SNAPSHOTS_LIMIT_EXCEEDED")
        suffix = records.fresh_suffix(project.id)
        roles, databases = records.copied(branch, suffix)
        snapshot_id = records.fresh_id("snap", project.id)
        data: dict[str, Any] = {
            "project": project.id,
            "source": branch.id,
            "suffix": suffix,
            "roles": roles,
            "databases": databases,
        }
        data |= {"state": "init", "lsn": None, "at": None, "updated_at": now()}
        with self._access.records.store.transaction():
            name = request.query.get("name") or snapshot_id
            made = self._access.records.store.add(VENDOR, SNAPSHOT, snapshot_id, name, data)
            step = planned("create_branch", "copy", branch, source=branch.id, holding=snapshot_id)
            begun = self._projects.operations.schedule(project.id, step)
        operations = [bodies.operation(project.id, one) for one in begun]
        return web.json_response({"snapshot": branch_bodies.snapshot(made), "operations": operations})

    @operation("neon", "list_snapshots")
    async def listing(self, request: web.Request) -> web.Response:
        found = self._access.records.snapshots(self._access.project(request).id)
        return web.json_response({"snapshots": [branch_bodies.snapshot(one) for one in found]})

    @operation("neon", "update_snapshot")
    async def rename(self, request: web.Request) -> web.Response:
        _, snapshot = self._find(request)
        wished = wishes.member(await wishes.read_body(request), "snapshot", {"name": (str,)})
        wishes.within(wished, "/snapshot", "name", 1, 256)
        if "name" in wished:
            self._access.records.store.rename(VENDOR, SNAPSHOT, snapshot.id, wished["name"])
        return web.json_response({"snapshot": branch_bodies.snapshot(self._find(request)[1])})

    @operation("neon", "delete_snapshot")
    async def delete(self, request: web.Request) -> web.Response:
        project, snapshot = self._find(request)
        step = planned("delete_timeline", "drop", snapshot.data["source"], holding=snapshot.id)
        begun = self._projects.operations.schedule(project.id, step)
        return web.json_response({"operations": [bodies.operation(project.id, one) for one in begun]}, status=202)

    @operation("neon", "restore_snapshot")
    async def restore(self, request: web.Request) -> web.Response:
        """Make a branch of it, or with `finalize_restore` put it in the place of what a branch holds."""
        project, snapshot = self._find(request)
        wished = wishes.known(await wishes.read_body(request, optional=True), RESTORE)
        name = wished.get("name") or request.query.get("name", "")
        wishes.within({"name": name or None}, "", "name", 1, 256)
        branches = self._projects.branches
        target = self._access.branch_of(project, wished.get("target_branch_id") or snapshot.data["source"])
        if wished.get("finalize_restore"):
            kept = name or f"{target.name} (old {now()[:19]}Z)"
            operations = branches.restore(project, target, snapshot, target, kept)
            branch = self._access.branch_of(project, target.id)
        else:
            branches.ensure_room(project)
            branch, operations = branches.from_holding(project, target, snapshot, {"name": name})
        body = {"branch": branch_bodies.branch(project, branch)}
        return web.json_response(body | {"operations": [bodies.operation(project.id, one) for one in operations]})
