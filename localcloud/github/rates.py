"""GitHub's `x-ratelimit-…` headers, on every answer of the REST API, from real counts in windows of an hour.

They tell, and refuse nothing. Where the operator set a limit, which refuses, they tell how that stands instead.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from aiohttp import web

from localcloud.github.access import CALLER, Access
from localcloud.github.bodies import RefusedError, error
from localcloud.limits import LimitForm, Limits, Standing

WINDOW = 3600
ANYBODY = "anybody"
LIMITS = {ANYBODY: 60}  # of everybody who shows no credential, or a wrong one; whoever is known has:
LIMIT = 5000
FREE = "/github/rate_limit"  # to ask costs nothing


def _over_limit(_standing: Standing) -> web.Response:
    return error(429, "API rate limit exceeded. Wait until the limit resets.")


LIMIT_FORM = LimitForm(refusal=_over_limit, headers=lambda _: {})  # the headers are those of every answer


@dataclass(slots=True)
class _Window:
    ends: float
    used: int = 0


class Rates:
    """Counts requests by whose hour they are taken out of; forgotten when localcloud stops."""

    def __init__(self, access: Access, limits: Limits) -> None:
        self._access, self._limits = access, limits
        self._windows: dict[str, _Window] = {}

    def setup(self, app: web.Application) -> None:
        app.on_response_prepare.append(self._tell)

    def standing(self, request: web.Request) -> dict[str, int]:
        """How the caller's hour stands: `limit`, `used`, `remaining`, and `reset` in seconds since 1970."""
        if held := self._limits.standing("github"):
            most, left = held.limit.requests, held.remaining
            return {"limit": most, "used": most - left, "remaining": left, "reset": int(time.time() + held.seconds)}
        who = self._who(request)
        window, limit = self._window(who), LIMITS.get(who, LIMIT)
        used = min(window.used, limit)
        return {"limit": limit, "used": used, "remaining": limit - used, "reset": int(window.ends)}

    async def _tell(self, request: web.Request, answer: web.StreamResponse) -> None:
        if not request.path.startswith("/github/") or request.path.startswith("/github/git/"):
            return
        if request.path != FREE:
            self._window(self._who(request)).used += 1
        for name, value in self.standing(request).items():
            answer.headers[f"x-ratelimit-{name}"] = str(value)
        answer.headers["x-ratelimit-resource"] = "core"

    def _who(self, request: web.Request) -> str:
        try:
            caller = request[CALLER] if CALLER in request else self._access.caller(request)
        except RefusedError:
            return ANYBODY
        return caller.account if caller else ANYBODY

    def _window(self, who: str) -> _Window:
        window = self._windows.get(who)
        if window is None or window.ends <= time.time():
            window = self._windows[who] = _Window(time.time() + WINDOW)
        return window
