"""The way to real vendors, tried where it costs nothing: a localcloud stands at the addresses of `LIVE_…`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from provisioning import http
from provisioning.providers.base import Found, Order, Step
from tests.contract.conftest import REMOTE
from tests.contract.leftovers import OLD, is_leftover, named, sweep
from tests.contract.places import ACCOUNTS, FOREIGN, LOCAL, PREFIX, live_settings
from tests.fixtures.cloud import ROOT, CloudUnderTest
from tests.fixtures.settings import vendor_values

NOW = datetime.now(UTC)
MADE = {"repository", "audience", "api_key", "sandbox", "project"}


def environment(cloud: CloudUnderTest) -> dict[str, str]:
    """An environment in which every vendor is live, at `cloud`."""
    values = vendor_values(cloud)
    names = [name for account in ACCOUNTS.values() for name in (account.key, *account.settings)]
    return {f"LIVE_{name}": values.get(name, "") for name in names}


def left(cloud: CloudUnderTest) -> list[str]:
    """What live tests made there and did not delete."""
    return [one["name"] for one in cloud.live() if PREFIX in one["name"] and one["kind"] in MADE]


def run(cloud: CloudUnderTest, *arguments: str) -> str:
    """A live run as `make live` does it, in a process of its own; returns what it printed."""
    pytest_itself = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*pytest_itself, "tests/contract/test_contract.py", "-m", "live", *arguments], cwd=ROOT,
        env=os.environ | environment(cloud), capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    return done.stdout


def test_without_a_key_of_that_very_name_no_vendor_is_asked() -> None:
    assert live_settings("neon", {"NEON_API_KEY": "napi_0", "LIVE_NEON_API_URL": "http://127.0.0.1:9"}) is None
    assert live_settings("github", {"LIVE_GITHUB_TOKEN": "ghp_0"}) == {
        "GITHUB_TOKEN": "ghp_0", "GITHUB_API_URL": "https://api.github.com", "GITHUB_OWNER": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "age", "swept"),
    [
        (f"{PREFIX}abcd1234-1", timedelta(0), True),
        (f"{PREFIX}abcd1234-1", None, True),
        (f"{PREFIX}ffff0000-1", timedelta(minutes=5), False),  # another run, which may go on
        (f"{PREFIX}ffff0000-1", OLD * 2, True),
        (f"{PREFIX}ffff0000-1", None, False),
        (FOREIGN, OLD * 2, True),
        ("mk0r-abcdefgh1234", OLD * 2, False),  # an installation's
        ("our-website", OLD * 2, False),
    ],
)
def test_only_what_tests_made_is_a_leftover(name: str, age: timedelta | None, swept: bool) -> None:
    assert is_leftover(Found("x", None if age is None else NOW - age, name=name), "abcd1234", NOW) is swept


@pytest.fixture
async def clients() -> AsyncIterator[None]:
    yield
    await http.close_clients()


@pytest.mark.parametrize("step", REMOTE, ids=lambda step: f"{step.provider}-{step.kind}")
async def test_the_sweep_deletes_what_its_run_left_and_nothing_of_anybody_else(
    vendor_settings: CloudUnderTest, clients: None, step: Step
) -> None:
    run_mark = uuid.uuid4().hex[:8]
    mine, others = f"{PREFIX}{run_mark}-1", f"{PREFIX}00000000-{run_mark}"
    made = [await step.create(_order(name)) for name in (mine, others)]
    assert await sweep(step, LOCAL, run_mark) == [mine]
    assert not await step.exists(made[0])
    assert await step.exists(made[1])
    for found in await step.find(named(others)):
        assert await sweep(step, LOCAL, "00000000") == [found.name]


def _order(name: str) -> Order:
    return Order("live0test000", name, 1, NOW, NOW + timedelta(minutes=15))


@pytest.mark.long
@pytest.mark.timeout(500)
def test_a_live_run_passes_and_leaves_nothing(cloud: CloudUnderTest) -> None:
    cloud.clear_faults()
    said = run(cloud, "-q")
    assert re.search(r"\b24 passed", said), said[-3000:]
    assert "skipped" not in said
    assert left(cloud) == []
    made = [one for one in cloud.ledger() if one["name"].startswith(PREFIX)]
    assert {one["kind"] for one in made} >= MADE


@pytest.mark.long
@pytest.mark.timeout(500)
@pytest.mark.parametrize(
    ("vendor", "operation", "fault"),
    [
        ("github", "create_repository", "reset_after"),  # made, and the reply is lost
        ("github", "set_actions_permissions", "status:500"),  # made, and a later step fails
        ("neon", "create_project", "garbage"),
        ("resend", "create_api_key", "truncate"),
    ],
)
def test_a_live_run_that_fails_leaves_nothing_either(
    cloud: CloudUnderTest, vendor: str, operation: str, fault: str
) -> None:
    cloud.set_faults([{"vendor": vendor, "operation": operation, "fault": fault}])
    said = run(cloud, "-q", "-k", f"found_by_its_name and {vendor}")
    cloud.clear_faults()
    assert "failed" in said
    assert any(one["name"].startswith(PREFIX) for one in cloud.ledger(vendor=vendor)), "nothing was made"
    assert left(cloud) == []
