"""The CONNECT proxy of a sandbox: tunnels to the hosts of its allow-lists, and to nothing else.

It is for programs that go through a proxy, npm first; others look the same names up (`names.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import re

from localcloud.e2b.isolation.names import AllowList
from localcloud.e2b.isolation.outside import Outside
from localcloud.e2b.isolation.pump import Stream, hang_up, pump

HEAD_WITHIN = 15.0  # seconds for a client to say where it wants to go
CONNECT_WITHIN = 15.0
_LINE = re.compile(rb"CONNECT ([A-Za-z0-9.-]{1,253}):([0-9]{1,5}) HTTP/1\.[01]\r\n", re.IGNORECASE)


class Tunnel:
    """Serves one sandbox. `hosts` holds `host` (port 443) or `host:port`; `names` may lead to public addresses only."""

    def __init__(self, hosts: frozenset[str], names: AllowList | None = None, outside: Outside | None = None) -> None:
        self._allowed = frozenset((host if ":" in host else f"{host}:443").lower() for host in hosts)
        self._names = names or AllowList(frozenset())
        self._outside = outside or Outside()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection to its end."""
        try:
            async with asyncio.timeout(HEAD_WITHIN):
                head = await reader.readuntil(b"\r\n\r\n")
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await hang_up(writer)
            return
        asked = _LINE.match(head)
        if asked is None:
            await self._refuse(writer, "405 Method Not Allowed", "only CONNECT is served here")
            return
        host, port = asked[1].decode().lower(), int(asked[2])
        if f"{host}:{port}" not in self._allowed and port not in self._names.ports(host):
            await self._refuse(writer, "403 Forbidden", f"{host}:{port} is not on this sandbox's list")
            return
        try:
            outside = await self._dial(host, port)
        except (OSError, TimeoutError):
            await self._refuse(writer, "502 Bad Gateway", f"{host}:{port} could not be reached")
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await pump((reader, writer), outside)

    async def _dial(self, host: str, port: int) -> Stream:
        if f"{host}:{port}" not in self._allowed:
            return await self._outside.connect(host, port)
        async with asyncio.timeout(CONNECT_WITHIN):
            return await asyncio.open_connection(host, port)

    async def _refuse(self, writer: asyncio.StreamWriter, status: str, reason: str) -> None:
        body = f"{reason}\n".encode()
        with contextlib.suppress(OSError):
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
                "Connection: close\r\n\r\n".encode()
                + body
            )
            await writer.drain()
        await hang_up(writer)
