"""Carries one request of a preview to a port of its sandbox: HTTP streamed both ways, WebSockets message by message.

Host and Origin stay what the browser sent, so that the app sees its own public address; only what belongs to one
connection is dropped. A body is neither unpacked nor collected.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, UnixConnector, WSMsgType, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from localcloud.e2b.runtime import Runtime

HOP_BY_HOP = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
    )
)
_HANDSHAKE = "sec-websocket-"  # each side of a relay shakes hands for itself
_OURS = frozenset(("e2b-sandbox-id", "e2b-sandbox-port", "e2b-traffic-access-token"))
_TIMEOUT = ClientTimeout(total=None, sock_connect=10)
_KEPT_SECONDS = 3.0  # below the 5 s after which Node drops an idle connection
LARGEST_MESSAGE = 64 << 20


class PortClosedError(Exception):
    """Nothing inside answers on that port."""


Edit = Callable[[CIMultiDict[str]], None]


def end_to_end(headers: CIMultiDictProxy[str] | CIMultiDict[str]) -> CIMultiDict[str]:
    """The headers that are meant for the other end."""
    named = {name.strip().lower() for value in headers.getall("Connection", []) for name in value.split(",")}
    return CIMultiDict(
        (name, value)
        for name, value in headers.items()
        if (lower := name.lower()) not in HOP_BY_HOP and lower not in named and lower not in _OURS
    )


class Relays:
    """Connections to ports of sandboxes, kept for reuse while their sandbox runs. Close it at the end."""

    def __init__(self) -> None:
        self._sessions: dict[tuple[str, int], tuple[Runtime, ClientSession]] = {}

    async def session(self, machine: Runtime, port: int) -> ClientSession:
        """The client for one port of a machine that runs. Raises `PortClosedError`."""
        await self._drop_dead()
        known = self._sessions.get((machine.id, port))
        if known is not None and known[0] is machine:
            return known[1]
        try:
            path = machine.port_socket(port)
        except OSError as problem:
            raise PortClosedError(str(problem)) from problem
        connector = UnixConnector(path=str(path), limit=0, keepalive_timeout=_KEPT_SECONDS)
        session = ClientSession(
            connector=connector, cookie_jar=DummyCookieJar(), auto_decompress=False, timeout=_TIMEOUT
        )
        self._sessions[machine.id, port] = (machine, session)
        return session

    async def _drop_dead(self) -> None:
        for key, (machine, session) in list(self._sessions.items()):
            if not machine.alive and self._sessions.pop(key, None) is not None:
                await session.close()

    async def close(self) -> None:
        """Close every connection."""
        for _, session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def carry(
        self, request: web.BaseRequest, machine: Runtime, port: int, edit: tuple[Edit, Edit] | None = None
    ) -> web.StreamResponse:
        """Answer `request` from the port; `edit` may change the headers on their way in and out.

        Raises `PortClosedError` when nothing answers and nothing was sent yet.
        """
        session = await self.session(machine, port)
        headers = end_to_end(request.headers)
        if edit is not None:
            edit[0](headers)
        wants = request.headers.get("Upgrade", "").lower()
        if wants == "websocket" and request.method == "GET":
            return await _websocket(session, request, headers)
        return await _http(session, request, headers, edit[1] if edit is not None else None)


def _target(request: web.BaseRequest) -> URL:
    raw = request.raw_path if request.raw_path.startswith("/") else request.rel_url.raw_path_qs
    return URL(f"http://preview{raw}", encoded=True)


async def _http(
    session: ClientSession, request: web.BaseRequest, headers: CIMultiDict[str], edit: Edit | None
) -> web.StreamResponse:
    if "Content-Encoding" in headers:  # the server has unpacked the body, so neither coding nor length hold any more
        del headers["Content-Encoding"]
        headers.popall("Content-Length", None)
    response: web.StreamResponse | None = None
    try:
        async with session.request(
            request.method,
            _target(request),
            headers=headers,
            data=request.content if request.can_read_body else None,
            allow_redirects=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        ) as answer:
            onward = end_to_end(answer.headers)
            if edit is not None:
                edit(onward)
            response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=onward)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response
    except (aiohttp.ClientError, OSError) as problem:
        if response is None:
            raise PortClosedError(str(problem)) from problem
        if request.transport is not None:  # half an answer must not look like a whole one
            request.transport.abort()
        return response


async def _websocket(session: ClientSession, request: web.BaseRequest, headers: CIMultiDict[str]) -> web.StreamResponse:
    offered = [
        name.strip()
        for value in request.headers.getall("Sec-WebSocket-Protocol", [])
        for name in value.split(",")
        if name.strip()
    ]
    for name in [name for name in headers if name.lower().startswith(_HANDSHAKE)]:
        headers.popall(name, None)
    try:
        inside = await session.ws_connect(
            _target(request), protocols=offered, headers=headers, autoping=False, max_msg_size=LARGEST_MESSAGE
        )
    except aiohttp.WSServerHandshakeError as refused:
        return web.Response(status=refused.status if 400 <= refused.status < 600 else 502, text=refused.message)
    except (aiohttp.ClientError, OSError) as problem:
        raise PortClosedError(str(problem)) from problem
    async with inside:
        chosen = [inside.protocol] if inside.protocol else []
        outside = web.WebSocketResponse(protocols=chosen, autoping=False, max_msg_size=LARGEST_MESSAGE, compress=False)
        await outside.prepare(request)
        await _both_ways(inside, outside)
        return outside


_Socket = aiohttp.ClientWebSocketResponse | web.WebSocketResponse


async def _both_ways(inside: aiohttp.ClientWebSocketResponse, outside: web.WebSocketResponse) -> None:
    """Until either side closes; the other is then closed with the same code."""
    ways = [asyncio.create_task(_one_way(inside, outside)), asyncio.create_task(_one_way(outside, inside))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        code = inside.close_code or outside.close_code or aiohttp.WSCloseCode.GOING_AWAY
        if code in (1005, 1006, 1015):  # not to be sent over the wire
            code = aiohttp.WSCloseCode.GOING_AWAY
        for side in (inside, outside):
            with contextlib.suppress(OSError, RuntimeError):
                await side.close(code=code)


async def _one_way(source: _Socket, target: _Socket) -> None:
    send: dict[WSMsgType, Callable[[aiohttp.WSMessage], Awaitable[None]]] = {
        WSMsgType.TEXT: lambda message: target.send_str(message.data),
        WSMsgType.BINARY: lambda message: target.send_bytes(message.data),
        WSMsgType.PING: lambda message: target.ping(message.data),
        WSMsgType.PONG: lambda message: target.pong(message.data),
    }
    with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: the target is closing already
        while (message := await source.receive()).type in send:
            await send[message.type](message)
