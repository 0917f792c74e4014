"""Removing what a sandbox wrote, whatever modes it left behind."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path


def remove_tree(path: Path) -> None:
    """Remove a file or tree that may hold directories without permissions (an overlay's work directory is one).

    What is not there is fine. Links are removed, never followed. Raises OSError when something stays.
    """
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
        return
    if path.exists():
        shutil.rmtree(path, onerror=_open_up)


def _open_up(function: Callable[..., object], failed: str, _reason: object) -> None:
    """Give ourselves the permissions that were missing, and try the failed step once more."""
    path = Path(failed)
    if not path.is_symlink() and not path.exists():
        return
    for place in (path.parent, path):
        if not place.is_symlink():
            place.chmod(place.stat().st_mode | stat.S_IRWXU)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        function(failed)
