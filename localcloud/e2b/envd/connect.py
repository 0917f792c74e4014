"""The Connect protocol with its JSON codec: unary calls, server streams, client streams, errors and deadlines.

Wire facts: https://connectrpc.com/docs/protocol. A stream is a sequence of envelopes, ``1 byte flags | 4 bytes
big-endian length | JSON``; flag 0x01 means compressed (never asked for, refused), flag 0x02 ends the stream and carries
the error if any.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal

from aiohttp import web

Json = dict[str, Any]
Code = Literal[
    "canceled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "unimplemented",
    "internal",
    "unauthenticated",
]
HTTP_STATUS: dict[str, int] = {
    "canceled": 499,
    "unknown": 500,
    "invalid_argument": 400,
    "deadline_exceeded": 504,
    "not_found": 404,
    "already_exists": 409,
    "permission_denied": 403,
    "resource_exhausted": 429,
    "failed_precondition": 400,
    "unimplemented": 501,
    "internal": 500,
    "unauthenticated": 401,
}
MESSAGE_LIMIT = 32 * 1024 * 1024
_HEADER = struct.Struct(">BI")
_COMPRESSED, _END = 0x01, 0x02


class RpcError(Exception):
    """A call failed in a way the protocol has a code for."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def as_json(self) -> Json:
        """The error object of both unary replies and end-of-stream envelopes."""
        return {"code": self.code, "message": self.message}


def deadline_seconds(request: web.Request) -> float | None:
    """``Connect-Timeout-Ms`` in seconds; None when absent. Raises RpcError on anything but up to ten digits."""
    raw = request.headers.get("Connect-Timeout-Ms")
    if raw is None:
        return None
    if not raw.isascii() or not raw.isdigit() or len(raw) > 10:
        raise RpcError("invalid_argument", f"protocol error: invalid timeout: {raw!r}")
    return int(raw) / 1000


def _decode(raw: bytes) -> Json:
    try:
        body = json.loads(raw or b"{}")
    except ValueError as error:
        raise RpcError("invalid_argument", f"unmarshal message: {error}") from None
    if not isinstance(body, dict):
        raise RpcError("invalid_argument", "unmarshal message: expected a JSON object")
    return body


def _media_type(request: web.Request, expected: str) -> None:
    if request.content_type != expected:
        raise web.HTTPUnsupportedMediaType(headers={"Accept-Post": expected})


UnaryHandler = Callable[[web.Request, Json], Awaitable[Json]]


def unary(handler: UnaryHandler) -> Callable[[web.Request], Awaitable[web.Response]]:
    """An aiohttp handler for a unary method; the deadline of the request bounds the whole of it."""

    async def handle(request: web.Request) -> web.Response:
        _media_type(request, "application/json")
        try:
            async with asyncio.timeout(deadline_seconds(request)):
                raw = await _read_all(request)
                return web.json_response(await handler(request, _decode(raw)))
        except TimeoutError:
            error = RpcError("deadline_exceeded", "the operation timed out")
        except RpcError as raised:
            error = raised
        return web.json_response(error.as_json(), status=HTTP_STATUS[error.code])

    return handle


async def _read_all(request: web.Request) -> bytes:
    chunks = bytearray()
    async for chunk in request.content.iter_any():
        chunks += chunk
        if len(chunks) > MESSAGE_LIMIT:
            raise RpcError("resource_exhausted", f"message size exceeds the limit of {MESSAGE_LIMIT} bytes")
    return bytes(chunks)


async def envelopes(request: web.Request) -> AsyncIterator[Json]:
    """The messages of the request body of a streaming call, in order. Raises RpcError on a broken frame."""
    while True:
        try:
            flags, length = _HEADER.unpack(await request.content.readexactly(_HEADER.size))
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise RpcError("invalid_argument", "protocol error: incomplete envelope") from None
            return
        if length > MESSAGE_LIMIT:
            raise RpcError("resource_exhausted", f"message size {length} exceeds the limit of {MESSAGE_LIMIT} bytes")
        if flags & _COMPRESSED:
            raise RpcError("internal", "protocol error: sent compressed message without compression support")
        try:
            raw = await request.content.readexactly(length)
        except asyncio.IncompleteReadError:
            raise RpcError("invalid_argument", "protocol error: promised more bytes than were sent") from None
        if flags & _END:
            return
        yield _decode(raw)


async def first_envelope(request: web.Request) -> Json:
    """The one message of a server-streaming call. Raises RpcError when there is none."""
    async for message in envelopes(request):
        return message
    raise RpcError("invalid_argument", "unmarshal message: stream ended before its first message")


class Stream:
    """The reply side of a streaming call. HTTP status is always 200; failure travels in the last envelope."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._response = web.StreamResponse(headers={"Content-Type": "application/connect+json"})
        # A compressing layer would hold events back; a Connect stream must flush each of them.
        self._response.headers["Cache-Control"] = "no-transform"

    async def send(self, message: Json) -> None:
        """Send one message; waits while the client is slow. Raises ConnectionResetError once it is gone."""
        await self._write(0, message)

    async def close(self, error: RpcError | None = None) -> web.StreamResponse:
        """Send the end-of-stream envelope and finish the reply."""
        await self._write(_END, {} if error is None else {"error": error.as_json()})
        await self._response.write_eof()
        return self._response

    async def _write(self, flags: int, message: Json) -> None:
        if not self._response.prepared:
            # Not earlier: over HTTP/1.1 a client that sends a stream may stop sending when the head arrives.
            await self._response.prepare(self._request)
        raw = json.dumps(message, separators=(",", ":")).encode()
        await self._response.write(_HEADER.pack(flags, len(raw)) + raw)


StreamHandler = Callable[[web.Request, Stream], Awaitable[None]]


def streaming(handler: StreamHandler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """An aiohttp handler for a streaming method. The deadline is the handler's: a Start's outlives its stream."""

    async def handle(request: web.Request) -> web.StreamResponse:
        _media_type(request, "application/connect+json")
        stream = Stream(request)
        try:
            await handler(request, stream)
        except RpcError as error:
            return await stream.close(error)
        except TimeoutError:
            return await stream.close(RpcError("deadline_exceeded", "the operation timed out"))
        return await stream.close()

    return handle
