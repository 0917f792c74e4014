"""One call of the control plane: its key is checked, and what went wrong is put into the vendor's words and status."""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from localcloud.cloud import cloud_of
from localcloud.e2b.bodies import failure
from localcloud.e2b.image import UnknownTemplateError
from localcloud.e2b.isolation.layers import LayersError
from localcloud.e2b.keys import SANDBOXES
from localcloud.e2b.requests import BadRequestError, NotCoveredError
from localcloud.e2b.runtime import LaunchError
from localcloud.e2b.sandbox import BusyError, FullError, GoneError, StateError, UnresponsiveError
from localcloud.e2b.sandboxes import Sandboxes
from localcloud.faults import operation

UNRESPONSIVE = "sandbox_snapshot_guest_agent_unresponsive"  # the SDK tells it apart by this
KEY = re.compile(r"e2b_[0-9a-f]{40}")

KNOWN = (
    BadRequestError, BusyError, FullError, GoneError, LaunchError, LayersError, NotCoveredError, StateError,
    UnknownTemplateError, UnresponsiveError,
)  # fmt: skip

Handler = Callable[[web.Request, Sandboxes], Awaitable[web.Response]]


def route(name: str, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The handler behind the API key check, with the registry's exceptions put into the vendor's words."""

    @operation("e2b", name)
    async def handle(request: web.Request) -> web.Response:
        refused = _refusal(request)
        if refused is not None:
            return refused
        try:
            return await handler(request, request.app[SANDBOXES])
        except KNOWN as error:
            code = UNRESPONSIVE if isinstance(error, UnresponsiveError) else None
            return failure(*told(error), error_code=code)

    return handle


def told(error: Exception) -> tuple[int, str]:
    """The status and the words for one of the `KNOWN` errors."""
    match error:
        case BadRequestError():
            return 400, str(error)
        case UnknownTemplateError():
            return 404, str(error)
        case GoneError():
            return 404, f"Sandbox \"{error}\" doesn't exist or you don't have access to it"
        case StateError():
            return 409, str(error)
        case UnresponsiveError():
            return 409, f"Sandbox {error} was paused while its guest agent did not answer; resume it without memory"
        case FullError():
            return 429, "You have reached the maximum number of concurrent E2B sandboxes of this machine (100)."
        case LayersError():
            return 500, f"Failed to keep what the sandbox holds: {error}"
        case NotCoveredError():
            return 501, str(error)
        case BusyError():
            return 503, str(error)
        case _:
            return 500, f"Failed to place sandbox: {error}"


def _refusal(request: web.Request) -> web.Response | None:
    given = request.headers.get("X-API-KEY", "")
    if not given:
        return failure(401, "authorization header is missing")
    if not KEY.fullmatch(given):
        return failure(401, "Invalid API key format")
    if not hmac.compare_digest(given.encode(), cloud_of(request).keys.e2b.encode()):
        return failure(401, "Cannot get the team for the given API key")
    return None
