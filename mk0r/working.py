"""The worker: one Procrastinate worker per queue in one event loop, each queue with a concurrency of its own.

Runs as a process (`manage.py worker`), or inside the web process on a single machine.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from django.conf import settings
from procrastinate.exceptions import ConnectorException

from sessions_app.worker import work, worker_app

# Jobs of one queue that run at a time in one process. A turn mostly waits for its agent. A sweep of the inventories may
# take minutes; beside it there is room for the short jobs, such as putting back those of dead workers.
QUEUES = {"provision": 10, "turn": 16, "teardown": 6, "sweep": 2, "staff": 4}


@contextlib.asynccontextmanager
async def workers() -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run the workers of all queues while the block lasts; stops them in order, jobs in hand get ten seconds."""
    async with worker_app() as opened:
        tasks = [
            asyncio.create_task(
                # A turn that waits for another's lock is found by looking only, and somebody waits for it.
                work(
                    opened,
                    [queue],
                    name=queue,
                    at_once=concurrency,
                    poll=min(1.0, settings.MK0R_JOB_POLL) if queue == "turn" else settings.MK0R_JOB_POLL,
                ),
                name=f"worker-{queue}",
            )
            for queue, concurrency in QUEUES.items()
        ]
        try:
            yield tasks
        finally:
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(outcome, Exception) and not isinstance(outcome, ConnectorException):
                    raise outcome
