"""mk0r at GitHub as an App: whose token a call carries, when it is renewed, and what it means when there is none."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from mk0r.log_redaction import Formatter
from provisioning import minted
from provisioning.exceptions import NotConfigured, VendorError
from provisioning.outcome import Outcome, Verb, Wire
from provisioning.providers import github_app
from provisioning.providers.base import Made, Order
from provisioning.providers.registry import step_for
from sessions_app.slugs import slug_for
from tests.fixtures.cloud import CloudUnderTest
from tests.fixtures.github_app import app_values
from tests.fixtures.recorder import Recorder, record

STEP = step_for("github", "repository")
MINT = "/github/app/installations/"


@pytest.fixture
def vendors(vendor_settings: CloudUnderTest, settings: Any, monkeypatch: pytest.MonkeyPatch) -> CloudUnderTest:
    """A localcloud at which mk0r is an App, with nothing learned of its clock."""
    for name, value in app_values(vendor_settings).items():
        setattr(settings, name, value)
    monkeypatch.setattr(github_app._Clock, "ahead", 0.0)
    return vendor_settings


@pytest.fixture
def recorder(vendors: CloudUnderTest, settings: Any) -> Iterator[Recorder]:
    """Counts what is asked of GitHub."""
    with record(vendors.base_url) as made:
        settings.GITHUB_API_URL = f"{made.base_url}/github"
        yield made


def order() -> Order:
    slug = slug_for(uuid.uuid4())
    now = datetime.now(UTC)
    return Order(slug, f"mk0r-{slug}", 1, now, now + timedelta(hours=1))


async def test_an_app_makes_finds_lists_and_deletes_repositories_of_its_organisation(
    vendors: CloudUnderTest, settings: Any
) -> None:
    wanted = order()
    assert await STEP.find(wanted) == []
    made = await STEP.create(wanted)
    assert made.external_id == f"{settings.GITHUB_OWNER}/{wanted.name}"
    await STEP.finish(wanted, made)
    assert [one.external_id for one in await STEP.find(wanted)] == [made.external_id]
    assert made.external_id in {one.external_id for one in await STEP.inventory()}
    await STEP.destroy(made)
    assert not await STEP.exists(made)
    await STEP.destroy(made)
    assert not vendors.live(name=wanted.name)


async def test_many_who_want_a_token_at_once_get_one(recorder: Recorder) -> None:
    wanted = [order() for _ in range(8)]
    made = await asyncio.gather(*(STEP.create(one) for one in wanted))
    assert len(recorder.of(MINT)) == 1
    await asyncio.gather(*(STEP.destroy(one) for one in made))
    assert len(recorder.of(MINT)) == 1


async def test_a_token_is_renewed_before_it_ends(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await github_app.installation_token(Verb.READ)
    assert await github_app.installation_token(Verb.READ) == first
    monkeypatch.setattr(github_app, "MARGIN", 3600.0)  # what is left after it is half of a token's time
    monkeypatch.setattr(
        github_app, "time", SimpleNamespace(time=time.time, monotonic=lambda: time.monotonic() + 3600 - 599)
    )
    assert await github_app.installation_token(Verb.READ) != first
    assert len(recorder.of(MINT)) == 2


async def test_a_token_that_is_taken_no_more_is_replaced_once_and_nothing_is_made_twice(
    vendors: CloudUnderTest, recorder: Recorder
) -> None:
    await github_app.installation_token(Verb.READ)
    vendors.operator("POST", "api/github/expire")
    wanted = order()
    made = await STEP.create(wanted)
    assert [one.status for one in recorder.of("/github/orgs/")] == [401, 201]
    assert len(vendors.ledger(name=wanted.name)) == 1
    await STEP.destroy(made)
    vendors.set_faults([{"vendor": "github", "operation": "create_repository", "fault": "status:401"}])
    with pytest.raises(VendorError) as caught:
        await STEP.create(order())
    assert (caught.value.outcome, caught.value.status) == (Outcome.CONFIG, 401)
    assert [one.status for one in recorder.of("/github/orgs/")] == [401, 201, 401, 401]
    assert len(recorder.of(MINT)) == 3


async def test_that_there_is_no_such_installation_says_nothing_of_a_repository(
    vendors: CloudUnderTest, settings: Any
) -> None:
    made = await STEP.create(order())
    settings.GITHUB_INSTALLATION_ID = "1"
    for call in (STEP.create(order()), STEP.exists(made), STEP.find(order()), STEP.inventory()):
        with pytest.raises(VendorError) as caught:
            await call
        assert (caught.value.outcome, caught.value.status) == (Outcome.CONFIG, 404)
    with pytest.raises(VendorError) as caught:
        await STEP.destroy(made)
    assert caught.value.outcome is Outcome.REMEMBER
    assert vendors.live(name=made.external_id.partition("/")[2])


@pytest.mark.parametrize(
    ("fault", "outcome", "wire"),
    [
        ({"fault": "reset_after"}, Outcome.NOT_SENT, Wire.UNSENT),
        ({"fault": "status:500"}, Outcome.NOT_SENT, Wire.REPLIED),
        ({"fault": "garbage"}, Outcome.NOT_SENT, Wire.REPLIED),
        ({"fault": "status:403", "retry_after": "7"}, Outcome.LATER, Wire.REPLIED),
        ({"fault": "status:401"}, Outcome.CONFIG, Wire.REPLIED),
        ({"fault": "status:422"}, Outcome.CONFIG, Wire.REPLIED),
    ],
    ids=lambda value: value["fault"] if isinstance(value, dict) else "",
)
async def test_a_token_that_cannot_be_had_is_told_as_what_it_means_for_the_call(
    vendors: CloudUnderTest, fault: dict[str, Any], outcome: Outcome, wire: Wire
) -> None:
    vendors.set_faults([{"vendor": "github", "operation": "create_installation_token", **fault}])
    wanted = order()
    with pytest.raises(VendorError) as caught:
        await STEP.create(wanted)
    assert (caught.value.outcome, caught.value.wire) == (outcome, wire)
    assert caught.value.retry_after == (7.0 if "retry_after" in fault else None)
    assert not vendors.ledger(name=wanted.name)
    with pytest.raises(VendorError) as caught:
        await STEP.destroy(Made("mk0r-local-org/mk0r-none"))
    assert caught.value.outcome is Outcome.REMEMBER


async def test_those_who_wait_for_a_token_share_its_refusal(vendors: CloudUnderTest, recorder: Recorder) -> None:
    vendors.set_faults(
        [
            {"vendor": "github", "operation": "create_installation_token", "fault": "latency", "seconds": 0.5},
            {"vendor": "github", "operation": "create_installation_token", "fault": "status:500"},
        ]
    )
    met = await asyncio.gather(*(STEP.create(order()) for _ in range(8)), return_exceptions=True)
    assert {type(one) for one in met} == {VendorError}
    assert len(recorder.of(MINT)) == 1
    vendors.clear_faults()
    await STEP.destroy(await STEP.create(order()))  # whoever comes afterwards asks anew
    assert len(recorder.of(MINT)) == 2


@pytest.mark.parametrize("ahead", [-7200, -300, 300, 7200])
async def test_githubs_clock_counts_and_not_ours(
    vendors: CloudUnderTest, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    wrong = SimpleNamespace(time=lambda: time.time() + ahead, monotonic=time.monotonic)
    monkeypatch.setattr(github_app, "time", wrong)
    made = await github_app.mint_for((await STEP.create(order())).external_id)
    assert 3590 < made.seconds <= 3601
    assert abs(github_app._Clock.ahead + ahead) < 5


async def test_a_person_owns_nothing_an_app_has_made(vendors: CloudUnderTest, settings: Any) -> None:
    user = vendors.info["github_owner"]
    settings.GITHUB_INSTALLATION_ID = str(vendors.info["github_app"]["installations"][user])
    settings.GITHUB_OWNER = user
    with pytest.raises(VendorError) as caught:
        await STEP.create(order())
    assert (caught.value.outcome, caught.value.code) == (Outcome.CONFIG, "owner_is_no_organisation")


@pytest.mark.parametrize("name", ["GITHUB_APP_PRIVATE_KEY", "GITHUB_INSTALLATION_ID", "GITHUB_OWNER"])
def test_what_an_app_is_missing_is_named(vendors: CloudUnderTest, settings: Any, name: str) -> None:
    STEP.check()
    setattr(settings, name, "")
    with pytest.raises(NotConfigured) as caught:
        STEP.check()
    assert caught.value.setting == name


async def test_a_token_is_for_one_repository_until_it_is_revoked(vendors: CloudUnderTest) -> None:
    one, other = [await STEP.create(order()) for _ in range(2)]
    token = await github_app.mint_for(one.external_id)
    assert len(token.value.expose()) > 500

    async def opens(made: Made) -> int:
        from provisioning import http

        headers = {"Authorization": f"Bearer {token.value.expose()}"}
        return (
            await http.exchange("github", "GET", f"{STEP.base_url}/repos/{made.external_id}", headers=headers)
        ).status

    assert [await opens(one), await opens(other)] == [200, 404]
    await github_app.revoke(token.value)
    assert await opens(one) == 401
    await github_app.revoke(token.value)
    for made in (one, other):
        await STEP.destroy(made)
    with pytest.raises(VendorError) as caught:  # its 404 or 422 must not pass for a repository that is gone
        await github_app.mint_for(one.external_id)
    assert caught.value.outcome is Outcome.CONFIG


async def test_a_token_stays_out_of_the_log_for_as_long_as_it_opens_something(vendors: CloudUnderTest) -> None:
    import logging

    made = await STEP.create(order())
    wide, narrow = await github_app.installation_token(Verb.READ), (await github_app.mint_for(made.external_id)).value
    assert wide.expose() in minted.wide()
    assert narrow.expose() not in minted.wide()
    line = f"sent {wide.expose()} and {narrow.expose()} for {made.external_id}"
    said = Formatter().format(logging.LogRecord("x", logging.INFO, "x", 1, line, (), None))
    assert said == f"sent ••• and ••• for {made.external_id}"
    await github_app.revoke(narrow)
    assert narrow.expose() not in minted.everything()
