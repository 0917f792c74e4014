"""Pseudo-terminals for processes that ask for one."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from typing import Any


def resize(descriptor: int, columns: int, rows: int) -> None:
    """Set a terminal's size; the kernel tells its foreground processes. Sizes are cut to what the kernel can hold."""
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", min(rows, 65535), min(columns, 65535), 0, 0))


def _take_terminal() -> None:
    # Runs in the child after setsid: makes the terminal on its standard input the controlling one, for job control.
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def open_terminal(columns: int, rows: int) -> tuple[int, dict[str, Any]]:
    """Our end of a new terminal, and the Popen options that put a process on the other; the caller closes both ends."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    resize(ours, columns or 80, rows or 24)
    return ours, {"stdin": theirs, "stdout": theirs, "stderr": theirs, "preexec_fn": _take_terminal}
