"""Processes seen from outside: who belongs to a sandbox, who is the same process as before, and how all of them end.

A pid alone names nobody for long, so a process is remembered as pid and start time. Linux answers from /proc, macOS
from `ps`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

MARK = "MK0R_SANDBOX_ID"
_PROC = Path("/proc")
_LINUX = os.uname().sysname == "Linux"


@dataclass(frozen=True, slots=True)
class Identity:
    """One process for all time: its pid and when it started, in the system's own terms."""

    pid: int
    started: str


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat after the command name: state, parent, … start time."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def identify(pid: int) -> Identity | None:
    """The process that has `pid` now; None when there is none, or only its unread exit status is left."""
    if _LINUX:
        fields = _stat(pid)
        return None if fields is None or fields[0] in "ZX" else Identity(pid, fields[19])
    listed = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = listed.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else Identity(pid, started.strip())


def same(identity: Identity) -> bool:
    """Whether that very process still runs."""
    return identify(identity.pid) == identity


def _parents() -> dict[int, list[int]]:
    """Every process's children."""
    children: dict[int, list[int]] = defaultdict(list)
    if _LINUX:
        for entry in os.listdir(_PROC):  # noqa: PTH208 - names only, and there may be thousands
            if entry.isdigit() and (fields := _stat(int(entry))) is not None and fields[0] not in "ZX":
                children[int(fields[1])].append(int(entry))
        return children
    listed = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=False)
    for line in listed.stdout.splitlines():
        pid, _, parent = line.strip().partition(" ")
        children[int(parent)].append(int(pid))
    return children


def family(pid: int) -> list[int]:
    """`pid` and everything below it, oldest generation first."""
    children = _parents()
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def marked(sandbox_id: str) -> list[int]:
    """Processes whose environment carries this sandbox's id: what left the family in `plain` mode."""
    needle = f"{MARK}={sandbox_id}"
    if _LINUX:
        found = []
        for entry in os.listdir(_PROC):  # noqa: PTH208
            with contextlib.suppress(OSError):
                if entry.isdigit() and needle.encode() in (_PROC / entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry))
        return [pid for pid in found if identify(pid)]
    listed = subprocess.run(["ps", "-axEww", "-o", "pid=,command="], capture_output=True, text=True, check=False)
    return [int(line.split()[0]) for line in listed.stdout.splitlines() if needle in line.split()]


def send(pids: list[int], number: signal.Signals) -> None:
    """Signal each; one that is gone already is no error."""
    for pid in pids:
        if pid not in (0, 1, os.getpid()):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)


def members(top: Identity, sandbox_id: str, *, loose: bool) -> list[int]:
    """Everything of the sandbox that runs now; `loose` also looks for what left the family."""
    found = family(top.pid) if same(top) else []
    return found + [pid for pid in marked(sandbox_id) if pid not in found] if loose else found


async def end(top: Identity, sandbox_id: str, *, loose: bool, within: float = 10.0) -> bool:
    """Kill all of a sandbox and wait until nobody is left; False if some process resisted for `within` seconds.

    Who was found once is watched until gone, since killing the top hides what was below it.
    """
    watched: set[Identity] = set()
    deadline = asyncio.get_running_loop().time() + within
    while True:
        found = {one for pid in members(top, sandbox_id, loose=loose) if (one := identify(pid))}
        watched = {one for one in watched | found if same(one)}
        if not watched:
            return True
        if asyncio.get_running_loop().time() > deadline:
            return False
        send([one.pid for one in watched], signal.SIGKILL)
        await asyncio.sleep(0.01)


async def stop_all(top: Identity, sandbox_id: str, *, loose: bool) -> None:
    """SIGSTOP everything, again until nothing new appears: one that forks while we look is seen in the next round."""
    stopped: set[int] = set()
    for _ in range(20):
        fresh = [pid for pid in members(top, sandbox_id, loose=loose) if pid not in stopped]
        if not fresh:
            return
        send(fresh, signal.SIGSTOP)
        stopped.update(fresh)
        await asyncio.sleep(0)


def continue_all(top: Identity, sandbox_id: str, *, loose: bool) -> None:
    """SIGCONT everything, children first, so that no parent sees a stopped child."""
    send(members(top, sandbox_id, loose=loose)[::-1], signal.SIGCONT)
