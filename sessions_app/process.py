"""The tasks this process owns, one per session that is being brought to rest.

A consumer, a REST call or a job asks for a session to be converged; whoever comes second joins the task that runs.
Nobody's leaving cancels it: a task belongs to the process, which waits for all of them when it closes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from uuid import UUID

from channels.db import database_sync_to_async

from provisioning import services as provisioning
from provisioning.exceptions import VendorError

log = logging.getLogger(__name__)

DRAIN_SECONDS = 10.0
_AWAKE = 600.0  # seconds; well below the shortest life a vendor gives a sandbox


class SessionTasks:
    """At most one converging task per session and event loop."""

    def __init__(self) -> None:
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._again: set[UUID] = set()
        self._waking: dict[UUID, asyncio.Task[None]] = {}
        self._woken: dict[UUID, float] = {}

    def ensure(self, session_id: UUID) -> None:
        """Start converging the session, or have the running task look once more before it ends."""
        self._ensure(session_id)

    async def converge(self, session_id: UUID) -> None:
        """Do the same and wait. Cancelling the wait leaves the task alone; raises what converging raised."""
        await asyncio.shield(self._ensure(session_id))

    def _ensure(self, session_id: UUID) -> asyncio.Task[None]:
        loop = asyncio.get_running_loop()
        task = self._tasks.get(session_id)
        if task is None or task.done() or task.get_loop() is not loop:
            task = loop.create_task(self._converge(session_id), name=f"converge {session_id}")
            self._tasks[session_id] = task
            task.add_done_callback(lambda done: self._ended(session_id, done))
        else:
            self._again.add(session_id)
        return task

    def wake(self, session_id: UUID, *, now: bool = False) -> None:
        """Have a visitor's sandbox run while they look at it: resumed when it slept, its time at the vendor extended,
        made anew when it is lost.

        Does so at most every ten minutes per session, or at once with `now`.
        """
        if session_id in self._waking or (not now and time.monotonic() - self._woken.get(session_id, -1e9) < _AWAKE):
            return
        expired = time.monotonic() - _AWAKE
        self._woken = {known: at for known, at in self._woken.items() if at > expired}
        self._woken[session_id] = time.monotonic()
        task = asyncio.get_running_loop().create_task(self._wake(session_id), name=f"wake {session_id}")
        self._waking[session_id] = task
        task.add_done_callback(lambda _: self._waking.pop(session_id, None))

    async def renew(self, session_id: UUID) -> bool:
        """Have a sandbox that was found lost made anew; False when there is none, or several were lost of late."""
        from sessions_app import services

        renewed: bool = await database_sync_to_async(services.sandbox_renew)(session_id)
        if renewed:
            log.info("session.sandbox_renewed session=%s", session_id)
            self.ensure(session_id)
        return renewed

    async def close(self, patience: float | None = None) -> None:
        """Let what runs come to its end, for `patience` seconds (ten unless told); then cancel it.

        The jobs of those sessions finish elsewhere.
        """
        known = [*self._tasks.values(), *self._waking.values()]
        running = [task for task in known if task.get_loop() is asyncio.get_running_loop()]
        if running:
            _, late = await asyncio.wait(running, timeout=DRAIN_SECONDS if patience is None else patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _converge(self, session_id: UUID) -> None:
        from sessions_app import services

        while True:
            self._again.discard(session_id)
            await provisioning.converge(session_id)
            await database_sync_to_async(services.session_settle)(session_id)
            if session_id not in self._again:
                return

    async def _wake(self, session_id: UUID) -> None:
        from sessions_app.agent import sightings

        try:
            await provisioning.sandbox(session_id)
            await sightings.woken(session_id)
        except provisioning.SandboxLost:
            log.info("session.sandbox_lost session=%s", session_id)  # its row says so, and with it the page
            await self.renew(session_id)
        except VendorError as error:
            log.warning("session.wake_failed session=%s error=%s", session_id, error)

    def _ended(self, session_id: UUID, task: asyncio.Task[None]) -> None:
        if self._tasks.get(session_id) is task:
            del self._tasks[session_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("session.converge_failed session=%s", session_id, exc_info=error)


sessions = SessionTasks()
