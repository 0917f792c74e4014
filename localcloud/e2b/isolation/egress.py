"""The only ways out of a sandbox: loopback ports inside that localcloud itself listens on.

* a raw TCP port for each database cluster;
* an HTTP port for each origin, which lets named path prefixes pass (`gate.py`);
* a CONNECT proxy on 127.0.0.1:3128 for named hosts (`tunnel.py`);
* a name server and an address for each name of the list (`names.py`).

The listening sockets are made in the sandbox's network and handed out, so each belongs to one sandbox and needs no
credentials; in `plain` mode there are none, since a plain process uses the host's network as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

from localcloud.e2b.isolation.gate import Gate
from localcloud.e2b.isolation.names import AllowList, Names, NewSocket
from localcloud.e2b.isolation.outside import Outside
from localcloud.e2b.isolation.pump import hang_up, pump
from localcloud.e2b.isolation.tunnel import Tunnel
from localcloud.e2b.runtime import Egress

PROXY_PORT = 3128

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Gates:
    """The ways out of one sandbox."""

    def __init__(self, egress: Egress, outside: Outside, tell: Callable[[str], None]) -> None:
        self._egress = egress
        self._outside = outside
        self._tell = tell
        self._tunnel = Tunnel(egress.hosts, AllowList(egress.names), outside)
        self._names: Names | None = None
        self._servers: list[asyncio.Server] = []
        self._gates: list[Gate] = []
        self._calls: set[asyncio.Task[None]] = set()

    @property
    def ports(self) -> list[int]:
        """The loopback ports that must be listened on inside."""
        proxy = [PROXY_PORT] if self._egress.hosts or self._egress.names else []
        return sorted({*self._egress.tcp, *self._egress.http, *proxy})

    async def open(self, listeners: dict[int, socket.socket]) -> None:
        """Serve on the sockets that came from inside, which this then owns."""
        for port, listener in listeners.items():
            if port in self._egress.http:
                origin, prefixes = self._egress.http[port]
                gate = Gate(origin, prefixes)
                self._gates.append(gate)
                await gate.open(listener)
            elif port in self._egress.tcp:
                await self._listen(listener, self._raw(self._egress.tcp[port]))
            else:
                await self._listen(listener, self._tunnel.serve)

    async def open_names(self, new_socket: NewSocket) -> None:
        """Let the names of the list exist inside. A sandbox where that fails runs without them, and its log says so."""
        allowed = AllowList(self._egress.hosts | self._egress.names)
        if not allowed:
            return
        self._names = Names(allowed, self._outside, self._listen, self._tell)
        try:
            await self._names.open(new_socket)
        except (OSError, TimeoutError) as problem:
            self._tell(f"names cannot be looked up in this sandbox, only the proxy works: {problem or 'no answer'}")

    async def _listen(self, listener: socket.socket, serve: Serve) -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 - a handler always runs in a task
            self._calls.add(task)
            try:
                await serve(reader, writer)
            finally:
                self._calls.discard(task)
                writer.close()

        server = await asyncio.start_server(answer, sock=listener, start_serving=False)
        self._servers.append(server)  # before the next wait, so that whatever comes it is closed in the end
        await server.start_serving()

    def _raw(self, target: int) -> Serve:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                outside = await asyncio.open_connection("127.0.0.1", target)
            except OSError:
                await hang_up(writer)
                return
            await pump((reader, writer), outside)

        return serve

    async def close(self) -> None:
        """End all connections and stop listening."""
        if self._names is not None:
            await self._names.close()
        for server in self._servers:
            server.close()
        for task in list(self._calls):
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        for gate in self._gates:
            with contextlib.suppress(OSError):
                await gate.close()
        self._servers.clear()
        self._gates.clear()
