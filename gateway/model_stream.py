"""Relaying a streamed answer: one task owns the upstream from its first byte to the settled meter.

The task outlives nobody: it ends when the upstream does, when its deadline or size limit is reached, or when the client
is gone, which it learns by being cancelled, or by a full queue that nobody empties when the response was never begun.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator

import aiohttp
from django.conf import settings

from gateway import meter
from gateway.meter import Call
from gateway.sse import Lines, LineTooLong, observe

log = logging.getLogger(__name__)

_QUEUE = 64  # pieces between upstream and client
_CLIENT_STALL = 60.0  # seconds a full queue may stand before the client counts as gone
_UPSTREAM_STALL = 180.0  # seconds without a byte; the vendor pings more often than that
_owned: set[asyncio.Task[None]] = set()  # a task nobody refers to may be collected in mid-flight


def redacted(data: bytes) -> bytes:
    """`data` without the platform's key, should an upstream echo what it was sent."""
    key = settings.ANTHROPIC_API_KEY
    return data.replace(key.encode(), b"[removed]") if len(key) >= 8 else data


class Stream:
    """One streamed answer. Making it starts the relay; `pieces` is read once."""

    def __init__(self, upstream: aiohttp.ClientResponse, call: Call, *, limit: int, seconds: float) -> None:
        self._upstream = upstream
        self._call = call
        self._limit = limit
        self._until = asyncio.get_running_loop().time() + seconds
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUE)
        self._task = asyncio.create_task(self._own(), name="gateway-model-stream")
        _owned.add(self._task)
        self._task.add_done_callback(_owned.discard)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The answer as it comes. Leaving early ends the call to the upstream."""
        try:
            while (piece := await self._queue.get()) is not None:
                yield piece
        finally:
            self._task.cancel()

    async def _own(self) -> None:
        try:
            await self._relay()
        except Exception:  # the boundary of a task: there is nobody above to tell
            log.exception("gateway.model_stream_failed")
        finally:
            self._upstream.close()
            await meter.end(self._call)

    async def _relay(self) -> None:
        """Pass on whole lines until the end; an end before its time is told as an `error` event."""
        lines, sent = Lines(), 0
        try:
            while data := await self._read():
                sent += len(data)
                if sent > self._limit:
                    await self._put(_error(f"The answer is longer than {self._limit // 1_000_000} MB and was cut off."))
                    break
                await self._pass_on(lines.feed(data))
            else:
                await self._pass_on(lines.end())
        except TimeoutError:
            await self._put(_error("The model service did not finish its answer in time."))
        except LineTooLong:
            await self._put(_error("The model service answered with something that is not its protocol."))
        except (aiohttp.ClientError, OSError):
            await self._put(_error("The model service broke off its answer."))
        await self._put(None)

    async def _read(self) -> bytes:
        left = self._until - asyncio.get_running_loop().time()
        async with asyncio.timeout(min(max(left, 0), _UPSTREAM_STALL)):
            return await self._upstream.content.readany()

    async def _pass_on(self, lines: bytes) -> None:
        if lines:
            observe(lines, self._call)
            await self._put(redacted(lines))

    async def _put(self, piece: bytes | None) -> None:
        """Queue a piece; a client that takes none for a minute is gone."""
        try:
            async with asyncio.timeout(_CLIENT_STALL):
                await self._queue.put(piece)
        except TimeoutError:
            raise asyncio.CancelledError from None


def _error(message: str) -> bytes:
    body = json.dumps({"type": "error", "error": {"type": "api_error", "message": message}})
    return f"\nevent: error\ndata: {body}\n\n".encode()
