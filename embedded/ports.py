"""Finding a loopback port that is free."""

from __future__ import annotations

import socket


class NoFreePort(Exception):
    """Not one of the ports tried could be bound; the message names them and the reason."""


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether a server could listen on `host:port` right now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(preferred: int = 0, *, host: str = "127.0.0.1", tries: int = 50) -> int:
    """Return `preferred` or, when it is taken, the next free port above it; 0 lets the system choose.

    Raises:
        NoFreePort: `tries` ports in a row could not be bound.
    """
    if preferred == 0:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
            return int(probe.getsockname()[1])
    for port in range(preferred, min(preferred + tries, 65536)):
        if is_free(port, host):
            return port
    raise NoFreePort(f"no free port between {preferred} and {preferred + tries - 1} on {host}")
