"""The way to the envd of a sandbox: finds it by header or host name, checks its token, and streams both ways.

Nothing is buffered: a body goes on as it arrives, in both directions, and a slow side slows the other. When either side
leaves, so does the request. Replies to requests that find nobody are worded as E2B's edge words them, since its SDK
tells a dead sandbox from a closed port by the message.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import Mapping

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from localcloud.e2b.keys import SANDBOXES
from localcloud.e2b.runtime import LaunchError
from localcloud.e2b.sandbox import GoneError, Sandbox
from localcloud.faults import DETACHED
from localcloud.operator import same

ENVD_PORT = 49983
INTERNAL = frozenset({"/init", "/freeze", "/unfreeze", "/collapse", "/fsfreeze", "/fsthaw"})
UNAUTHORIZED = "unauthorized access, please provide a valid access token or method signing if supported"
_NOT_FORWARDED = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer"),
        *("transfer-encoding", "upgrade", "host", "expect"),
        *("x-access-token", "e2b-sandbox-id", "e2b-sandbox-port", "e2b-traffic-access-token"),
    )
)
_LOOK_SECONDS = 0.5


def not_found(sandbox_id: str) -> web.Response:
    """E2B's edge on a sandbox that is not there (any more)."""
    body = {"sandboxId": sandbox_id, "message": "The sandbox was not found", "code": 502}
    return web.json_response(body, status=502)


def port_closed(sandbox_id: str, port: int) -> web.Response:
    """E2B's edge on a sandbox that runs but does not listen there."""
    body = {
        "sandboxId": sandbox_id,
        "message": "The sandbox is running but port is not open",
        "port": port,
        "code": 502,
    }
    return web.json_response(body, status=502)


async def serve(request: web.Request, sandbox_id: str) -> web.StreamResponse:
    """Answer one request to the envd of *sandbox_id*."""
    try:
        sandbox = request.app[SANDBOXES].get(sandbox_id)
        if request.path != "/health" and not _authorized(request, sandbox):
            return web.json_response({"code": 401, "message": UNAUTHORIZED}, status=401)
        if request.path in INTERNAL:
            return web.json_response({"code": 403, "message": "this path is internal to the sandbox"}, status=403)
        sandbox = await request.app[SANDBOXES].reach(sandbox_id)
    except GoneError:
        return not_found(sandbox_id)
    except LaunchError:  # it was to resume by itself and did not
        return port_closed(sandbox_id, ENVD_PORT)
    return await _relay(request, sandbox)


def _authorized(request: web.Request, sandbox: Sandbox) -> bool:
    given = request.headers.get("X-Access-Token")
    if given is not None:
        return same(given, sandbox.access_token)
    if request.path != "/files" or "signature" not in request.query:
        return False
    return _signed(request, sandbox.access_token)


def _signed(request: web.Request, token: str) -> bool:
    """`v1_` + base64 of sha256 over `path:read|write:user:token[:expiration]`, without padding."""
    query = request.query
    operation = "read" if request.method == "GET" else "write"
    parts = [query.get("path", ""), operation, query.get("username", ""), token]
    expiration = query.get("signature_expiration")
    if expiration is not None:
        if not expiration.isascii() or not expiration.isdigit() or int(expiration[:15]) < time.time():
            return False
        parts.append(expiration)
    digest = hashlib.sha256(":".join(parts).encode()).digest()
    expected = "v1_" + base64.b64encode(digest).decode().rstrip("=")
    return same(query["signature"], expected)


async def _relay(request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
    relay = asyncio.ensure_future(_forward(request, sandbox))
    sandbox.relays.add(relay)
    watch = asyncio.ensure_future(_client_left(request))
    try:
        await asyncio.wait((relay, watch), return_when=asyncio.FIRST_COMPLETED)
    finally:
        # Also when this handler is cancelled: the inside must learn that nobody listens any more.
        watch.cancel()
        relay.cancel()
        sandbox.relays.discard(relay)
        await asyncio.wait((relay, watch))
    if relay.cancelled():
        # The client left, or the sandbox was paused or killed under the request; what is sent cannot be completed.
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=502)
    return relay.result()


async def _client_left(request: web.Request) -> None:
    """Returns when the connection is gone. The server tells a handler only when it next writes, so this looks."""
    while _wanted(request):  # noqa: ASYNC110 -- no event for it
        await asyncio.sleep(_LOOK_SECONDS)


def _wanted(request: web.Request) -> bool:
    """Whether somebody waits for the answer, or it was ordered to be made even if nobody does."""
    return bool(request.get(DETACHED)) or (request.transport is not None and not request.transport.is_closing())


async def _forward(request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
    machine = sandbox.machine
    if machine is None:
        return not_found(sandbox.id)
    response: web.StreamResponse | None = None
    connector = aiohttp.UnixConnector(path=str(machine.envd_socket), force_close=True)
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=aiohttp.ClientTimeout(total=None), auto_decompress=False
            ) as session,
            session.request(
                request.method,
                URL(f"http://envd{request.rel_url.raw_path_qs}", encoded=True),
                headers=_onward(request),
                data=request.content if request.can_read_body else None,
                allow_redirects=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            ) as answer,
        ):
            response = web.StreamResponse(status=answer.status, headers=_filtered(answer.headers))
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response
    except (aiohttp.ClientError, OSError):
        if response is None:
            return port_closed(sandbox.id, ENVD_PORT) if machine.alive else not_found(sandbox.id)
        # The head has left already: only a broken connection tells the client that the rest will not come.
        if request.transport is not None:
            request.transport.abort()
        return response


def _onward(request: web.Request) -> CIMultiDict[str]:
    headers = _filtered(request.headers)
    if "Content-Encoding" in headers:
        # Our server has unpacked the body already, so neither its coding nor its length is what it was.
        del headers["Content-Encoding"]
        headers.popall("Content-Length", None)
    return headers


def _filtered(headers: Mapping[str, str]) -> CIMultiDict[str]:
    kept: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        if name.lower() not in _NOT_FORWARDED:
            kept.add(name, value)
    return kept
