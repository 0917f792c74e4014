"""How a process works jobs off, whatever queues it takes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from django.conf import settings
from procrastinate.contrib.django import app

_GRACE_SECONDS = 10  # for jobs in hand at a stop; what does not finish is resumed by the next worker


@contextlib.asynccontextmanager
async def worker_app() -> AsyncIterator[Any]:
    """Procrastinate's application as a worker uses it, with a connection pool of its own while the block lasts."""
    connector: Any = app.connector  # Django's, which makes one for workers
    async with app.with_connector(connector.get_worker_connector()).open_async() as opened:
        yield opened


async def work(opened: Any, queues: Sequence[str], *, name: str, at_once: int, poll: float) -> None:
    """Take jobs of these queues, so many at a time, until cancelled; jobs in hand then get ten seconds.

    `poll`: seconds between two looks for a job that nobody is told of, such as one that waits for another's lock.
    """
    await opened.run_worker_async(
        queues=list(queues),
        name=name,
        concurrency=at_once,
        install_signal_handlers=False,
        shutdown_graceful_timeout=_GRACE_SECONDS,
        delete_jobs="successful",
        fetch_job_polling_interval=poll,
        update_heartbeat_interval=settings.MK0R_WORKER_SILENCE / 3,
        stalled_worker_timeout=settings.MK0R_WORKER_SILENCE,
    )
