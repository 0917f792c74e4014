"""Finds out what isolation this machine can really run: by running it, since what is installed tells little."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
import tempfile
from pathlib import Path

from localcloud.e2b.isolation import machine
from localcloud.e2b.runtime import Base, Egress, LaunchError

_log = logging.getLogger(__name__)
_SETTLED: dict[tuple[str, Path | None], str] = {}


async def _works(mode: str, directory: Path | None) -> str | None:
    """None when a sandbox of this mode starts in `directory`, else the reason it does not."""
    place = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="probe-", dir=directory))
    try:
        (place / "tree").mkdir()
        plan = machine.Plan("probe", place / "sandbox", Base(app=(place / "tree",)), Egress(), mode)
        plan.directory.mkdir()
        running = await machine.launch(plan)
        await running.stop()
    except LaunchError as problem:
        return str(problem)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return None


async def detect(mode: str, directory: Path | None = None) -> str:
    """See `runtime.detect`. The answer is kept for the life of the process, so plain mode is announced once."""
    key = (mode, directory)
    if key not in _SETTLED:
        _SETTLED[key] = await (_best(directory) if mode == "auto" else _demanded(mode, directory))
    return _SETTLED[key]


async def _demanded(mode: str, directory: Path | None) -> str:
    if mode != "plain" and (reason := await _works(mode, directory)):
        raise LaunchError(f"MK0R_ISOLATION={mode} does not work on this machine: {reason}")
    return mode


async def _best(directory: Path | None) -> str:
    reasons = []
    for mode in ("bwrap", "unshare") if sys.platform == "linux" else ():
        if mode == "bwrap" and shutil.which("bwrap") is None:
            reasons.append("bwrap is not installed")
            continue
        reason = await _works(mode, directory)
        if reason is None:
            return mode
        reasons.append(reason)
    why = "; ".join(reasons) or "this system has no namespaces"
    _log.warning("Sandboxes run WITHOUT isolation here, as ordinary processes of this user: %s", why)
    return "plain"
