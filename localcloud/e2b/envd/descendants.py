"""Finding and killing everything that descends from this process, whatever session or group it moved to."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 20


def parents() -> dict[int, int]:
    """The parent of each process this user can see."""
    if sys.platform != "linux":
        listed = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
        return {int(pid): int(parent) for pid, parent in (line.split() for line in listed.splitlines())}
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                # The name in parentheses may hold anything, so the fields are counted from its last parenthesis.
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z":
                    found[int(entry.name)] = int(fields[1])
    return found


def descendants(root: int) -> set[int]:
    """The living descendants of ``root`` at this moment."""
    by_pid = parents()
    found: set[int] = set()
    grown = True
    while grown:
        new = {pid for pid, parent in by_pid.items() if pid not in found and (parent == root or parent in found)}
        found |= new
        grown = bool(new)
    return found


def kill_descendants() -> None:
    """Kill all descendants, again and again until none is left, since a process may fork while we look."""
    for _ in range(ROUNDS):
        living = descendants(os.getpid())
        if not living:
            return
        for pid in living:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
