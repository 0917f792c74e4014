"""What the doctor's tests share: one vendor looked at, and what was said of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mk0r.doctor.examination import examine_vendor
from mk0r.doctor.report import Check, Part
from mk0r.vendors import VENDORS
from provisioning import http
from tests.fixtures.loopback import Answer, recorder

VENDOR = {vendor.name: vendor for vendor in VENDORS}
ADDRESS = {vendor.name: next(iter(vendor.addresses)) for vendor in VENDORS}
Looked = Callable[..., Awaitable[Part]]


async def look(name: str, seconds: float = 10) -> Part:
    """What doctor finds out about one vendor, as the settings are."""
    async with http.borrowed():
        return await examine_vendor(VENDOR[name], seconds)


def check(part: Part, name: str) -> Check:
    """The last check of that name."""
    found = [one for one in part.checks if one.check == name]
    assert found, f"{name} was not looked at: {part.checks}"
    return found[-1]


@pytest.fixture
def scripted(settings: Any) -> Callable[[str, Answer], Any]:
    """`async with scripted("github", answer):` puts a server of the test in a vendor's place."""

    @asynccontextmanager
    async def place(name: str, answer: Answer) -> AsyncIterator[list[dict[str, Any]]]:
        async with recorder(answer) as (url, requests):
            setattr(settings, ADDRESS[name], url)
            setattr(settings, VENDOR[name].key, KEYS[name])
            yield requests

    return place


KEYS = {
    "neon": "napi_0123456789abcdef0123456789abcdef",
    "resend": "re_0123456789abcdef0123456789abcdef",
    "github": "ghp_0123456789abcdef0123456789abcdef0123",
    "posthog": "phc_0123456789abcdef0123456789abcdef",
    "e2b": "e2b_0123456789abcdef0123456789abcdef01234567",
    "anthropic": "sk-ant-0123456789abcdef0123456789abcdef",
}
