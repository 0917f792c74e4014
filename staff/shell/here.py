"""`--here`: this process is a worker until the order has ended, for a machine on which none is running.

It takes the jobs as any worker does, those of the order and others that wait: so a killed one loses nothing, and one
that really runs somewhere is not in its way. What it has in hand when the order has ended gets ten seconds, and is
gone on with by the next worker.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from django.conf import settings

from provisioning import http
from sessions_app import jobs
from sessions_app.database import db
from sessions_app.process import sessions
from sessions_app.worker import work, worker_app
from staff import undertakings
from staff.shell.watching import EVERY, Watch

_QUEUES = [undertakings.QUEUE, jobs.DOWN, jobs.UP, "sweep"]  # no turns: an agent works longer than anybody watches
_AT_ONCE = 10


def follow(watch: Watch) -> int:
    """Watch the order as `Watch.follow` does, and work meanwhile."""
    try:
        asyncio.run(_work(watch))
    except KeyboardInterrupt:
        watch.note = "Stopped."
    return watch.conclude()


async def _work(watch: Watch) -> None:
    await http.open_clients()
    try:
        async with _worker() as working:
            while not await db(watch.look) and not watch.time_is_up:
                if working.done():
                    working.result()  # raises what ended it
                    return
                await asyncio.sleep(EVERY)
    finally:
        await sessions.close()
        await http.close_clients()


@contextlib.asynccontextmanager
async def _worker() -> AsyncIterator[asyncio.Task[None]]:
    async with worker_app() as opened:
        poll = min(1.0, settings.MK0R_JOB_POLL)
        task = asyncio.create_task(work(opened, _QUEUES, name="shell", at_once=_AT_ONCE, poll=poll))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
