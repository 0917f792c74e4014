"""The life of a branch: made from another or from a snapshot, restored from one, deleted.

A branch is a copy of what its parent holds, made when it is created; afterwards neither sees what the other writes. Of
the past there is only what was recorded: a point in time or in the log is one that a snapshot was taken at.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from localcloud.neon import records
from localcloud.neon.operations import Operation, Operations, ensure_idle, planned
from localcloud.neon.records import BRANCH, VENDOR, Records, names
from localcloud.neon.steps import reachable
from localcloud.neon.wishes import RefusedError
from localcloud.store import Object, now

BRANCHES_LIMIT = 10  # per project


class Branches:
    """What calls may do to branches. All raise `RefusedError` in Neon's words, and `Locked`."""

    def __init__(self, records: Records, operations: Operations) -> None:
        self._records = records
        self._operations = operations

    def add_first(self, project: Object, data: dict[str, Any], name: str, endpoint: dict[str, Any]) -> Object:
        """Record the branch a project begins with. What makes it is scheduled by the caller."""
        branch_id = data.pop("id", None) or records.fresh_id("br", project.id)
        return self._add(project, name, branch_id, data | {"parent": None, "endpoint": endpoint})

    def create(
        self, project: Object, parent: Object, wishes: dict[str, Any], endpoint: dict[str, Any] | None
    ) -> tuple[Object, list[Operation]]:
        """Record a branch that its operations will fill from the parent's head, or from what was recorded of it."""
        self.ensure_room(project)
        source = self.source(parent, wishes.get("parent_lsn"), wishes.get("parent_timestamp"))
        return self.from_holding(project, parent, source, wishes, endpoint)

    def from_holding(
        self,
        project: Object,
        parent: Object | None,
        source: Object,
        wishes: dict[str, Any],
        endpoint: dict[str, Any] | None = None,
    ) -> tuple[Object, list[Operation]]:
        """Record a branch that its operations will fill from *source*, a branch or a snapshot."""
        _ensure_ready(project, source)
        branch_id = records.fresh_id("br", project.id)
        name = wishes.get("name") or branch_id
        self.ensure_free(project, name)
        suffix = records.fresh_suffix(project.id)
        roles, databases = records.copied(source, suffix)
        compute = None if endpoint is None else records.endpoint(records.fresh_id("ep", project.id), endpoint)
        data = {
            "suffix": suffix,
            "roles": roles,
            "databases": databases,
            "parent": parent.id if parent else None,
            "endpoint": compute,
            "protected": wishes.get("protected", False),
            "annotation": wishes.get("annotation") or {},
        }
        if source.kind == "snapshot":
            data["restored_from"] = source.id
        with self._records.store.transaction():
            branch = self._add(project, name, branch_id, data)
            steps = [planned("create_branch", "copy", branch, source=source.id)]
            if compute:
                steps.append(planned("start_compute", "start", branch, endpoint=compute["id"]))
            return branch, self._operations.schedule(project.id, *steps)

    def source(self, branch: Object, lsn: str | None, timestamp: str | None) -> Object:
        """What holds the branch's data as it was then, or now when neither is given."""
        if lsn is None and timestamp is None:
            return branch
        for one in reversed(self._records.snapshots(branch.data["project"])):
            same = one.data["lsn"] == lsn if lsn is not None else _second(one.data["at"]) == _second(timestamp)
            if same and one.data["source"] == branch.id and one.data["state"] == "ready":
                return one
        raise RefusedError(
            501,
            "localcloud keeps no history of a branch: a point of the past is there only where a snapshot was taken. "
            "Take one with POST …/snapshot and name its lsn or its timestamp.",
        )

    def restore(self, project: Object, branch: Object, source: Object, origin: Object, keep: str) -> list[Operation]:
        """Put what *source* holds in the place of the branch's data; *origin* is the branch that it was of.

        What the branch held becomes a branch named *keep*, with the branch's children; without a name it is kept until
        all has gone well, then deleted.
        """
        _ensure_ready(project, source)
        children = self.children(branch)
        if not keep and (children or origin.id == branch.id):
            raise RefusedError(
                422,
                "preserve_under_name is required: the branch has children, or is restored from its own past",
            )
        if keep:
            self.ensure_room(project)
        name = keep or f"{branch.name}_old_{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        self.ensure_free(project, name)
        with self._records.store.transaction():
            old = self._set_aside(project, branch, name)
            for child in children:
                self._records.change(child, parent=old.id)
            roles, databases = records.copied(source, branch.data["suffix"])
            parent = old.id if origin.id == branch.id else origin.id
            at, holds = now(), {"roles": roles, "databases": databases}
            self._records.change(branch, **holds, parent=parent, state="resetting", state_changed_at=at, reset_at=at)
            moved = {"databases": names(branch.data["databases"]), "roles": names(branch.data["roles"])}
            steps = [
                planned("suspend_compute", "aside", old, moved=moved),
                planned("create_branch", "copy", branch, source=source.id),
            ]
            if reachable(branch):
                steps.append(planned("start_compute", "start", branch, endpoint=branch.data["endpoint"]["id"]))
            if not keep:
                steps.append(planned("delete_timeline", "drop", old))
            return self._operations.schedule(project.id, *steps)

    def _set_aside(self, project: Object, branch: Object, name: str) -> Object:
        """Record the branch that takes over what *branch* holds, under names of its own."""
        suffix = records.fresh_suffix(project.id)
        roles, databases = records.copied(branch, suffix)
        kept = {one: branch.data.get(one) for one in ("parent", "lsn", "at", "protected")}
        holds = {"suffix": suffix, "roles": roles, "databases": databases, "endpoint": None}
        return self._add(project, name, records.fresh_id("br", project.id), holds | kept)

    def update(self, branch: Object, project: Object, changes: dict[str, Any]) -> Object:
        """Give it another name, or protect it."""
        if "name" in changes and changes["name"] != branch.name:
            self.ensure_free(project, changes["name"])
            self._records.store.rename(VENDOR, BRANCH, branch.id, changes["name"])
        kept = {one: changes[one] for one in ("protected",) if one in changes}
        self._records.change(branch, **kept)
        return self._records.branch(branch.id) or branch

    def delete(self, project: Object, branch: Object) -> list[Operation]:
        """Destroy it with its data, by operations."""
        ensure_idle(project)
        if branch.data["parent"] is None:
            raise RefusedError(422, "cannot delete the root branch")
        if branch.id == project.data["default_branch"]:
            raise RefusedError(422, "cannot delete the default branch")
        if self.children(branch):
            raise RefusedError(422, "cannot delete branch that has children")
        if branch.data["protected"]:
            raise RefusedError(422, "cannot delete protected branch")
        endpoint = branch.data["endpoint"]
        suspend = [planned("suspend_compute", "close", branch, endpoint=endpoint["id"])] if endpoint else []
        return self._operations.schedule(project.id, *suspend, planned("delete_timeline", "drop", branch))

    def children(self, branch: Object) -> list[Object]:
        return [one for one in self._records.branches(branch.data["project"]) if one.data["parent"] == branch.id]

    def ensure_free(self, project: Object, name: str) -> None:
        """Raises `RefusedError` when a branch has this name."""
        if any(one.name == name for one in self._records.branches(project.id)):
            raise RefusedError(409, f'branch already exists; branch_name:"{name}"')

    def ensure_room(self, project: Object) -> None:
        """Raises `RefusedError` when the project may not have one more."""
        number = len(self._records.branches(project.id))
        if number >= BRANCHES_LIMIT:
            message = f"branches limit of {BRANCHES_LIMIT} exceeded, got {number}"
            raise RefusedError(422, message, code="BRANCHES_LIMIT_EXCEEDED")

    def _add(self, project: Object, name: str, branch_id: str, data: dict[str, Any]) -> Object:
        at = now()
        states = {"project": project.id, "state": "init", "state_changed_at": at, "updated_at": at}
        defaults = {"protected": False, "annotation": {}, "lsn": None, "at": None, "created_at": at}
        return self._records.store.add(VENDOR, BRANCH, branch_id, name, defaults | states | data)


def _ensure_ready(project: Object, source: Object) -> None:
    """Raises `Locked` while anything is under way, `RefusedError` when what would be copied never came to be."""
    ensure_idle(project)
    if source.data["state"] != "ready":
        raise RefusedError(422, f"{source.kind} is not ready")


def _second(moment: str | None) -> datetime | None:
    """A moment without its fraction; clients are told no more of it."""
    return datetime.fromisoformat(moment).astimezone(UTC).replace(microsecond=0) if moment else None
