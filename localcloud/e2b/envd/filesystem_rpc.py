"""``filesystem.Filesystem``: the methods of the service that look at or change the tree."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from . import fields
from .connect import Json, RpcError, unary
from .entries import entry_info, entry_infos
from .paths import Paths, check_request_user


class FilesystemService:
    """Handlers of the unary tree methods. Disk work runs in threads, so that a large tree does not stop the daemon."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def routes(self) -> list[web.RouteDef]:
        """One POST route per method."""
        methods: dict[str, Callable[[Json], Json]] = {
            "Stat": self.stat,
            "MakeDir": self.make_dir,
            "Move": self.move,
            "ListDir": self.list_dir,
            "Remove": self.remove,
        }
        return [web.post(f"/filesystem.Filesystem/{name}", self._handler(method)) for name, method in methods.items()]

    def _handler(self, method: Callable[[Json], Json]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def call(request: web.Request, body: Json) -> Json:
            check_request_user(request)
            try:
                return await asyncio.to_thread(method, body)
            except OSError as error:
                raise rpc_error(error) from error

        return unary(call)

    def _path(self, body: Json, name: str) -> Path:
        return self._paths.real(fields.text(body, name))

    def stat(self, body: Json) -> Json:
        """What lies at a path."""
        path = self._path(body, "path")
        try:
            return {"entry": entry_info(path, self._paths)}
        except (FileNotFoundError, NotADirectoryError):
            raise RpcError("not_found", f"file not found: {self._paths.shown(path)}") from None

    def make_dir(self, body: Json) -> Json:
        """Make a directory and its parents."""
        path = self._path(body, "path")
        if path.is_dir():
            raise RpcError("already_exists", f"directory already exists: {self._paths.shown(path)}")
        if path.exists():
            raise RpcError(
                "invalid_argument", f"path already exists but it is not a directory: {self._paths.shown(path)}"
            )
        path.mkdir(parents=True, exist_ok=True)
        return {"entry": entry_info(path, self._paths)}

    def move(self, body: Json) -> Json:
        """Rename, making the parents of the destination; a file at the destination is replaced."""
        source, destination = self._path(body, "source"), self._path(body, "destination")
        if not source.is_symlink() and not source.exists():
            raise RpcError("not_found", f"source file not found: {self._paths.shown(source)}")
        destination.parent.mkdir(parents=True, exist_ok=True)
        try:
            source.rename(destination)
        except OSError as error:
            if error.errno != 18:  # EXDEV: another file system, where renaming means copying
                raise
            shutil.move(source, destination)
        return {"entry": entry_info(destination, self._paths)}

    def list_dir(self, body: Json) -> Json:
        """The entries of a directory, to a depth of one unless said otherwise."""
        path = self._path(body, "path")
        if not path.exists():
            raise RpcError("not_found", f"directory not found: {self._paths.shown(path)}")
        if not path.is_dir():
            raise RpcError("invalid_argument", f"path is not a directory: {self._paths.shown(path)}")
        # A link to a directory is listed under the link's own name.
        return {"entries": entry_infos(path, fields.number(body, "depth") or 1, self._paths)}

    def remove(self, body: Json) -> Json:
        """Remove a file or a whole tree; what is not there is as good as removed."""
        path = self._path(body, "path")
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
        else:
            shutil.rmtree(path)
        return {}


def rpc_error(error: OSError) -> RpcError:
    """The nearest code for a failure of the file system."""
    text = f"{error.strerror or error}".lower()
    if isinstance(error, PermissionError):
        return RpcError("permission_denied", text)
    if isinstance(error, FileNotFoundError):
        return RpcError("not_found", text)
    if isinstance(error, (NotADirectoryError, IsADirectoryError, FileExistsError)):
        return RpcError("invalid_argument", text)
    return RpcError("internal", text)
