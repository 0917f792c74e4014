"""``filesystem.Filesystem``: watching directories, as a stream and as a watcher that is asked now and then."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

from . import fields, polling
from .connect import Json, RpcError, Stream, deadline_seconds, first_envelope, streaming, unary
from .entries import UNFINISHED, entry_info
from .filesystem_rpc import rpc_error
from .inotify import Inotify, available
from .paths import Paths, check_request_user
from .process_rpc import keepalive_seconds

POLL_SECONDS = 0.3
KEPT_EVENTS = 10_000
Emit = Callable[[Json], None]


class WatchService:
    """Handlers of WatchDir and of the watcher methods. ``close`` ends every watcher."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._watchers: dict[str, tuple[list[Json], contextlib.ExitStack]] = {}

    def routes(self) -> list[web.RouteDef]:
        """One POST route per method."""
        methods = {
            "WatchDir": streaming(self.watch_dir),
            "CreateWatcher": unary(self.create_watcher),
            "GetWatcherEvents": unary(self.get_watcher_events),
            "RemoveWatcher": unary(self.remove_watcher),
        }
        return [web.post(f"/filesystem.Filesystem/{name}", handler) for name, handler in methods.items()]

    async def watch_dir(self, request: web.Request, stream: Stream) -> None:
        """Stream the changes of a directory until the client leaves or its deadline passes."""
        check_request_user(request)
        message = await first_envelope(request)
        quiet = keepalive_seconds(request)
        pending: list[Json] = []
        ready = asyncio.Event()

        def emit(event: Json) -> None:
            if len(pending) < KEPT_EVENTS:
                pending.append(event)
            ready.set()

        async with asyncio.timeout(deadline_seconds(request)):
            with self._watch(message, emit):
                await stream.send({"start": {}})
                while True:
                    try:
                        async with asyncio.timeout(quiet):
                            await ready.wait()
                    except TimeoutError:
                        await stream.send({"keepalive": {}})
                        continue
                    ready.clear()
                    batch, pending[:] = pending[:], []
                    for event in batch:
                        await stream.send({"filesystem": event})

    async def create_watcher(self, request: web.Request, body: Json) -> Json:
        """Begin to keep the changes of a directory for ``GetWatcherEvents``."""
        check_request_user(request)
        kept: list[Json] = []

        def emit(event: Json) -> None:
            if len(kept) < KEPT_EVENTS:
                kept.append(event)

        with contextlib.ExitStack() as stack:
            stack.enter_context(self._watch(body, emit))
            watcher_id = f"w{secrets.token_hex(8)}"
            self._watchers[watcher_id] = (kept, stack.pop_all())
        return {"watcherId": watcher_id}

    async def get_watcher_events(self, _request: web.Request, body: Json) -> Json:
        """The changes since the last call."""
        kept, _ = self._find(body)
        events, kept[:] = kept[:], []
        return {"events": events}

    async def remove_watcher(self, _request: web.Request, body: Json) -> Json:
        """Stop watching."""
        _, stack = self._find(body)
        del self._watchers[fields.text(body, "watcher_id")]
        stack.close()
        return {}

    def _find(self, body: Json) -> tuple[list[Json], contextlib.ExitStack]:
        watcher_id = fields.text(body, "watcher_id")
        if watcher_id not in self._watchers:
            raise RpcError("not_found", f"watcher with id {watcher_id} not found")
        return self._watchers[watcher_id]

    @contextmanager
    def _watch(self, body: Json, emit: Emit) -> Iterator[None]:
        root = self._paths.real(fields.text(body, "path"))
        recursive, with_entry = fields.flag(body, "recursive"), fields.flag(body, "include_entry")
        if not root.exists():
            raise RpcError("not_found", f"path {self._paths.shown(root)} not found")
        if not root.is_dir():
            raise RpcError("invalid_argument", f"path {self._paths.shown(root)} not a directory")

        def report(path: Path, kind: str) -> None:
            if path.name.startswith(UNFINISHED):
                return
            event: Json = {"name": str(path.relative_to(root)), "type": kind}
            if with_entry and kind not in {"EVENT_TYPE_REMOVE", "EVENT_TYPE_RENAME"}:
                with contextlib.suppress(OSError):
                    event["entry"] = entry_info(path, self._paths)
            emit(event)

        if not available():
            with _polled(root, recursive, report):
                yield
            return
        try:
            watch = Inotify(root, recursive=recursive, report=report)
        except OSError as error:
            raise rpc_error(error) from error
        loop = asyncio.get_running_loop()
        loop.add_reader(watch.descriptor, watch.read)
        try:
            yield
        finally:
            loop.remove_reader(watch.descriptor)
            watch.close()

    def close(self) -> None:
        """End every watcher."""
        for _, stack in self._watchers.values():
            stack.close()
        self._watchers.clear()


@contextmanager
def _polled(root: Path, recursive: bool, report: Callable[[Path, str], None]) -> Iterator[None]:
    async def poll() -> None:
        seen = polling.scan(root, recursive=recursive)
        while True:
            await asyncio.sleep(POLL_SECONDS)
            new = await asyncio.to_thread(polling.scan, root, recursive=recursive)
            polling.compare(seen, new, report)
            seen = new

    task = asyncio.create_task(poll())
    try:
        yield
    finally:
        task.cancel()
