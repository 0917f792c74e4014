"""Waiting in tests, and running a second process's share in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

from provisioning import http, services


async def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until `holds()`; fail after `seconds`."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


async def converge_elsewhere(session_id: UUID) -> None:
    """Converge as another process would: another loop, other connections, other clients."""

    async def main() -> None:
        await services.converge(session_id)
        await http.close_clients()

    await asyncio.to_thread(asyncio.run, main())
