"""``process.Process``: the methods of the service over the process registry."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from aiohttp import web

from . import fields
from .connect import Json, RpcError, Stream, deadline_seconds, envelopes, first_envelope, streaming, unary
from .paths import USER, Paths, check_request_user
from .processes import Config, Process, Processes

KEEPALIVE_SECONDS = 90.0
SIGNALS: dict[object, int] = {
    "SIGNAL_SIGKILL": signal.SIGKILL,
    "SIGNAL_SIGTERM": signal.SIGTERM,
    9: signal.SIGKILL,
    15: signal.SIGTERM,
}


def keepalive_seconds(request: web.Request) -> float:
    """``Keepalive-Ping-Interval``: how long a stream may be silent before a keepalive event, in seconds."""
    raw = request.headers.get("Keepalive-Ping-Interval", "")
    return float(raw) if raw.isascii() and raw.isdigit() and 0 < int(raw[:9]) < 100_000 else KEEPALIVE_SECONDS


class ProcessService:
    """Handlers of ``process.Process``. ``environment`` is the base of every process's own, and may be changed."""

    def __init__(self, processes: Processes, paths: Paths, environment: dict[str, str]) -> None:
        self._processes = processes
        self._paths = paths
        self.environment = environment
        self.default_cwd: str | None = None

    def routes(self) -> list[web.RouteDef]:
        """One POST route per method."""
        methods = {
            "List": unary(self.list),
            "Start": streaming(self.start),
            "Connect": streaming(self.connect),
            "Update": unary(self.update),
            "SendInput": unary(self.send_input),
            "StreamInput": streaming(self.stream_input),
            "SendSignal": unary(self.send_signal),
            "CloseStdin": unary(self.close_stdin),
        }
        return [web.post(f"/process.Process/{name}", handler) for name, handler in methods.items()]

    async def list(self, _request: web.Request, _body: Json) -> Json:
        """The processes that run, oldest first."""
        return {"processes": [process.info() for process in self._processes.running()]}

    async def start(self, request: web.Request, stream: Stream) -> None:
        """Start a process and stream its events. The deadline kills the process; a client that leaves does not."""
        check_request_user(request)
        message = await first_envelope(request)
        seconds = deadline_seconds(request)
        process = self._processes.start(self._config(message))
        if seconds is not None:
            process.kill_after(seconds)
        await self._relay(process, stream, keepalive_seconds(request))

    async def connect(self, request: web.Request, stream: Stream) -> None:
        """Stream the events of a process from now on. The deadline ends the stream and not the process."""
        message = await first_envelope(request)
        process = self._select(message, ended=True)
        async with asyncio.timeout(deadline_seconds(request)):
            await self._relay(process, stream, keepalive_seconds(request))

    async def _relay(self, process: Process, stream: Stream, quiet_seconds: float) -> None:
        with process.events.subscribe() as listener:
            await stream.send({"event": {"start": {"pid": process.pid}}})
            if process.end is not None:
                await stream.send({"event": {"end": process.end}})
                return
            async for item in listener.items(quiet_seconds):
                if process.timed_out and item is not None and "end" in item["event"]:
                    raise RpcError("deadline_exceeded", "the process was killed at the deadline of its request")
                await stream.send(item or {"event": {"keepalive": {}}})

    def _config(self, message: Json) -> Config:
        process = fields.nested(message, "process")
        if process is None or not fields.text(process, "cmd"):
            raise RpcError("invalid_argument", "process.cmd: a program is needed")
        cwd = fields.optional_text(process, "cwd") or None
        directory = self._directory(cwd)
        envs = fields.text_map(process, "envs")
        size = _size(message)
        environment = {**self.environment, "USER": USER, "LOGNAME": USER, "HOME": str(self._paths.home), **envs}
        if size is not None:
            environment.setdefault("TERM", "xterm")
        return Config(
            cmd=fields.text(process, "cmd"),
            args=tuple(fields.texts(process, "args")),
            envs=envs,
            cwd=cwd,
            directory=str(directory),
            environment=environment,
            tag=fields.optional_text(message, "tag"),
            stdin=fields.flag(message, "stdin", default=True),
            size=size,
        )

    def _directory(self, cwd: str | None) -> Path:
        directory = self._paths.real(cwd or self.default_cwd or "")
        if not directory.is_dir():
            raise RpcError("invalid_argument", f"cwd '{self._paths.shown(directory)}' does not exist")
        return directory

    def _select(self, message: Json, *, ended: bool = False) -> Process:
        selector = fields.nested(message, "process") or {}
        tag, pid = fields.optional_text(selector, "tag"), fields.number(selector, "pid")
        if tag is not None:
            found = self._processes.find(lambda process: process.config.tag == tag, ended=ended)
            if found is None:
                raise RpcError("not_found", f"process with tag {tag} not found")
            return found
        found = self._processes.find(lambda process: process.pid == pid, ended=ended)
        if found is None:
            raise RpcError("not_found", f"process with pid {pid} not found")
        return found

    async def update(self, _request: web.Request, body: Json) -> Json:
        """Resize the process's terminal."""
        process = self._select(body)
        size = _size(body)
        if size is not None:
            process.resize(*size)
        return {}

    async def send_input(self, _request: web.Request, body: Json) -> Json:
        """Write to the process once."""
        await _write(self._select(body), fields.nested(body, "input") or {})
        return {}

    async def stream_input(self, request: web.Request, stream: Stream) -> None:
        """Write messages to a process in their order; the first message names the process."""
        process: Process | None = None
        async with asyncio.timeout(deadline_seconds(request)):
            async for message in envelopes(request):
                if (start := fields.nested(message, "start")) is not None:
                    process = self._select(start)
                elif (data := fields.nested(message, "data")) is not None:
                    if process is None:
                        raise RpcError("invalid_argument", "the first message must name the process")
                    await _write(process, fields.nested(data, "input") or {})
        await stream.send({})

    async def send_signal(self, _request: web.Request, body: Json) -> Json:
        """Send SIGTERM or SIGKILL to the process and its group."""
        process = self._select(body)
        number = SIGNALS.get(body.get("signal"))
        if number is None:
            raise RpcError("invalid_argument", f"invalid signal: {body.get('signal')}")
        process.signal(number)
        return {}

    async def close_stdin(self, _request: web.Request, body: Json) -> Json:
        """Let the process read end-of-file."""
        self._select(body).close_input()
        return {}


def _size(message: Json) -> tuple[int, int] | None:
    terminal = fields.nested(message, "pty")
    if terminal is None:
        return None
    size = fields.nested(terminal, "size") or {}
    return fields.number(size, "cols"), fields.number(size, "rows")


async def _write(process: Process, data: Json) -> None:
    for name in ("stdin", "pty"):
        if (raw := fields.raw_bytes(data, name)) is not None:
            await process.write(raw, terminal=name == "pty")
            return
    raise RpcError("invalid_argument", "input: stdin or pty is needed")
