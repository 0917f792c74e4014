"""What a sandbox leaves when localcloud is killed, and its end at the next start.

Namespaced sandboxes end by themselves when localcloud dies: their first process sees its control socket close. This is
the second line: `record` writes down who the top process is, `sweep` kills it and all below it if it is still the same
process. Mounts live in namespaces that end with their processes, so none is ever on the host.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

from localcloud.e2b.isolation import processes

_RECORD = "running.json"
_LONGEST_SOCKET = 100  # bytes; the system's own limit is 104 (macOS) or 108 with the final zero


def socket_directory(directory: Path) -> Path:
    """A private directory for a sandbox's sockets: in `directory`, or a short one when that path is too long."""
    run = directory / "run"
    if len(os.fsencode(run / "65535.sock")) <= _LONGEST_SOCKET:
        run.mkdir(mode=0o700, parents=True, exist_ok=True)
        return run
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="mk0r-"))


def record(directory: Path, sandbox_id: str, top: processes.Identity, mode: str, sockets: Path) -> None:
    """Remember the sandbox's top process, whole or not at all."""
    content = {"id": sandbox_id, "pid": top.pid, "started": top.started, "mode": mode, "sockets": str(sockets)}
    fresh = directory / f"{_RECORD}.tmp"
    fresh.write_text(json.dumps(content))
    fresh.replace(directory / _RECORD)


def forget(directory: Path, sockets: Path) -> None:
    """The sandbox is down: take away the record and the sockets' directory."""
    (directory / _RECORD).unlink(missing_ok=True)
    shutil.rmtree(sockets, ignore_errors=True)


async def sweep(sandboxes: Path) -> int:
    """End what still runs of every recorded sandbox; returns how many records there were."""
    found = sorted(sandboxes.glob(f"*/{_RECORD}"))  # noqa: ASYNC240 - once, at start
    for path in found:
        try:
            content = json.loads(path.read_text())
            top = processes.Identity(int(content["pid"]), str(content["started"]))
            sandbox_id, loose, sockets = str(content["id"]), content["mode"] == "plain", Path(content["sockets"])
        except (OSError, ValueError, KeyError, TypeError):
            path.unlink(missing_ok=True)
            continue
        await processes.end(top, sandbox_id, loose=loose)
        inside = sockets.parent == path.parent or sockets.name.startswith("mk0r-")
        forget(path.parent, sockets if inside else path.parent / "run")
    return len(found)
