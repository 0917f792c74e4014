"""What lies in `/app` and `/home/user`: read-only layers shared with others, and on top what the sandbox itself wrote.

Where overlays can be mounted a directory with layers below it is one, and what the sandbox wrote is its upper
directory. Elsewhere, and where nothing lies below, the sandbox has a directory of its own, made as a copy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from localcloud.e2b.runtime import Base

Overlay = dict[str, object]


class LayersError(Exception):
    """The layers could not be put in place; the message is for a person."""


def copy(layers: tuple[Path, ...], target: Path) -> None:
    """A private copy at `target`, complete or not there at all; shares blocks where the file system can.

    Several layers are put together by an overlay only: what one of them removed from those below is written down in
    the overlay's own way. Raises `LayersError`.
    """
    if len(layers) > 1:
        raise LayersError("what it starts from was made where overlays can be mounted, and cannot be used without")
    fresh = target.with_name(f"{target.name}.tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    if layers:
        how = ["-cR"] if sys.platform == "darwin" else ["-a", "--reflink=auto"]
        done = subprocess.run(["cp", *how, str(layers[0]), str(fresh)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise LayersError(f"{layers[0].name} could not be copied: {done.stderr.strip()[:300]}")
    else:
        fresh.mkdir(mode=0o755)
    fresh.replace(target)


def app_overlay(directory: Path, base: Base, owner: tuple[int, int]) -> Overlay:
    """The overlay at `/app`, as `stage` wants it; over nothing when there are no layers."""
    empty = directory / "empty"
    empty.mkdir(mode=0o755, exist_ok=True)
    return _overlay("/app", base.app or (empty,), directory / "layers", owner)


def home_overlay(directory: Path, base: Base, owner: tuple[int, int]) -> Overlay:
    """The overlay at `/home/user`, for a base that has layers there."""
    return _overlay("/home/user", base.home, directory / "home-layers", owner)


def _overlay(target: str, lowers: tuple[Path, ...], own: Path, owner: tuple[int, int]) -> Overlay:
    for missing in (lower for lower in lowers if not lower.is_dir()):
        raise LayersError(f"{missing} is gone, and with it what the sandbox starts from")
    for each in (own, own / "upper", own / "work"):
        each.mkdir(mode=0o755, exist_ok=True)
        os.chown(each, *owner)
    return {"target": target, "lowers": [str(lower) for lower in lowers], "layers": str(own)}


def standing(directory: Path, base: Base) -> Base:
    """The layers that a sandbox in `directory` consists of by now, its own first, over those it started from."""
    app, home = directory / "app", directory / "home"
    if app.exists():
        return Base(app=(app,), home=(home,))
    upper = directory / "home-layers" / "upper"
    return Base(
        app=(directory / "layers" / "upper", *base.app),
        home=(upper, *base.home) if base.home else (home,),
    )
