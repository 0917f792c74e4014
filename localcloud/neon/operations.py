"""Operations: what a call begins and does not wait for. One project's run one after the other and are kept in its row.

While a project has some that have not ended, nothing new may be begun in it. Those that did not end because the process
was killed are taken up again by `resume`: each can be repeated.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from localcloud.neon.records import Records
from localcloud.store import Object, now

log = logging.getLogger("localcloud.neon")

# How long each takes at least. The real service needs about a second; a client must not see 201 as "ready".
SECONDS = {"start_compute": 0.2}
SHORT_SECONDS = 0.12
FINAL = ("finished", "failed", "cancelled", "skipped", "error")

Operation = dict[str, Any]


class Locked(Exception):
    """The project has operations that have not ended."""


def planned(action: str, do: str, branch: Object | str, *, endpoint: str | None = None, **more: Any) -> Operation:
    """An operation as it is shown, under `work` what carries it out."""
    at = now()
    operation: Operation = {
        "id": str(uuid.uuid4()),
        "branch_id": branch if isinstance(branch, str) else branch.id,
        "action": action,
        "status": "scheduling",
        "failures_count": 0,
        "created_at": at,
        "updated_at": at,
        "work": {"do": do} | more,
    }
    return operation | ({"endpoint_id": endpoint} if endpoint else {})


def ensure_idle(project: Object) -> None:
    """Raises `Locked` while operations are under way."""
    if any(operation["status"] not in FINAL for operation in project.data["operations"]):
        raise Locked


class Operations:
    """Runs what was scheduled. `close` ends what is under way; it resumes at the next start."""

    def __init__(self, records: Records, carry_out: Callable[[Operation], Awaitable[None]]) -> None:
        self._records = records
        self._carry_out = carry_out
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._held: set[str] = set()

    @contextmanager
    def hold(self, project: Object) -> Iterator[None]:
        """Let nothing be begun in the project meanwhile. Raises `Locked`."""
        ensure_idle(project)
        if project.id in self._held:
            raise Locked
        self._held.add(project.id)
        try:
            yield
        finally:
            self._held.discard(project.id)

    def schedule(self, project_id: str, *operations: Operation) -> list[Operation]:
        """Keep these and begin with the first. Raises `Locked`, and `KeyError` when the project does not live."""
        project = self._records.project(project_id)
        if project is None:
            raise KeyError(project_id)
        ensure_idle(project)
        if project_id in self._held:
            raise Locked
        begun = [one | ({"status": "running"} if number == 0 else {}) for number, one in enumerate(operations)]
        if begun:
            self._records.change(project, operations=[*project.data["operations"], *begun])
            self._start(project_id)
        return begun

    async def settled(self, project_id: str) -> None:
        """Wait until what is under way in the project has ended, well or not."""
        if task := self._tasks.get(project_id):
            await asyncio.wait({task})

    def resume(self) -> None:
        """Take up the projects that a killed process left half done."""
        for project in self._records.projects():
            try:
                ensure_idle(project)
            except Locked:
                self._start(project.id)

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _start(self, project_id: str) -> None:
        task = asyncio.create_task(self._run(project_id), name=f"neon {project_id}")
        self._tasks[project_id] = task
        task.add_done_callback(lambda done: self._ended(project_id, done))

    def _ended(self, project_id: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(project_id) is task:  # another operation may have been begun by then
            del self._tasks[project_id]

    async def _run(self, project_id: str) -> None:
        """Take every operation that has not ended to its end, in order."""
        project = self._records.project(project_id)
        for number, operation in enumerate(project.data["operations"] if project else []):
            if operation["status"] in FINAL:
                continue
            self._mark(project_id, number, "running")
            pause = asyncio.sleep(SECONDS.get(operation["action"], SHORT_SECONDS))
            try:
                await asyncio.gather(pause, self._carry_out(operation))
            except Exception as error:  # nobody waits for it: what went wrong is told by the operation, and in the log
                log.exception("project %s: %s failed", project_id, operation["action"])
                self._fail_from(project_id, number, str(error))
                return
            self._mark(project_id, number, "finished")

    def _fail_from(self, project_id: str, number: int, error: str) -> None:
        project = self._records.project(project_id)
        for one in range(number, len(project.data["operations"]) if project else 0):
            self._mark(project_id, one, "failed", error=error)

    def _mark(self, project_id: str, number: int, status: str, *, error: str | None = None) -> None:
        project = self._records.project(project_id)
        if project is None:
            return
        operations = project.data["operations"]
        operation = operations[number]
        if operation["status"] in FINAL:
            return
        operation |= {"status": status, "updated_at": now()}
        if error is not None:
            operation |= {"error": error, "failures_count": 1}
        self._records.change(project, operations=operations)
