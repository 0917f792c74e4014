"""The one way a request leaves for a vendor: one process-wide client per vendor, hard limits on time and size.

httpx's own connection pool collapses above about forty requests in flight, so its API runs over aiohttp's transport.
Clients belong to an event loop. A process opens them before it listens and closes them on its way out; where nobody did
(tests, commands) they open on first use, and `close_clients` must still be called before that loop ends.

What is promised for each exchange: no redirect is followed, no cookie is kept, no more than `MAX_BODY` bytes are held,
it ends within `total` seconds even if the other side sends one byte at a time, and at most `IN_FLIGHT` run per vendor.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
import uuid
import weakref
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from provisioning.outcome import Wire

log = logging.getLogger(__name__)

MAX_BODY = 2_000_000  # bytes
IN_FLIGHT = 40
USER_AGENT = "mk0r/0.1 (+https://github.com/mk0r)"
_TIMEOUT = httpx.Timeout(connect=5.0, read=10.0, write=5.0, pool=6.0)


class WireError(Exception):
    """No answer came. `wire` says whether the request may have reached the vendor."""

    def __init__(self, wire: Wire, cause: str) -> None:
        self.wire = wire
        super().__init__(cause)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came. `whole` is False when the body was cut off at `MAX_BODY`, compressed, or broke off."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool
    request_id: str


@dataclass
class _Clients:
    """The clients of one event loop."""

    clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)
    gates: dict[str, asyncio.Semaphore] = field(default_factory=dict)


_by_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Clients] = weakref.WeakKeyDictionary()


@lru_cache(maxsize=1)
def _ssl_context() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _new_client() -> httpx.AsyncClient:
    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=IN_FLIGHT, keepalive_timeout=30, ssl=_ssl_context(), ttl_dns_cache=60)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    transport = AiohttpTransport(verify=_ssl_context(), client=session)
    return httpx.AsyncClient(
        transport=transport,
        timeout=_TIMEOUT,
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
    )


def _of_this_loop() -> _Clients:
    return _by_loop.setdefault(asyncio.get_running_loop(), _Clients())


def client(vendor: str) -> httpx.AsyncClient:
    """The process-wide client for `vendor` on the running loop, opened on first use."""
    mine = _of_this_loop()
    if vendor not in mine.clients:
        mine.clients[vendor] = _new_client()
    return mine.clients[vendor]


def gate(vendor: str) -> asyncio.Semaphore:
    """What keeps this process at `IN_FLIGHT` calls to `vendor`, for those that bring a client of their own."""
    return _of_this_loop().gates.setdefault(vendor, asyncio.Semaphore(IN_FLIGHT))


async def open_clients() -> None:
    """Build every vendor's client now, so that no visitor waits for certificates to load."""
    for vendor in ("neon", "resend", "github", "preview"):
        client(vendor)


async def close_clients() -> None:
    """Close the clients of the running loop; safe to call twice."""
    mine = _by_loop.pop(asyncio.get_running_loop(), None)
    for one in (mine.clients if mine else {}).values():
        await one.aclose()


@asynccontextmanager
async def borrowed() -> AsyncIterator[None]:
    """For work on a loop that may end with it: clients that the body had to open are closed after it."""
    opened_before = asyncio.get_running_loop() in _by_loop
    try:
        yield
    finally:
        if not opened_before:
            await close_clients()


async def exchange(
    vendor: str,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    json: object = None,
    params: Mapping[str, str] | None = None,
    total: float = 15.0,
    max_body: int = MAX_BODY,
) -> Reply:
    """Send one request and read its answer, within `total` seconds in all.

    Raises:
        WireError: no status line came; its `wire` is `UNSENT` only where no byte can have left.
    """
    request_id = uuid.uuid4().hex
    sent = False
    began = time.monotonic()
    try:
        async with asyncio.timeout(total), gate(vendor):
            sent = True
            request = client(vendor).build_request(
                method, url, headers={**(headers or {}), "X-Request-ID": request_id}, json=json, params=params
            )
            response = await client(vendor).send(request, stream=True)
            try:
                body, whole = await _read(response, max_body)
            finally:
                await response.aclose()
                client(vendor).cookies.clear()
    except TimeoutError as error:
        raise WireError(Wire.LOST if sent else Wire.UNSENT, f"no answer within {total:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, aiohttp.ClientError, OSError) as error:
        raise WireError(_wire_of(error), type(error).__name__) from error
    took = round((time.monotonic() - began) * 1000)
    log.debug("vendor_call vendor=%s status=%s ms=%s request=%s", vendor, response.status_code, took, request_id)
    return Reply(response.status_code, response.headers, body, whole, request_id)


async def _read(response: httpx.Response, max_body: int) -> tuple[bytes, bool]:
    if response.headers.get("content-encoding", "identity").lower() not in {"", "identity"}:
        return b"", False  # we asked for none: inflating what a stranger sends has no bound
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in response.aiter_raw():
            size += len(chunk)
            if size > max_body:
                return b"", False
            chunks.append(chunk)
    except (httpx.HTTPError, aiohttp.ClientError, OSError):
        return b"", False  # the status line stands; the rest did not come
    return b"".join(chunks), True


def _wire_of(error: BaseException) -> Wire:
    """Whether the request can have left. The transport folds most of aiohttp's errors into one: look at the cause."""
    cause: Any = error.__cause__ if isinstance(error, httpx.HTTPError) and error.__cause__ else error
    never_left = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL, httpx.InvalidURL)
    return Wire.UNSENT if isinstance(cause, never_left) else Wire.LOST
