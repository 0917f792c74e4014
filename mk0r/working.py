"""The worker: one Procrastinate worker per queue in one event loop, each queue with a concurrency of its own.

Runs as a process (`manage.py worker`), or inside the web process on a single machine.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from django.conf import settings
from procrastinate.contrib.django import app
from procrastinate.exceptions import ConnectorException

# Jobs of one queue that run at a time in one process. A turn mostly waits for its agent. A sweep of the inventories may
# take minutes; beside it there is room for the short jobs, such as putting back those of dead workers.
QUEUES = {"provision": 10, "turn": 16, "teardown": 6, "sweep": 2, "staff": 4}
_GRACE_SECONDS = 10  # for jobs in hand at a stop; what does not finish is resumed by the next worker


@contextlib.asynccontextmanager
async def worker_app() -> AsyncIterator[Any]:
    """Procrastinate's application as a worker uses it, with a connection pool of its own while the block lasts."""
    connector: Any = app.connector  # Django's, which makes one for workers
    async with app.with_connector(connector.get_worker_connector()).open_async() as opened:
        yield opened


@contextlib.asynccontextmanager
async def workers() -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run the workers of all queues while the block lasts; stops them in order, jobs in hand get ten seconds."""
    async with worker_app() as opened:
        tasks = [
            asyncio.create_task(
                opened.run_worker_async(
                    queues=[queue],
                    name=queue,
                    concurrency=concurrency,
                    install_signal_handlers=False,
                    shutdown_graceful_timeout=_GRACE_SECONDS,
                    delete_jobs="successful",
                    # A job that waits for another's lock is found by looking only, and somebody waits for it.
                    fetch_job_polling_interval=min(1.0, settings.MK0R_JOB_POLL)
                    if queue == "turn"
                    else settings.MK0R_JOB_POLL,
                    update_heartbeat_interval=settings.MK0R_WORKER_SILENCE / 3,
                    stalled_worker_timeout=settings.MK0R_WORKER_SILENCE,
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
