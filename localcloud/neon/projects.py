"""Neon projects: how one is named, made, brought up through its operations, found and destroyed.

A project's row holds everything its answers are rendered from, operations included. Its role and database are made
after the 201, by the operations, as in the real service; a project whose operations did not end because the process
was killed is taken up again by `resume`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import string
import uuid
from typing import Any

import psycopg

from localcloud.keys import token
from localcloud.neon.databases import DatabaseDown, Databases
from localcloud.store import Object, Store, now

log = logging.getLogger("localcloud.neon")

ADJECTIVES = (
    "autumn",
    "bold",
    "calm",
    "crimson",
    "dawn",
    "gentle",
    "lucky",
    "misty",
    "quiet",
    "royal",
    "still",
    "wild",
)
NOUNS = ("bird", "brook", "cloud", "field", "forest", "hill", "lake", "meadow", "moon", "river", "sun", "waterfall")
# How long each step takes at least. The real service needs about a second; a client must not see 201 as "ready".
TIMELINE_SECONDS = 0.12
COMPUTE_SECONDS = 0.2
FINAL = ("finished", "failed", "cancelled", "skipped", "error")


class Locked(Exception):
    """The project has operations that have not ended."""


class Projects:
    """All projects of one localcloud. `close` ends the operations under way; they resume at the next start."""

    def __init__(self, store: Store, databases: Databases) -> None:
        self._store = store
        self.databases = databases
        self._tasks: dict[str, asyncio.Task[None]] = {}

    # Reading

    def get(self, project_id: str) -> Object | None:
        return self._store.get("neon", "project", project_id)

    def all(self) -> list[Object]:
        return self._store.all("neon", "project")

    # Writing

    def create(self, name: str, wishes: dict[str, Any]) -> Object:
        """Record a new project and start its operations; it cannot be connected to yet."""
        project_id = f"{random.choice(ADJECTIVES)}-{random.choice(NOUNS)}-{secrets.randbelow(90_000_000) + 10_000_000}"  # noqa: S311 -- a name
        branch, suffix = wishes.get("branch") or {}, project_id.replace("-", "_")
        base = branch.get("database_name") or "neondb"
        short = token(8, string.ascii_lowercase + string.digits)
        at = now()
        data = {
            "wishes": wishes,
            # Names are unique in the whole cluster here, so each carries the project's id.
            "database": f"{base[:30]}_{suffix}",
            "role": f"{(branch.get('role_name') or f'{base}_owner')[:30]}_{suffix}",
            "password": f"npg_{token(20)}",
            "branch_id": f"br-{project_id.rsplit('-', 1)[0]}-{short}",
            "endpoint_id": f"ep-{project_id.rsplit('-', 1)[0]}-{short}",
            "database_number": secrets.randbelow(9_000_000) + 1_000_000,
            "updated_at": at,
            "operations": [_operation("create_timeline", "running"), _operation("start_compute", "scheduling")],
        }
        project = self._store.add("neon", "project", project_id, name or project_id, data)
        self._start(project_id)
        return project

    def rename(self, project_id: str, name: str) -> Object:
        """Give the project another name. Raises `KeyError` when it does not live."""
        with self._store.transaction():
            self._store.rename("neon", "project", project_id, name)
            self._store.update("neon", "project", project_id, updated_at=now())
        found = self.get(project_id)
        if found is None:
            raise KeyError(project_id)
        return found

    def reset_password(self, project: Object) -> tuple[Object, int]:
        """Give the role a new password by an operation of its own; returns the project, and which operation it is.

        As in the real service the new one is told at once, and holds once the operation has finished. Connections that
        are open stay open. Raises `Locked` while operations are under way.
        """
        operations = project.data["operations"]
        if any(operation["status"] not in FINAL for operation in operations):
            raise Locked
        operations = [*operations, _operation("apply_config", "running")]
        changes = {"password": f"npg_{token(20)}", "operations": operations, "updated_at": now()}
        changed = self._store.update("neon", "project", project.id, **changes)
        self._start(project.id)
        return changed, len(operations) - 1

    async def delete(self, project: Object) -> None:
        """Destroy the project. Raises `Locked` while operations are under way, `DatabaseDown`."""
        if any(operation["status"] not in FINAL for operation in project.data["operations"]):
            raise Locked
        # Gone for the world only once it is: a client that hears 404 afterwards may take it as proof.
        await self.databases.drop(project.data["database"], project.data["role"])
        self._store.delete("neon", "project", project.id)

    def resume(self) -> None:
        """Take up the projects that a killed process left half made."""
        for project in self.all():
            if any(operation["status"] not in FINAL for operation in project.data["operations"]):
                self._start(project.id)

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    # Operations

    def _start(self, project_id: str) -> None:
        task = asyncio.create_task(self._bring_up(project_id), name=f"neon {project_id}")
        self._tasks[project_id] = task
        task.add_done_callback(lambda done: self._ended(project_id, done))

    def _ended(self, project_id: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(project_id) is task:  # another operation may have been begun by then
            del self._tasks[project_id]

    async def _bring_up(self, project_id: str) -> None:
        """Take every operation that has not ended to its end, in order."""
        project = self.get(project_id)
        for number, operation in enumerate(project.data["operations"] if project else []):
            if operation["status"] in FINAL:
                continue
            self._mark(project_id, number, "running")
            try:
                await self._carry_out(project_id, operation["action"])
            except (DatabaseDown, psycopg.Error) as error:
                log.exception("project %s: %s failed", project_id, operation["action"])
                self._fail_from(project_id, number, str(error))
                return
            self._mark(project_id, number, "finished")

    async def _carry_out(self, project_id: str, action: str) -> None:
        project = self.get(project_id)
        if project is None:
            return
        data = project.data
        if action == "start_compute":
            await asyncio.sleep(COMPUTE_SECONDS)
            await self.databases.make_database(data["database"], data["role"])
        else:
            await asyncio.gather(
                asyncio.sleep(TIMELINE_SECONDS), self.databases.make_role(data["role"], data["password"])
            )

    def _fail_from(self, project_id: str, number: int, error: str) -> None:
        project = self.get(project_id)
        for one in range(number, len(project.data["operations"]) if project else 0):
            self._mark(project_id, one, "failed", error=error)

    def _mark(self, project_id: str, number: int, status: str, *, error: str | None = None) -> None:
        project = self.get(project_id)
        if project is None:
            return
        operations = project.data["operations"]
        operation = operations[number]
        if operation["status"] in FINAL:
            return
        operation |= {"status": status, "updated_at": now()}
        if error is not None:
            operation |= {"error": error, "failures_count": 1}
        self._store.update("neon", "project", project_id, operations=operations, updated_at=operation["updated_at"])


def _operation(action: str, status: str) -> dict[str, Any]:
    at = now()
    return {
        "id": str(uuid.uuid4()),
        "action": action,
        "status": status,
        "failures_count": 0,
        "created_at": at,
        "updated_at": at,
    }
