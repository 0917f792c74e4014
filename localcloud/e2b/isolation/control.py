"""The outside half of a sandbox's control socket: gives `inner` its order and gets sockets of the inside network."""

from __future__ import annotations

import array
import asyncio
import contextlib
import json
import os
import socket
from collections import deque
from collections.abc import Mapping
from typing import Any

_ROOM = socket.CMSG_SPACE(64 * 4)
_LETTERS = {socket.SOCK_STREAM: b"c", socket.SOCK_DGRAM: b"u"}


def _once(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


class ControlError(Exception):
    """The first process inside ended or answered nonsense."""


class Control:
    """Owned by one `Machine`; everything received is checked, since whoever rules the inside can answer for `inner`."""

    def __init__(self) -> None:
        self._ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._ours.setblocking(False)
        self._waiting: deque[tuple[asyncio.Future[socket.socket], socket.SocketKind]] = deque()
        self._reading = False
        self.ended = asyncio.Event()

    async def order(self, message: Mapping[str, Any], listener: socket.socket, ports: int) -> list[socket.socket]:
        """Send the order and get one listening socket per port asked for. Raises `ControlError`."""
        descriptors = array.array("i", [listener.fileno()])
        text = json.dumps(message).encode() + b"\n"
        sent = self._ours.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._ours, text[sent:])
        data, sockets = await self._answer()
        if data[:1] == b"L" and len(sockets) == ports and all(one.type == socket.SOCK_STREAM for one in sockets):
            self._reading = True
            loop.add_reader(self._ours, self._on_readable)
            return sockets
        for each in sockets:
            each.close()
        reason = data[1:].decode(errors="replace").strip() if data[:1] == b"E" else "its first process ended"
        raise ControlError(reason)

    async def _answer(self) -> tuple[bytes, list[socket.socket]]:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._ours, _once, ready)
        try:
            await ready
        finally:
            loop.remove_reader(self._ours)
        return self._receive(4096)

    def _receive(self, size: int) -> tuple[bytes, list[socket.socket]]:
        """What is there, with its descriptors; anything but a TCP or UDP socket is closed."""
        try:
            data, ancillary, _, _ = self._ours.recvmsg(size, _ROOM, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
        except BlockingIOError:
            raise
        except OSError:
            return b"", []
        sockets = []
        for level, kind, content in ancillary:
            if level != socket.SOL_SOCKET or kind != socket.SCM_RIGHTS:
                continue
            for descriptor in array.array("i", content[: len(content) // 4 * 4]):
                try:
                    given = socket.socket(fileno=descriptor)
                except OSError:
                    os.close(descriptor)
                    continue
                if given.family == socket.AF_INET and given.type in _LETTERS:
                    given.setblocking(False)
                    sockets.append(given)
                else:
                    given.close()
        return data, sockets

    def _on_readable(self) -> None:
        try:
            data, sockets = self._receive(1)
        except BlockingIOError:
            return
        if not data:
            self.close()
            return
        if not self._waiting:  # nobody asked: someone inside plays tricks with this socket
            for each in sockets:
                each.close()
            self.close()
            return
        waiting, kind = self._waiting.popleft()
        if not waiting.done():
            if sockets and sockets[0].type == kind:
                waiting.set_result(sockets.pop(0))
            else:
                waiting.set_exception(ControlError("no socket was to be had inside"))
        for each in sockets:
            each.close()

    async def socket(self, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        """A fresh TCP or UDP socket of the inside network, neither bound nor connected. Raises `ControlError`."""
        if self.ended.is_set():
            raise ControlError("the sandbox has ended")
        waiting: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()
        self._waiting.append((waiting, kind))
        await asyncio.get_running_loop().sock_sendall(self._ours, _LETTERS[kind])
        return await waiting

    def close(self) -> None:
        """Let go; the first process inside ends on it."""
        if self._reading:
            asyncio.get_running_loop().remove_reader(self._ours)
            self._reading = False
        self.ended.set()
        for waiting, _ in self._waiting:
            if not waiting.done():
                waiting.set_exception(ControlError("the sandbox has ended"))
                with contextlib.suppress(ControlError):  # seen, even if the asker was cancelled meanwhile
                    waiting.exception()
        self._waiting.clear()
        self._ours.close()
        self.theirs.close()
