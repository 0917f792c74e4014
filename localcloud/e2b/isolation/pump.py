"""Bytes between two streams until both directions have ended, with back-pressure and half-close kept."""

from __future__ import annotations

import asyncio
import contextlib

CHUNK = 1 << 16

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _one_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        if writer.can_write_eof():
            writer.write_eof()


async def pump(left: Stream, right: Stream) -> None:
    """Run until both sides said all; a lost connection counts as the end. Closes both."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_one_way(left[0], right[1]))
            group.create_task(_one_way(right[0], left[1]))
    finally:
        await hang_up(left[1])
        await hang_up(right[1])


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close and wait for it; errors of a connection that is over do not matter."""
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
