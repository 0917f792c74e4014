"""Ways in: for each port asked for, a unix socket outside that reaches 127.0.0.1:<port> inside."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from localcloud.e2b.isolation.pump import Stream, hang_up, pump

Connect = Callable[[int], Awaitable[Stream]]


def listen(path: Path) -> socket.socket:
    """A unix socket at `path` that listens; what was there before is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(128)
    listener.setblocking(False)
    return listener


class Doors:
    """The sockets of one sandbox. `connect` makes a stream to a port inside, raising OSError when nothing listens."""

    def __init__(self, directory: Path, connect: Connect) -> None:
        self._directory = directory
        self._connect = connect
        self._paths: dict[int, Path] = {}
        self._servers: set[asyncio.Task[None]] = set()
        self._calls: set[asyncio.Task[None]] = set()

    def path(self, port: int) -> Path:
        """The socket for `port`, made at the first call. It accepts connections when this returns."""
        if not 0 < port < 65536:
            raise ValueError(f"{port} is no port")
        if port not in self._paths:
            path = self._directory / f"{port}.sock"
            self._servers.add(asyncio.create_task(self._serve(port, listen(path))))
            self._paths[port] = path
        return self._paths[port]

    async def _serve(self, port: int, listener: socket.socket) -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 - a handler always runs in a task
            self._calls.add(task)
            try:
                inside = await self._connect(port)
            except OSError:
                await hang_up(writer)
            else:
                await pump((reader, writer), inside)
            finally:
                self._calls.discard(task)
                writer.close()

        server = await asyncio.start_unix_server(answer, sock=listener)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()

    async def close(self) -> None:
        """End every connection and take the sockets away."""
        tasks = [*self._servers, *self._calls]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._servers.clear()
        for path in self._paths.values():
            with contextlib.suppress(OSError):
                path.unlink()
        self._paths.clear()
