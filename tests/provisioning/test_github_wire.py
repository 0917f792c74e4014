"""What GitHub says with its headers: when it wants to be asked again."""

from __future__ import annotations

import email.utils
import time
from typing import Any

import pytest
from aiohttp import web

from provisioning.exceptions import VendorError
from provisioning.outcome import MAX_RETRY_AFTER, Outcome, Verb
from provisioning.providers.base import Nothing
from provisioning.providers.github import GitHubApi
from provisioning.providers.github_wire import GitHubWire
from tests.fixtures.loopback import recorder

NOW = 1_700_000_000
DATE = email.utils.formatdate(NOW, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "5", "x-ratelimit-remaining": "0", "x-ratelimit-reset": str(NOW + 90)}, 5.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(NOW + 90), "date": DATE}, 91.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(NOW - 90), "date": DATE}, 0.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(NOW + 10**6), "date": DATE}, MAX_RETRY_AFTER),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon", "date": DATE}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "nan", "date": DATE}, None),
        ({"x-ratelimit-remaining": "0"}, None),
        ({"x-ratelimit-remaining": "4999", "x-ratelimit-reset": str(NOW + 90), "date": DATE}, None),
        ({}, None),
    ],
    ids=["retry-after", "reset", "past", "far", "text", "nan", "none", "left", "nothing"],
)
def test_the_hour_that_is_used_up_is_waited_out(headers: dict[str, str], seconds: float | None) -> None:
    assert GitHubWire().wait(429, headers) == GitHubWire().wait(403, headers) == seconds


def test_without_its_clock_ours_has_to_do() -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 90), "date": "today"}
    waited = GitHubWire().wait(403, headers)
    assert waited is not None
    assert 89 < waited <= 92
    assert GitHubWire().wait(422, headers) is None  # which does not say when to come back


@pytest.mark.parametrize("status", [403, 429])
async def test_a_throttle_without_retry_after_ends_with_the_hour(settings: Any, status: int) -> None:
    async def throttled(_request: web.Request) -> web.Response:
        reset = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 90)}
        return web.json_response({"message": "API rate limit exceeded for user ID 1."}, status=status, headers=reset)

    async with recorder(throttled) as (url, _):
        settings.GITHUB_API_URL = url
        with pytest.raises(VendorError) as caught:
            await GitHubApi().call(Verb.CREATE, "create_repository", "POST", "/user/repos", Nothing)
    assert caught.value.outcome is Outcome.LATER
    assert caught.value.retry_after is not None
    assert 88 < caught.value.retry_after <= 92
