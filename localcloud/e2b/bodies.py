"""The control plane's reply bodies."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from aiohttp import web

from localcloud.e2b.sandbox import Sandbox, iso

ENVD_VERSION = "0.6.13"
CLIENT_ID = "localcloud"
LOG_BYTES = 64 * 1024


def failure(status: int, message: str, *, error_code: str | None = None) -> web.Response:
    """E2B's error body."""
    told = {} if error_code is None else {"error_code": error_code}
    return web.json_response({"code": status, "message": message, **told}, status=status)


def created(sandbox: Sandbox, port: int) -> dict[str, Any]:
    """`Sandbox`: the answer of create, connect and resume."""
    return {
        "templateID": sandbox.image.template_id,
        "alias": sandbox.image.alias,
        "sandboxID": sandbox.id,
        "clientID": CLIENT_ID,
        "envdVersion": ENVD_VERSION,
        "envdAccessToken": sandbox.access_token,
        "trafficAccessToken": None,
        "domain": f"localhost:{port}",
    }


def listed(sandbox: Sandbox) -> dict[str, Any]:
    """`ListedSandbox`. A local sandbox has no machine of its own: its figures are those of the host."""
    return {
        "templateID": sandbox.image.template_id,
        "alias": sandbox.image.alias,
        "sandboxID": sandbox.id,
        "clientID": CLIENT_ID,
        "startedAt": iso(sandbox.started_at),
        "endAt": iso(sandbox.end_at),
        "cpuCount": os.cpu_count() or 1,
        "memoryMB": _memory_mb(),
        "diskSizeMB": _disk_mb(sandbox),
        "metadata": sandbox.wanted.metadata,
        "state": sandbox.state,
        "envdVersion": ENVD_VERSION,
    }


def detail(sandbox: Sandbox, port: int) -> dict[str, Any]:
    """`SandboxDetail`."""
    wanted = sandbox.wanted
    paused: dict[str, Any] = {} if sandbox.pause_mode is None else {"pauseMode": sandbox.pause_mode}
    if sandbox.paused and sandbox.unresponsive:
        paused["envdUnresponsiveAtPause"] = True
    return {
        **listed(sandbox),
        "envdAccessToken": sandbox.access_token,
        "domain": f"localhost:{port}",
        "allowInternetAccess": None if wanted.internet else False,
        "lifecycle": {"onTimeout": "pause" if wanted.auto_pause else "kill", "autoResume": wanted.auto_resume},
        **paused,
    }


def log_lines(sandbox: Sandbox) -> dict[str, Any]:
    """`SandboxLogs`: the end of what envd and what stands around it wrote."""
    raw = b""
    with contextlib.suppress(OSError), (sandbox.directory / "envd.log").open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_BYTES))
        raw = file.read()
    lines = [{"timestamp": iso(sandbox.started_at), "line": line} for line in raw.decode(errors="replace").splitlines()]
    entries = [{"timestamp": one["timestamp"], "message": one["line"], "level": "info", "fields": {}} for one in lines]
    return {"logs": lines, "logEntries": entries}


def _memory_mb() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20


def _disk_mb(sandbox: Sandbox) -> int:
    found = os.statvfs(sandbox.directory.parent)
    return found.f_frsize * found.f_blocks // 2**20
