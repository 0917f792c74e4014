"""Linux inotify through ctypes: changes below a directory, as (path, kind) pairs.

Kinds are those of ``filesystem.EventType``. A tree is watched directory by directory; directories that appear are
added, and what already lies in them by then is reported as created. Where there is no
inotify, :func:`available` says so.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path

_EVENT = struct.Struct("iIII")
MODIFY, ATTRIB, MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x2, 0x4, 0x40, 0x80, 0x100, 0x200
ONLYDIR, IGNORED, ISDIR, OVERFLOW = 0x01000000, 0x8000, 0x40000000, 0x4000
MASK = MODIFY | ATTRIB | MOVED_FROM | MOVED_TO | CREATE | DELETE | ONLYDIR
KINDS = (
    (CREATE | MOVED_TO, "EVENT_TYPE_CREATE"),
    (MODIFY, "EVENT_TYPE_WRITE"),
    (DELETE, "EVENT_TYPE_REMOVE"),
    (MOVED_FROM, "EVENT_TYPE_RENAME"),
    (ATTRIB, "EVENT_TYPE_CHMOD"),
)
Report = Callable[[Path, str], None]


def available() -> bool:
    """Whether this machine has inotify."""
    return sys.platform == "linux"


class Inotify:
    """One inotify instance over one directory. Raises OSError when the directory cannot be watched."""

    def __init__(self, root: Path, *, recursive: bool, report: Report) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._recursive = recursive
        self._report = report
        self._watched: dict[int, Path] = {}
        self.descriptor = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor < 0:
            raise _error()
        try:
            self._add(root)
        except OSError:
            os.close(self.descriptor)
            raise

    def _add(self, directory: Path) -> None:
        number = self._libc.inotify_add_watch(self.descriptor, os.fsencode(directory), MASK)
        if number < 0:
            raise _error()
        self._watched[number] = directory
        if self._recursive:
            for entry in os.scandir(directory):
                if entry.is_dir(follow_symlinks=False):
                    self._add_later(Path(entry.path))

    def _add_later(self, directory: Path) -> None:
        try:
            self._add(directory)
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.EACCES}:
                raise

    def read(self) -> None:
        """Report what has happened; called when the descriptor is readable."""
        try:
            raw = os.read(self.descriptor, 64 * 1024)
        except BlockingIOError:
            return
        offset = 0
        while offset < len(raw):
            number, mask, _cookie, length = _EVENT.unpack_from(raw, offset)
            name = raw[offset + _EVENT.size : offset + _EVENT.size + length].rstrip(b"\0")
            offset += _EVENT.size + length
            self._handle(number, mask, os.fsdecode(name))

    def _handle(self, number: int, mask: int, name: str) -> None:
        if mask & IGNORED:
            self._watched.pop(number, None)
            return
        directory = self._watched.get(number)
        if directory is None or not name:
            return
        path = directory / name
        for bits, kind in KINDS:
            if mask & bits:
                self._report(path, kind)
        if self._recursive and mask & ISDIR and mask & (CREATE | MOVED_TO):
            self._add_later(path)
            self._report_present(path)

    def _report_present(self, directory: Path) -> None:
        try:
            for entry in os.scandir(directory):
                self._report(Path(entry.path), "EVENT_TYPE_CREATE")
                if entry.is_dir(follow_symlinks=False):
                    self._report_present(Path(entry.path))
        except OSError:
            return  # gone again, and its removal will be reported

    def close(self) -> None:
        """Stop watching."""
        os.close(self.descriptor)


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
