"""What every process of the product opens before it works, and closes on its way out."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from contextlib import AsyncExitStack

from gateway.clients import close_clients as close_gateway_clients
from mk0r.working import workers
from provisioning import faults
from provisioning import http as vendor_clients
from sessions_app.process import DRAIN_SECONDS, sessions

logger = logging.getLogger(__name__)

_LEAST_PATIENCE = 1.0  # seconds


class Resources:
    """Shared vendor clients, the per-session tasks of this process, and its workers where it has them."""

    def __init__(self, *, with_workers: bool) -> None:
        self._with_workers = with_workers
        self._stack = AsyncExitStack()
        self._watch: asyncio.Task[None] | None = None
        self._closing_at = 0.0

    async def open(self) -> None:
        """Open everything in order; what was opened is closed again if a later part fails."""
        faults.arm_from_environment()
        async with AsyncExitStack() as stack:
            await vendor_clients.open_clients()
            stack.push_async_callback(vendor_clients.close_clients)
            stack.push_async_callback(close_gateway_clients)
            stack.push_async_callback(self._drain)
            if self._with_workers:
                running = await stack.enter_async_context(workers())
                self._watch = asyncio.create_task(_report_end(running), name="watch-workers")
            self._stack = stack.pop_all()

    async def close(self) -> None:
        """Stop the workers, drain the session tasks, close the clients."""
        self._closing_at = time.monotonic()
        if self._watch is not None:
            self._watch.cancel()
        await self._stack.aclose()

    async def _drain(self) -> None:
        """Jobs in hand were waited for by then, and they wait for the same tasks: both share one patience."""
        waited = time.monotonic() - self._closing_at
        await sessions.close(max(_LEAST_PATIENCE, DRAIN_SECONDS - waited))


async def _report_end(running: list[asyncio.Task[None]]) -> None:
    """A worker that ends by itself is a fault: say so, and end the process so that its supervisor starts it anew."""
    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        if not task.cancelled():
            logger.critical("worker ended", extra={"worker": task.get_name()}, exc_info=task.exception())
    os.kill(os.getpid(), signal.SIGTERM)
