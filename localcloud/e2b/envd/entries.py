"""What is known of a file: ``filesystem.EntryInfo``, and the extended attributes that carry its user metadata."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

from .connect import Json, RpcError
from .paths import USER, Paths

PREFIX = "user.e2b."
UNFINISHED = ".envd-"  # how the names of files begin that are still being written
METADATA_LIMIT = 4096
KEY_LIMIT = 246
_GETXATTR = getattr(os, "getxattr", None)
_LISTXATTR = getattr(os, "listxattr", None)
_SETXATTR = getattr(os, "setxattr", None)
_REMOVEXATTR = getattr(os, "removexattr", None)


def entry_info(path: Path, paths: Paths) -> Json:
    """``EntryInfo`` of what lies at ``path`` itself (a link is not followed). Raises OSError."""
    found = path.lstat()
    owned = found.st_uid == os.getuid()
    info: Json = {
        "name": path.name or "/",
        "type": _kind(found.st_mode),
        "path": paths.shown(path),
        "size": str(found.st_size),
        "mode": stat.S_IMODE(found.st_mode),
        "permissions": stat.filemode(found.st_mode),
        "owner": USER if owned else str(found.st_uid),
        "group": USER if found.st_gid == os.getgid() else str(found.st_gid),
        "modifiedTime": datetime.fromtimestamp(found.st_mtime, UTC).isoformat().replace("+00:00", "Z"),
    }
    if stat.S_ISLNK(found.st_mode):
        info["symlinkTarget"] = paths.shown(Path(os.path.realpath(path)))
    elif metadata := read_metadata(path):
        info["metadata"] = metadata
    return info


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "FILE_TYPE_FILE"
    if stat.S_ISDIR(mode):
        return "FILE_TYPE_DIRECTORY"
    return "FILE_TYPE_SYMLINK" if stat.S_ISLNK(mode) else "FILE_TYPE_UNSPECIFIED"


def read_metadata(path: Path) -> dict[str, str]:
    """The user metadata of a file; empty where the file system keeps none."""
    if _LISTXATTR is None or _GETXATTR is None:
        return {}
    try:
        names = [name for name in _LISTXATTR(path) if name.startswith(PREFIX)]
        return {name[len(PREFIX) :]: _GETXATTR(path, name).decode("ascii", "replace") for name in names}
    except OSError:
        return {}


def check_metadata(metadata: dict[str, str]) -> None:
    """Raise RpcError unless keys and values are printable ASCII within the size limits."""
    for key, value in metadata.items():
        if not key or len(key) > KEY_LIMIT or not all(" " <= char <= "~" for char in key + value):
            raise RpcError("invalid_argument", f"invalid metadata '{key}': printable US-ASCII up to {KEY_LIMIT} bytes")
    if sum(len(PREFIX) + len(key) + len(value) for key, value in metadata.items()) > METADATA_LIMIT:
        raise RpcError("invalid_argument", f"metadata is larger than {METADATA_LIMIT} bytes")


def replace_metadata(path: Path, metadata: dict[str, str]) -> None:
    """Make ``metadata`` the whole user metadata of a file. Where none can be kept it is dropped."""
    if _SETXATTR is None or _REMOVEXATTR is None:
        return
    try:
        for key in read_metadata(path).keys() - metadata.keys():
            _REMOVEXATTR(path, PREFIX + key)
        for key, value in metadata.items():
            _SETXATTR(path, PREFIX + key, value.encode("ascii"))
    except OSError as error:
        if error.errno not in {errno.ENOTSUP, errno.EPERM, errno.EACCES}:
            raise


def entry_infos(directory: Path, depth: int, paths: Paths) -> list[Json]:
    """The entries below a directory down to ``depth`` levels, sorted by path; what vanishes meanwhile is left out."""
    infos: list[Json] = []
    for path in sorted(directory.iterdir()):
        if path.name.startswith(UNFINISHED):
            continue
        with contextlib.suppress(FileNotFoundError):
            infos.append(entry_info(path, paths))
            if depth > 1 and path.is_dir() and not path.is_symlink():
                with contextlib.suppress(PermissionError):
                    infos += entry_infos(path, depth - 1, paths)
    return infos
