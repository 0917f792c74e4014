"""The daemon itself: arguments, routes, the socket, and an end that leaves no process behind."""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from . import fields
from .connect import Json, RpcError
from .descendants import kill_descendants
from .files import FileService, failure
from .filesystem_rpc import FilesystemService
from .paths import Paths
from .process_rpc import ProcessService
from .processes import Processes
from .watch_rpc import WatchService

PR_SET_CHILD_SUBREAPER = 36
PROFILE = """# Written at the sandbox's first start: login shells reset PATH, this brings back the sandbox's own.
export PATH="$MK0R_PATH"
"""


class Daemon:
    """All services of one sandbox and the state they share."""

    def __init__(self, paths: Paths, environment: dict[str, str]) -> None:
        self.processes = Processes()
        self.watches = WatchService(paths)
        self._process_service = ProcessService(self.processes, paths, environment)
        self._services = (self._process_service, FilesystemService(paths), self.watches, FileService(paths))

    def application(self) -> web.Application:
        """The aiohttp application with every route."""
        app = web.Application()
        for service in self._services:
            app.add_routes(service.routes())
        app.router.add_get("/health", self._health, allow_head=False)
        app.router.add_get("/envs", self._envs, allow_head=False)
        app.router.add_post("/init", self._init)
        return app

    async def _health(self, _request: web.Request) -> web.Response:
        return web.Response(status=204, headers={"Cache-Control": "no-store"})

    async def _envs(self, _request: web.Request) -> web.Response:
        return web.json_response(self._process_service.environment, headers={"Cache-Control": "no-store"})

    async def _init(self, request: web.Request) -> web.Response:
        """Host only: the sandbox's environment (``envVars``) and where commands start (``defaultWorkdir``)."""
        try:
            body: Json = await request.json()
            if not isinstance(body, dict):
                raise RpcError("invalid_argument", "expected a JSON object")
            self._process_service.environment.update(fields.text_map(body, "envVars"))
            self._process_service.default_cwd = fields.text(body, "defaultWorkdir") or None
        except (ValueError, RpcError) as error:
            return failure(400, str(error))
        return web.Response(status=204)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop; the exit status is 0 unless the arguments or the socket are bad."""
    parser = argparse.ArgumentParser(prog="envd", description="Processes and files of one sandbox, over Connect RPC.")
    parser.add_argument("--fd", required=True, type=int)
    parser.add_argument("--map", action="append", default=[], metavar="SHOWN=REAL")
    parser.add_argument("--die-with-stdin", action="store_true")
    chosen = parser.parse_args(arguments)
    mapped = {}
    for pair in chosen.map:
        shown, separator, real = pair.partition("=")
        if not separator or not shown.startswith("/") or not real.startswith("/"):
            parser.error(f"--map wants two absolute paths, not {pair!r}")
        mapped[shown] = Path(real)
    asyncio.run(serve(chosen.fd, mapped, die_with_stdin=chosen.die_with_stdin))
    return 0


async def serve(descriptor: int, mapped: dict[str, Path], *, die_with_stdin: bool) -> None:
    """Serve the listening socket ``descriptor`` until SIGTERM, SIGINT or, when asked for, the end of standard input."""
    _adopt_orphans()
    home = Path(os.environ.get("HOME") or "/home/user")
    _write_profile(home)
    daemon = Daemon(Paths(home, mapped), {**os.environ, "MK0R_PATH": os.environ.get("PATH", os.defpath)})
    daemon.processes.open()
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.set)
    if die_with_stdin:
        loop.add_reader(sys.stdin.fileno(), _at_end_of_stdin, stopping)
    # Cancelling a handler whose client left is what frees its subscription; processes belong to the registry.
    runner = web.AppRunner(
        daemon.application(), handle_signals=False, access_log=None, handler_cancellation=True, shutdown_timeout=0.5
    )
    await runner.setup()
    await web.SockSite(runner, socket.socket(fileno=descriptor), backlog=256).start()
    try:
        await stopping.wait()
    finally:
        daemon.watches.close()
        await daemon.processes.close()
        kill_descendants()
        await runner.cleanup()


def _at_end_of_stdin(stopping: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stopping.set()


def _adopt_orphans() -> None:
    """Become the parent of processes whose own parents end, so that none can leave the tree we kill at the end."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _write_profile(home: Path) -> None:
    profile = home / ".profile"
    if not profile.exists():
        profile.write_text(PROFILE)
