"""What a sandbox asks to reach: exactly the real vendors its app speaks to, and nothing when all of them are local."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import e2b as sdk
import pytest
from django.utils import timezone

from provisioning.providers import e2b
from provisioning.providers.base import Order

HERE = "http://127.0.0.1:8001"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, settings: Any) -> dict[str, Any]:
    """What the SDK was told at create, with everything local until a test says otherwise."""
    seen: dict[str, Any] = {}

    class Stop(Exception):
        """The vendor is not reached in these tests."""

    async def create(**options: Any) -> None:
        seen.update(options)
        raise Stop

    monkeypatch.setattr(sdk.AsyncSandbox, "create", create)
    settings.E2B_API_KEY, settings.E2B_API_URL, settings.E2B_SANDBOX_URL = "e2b_0", f"{HERE}/e2b", HERE
    settings.NEON_API_URL, settings.POSTHOG_HOST = f"{HERE}/neon/api/v2", f"{HERE}/posthog"
    seen["stop"] = Stop
    return seen


async def created(asked: dict[str, Any]) -> Any:
    now = timezone.now()
    with pytest.raises(asked["stop"]):
        await e2b.Sandbox().create(Order("ada", "mk0r-ada", 1, now, now + timedelta(hours=1)))
    return asked["network"]


async def test_with_everything_local_nothing_is_asked_for(asked: dict[str, Any]) -> None:
    assert await created(asked) is None


async def test_with_a_real_database_only_its_hosts_are_asked_for(asked: dict[str, Any], settings: Any) -> None:
    settings.NEON_API_URL = "https://console.neon.tech/api/v2"
    assert (await created(asked))["allow_out"] == ["*.neon.tech"]


@pytest.mark.parametrize(
    ("address", "host"),
    [("https://eu.i.posthog.com", "eu.i.posthog.com"), ("https://hog.example:8443/x", "hog.example:8443")],
)
async def test_with_real_analytics_only_its_host_is_asked_for(
    asked: dict[str, Any], settings: Any, address: str, host: str
) -> None:
    settings.POSTHOG_HOST = address
    assert (await created(asked))["allow_out"] == [host]


async def test_a_sandbox_in_the_vendors_cloud_asks_for_its_list(asked: dict[str, Any], settings: Any) -> None:
    settings.E2B_API_URL, settings.E2B_SANDBOX_URL = "https://api.e2b.app", ""
    settings.GATEWAY_URL, settings.POSTHOG_HOST = "https://apps.example.com", "https://us.i.posthog.com"
    network = await created(asked)
    assert network["allow_out"] == ["apps.example.com", "us.i.posthog.com", "registry.npmjs.org"]
    assert network["deny_out"] == ["0.0.0.0/0"]
