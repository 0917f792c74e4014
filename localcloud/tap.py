"""What a handler streams, kept from the connection, so that a fault can have its way with it.

A handler that returns its answer whole needs none of this. One that sends as it goes (git, a sandbox's commands, the
model) would have told the client everything before a fault after the fact came to its turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.streams import StreamReader
from multidict import CIMultiDict

_NO_CAUSE = Exception()
_OF_THE_CONNECTION = ("Content-Length", "Transfer-Encoding", "Connection", "Date", "Server")


class Taker(Protocol):
    """Who gets the answer instead of the client."""

    async def begin(self, answer: web.Response) -> web.StreamResponse:
        """The head, with the first piece of the body; returns what became of it, which later pieces belong to."""

    async def go_on(self, stream: web.StreamResponse, piece: bytes) -> None:
        """A later piece."""


class Tap(AbstractStreamWriter):
    """Stands where the connection's writer would. `stream` is what the taker made of the answer, once it has begun."""

    def __init__(self, request: web.Request, taker: Taker) -> None:
        self._request, self._taker = request, taker
        self._connection = request.writer
        self._status = 200
        self._headers: CIMultiDict[str] = CIMultiDict()
        self.stream: web.StreamResponse | None = None

    async def write_headers(self, status_line: str, headers: CIMultiDict[str]) -> None:
        self._status = int(status_line.split(" ")[1])
        self._headers = headers.copy()
        for name in _OF_THE_CONNECTION:
            self._headers.popall(name, None)

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        if self.stream is not None:
            await self._taker.go_on(self.stream, bytes(chunk))
        elif chunk:
            await self._begin(bytes(chunk))

    async def write_eof(self, chunk: bytes = b"") -> None:
        await self.write(chunk)
        if self.stream is None:
            await self._begin(b"")

    async def _begin(self, piece: bytes) -> None:
        restore(self._request, self._connection)
        answer = web.Response(status=self._status, headers=self._headers, body=piece)
        self.stream = await self._taker.begin(answer)

    async def drain(self) -> None:
        """Nothing waits here: every piece was taken when `write` returned."""

    def enable_compression(self, encoding: str = "deflate", strategy: int | None = None) -> None:
        """Pieces are taken as the handler wrote them."""

    def enable_chunking(self) -> None:
        """Whoever takes the pieces frames them."""


def restore(request: web.Request, writer: AbstractStreamWriter) -> None:
    """Let what is prepared from now on go to `writer`. aiohttp has no public way to say so."""
    request._payload_writer = writer  # noqa: SLF001


@contextmanager
def tapped(request: web.Request, taker: Taker) -> Iterator[Tap]:
    """Whatever is streamed in answer to `request` goes to `taker`."""
    connection = request.writer
    tap = Tap(request, taker)
    restore(request, tap)
    try:
        yield tap
    finally:
        restore(request, connection)


class _Kept(StreamReader):
    """A body that is here already: a connection that is lost takes nothing of it away."""

    def set_exception(self, exc: type[BaseException] | BaseException, exc_cause: BaseException = _NO_CAUSE) -> None:
        """What became of the connection does not matter any more."""


async def keep_body(request: web.Request) -> None:
    """Read the whole body now, so that a handler can read it, by any way, when the client has left."""
    body = await request.read()
    kept = _Kept(request.protocol, 2**16, loop=request.loop)
    if body:
        kept.feed_data(body)
    kept.feed_eof()
    request._payload = kept  # noqa: SLF001 -- as above
