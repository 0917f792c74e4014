"""Which file a client's path means: home-relative and ``~`` paths, the one user, and mapped directories.

With a mount namespace a path means itself. Without one ``/app`` and ``/home/user`` lie elsewhere on the machine: paths
are mapped on the way in and back on the way out, so a client sees the same names in every mode.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from aiohttp import web

from .connect import RpcError

USER = "user"


def check_user(name: str) -> None:
    """Raise RpcError unless ``name`` is empty or the one user a sandbox has."""
    if name and name != USER:
        raise RpcError(
            "unauthenticated", f"invalid username: '{name}': this sandbox has one user, '{USER}', and no root"
        )


def check_request_user(request: web.Request) -> None:
    """The user of an RPC is the name part of Basic credentials; absent means the default user."""
    raw = request.headers.get("Authorization", "")
    scheme, _, credentials = raw.partition(" ")
    if scheme.lower() != "basic":
        return
    try:
        decoded = base64.b64decode(credentials.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise RpcError("unauthenticated", "invalid username: credentials are not base64") from None
    check_user(decoded.partition(":")[0])


class Paths:
    """Translates between the paths a client names and those of the file system."""

    def __init__(self, home: Path, mapped: Mapping[str, Path]) -> None:
        self.home = home
        # Longest first, so that /app/x may be mapped beside /app.
        self._mapped = sorted(mapped.items(), key=lambda item: -len(item[0]))

    def real(self, path: str) -> Path:
        """The file ``path`` means: ``~`` and relative paths start at the home directory. Never touches the disk."""
        if path in {"", "~"}:
            return self.home
        if path.startswith("~/"):
            path = path[2:]
        elif path.startswith("~"):
            raise RpcError("invalid_argument", f"cannot expand user-specific home dir of path '{path}'")
        if not path.startswith("/"):
            return Path(os.path.normpath(self.home / path))
        normal = "/" + os.path.normpath(path).lstrip("/")
        for shown, real in self._mapped:
            if normal == shown or normal.startswith(shown + "/"):
                return Path(str(real) + normal[len(shown) :])
        return Path(normal)

    def shown(self, path: Path) -> str:
        """The inverse of :meth:`real` for absolute paths."""
        for name, real in self._mapped:
            if path == real:
                return name
            if path.is_relative_to(real):
                return str(PurePosixPath(name, path.relative_to(real)))
        return str(path)
