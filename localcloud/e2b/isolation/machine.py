"""One running sandbox, in any of the three ways: starts it, holds its ends outside, and takes all of it down."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from localcloud.e2b.isolation import inward, layers, layout, leftovers, processes
from localcloud.e2b.isolation.control import Control, ControlError
from localcloud.e2b.isolation.egress import Gates
from localcloud.e2b.isolation.outside import Outside
from localcloud.e2b.isolation.pump import Stream, hang_up
from localcloud.e2b.runtime import PREVIEW_PORT, Base, Egress, LaunchError

START_WITHIN = 20.0  # seconds until envd must answer; a loaded machine takes longer than the usual 0.3
OVERLAY_FAILED = "mount overlay"  # as `stage` words it
CONNECT_WITHIN = 5.0  # a frozen or swamped sandbox answers no faster than this: counted as a closed port
log = logging.getLogger("localcloud.e2b")
_HERE = Path(__file__).resolve().parent
_LIMITS = {"nofile": 65536, "core": 0, "fsize": 8 << 30, "nproc": 4096}


@dataclass(frozen=True)
class Plan:
    """What `runtime.launch` was asked for."""

    sandbox_id: str
    directory: Path
    base: Base
    egress: Egress
    mode: str
    env: dict[str, str] = field(default_factory=dict)
    agent: Path | None = None
    copy: bool = False  # its directories are copies of their layers instead of overlays
    outside: Outside = field(default_factory=Outside)


class Machine:
    """Fulfils `runtime.Runtime`. Made by `launch` only."""

    def __init__(self, plan: Plan) -> None:
        self.id = plan.sandbox_id
        self.mode = plan.mode
        self.directory = plan.directory
        self._plan = plan
        self._sockets = leftovers.socket_directory(plan.directory)
        self.envd_socket = self._sockets / "envd.sock"
        self._control = Control()
        self._doors = inward.Doors(self._sockets, self._connect)
        self._gates = Gates(plan.egress, plan.outside, self._tell)
        self._process: asyncio.subprocess.Process | None = None
        self._top: processes.Identity | None = None
        self._ports: dict[int, int] = {}
        self._ending: asyncio.Task[None] | None = None

    @property
    def _plain(self) -> bool:
        return self.mode == "plain"

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None and not self._control.ended.is_set()

    async def start(self) -> None:
        """Bring everything up; raises `LaunchError` and leaves nothing behind."""
        try:
            async with asyncio.timeout(START_WITHIN):
                await self._start()
        except (OSError, ControlError, TimeoutError, layout.LayoutError) as problem:
            await self.stop()
            reason = str(problem) or f"it did not answer within {START_WITHIN:.0f} s"
            raise LaunchError(
                f"sandbox {self.id} did not start ({self.mode}): {reason}{self._last_words()}"
            ) from problem
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        place = await asyncio.to_thread(layout.prepare, self._plan)
        if self._plain:
            self._ports = {PREVIEW_PORT: _free_port()}
            place.environment["PORT"] = str(self._ports[PREVIEW_PORT])
        with inward.listen(self.envd_socket) as listener:
            await self._spawn(place)
            ports = [] if self._plain else self._gates.ports
            listeners = await self._control.order(self._order(place), listener, len(ports))
            await self._gates.open(dict(zip(ports, listeners, strict=True)))
        if not self._plain:
            await self._gates.open_names(self._socket)
        await self._answering()

    async def _spawn(self, place: layout.Place) -> None:
        theirs = self._control.theirs
        command = place.command(theirs.fileno())
        with (self.directory / "envd.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=place.outer_environment,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        theirs.close()
        self._top = processes.identify(self._process.pid)
        if self._top is not None:
            leftovers.record(self.directory, self.id, self._top, self.mode, self._sockets)

    def _order(self, place: layout.Place) -> dict[str, Any]:
        return {
            "listen": [] if self._plain else self._gates.ports,
            "argv": place.envd,
            "env": place.environment,
            "cwd": place.cwd,
            "limits": {"core": 0} if self._plain else _LIMITS,
            "adopt": self._plain,
        }

    async def _answering(self) -> None:
        """Wait until envd answers its health check."""
        while True:
            if self._control.ended.is_set():
                raise ControlError("its first process ended")
            with contextlib.suppress(OSError, TimeoutError):
                reader, writer = await asyncio.open_unix_connection(str(self.envd_socket))
                try:
                    writer.write(b"GET /health HTTP/1.1\r\nHost: envd\r\nConnection: close\r\n\r\n")
                    if (await reader.readline()).startswith(b"HTTP/1.1 2"):
                        return
                finally:
                    await hang_up(writer)
            await asyncio.sleep(0.02)

    def _last_words(self) -> str:
        try:
            text = (self.directory / "envd.log").read_bytes()[-600:].decode(errors="replace").strip()
        except OSError:
            return ""
        return f"; its last words: {text}" if text else ""

    def _tell(self, text: str) -> None:
        """A line for the sandbox's log, which its `logs` call shows, and for ours."""
        log.warning("sandbox %s: %s", self.id, text)
        with contextlib.suppress(OSError), (self.directory / "envd.log").open("a") as file:
            file.write(f"localcloud: {text}\n")

    async def _socket(self, kind: socket.SocketKind) -> socket.socket:
        """A fresh socket of the inside network. OSError when it cannot be had."""
        try:
            return await self._control.socket(kind)
        except ControlError as problem:
            raise ConnectionRefusedError(str(problem)) from problem

    async def _connect(self, port: int) -> Stream:
        """A stream to 127.0.0.1:`port` inside. OSError when it cannot be had."""
        async with asyncio.timeout(CONNECT_WITHIN):
            if self._plain:
                return await asyncio.open_connection("127.0.0.1", self._ports.get(port, port))
            fresh = await self._socket(socket.SOCK_STREAM)
            try:
                await asyncio.get_running_loop().sock_connect(fresh, ("127.0.0.1", port))
                return await asyncio.open_connection(sock=fresh)
            except BaseException:
                fresh.close()
                raise

    def port_socket(self, port: int) -> Path:
        if not self.alive:
            raise ConnectionError(f"sandbox {self.id} is not running")
        return self._doors.path(port)

    async def port_open(self, port: int) -> bool:
        if not self.alive:
            return False
        try:
            _, writer = await self._connect(port)
        except OSError:
            return False
        await hang_up(writer)
        return True

    async def freeze(self) -> None:
        if self._top is not None and self.alive:
            await processes.stop_all(self._top, self.id, loose=self._plain)

    async def thaw(self) -> None:
        if self._top is not None and self.alive:
            processes.continue_all(self._top, self.id, loose=self._plain)

    def standing(self) -> Base:
        return layers.standing(self.directory, self._plan.base)

    async def stop(self) -> None:
        """Runs to its end even if whoever asked is cancelled: half a stop would leave processes behind."""
        failed = self._ending is not None and self._ending.done() and self._ending.exception() is not None
        if self._ending is None or failed:
            self._ending = asyncio.create_task(self._stop())
        await asyncio.shield(self._ending)

    async def _stop(self) -> None:
        # The control socket closes last: its end would hide who is still to be waited for.
        ended = self._top is None or await processes.end(self._top, self.id, loose=self._plain)
        self._control.close()
        if not ended:
            raise LaunchError(f"sandbox {self.id} still has processes after 10 s of SIGKILL")
        if self._process is not None:
            await self._process.wait()
        await self._doors.close()
        await self._gates.close()
        self.envd_socket.unlink(missing_ok=True)
        leftovers.forget(self.directory, self._sockets)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def launch(plan: Plan) -> Machine:
    """See `runtime.launch`."""
    if plan.mode == "auto":
        raise LaunchError("the isolation mode is not settled: ask detect() first")
    copied = plan.mode != "plain" and (plan.directory / "app").exists()
    machine = Machine(replace(plan, copy=copied))
    try:
        await machine.start()
    except LaunchError as problem:
        if plan.mode == "plain" or copied or OVERLAY_FAILED not in str(problem):
            raise
        # The directory lies on a file system that cannot be an overlay's upper one, as a container's own often is.
        machine = Machine(replace(plan, copy=True))
        await machine.start()
    return machine
