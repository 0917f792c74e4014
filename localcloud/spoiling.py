"""What a client gets to see of an answer that was made: the faults after the fact, on answers whole and streamed."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable

from aiohttp import web

from localcloud.tap import tapped

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Hold = Callable[[web.Request, float], Awaitable[bool]]  # waits; False when nobody waits any more

GARBAGE = b"<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1>"
FLOOD_BYTES = 100 * 1024 * 1024


class Spoilt:
    """Takes an answer, whole or in pieces, and lets a fault after the fact have its way with it."""

    def __init__(self, request: web.Request, kind: str, seconds: float, hold: Hold) -> None:
        self._request, self._kind, self._seconds, self._hold = request, kind, seconds, hold
        self._ended = False  # the client has got all it will get

    async def whole(self, answer: web.Response) -> web.StreamResponse:
        """An answer whose length is known."""
        return await self._spoil(answer, whole=True)

    async def begin(self, answer: web.Response) -> web.StreamResponse:
        return await self._spoil(answer, whole=False)

    async def go_on(self, stream: web.StreamResponse, piece: bytes) -> None:
        if self._kind == "slow_drip" and not self._ended:
            await self._drip(stream, piece)

    async def _spoil(self, answer: web.Response, *, whole: bool) -> web.StreamResponse:
        kind, request = self._kind, self._request
        body = bytes(answer.body) if isinstance(answer.body, bytes | bytearray) else b""
        if kind == "reset_after":
            return reset(request)
        if kind == "garbage":
            rubbish = web.Response(status=answer.status, body=GARBAGE, content_type="application/json")
            await rubbish.prepare(request)
            await rubbish.write_eof()
            return rubbish
        if kind == "truncate":
            stream = await _begin(request, answer, (len(body) or 1) if whole else None)
            await stream.write(body[: len(body) // 2])
            await asyncio.sleep(0.05)  # let the half leave before the reset discards what is unsent
            return reset(request, stream)
        if kind == "flood":
            stream = await _begin(request, answer, FLOOD_BYTES)
            for _ in range(FLOOD_BYTES // 65536):
                await stream.write(b" " * 65536)
            return stream
        stream = await _begin(request, answer, len(body) if whole else None)
        await self._drip(stream, body)
        return stream

    async def _drip(self, stream: web.StreamResponse, piece: bytes) -> None:
        for byte in piece:
            await stream.write(bytes((byte,)))
            if not await self._hold(self._request, self._seconds):
                reset(self._request)
                self._ended = True
                return


class Perhaps:
    """Passes an answer on as it comes, to a client that may have left."""

    def __init__(self, request: web.Request) -> None:
        self._request = request

    async def whole(self, answer: web.Response) -> web.StreamResponse:
        return answer

    async def begin(self, answer: web.Response) -> web.StreamResponse:
        body = answer.body
        stream = web.StreamResponse(status=answer.status, headers=answer.headers)
        with contextlib.suppress(ConnectionError):
            stream = await _begin(self._request, answer, None)
        await self.go_on(stream, bytes(body) if isinstance(body, bytes | bytearray) else b"")
        return stream

    async def go_on(self, stream: web.StreamResponse, piece: bytes) -> None:
        if stream.prepared and piece:
            with contextlib.suppress(ConnectionError):
                await stream.write(piece)


async def answered(request: web.Request, handler: Handler, taker: Spoilt | Perhaps) -> web.StreamResponse:
    """Let the handler answer to `taker`, to its end."""
    with tapped(request, taker) as tap:
        try:
            answer = await handler(request)
        except web.HTTPException as error:
            answer = error
    if tap.stream is not None:
        return tap.stream
    return await taker.whole(answer) if isinstance(answer, web.Response) else reset(request)


async def _begin(request: web.Request, answer: web.Response, length: int | None) -> web.StreamResponse:
    stream = web.StreamResponse(status=answer.status, headers=answer.headers)
    stream.content_length = length  # None: nobody knows yet
    await stream.prepare(request)
    return stream


def reset(request: web.Request, stream: web.StreamResponse | None = None) -> web.StreamResponse:
    """End the connection the hard way. The response returned goes nowhere."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return stream or web.Response(status=500)
