"""How GitHub is spoken to whoever speaks: versions, refusals, and how long it wants to be left alone."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from provisioning.outcome import MAX_RETRY_AFTER, Hint
from provisioning.providers.base import Api, text_of

_LONGEST_MOMENT = 12  # digits


class GitHubWire(Api):
    """GitHub's REST API, before anybody has said who speaks."""

    vendor = "github"

    def base_url(self) -> str:
        return str(settings.GITHUB_API_URL)

    def headers(self) -> dict[str, str]:
        return {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}

    def read_error(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[Hint, str]:
        if status == 403 and (headers.get("retry-after") or headers.get("x-ratelimit-remaining") == "0"):
            return Hint.THROTTLED, "rate_limited"
        errors = body.get("errors")
        said = [text_of(one, "message") for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
        if status == 422 and any("already exists" in one for one in said):
            return Hint.NAME_TAKEN, "name_already_exists"
        if status == 403 and "rate limit" in text_of(body, "message").lower():
            return Hint.THROTTLED, "rate_limited"
        return Hint.NONE, ""

    def wait(self, status: int, headers: Mapping[str, str]) -> float | None:
        """`Retry-After`; else, where the hour's requests are used up, the time until the next hour begins."""
        named, reset = super().wait(status, headers), headers.get("x-ratelimit-reset", "")
        if named is not None or status not in {403, 429} or headers.get("x-ratelimit-remaining") != "0":
            return named
        if not (reset.isascii() and reset.isdigit() and len(reset) <= _LONGEST_MOMENT):
            return None
        seconds = int(reset) - (its_clock(headers) or time.time()) + 1.0  # its clock shows whole seconds
        return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def its_clock(headers: Mapping[str, str]) -> float | None:
    """What GitHub's own clock showed when it answered, in seconds since 1970; None where it did not say."""
    try:
        return email.utils.parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
