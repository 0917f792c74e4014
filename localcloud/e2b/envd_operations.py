"""The operations of envd, by which a fault names one of them, or with `envd` alone all.

envd is a program of its own behind one door, so its routes are not among ours: what a request asks for is read here
from its path.
"""

from __future__ import annotations

from aiohttp import web

from localcloud.routes import Route

FAMILY = "envd"
HEADER = "E2b-Sandbox-Id"
_METHODS = {
    "process.Process": (
        "List", "Start", "Connect", "Update", "SendInput", "StreamInput", "SendSignal", "CloseStdin",
    ),
    "filesystem.Filesystem": (
        "Stat", "MakeDir", "Move", "ListDir", "Remove", "WatchDir", "CreateWatcher", "GetWatcherEvents",
        "RemoveWatcher",
    ),
}  # fmt: skip
ROUTES = (
    *(
        Route("e2b", f"{FAMILY}/{service.partition('.')[0]}.{method}", "POST", f"/{service}/{method}", HEADER)
        for service, methods in _METHODS.items()
        for method in methods
    ),
    Route("e2b", f"{FAMILY}/files.read", "GET", "/files", HEADER),
    Route("e2b", f"{FAMILY}/files.write", "POST", "/files", HEADER),
    Route("e2b", f"{FAMILY}/health", "GET", "/health", HEADER),
)
_BY_REQUEST = {(route.method, route.path): (route.vendor, route.operation) for route in ROUTES}


def envd_operation(request: web.Request) -> tuple[str, str]:
    """Vendor and operation of a request that names a sandbox; the family alone for what has no name of its own."""
    return _BY_REQUEST.get((request.method, request.path), ("e2b", FAMILY))
