"""Changes below a directory found by looking at it again and again, for machines without inotify."""

from __future__ import annotations

import os
from pathlib import Path

from .inotify import Report

Seen = dict[Path, tuple[int, int, int]]


def scan(root: Path, *, recursive: bool) -> Seen:
    """Size, modification time in nanoseconds and mode of everything below ``root``."""
    seen: Seen = {}
    try:
        entries = list(os.scandir(root))
    except OSError:
        return seen
    for entry in entries:
        try:
            found = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        seen[Path(entry.path)] = (found.st_size, found.st_mtime_ns, found.st_mode)
        if recursive and entry.is_dir(follow_symlinks=False):
            seen |= scan(Path(entry.path), recursive=True)
    return seen


def compare(old: Seen, new: Seen, report: Report) -> None:
    """Report the differences between two scans."""
    for path in sorted(new.keys() - old.keys()):
        report(path, "EVENT_TYPE_CREATE")
    for path in sorted(old.keys() - new.keys()):
        report(path, "EVENT_TYPE_REMOVE")
    for path in sorted(old.keys() & new.keys()):
        if old[path][:2] != new[path][:2]:
            report(path, "EVENT_TYPE_WRITE")
        elif old[path][2] != new[path][2]:
            report(path, "EVENT_TYPE_CHMOD")
