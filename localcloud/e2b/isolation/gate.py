"""An HTTP port inside a sandbox that leads to one origin outside and lets only some of its paths pass.

Bodies stream both ways with back-pressure, so server-sent events arrive as they are sent. The path that is checked is
the path that is sent: anything two parsers could read differently (dot segments, encoded slashes, doubled slashes) is
refused instead of cleaned up.
"""

from __future__ import annotations

import re
import socket
from urllib.parse import unquote

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from multidict import CIMultiDict
from yarl import URL

HOP_BY_HOP = frozenset(
    [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Headers that decide where localcloud or a proxy in front of the product would send a request.
_ROUTING = re.compile(r"(?i)host$|e2b-|x-forwarded-|x-real-ip$|forwarded$|x-original-|x-rewrite-|x-http-method")
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*\Z")
_TIMEOUT = ClientTimeout(total=None, connect=10, sock_read=900)  # a model may think for minutes between two bytes


def safe_path(raw: str) -> str | None:
    """The path of a request target as every parser reads it, or None when they might not agree."""
    path = raw.partition("?")[0]
    if not _PLAIN_PATH.match(path) or "//" in path or re.search(r"%(?![0-9A-Fa-f]{2})", path):
        return None
    for segment in path.split("/"):
        plain = unquote(segment, errors="replace")
        if plain in (".", "..") or re.search(r"[/\\;%\x00-\x1f\x7f]", plain) or plain.startswith(".."):
            return None
    return path


def forwarded(headers: CIMultiDict[str]) -> CIMultiDict[str]:
    """Headers fit to be sent on: without hop-by-hop ones and those that route."""
    named = {name.strip().lower() for value in headers.getall("Connection", []) for name in value.split(",")}
    return CIMultiDict(
        (name, value)
        for name, value in headers.items()
        if name.lower() not in HOP_BY_HOP and name.lower() not in named and not _ROUTING.match(name)
    )


def _refusal(status: int, message: str) -> web.Response:
    return web.json_response({"code": status, "message": message}, status=status)


class Gate:
    """One such port."""

    def __init__(self, origin: str, prefixes: tuple[str, ...]) -> None:
        self._origin = origin.rstrip("/")
        self._prefixes = prefixes
        self._runner: web.ServerRunner | None = None
        self._client: ClientSession | None = None

    async def open(self, listener: socket.socket) -> None:
        """Serve on `listener`, which this then owns."""
        self._client = ClientSession(
            connector=TCPConnector(limit=0), cookie_jar=DummyCookieJar(), auto_decompress=False, timeout=_TIMEOUT
        )
        server = web.Server(self._answer, access_log=None, auto_decompress=False, handler_cancellation=True)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._client is not None:
            await self._client.close()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = safe_path(request.raw_path) if request.raw_path.startswith("/") else None
        if path is None:
            return _refusal(400, "a path with dot segments, doubled or encoded separators does not pass")
        if request.method not in METHODS or not any(path.startswith(prefix) for prefix in self._prefixes):
            return _refusal(403, f"a sandbox reaches only {', '.join(self._prefixes)} here")
        assert self._client is not None  # noqa: S101 - requests come only between open and close
        response: web.StreamResponse | None = None
        try:
            async with self._client.request(
                request.method,
                URL(self._origin + request.raw_path, encoded=True),
                headers=forwarded(CIMultiDict(request.headers)),
                data=request.content if request.body_exists else None,
                allow_redirects=False,
                skip_auto_headers=("User-Agent", "Accept-Encoding", "Content-Type", "Accept"),
            ) as reply:
                response = web.StreamResponse(
                    status=reply.status, reason=reply.reason, headers=forwarded(CIMultiDict(reply.headers))
                )
                await response.prepare(request)
                async for chunk in reply.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
                return response
        except (ClientError, TimeoutError, OSError) as problem:
            if response is None:
                return _refusal(502, f"{self._origin} could not be reached: {type(problem).__name__}")
            if request.transport is not None:  # half an answer must not look like a whole one
                request.transport.abort()
            return response
