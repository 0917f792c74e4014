"""The gateway's HTTP client: one per event loop, opened at first use, closed when the process stops.

It follows no redirect, keeps no cookie, takes no proxy from the environment and unpacks nothing: what it relays stays
as the upstream sent it, and an encoded answer, which we never ask for, is refused by the doors.
"""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

import aiohttp

_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, aiohttp.ClientSession] = WeakKeyDictionary()
_CONNECTIONS = 200


def client() -> aiohttp.ClientSession:
    """The client of the running loop."""
    loop = asyncio.get_running_loop()
    found = _clients.get(loop)
    if found is None or found.closed:
        found = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            auto_decompress=False,
            headers={"User-Agent": "mk0r-gateway"},
        )
        _clients[loop] = found
    return found


async def close_clients() -> None:
    """Close the client of the running loop."""
    found = _clients.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.close()
