"""Processes: started in a session of their own, pumped to listeners, reaped, remembered for a while after their end.

A process belongs to this daemon and not to the request that started it: a client that leaves ends nothing. Output
produced while nobody listens is dropped. The exit is kept for ``KEPT_SECONDS``, so that a client that connects late
still learns it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

from .connect import Json, RpcError
from .subscribers import Broadcast
from .terminal import open_terminal, resize

CHUNK = 32 * 1024
KEPT_SECONDS = 30.0
DRAIN_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Config:
    """What to start. ``cwd`` is the client's path, ``directory`` the real one; a ``size`` asks for a terminal of it."""

    cmd: str
    args: tuple[str, ...]
    envs: dict[str, str]
    cwd: str | None
    directory: str
    environment: dict[str, str] = field(repr=False)
    tag: str | None = None
    stdin: bool = True
    size: tuple[int, int] | None = None

    def as_json(self) -> Json:
        """``process.ProcessConfig``."""
        config: Json = {"cmd": self.cmd, "args": list(self.args), "envs": self.envs}
        return config if self.cwd is None else {**config, "cwd": self.cwd}


class Process:
    """One started process and what came of it."""

    def __init__(self, config: Config, popen: subprocess.Popen[bytes], terminal: int | None) -> None:
        self.config = config
        self.pid = popen.pid
        self.events = Broadcast()
        self.end: Json | None = None
        self.timed_out = False
        self._popen = popen
        self._terminal = terminal
        self._input: asyncio.StreamWriter | None = None
        self._input_lock = asyncio.Lock()
        self._exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._cut = asyncio.Event()
        self._deadline: asyncio.TimerHandle | None = None

    def info(self) -> Json:
        """``process.ProcessInfo``."""
        info: Json = {"config": self.config.as_json(), "pid": self.pid}
        return info if self.config.tag is None else {**info, "tag": self.config.tag}

    def kill_after(self, seconds: float) -> None:
        """Kill the process ``seconds`` from now unless it has ended."""

        def expire() -> None:
            self.timed_out = True
            self.signal(signal.SIGKILL)

        self._deadline = asyncio.get_running_loop().call_later(seconds, expire)

    def signal(self, number: int) -> None:
        """Send a signal to the process and its group, and stop waiting for output that strays may hold open."""
        self._cut.set()
        if self._exited.done():
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def reaped(self, status: int) -> None:
        """The kernel's wait status of this process has arrived."""
        code = os.waitstatus_to_exitcode(status)
        self._popen.returncode = code
        if not self._exited.done():
            self._exited.set_result(code)

    async def write(self, data: bytes, *, terminal: bool) -> None:
        """Write to the process; returns once the pipe has room again. Raises RpcError when there is no such input."""
        if terminal != (self._terminal is not None):
            raise RpcError(
                "failed_precondition", "tty not assigned to process" if terminal else "tty assigned to process"
            )
        async with self._input_lock:
            if self._input is None or self._input.is_closing():
                raise RpcError("failed_precondition", "error writing to stdin: stdin not enabled or closed")
            try:
                self._input.write(data)
                await self._input.drain()
            except OSError as error:
                raise RpcError("internal", f"error writing to stdin: {error}") from error

    def close_input(self) -> None:
        """Let the process read end-of-file. Raises RpcError for a terminal, which has no such thing."""
        if self._terminal is not None:
            raise RpcError("failed_precondition", "cannot close stdin for a PTY process; send Ctrl+D instead")
        if self._input is not None:
            self._input.close()

    def resize(self, columns: int, rows: int) -> None:
        """Change the terminal's size. Raises RpcError without a terminal."""
        if self._terminal is None:
            raise RpcError("failed_precondition", "tty not assigned to process")
        resize(self._terminal, columns, rows)

    async def run(self) -> None:
        """Pump output until the process has ended and its output is drained, then publish the end."""
        pumps = await self._connect()
        drained = asyncio.gather(*pumps)
        code = await self._exited
        cut = asyncio.ensure_future(self._cut.wait())
        try:
            await asyncio.wait((drained, cut), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((drained,), timeout=DRAIN_SECONDS)
        finally:
            cut.cancel()
            drained.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await drained
            self._release()
        self.end = end_event(code)
        await self.events.publish({"event": {"end": self.end}})
        await self.events.publish(None)

    async def _connect(self) -> list[asyncio.Task[None]]:
        loop = asyncio.get_running_loop()
        if self._terminal is not None:
            writable: IO[bytes] | None = os.fdopen(os.dup(self._terminal), "wb", buffering=0)
            sources: list[tuple[str, IO[bytes] | None]] = [
                ("pty", os.fdopen(self._terminal, "rb", buffering=0, closefd=False))
            ]
        else:
            writable = self._popen.stdin
            sources = [("stdout", self._popen.stdout), ("stderr", self._popen.stderr)]
        if writable is not None:
            transport, protocol = await loop.connect_write_pipe(_Drain, writable)
            self._input = asyncio.StreamWriter(transport, protocol, None, loop)
        return [asyncio.create_task(self._pump(name, pipe)) for name, pipe in sources]

    async def _pump(self, name: str, pipe: IO[bytes] | None) -> None:
        reader = asyncio.StreamReader(CHUNK)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            while data := await reader.read(CHUNK):
                await self.events.publish({"event": {"data": {name: base64.b64encode(data).decode()}}})
        except OSError:
            return  # a terminal whose last process has gone reads as EIO
        finally:
            transport.close()

    def _release(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        if self._input is not None:
            self._input.close()
        if self._terminal is not None:
            with contextlib.suppress(OSError):
                os.close(self._terminal)


class _Drain(asyncio.streams.FlowControlMixin):
    """Flow control for a pipe that is only written to."""


def end_event(code: int) -> Json:
    """``process.ProcessEvent.EndEvent`` in the words envd takes from Go's ``os/exec``."""
    if code < 0:
        text = f"signal: {signal.strsignal(-code) or -code}".lower()
        return {"exitCode": -1, "exited": False, "status": text, "error": text}
    end: Json = {"exitCode": code, "exited": True, "status": f"exit status {code}"}
    return end if code == 0 else {**end, "error": end["status"]}


class Processes:
    """All processes of the sandbox, running and lately ended. Reaps every child of this daemon, adopted orphans too."""

    def __init__(self) -> None:
        self._known: dict[int, Process] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Begin to reap. Must run on the event loop of the main thread."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if (process := self._known.get(pid)) is not None:
                process.reaped(status)

    def running(self) -> list[Process]:
        """Processes that have not ended, oldest first."""
        return [process for process in self._known.values() if process.end is None]

    def find(self, matches: Callable[[Process], bool], *, ended: bool = False) -> Process | None:
        """The newest matching process; one that has ended only when ``ended``."""
        for process in reversed(self._known.values()):
            if matches(process) and (ended or process.end is None):
                return process
        return None

    def start(self, config: Config) -> Process:
        """Start a process. Raises RpcError when the program cannot be started. Does not wait for anything."""
        process = self._spawn(config)
        self._known.pop(process.pid, None)  # the number may have been given out anew
        self._known[process.pid] = process
        task = asyncio.create_task(self._follow(process))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return process

    def _spawn(self, config: Config) -> Process:
        terminal: int | None = None
        options: dict[str, Any]
        if config.size is not None:
            terminal, options = open_terminal(*config.size)
        else:
            options = {
                "stdin": subprocess.PIPE if config.stdin else subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
            }
        try:
            popen = subprocess.Popen(
                (config.cmd, *config.args),
                cwd=config.directory,
                env=config.environment,
                start_new_session=True,
                **options,
            )
        except OSError as error:
            if terminal is not None:
                os.close(terminal)
            raise RpcError("invalid_argument", f"error starting process '{config.cmd}': {error}") from error
        finally:
            if terminal is not None:
                os.close(options["stdin"])
        return Process(config, popen, terminal)

    async def _follow(self, process: Process) -> None:
        await process.run()
        await asyncio.sleep(KEPT_SECONDS)
        if self._known.get(process.pid) is process:
            del self._known[process.pid]

    async def close(self) -> None:
        """Kill what runs. Processes that left their session are the caller's to find."""
        for process in self.running():
            process.signal(signal.SIGKILL)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
