"""The names a sandbox may reach, reached as if there were a network: its name server, and an address for each name.

Inside, 127.0.0.53 answers for names on the list alone; all others do not exist. Each name gets a loopback address of
its own, 127.1.x.y, on which localcloud listens on the ports the list allows and carries bytes to the real host,
resolved and dialled out here (`outside.py`). TLS runs from end to end, so certificates are checked inside as ever. All
sockets are of the sandbox's network but bound from out here: the ports are privileged, and nobody inside is.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Awaitable, Callable

from localcloud.e2b.isolation import dns
from localcloud.e2b.isolation.outside import Outside, PrivateAddressError, UnknownNameError
from localcloud.e2b.isolation.pump import hang_up, pump

NAME_SERVER = "127.0.0.53"
PORTS = (443, 5432)  # of a name for which no port was given: HTTPS and Postgres
MOST_NAMES = 32  # a wildcard has no end, but our file descriptors have
MOST_ASKED = 64  # questions being answered at a time; more are dropped, and asked again
SOCKET_WITHIN = 5.0  # seconds; a frozen sandbox hands out none

_ENTRY = re.compile(r"((?:\*\.)?[a-z0-9_][a-z0-9_.-]*)(?::([0-9]{1,5}))?")

NewSocket = Callable[[socket.SocketKind], Awaitable[socket.socket]]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Listen = Callable[[socket.socket, Serve], Awaitable[None]]


class AllowList:
    """Names as `Egress.hosts` writes them: `host`, `host:port` or `*.suffix`, which means all below it, not itself."""

    def __init__(self, entries: frozenset[str]) -> None:
        self._exact: dict[str, set[int]] = {}
        self._below: dict[str, set[int]] = {}
        for entry in entries:
            parts = _ENTRY.fullmatch(entry.lower())
            port = int(parts[2] or 0) if parts else -1
            if parts is None or not 0 <= port < 65536:
                continue  # an address, say: it has no name to look up
            known = self._below if entry.startswith("*.") else self._exact
            known.setdefault(parts[1].removeprefix("*"), set()).update((port,) if port else PORTS)

    def ports(self, name: str) -> frozenset[int]:
        """The ports of `name` that may be reached; none when it is not on the list."""
        found = set(self._exact.get(name, ()))
        for suffix, ports in self._below.items():
            if name.endswith(suffix) and name != suffix:
                found |= ports
        return frozenset(found)

    def __bool__(self) -> bool:
        return bool(self._exact or self._below)


class Names:
    """Serves one sandbox. `listen` takes over a bound socket and ends what it carries; `tell` writes its log."""

    def __init__(self, allowed: AllowList, outside: Outside, listen: Listen, tell: Callable[[str], None]) -> None:
        self._allowed = allowed
        self._outside = outside
        self._listen = listen
        self._tell = tell
        self._new_socket: NewSocket | None = None
        self._addresses: dict[str, str] = {}
        self._given = 0  # addresses taken so far
        self._admitting: dict[str, asyncio.Task[int]] = {}
        self._told: set[str] = set()
        self._asked: set[asyncio.Task[None]] = set()
        self._socket: socket.socket | None = None
        self._server: asyncio.Task[None] | None = None

    async def open(self, new_socket: NewSocket) -> None:
        """Begin to answer. Raises OSError and TimeoutError: then no name exists inside."""
        self._new_socket = new_socket
        self._socket = await self._bound(socket.SOCK_DGRAM, NAME_SERVER, 53)
        self._server = asyncio.create_task(self._serve(self._socket))

    async def _bound(self, kind: socket.SocketKind, address: str, port: int) -> socket.socket:
        assert self._new_socket is not None  # noqa: S101 - set by `open` before anything asks
        async with asyncio.timeout(SOCKET_WITHIN):
            fresh = await self._new_socket(kind)
        try:
            if kind == socket.SOCK_STREAM:
                fresh.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            fresh.bind((address, port))
        except OSError as problem:
            fresh.close()
            raise OSError(f"{address}:{port} inside: {problem.strerror}") from problem
        return fresh

    async def _serve(self, server: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                packet, asker = await loop.sock_recvfrom(server, 4097)
            except OSError:  # an asker was gone before its answer came
                await asyncio.sleep(0.01)
                continue
            question = dns.read(packet)
            if question is None or len(self._asked) >= MOST_ASKED:
                continue
            task = asyncio.create_task(self._answer(server, question, asker))
            self._asked.add(task)
            task.add_done_callback(self._asked.discard)

    async def _answer(self, server: socket.socket, question: dns.Question, asker: tuple[str, int]) -> None:
        code, address = dns.NO_SUCH_NAME, None
        if self._allowed.ports(question.name):
            code = dns.NO_ERROR
            if question.kind == dns.A:
                code = await self._admit_once(question.name)
                address = self._addresses.get(question.name)
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().sock_sendto(server, dns.reply(question, code, address), asker)

    async def _admit_once(self, name: str) -> int:
        """As `_admit`; whoever asks for the same name meanwhile waits for the same answer."""
        if name in self._addresses:
            return dns.NO_ERROR
        if name not in self._admitting:
            task = asyncio.create_task(self._admit(name))
            self._admitting[name] = task
            task.add_done_callback(lambda _: self._admitting.pop(name, None))
        return await asyncio.shield(self._admitting[name])

    async def _admit(self, name: str) -> int:
        """Give `name` its address if it exists outside; a code of DNS."""
        try:
            await self._outside.addresses(name)
            if self._given >= MOST_NAMES:
                raise OSError(f"{MOST_NAMES} names are in use already")
            self._given += 1
            address = f"127.1.{self._given >> 8}.{self._given & 255}"
            for port in sorted(self._allowed.ports(name)):
                await self._listen(await self._bound(socket.SOCK_STREAM, address, port), self._relay(name, port))
        except UnknownNameError:
            return dns.NO_SUCH_NAME
        except PrivateAddressError as refused:
            self._tell_once(name, str(refused))
            return dns.NO_SUCH_NAME
        except (OSError, TimeoutError) as problem:
            self._tell_once(name, f"{name} cannot be reached from here: {problem or 'no answer in time'}")
            return dns.SERVER_FAILURE
        self._addresses[name] = address
        return dns.NO_ERROR

    def _relay(self, name: str, port: int) -> Serve:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                outside = await self._outside.connect(name, port)
            except (OSError, TimeoutError) as problem:
                self._tell_once(f"{name}:{port}", f"{name}:{port} could not be reached: {problem or 'no answer'}")
                await hang_up(writer)
                return
            await pump((reader, writer), outside)

        return serve

    def _tell_once(self, about: str, text: str) -> None:
        if about not in self._told and len(self._told) < MOST_ASKED:
            self._told.add(about)
            self._tell(text)

    async def close(self) -> None:
        """Answer no more. What listens is ended by its owner."""
        tasks = [*self._asked, *self._admitting.values(), *([self._server] if self._server else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()
