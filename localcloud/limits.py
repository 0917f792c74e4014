"""How many calls a vendor takes in how long, so that what a client does about a 429 can be seen at home.

A limit counts the calls of one vendor in windows: the first call opens a window of `per_seconds`, `requests` calls fit
into it, and the next window opens with the first call after its end. All callers of a vendor share its window, as the
keys of one account do. Counted is what a vendor's own limit is about: its API, not git, not what happens inside a
sandbox, and not the public capture of events. Nothing is counted unless a limit was set, by `MK0R_CLOUD_LIMITS` or by
the operator; what the operator sets lasts as long as the process.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

# Below which paths the calls of a vendor count, and below which of those they do not.
COUNTED = {
    "neon": "/neon/",
    "resend": "/resend/",
    "github": "/github/",
    "posthog": "/posthog/api/",
    "e2b": "/e2b/",
    "anthropic": "/anthropic/",
}
UNCOUNTED = ("/github/git/", "/github/rate_limit", "/e2b/preview/", "/e2b/template-files/")
ONE = re.compile(r"([a-z0-9]+)=(\d{1,7})/(\d{1,5}(?:\.\d{1,3})?)")
MOST_REQUESTS = 1_000_000
LONGEST_SECONDS = 86_400


class LimitError(ValueError):
    """A limit that cannot be understood; the message says which part."""


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests in so many seconds."""

    requests: int
    per_seconds: float

    def to_json(self) -> dict[str, Any]:
        return {"requests": self.requests, "per_seconds": self.per_seconds}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a vendor's window stands: what is left of it, in how many seconds it ends, and whether this call is over."""

    limit: Limit
    remaining: int
    reset: float
    refused: bool = False

    @property
    def seconds(self) -> int:
        """Whole seconds until calls are taken again, at least one: what `Retry-After` says."""
        return max(1, math.ceil(self.reset))


@dataclass(frozen=True, slots=True)
class LimitForm:
    """How one vendor speaks of its limit: the answer to a call over it, and headers on every counted answer."""

    refusal: Callable[[Standing], web.Response]
    headers: Callable[[Standing], Mapping[str, str]]


def of_json(rules: Any) -> dict[str, Limit]:
    """Limits as the operator sends them: `{vendor: {"requests": n, "per_seconds": s}}`. Raises `LimitError`."""
    if not isinstance(rules, Mapping):
        raise LimitError("limits must be an object of vendors")
    found = {}
    for vendor, rule in rules.items():
        if not isinstance(rule, Mapping) or set(rule) != {"requests", "per_seconds"}:
            raise LimitError(f"{vendor}: a limit needs requests and per_seconds, and nothing else")
        found[vendor] = _checked(vendor, rule["requests"], rule["per_seconds"])
    return found


def of_text(text: str) -> dict[str, Limit]:
    """Limits as the environment holds them: `resend=10/1,github=5000/3600`. Raises `LimitError`."""
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = ONE.fullmatch(part)
        if match is None:
            raise LimitError(f"{part!r} must look like resend=10/1, requests per seconds")
        found[match[1]] = _checked(match[1], int(match[2]), float(match[3]))
    return found


def _checked(vendor: Any, requests: Any, seconds: Any) -> Limit:
    if vendor not in COUNTED:
        raise LimitError(f"there is no vendor {vendor!r}, only {', '.join(COUNTED)}")
    if not isinstance(requests, int) or isinstance(requests, bool) or not 1 <= requests <= MOST_REQUESTS:
        raise LimitError(f"{vendor}: requests must be a whole number from 1 to {MOST_REQUESTS}")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds <= LONGEST_SECONDS:
        raise LimitError(f"{vendor}: per_seconds must be a number above 0, up to {LONGEST_SECONDS}")
    return Limit(requests, float(seconds))


def counted_for(path: str) -> str | None:
    """The vendor a call to *path* counts for, or None."""
    if path.startswith(UNCOUNTED):
        return None
    return next((vendor for vendor, prefix in COUNTED.items() if path.startswith(prefix)), None)


class Limits:
    """The limits in force and each vendor's window."""

    def __init__(self, standing: Mapping[str, Limit], clock: Callable[[], float] = time.monotonic) -> None:
        self._standing = dict(standing)
        self._clock = clock
        self.rules: dict[str, Limit] = {}
        self._windows: dict[str, tuple[float, int]] = {}  # when it ends, how many calls it has taken
        self.clear()

    def replace(self, rules: Any) -> None:
        """Put these in force instead of all others, with fresh windows. Raises `LimitError` and changes nothing."""
        self.rules, self._windows = of_json(rules), {}

    def clear(self) -> None:
        """Go back to the limits of the environment, with fresh windows."""
        self.rules, self._windows = dict(self._standing), {}

    def standing(self, vendor: str) -> Standing | None:
        """How the vendor's window stands, without counting anything; None where no limit is in force."""
        limit = self.rules.get(vendor)
        if limit is None:
            return None
        now = self._clock()
        end, taken = self._windows.get(vendor, (0.0, 0))
        if now >= end:
            return Standing(limit, limit.requests, limit.per_seconds)
        return Standing(limit, limit.requests - taken, end - now)

    def count(self, vendor: str) -> Standing | None:
        """Count one call; the standing after it, `refused` where it no longer fits. None where no limit is in force."""
        before = self.standing(vendor)
        if before is None or before.remaining == 0:
            return before and Standing(before.limit, 0, before.reset, refused=True)
        remaining = before.remaining - 1
        self._windows[vendor] = (self._clock() + before.reset, before.limit.requests - remaining)
        return Standing(before.limit, remaining, before.reset)
