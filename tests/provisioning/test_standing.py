"""A vendor that asks to be left alone is, by every process; one that refuses our key is asked by one (I-25)."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.utils import timezone

from provisioning import admission, services, standing
from provisioning.models import Alert, Resource, Vendor
from provisioning.outcome import Outcome
from tests.provisioning.vendors_asked import REPOSITORY, chip, fault, provision, with_own_connection
from tests.provisioning.waiting import converge_elsewhere


@pytest.mark.django_db
def test_a_pause_lasts_as_long_as_the_vendor_asks_and_never_gets_shorter() -> None:
    standing.pause(REPOSITORY, 40.0)
    standing.pause(REPOSITORY, 5.0)
    assert 38 < standing.of("github").paused_for <= 40
    assert standing.of("neon").paused_for == 0
    standing.pause(REPOSITORY, 1e9)
    assert standing.of("github").paused_for <= 3600


@pytest.mark.django_db
def test_without_a_hint_the_pause_is_short_and_longer_each_time_it_was_not_enough() -> None:
    lengths = []
    for _ in range(8):
        standing.pause(REPOSITORY, None)
        lengths.append(standing.of("github").paused_for)
        Vendor.objects.update(paused_until=timezone.now() - timedelta(seconds=1))
    assert 1 < lengths[0] < 3
    assert lengths[3] > lengths[0] * 3
    assert max(lengths) < 80
    Vendor.objects.update(paused_until=timezone.now() - timedelta(minutes=5))
    standing.pause(REPOSITORY, None)
    assert standing.of("github").paused_for < 3


@pytest.mark.django_db
@pytest.mark.parametrize("told", ["", "80/m,500/h"])
def test_those_who_waited_come_back_one_by_one(told: str, budget: Any) -> None:
    budget("github", told)
    standing.pause(REPOSITORY, 30.0)
    now = standing.of("github")
    waits = [admission.ask(Resource(provider="github"), REPOSITORY, now) for _ in range(50)]
    assert min(waits) >= 29
    assert all(later - earlier > 0.09 for earlier, later in pairwise(waits))


@pytest.mark.django_db
def test_a_pause_overtakes_the_places_before_its_end_and_leaves_those_after_it() -> None:
    now = timezone.now()
    standing.pause(REPOSITORY, 30.0)
    before = Resource(provider="github", place_at=now + timedelta(seconds=10))
    after = Resource(provider="github", place_at=now + timedelta(seconds=50))
    assert admission.ask(before, REPOSITORY, standing.of("github")) >= 29
    assert 45 < admission.ask(after, REPOSITORY, standing.of("github")) <= 50


@pytest.mark.usefixtures("without_sandbox")
async def test_one_refused_leg_spares_the_vendor_all_the_others(vendor_settings: Any, begin: Any) -> None:
    first, second, third = [await begin() for _ in range(3)]
    vendor_settings.set_faults([fault("neon", "create_project", "status:429", seconds=60)])
    await services.converge(first.pk)
    vendor_settings.clear_faults()
    await asyncio.gather(services.converge(second.pk), converge_elsewhere(third.pk))
    for session in (first, second, third):
        neon = await database_sync_to_async(chip)(session, "neon")
        assert neon["state"] == "planned"
        assert neon["starts_in_ms"] > 30_000
        assert (await database_sync_to_async(chip)(session, "github"))["state"] == "ready"
        assert vendor_settings.ledger(vendor="neon", name=f"mk0r-{session.slug}") == []


@pytest.mark.usefixtures("without_sandbox")
async def test_a_deletion_leaves_a_paused_vendor_alone_and_does_not_count_it_as_a_try(
    vendor_settings: Any, begin: Any, rows: Any
) -> None:
    session = await begin()
    await services.converge(session.pk)
    await database_sync_to_async(standing.pause)(REPOSITORY, 60.0)
    await database_sync_to_async(services.request_teardown)(session)
    await services.converge(session.pk)
    row = (await rows(session))["github", "repository"]
    assert (row.state, row.delete_attempts) == ("deleting", 0)
    assert row.next_at > timezone.now() + timedelta(seconds=50)
    assert (await rows(session))["neon", "project"].state == "gone"


@pytest.mark.usefixtures("without_sandbox")
async def test_a_deletion_that_is_throttled_is_put_off_for_as_long_and_counts_for_nothing(
    vendor_settings: Any, begin: Any, rows: Any
) -> None:
    session = await begin()
    await services.converge(session.pk)
    await database_sync_to_async(services.request_teardown)(session)
    vendor_settings.set_faults([fault("github", "delete_repository", "status:429")])
    await services.converge(session.pk)
    row = (await rows(session))["github", "repository"]
    assert (row.state, row.delete_attempts) == ("deleting", 0)
    vendor = await database_sync_to_async(Vendor.objects.get)(provider="github")
    assert row.next_at > vendor.paused_until
    assert not vendor.making_only


@pytest.mark.usefixtures("without_sandbox")
async def test_what_an_account_that_is_full_has_no_room_to_make_can_still_be_deleted_there(
    vendor_settings: Any, begin: Any, rows: Any
) -> None:
    first, second = await begin(), await begin()
    await services.converge(first.pk)
    vendor_settings.set_faults([fault("github", "create_repository", "status:429")])
    making = asyncio.create_task(services.converge(second.pk))
    full = Vendor.objects.filter(provider="github", making_only=True)
    async with asyncio.timeout(60):
        while not await database_sync_to_async(full.exists)():
            await asyncio.sleep(0.05)
    making.cancel()
    await asyncio.wait({making})
    await database_sync_to_async(services.request_teardown)(first)
    await services.converge(first.pk)
    assert (await rows(first))["github", "repository"].state == "gone"
    assert (await rows(second))["github", "repository"].state != "ready"


@pytest.mark.django_db
def test_a_pause_of_making_alone_becomes_one_of_everything_when_a_delete_is_throttled_too() -> None:
    standing.pause(REPOSITORY, None, making_only=True)
    assert standing.of("github").deletes_paused_for == 0
    standing.pause(REPOSITORY, 30.0)
    assert standing.of("github").deletes_paused_for > 25
    standing.pause(REPOSITORY, None, making_only=True)
    assert standing.of("github").deletes_paused_for > 25


async def probe_comes_due() -> None:
    await database_sync_to_async(Vendor.objects.update)(probe_at=timezone.now() - timedelta(seconds=1))


@pytest.mark.usefixtures("without_sandbox")
async def test_i25_a_refused_key_costs_three_calls_and_one_alert_and_nobody_else(
    vendor_settings: Any, begin: Any, caplog: pytest.LogCaptureFixture
) -> None:
    vendor_settings.set_faults([fault("resend", "*", "status:401")])
    sessions = [await provision(begin) for _ in range(6)]
    asked = [record for record in caplog.records if record.getMessage().startswith("create_failed")]
    assert len(asked) == standing.OPENS_AFTER == 3
    told = await database_sync_to_async(lambda: list(Alert.objects.values_list("kind", "subject", "cleared_at")))()
    assert told == [("key_refused", "resend", None)]
    for session in sessions:
        resend = await database_sync_to_async(chip)(session, "resend")
        assert (resend["state"], resend["error"]["reason"]) == ("failed", "unauthorized")
        for provider in ("github", "neon"):
            assert (await database_sync_to_async(chip)(session, provider))["state"] == "ready"


@pytest.mark.usefixtures("without_sandbox")
async def test_the_breaker_closes_by_itself_once_the_key_is_right_again(
    vendor_settings: Any, begin: Any, caplog: pytest.LogCaptureFixture
) -> None:
    vendor_settings.set_faults([fault("github", "*", "status:403")])
    for _ in range(3):
        await provision(begin)
    before = len([each for each in caplog.records if each.getMessage().startswith("create_failed")])
    await probe_comes_due()
    await provision(begin)  # a probe, refused
    await provision(begin)  # the next is not due
    asked = [each for each in caplog.records if each.getMessage().startswith("create_failed")]
    assert len(asked) == before + 1
    assert 15 < (await database_sync_to_async(seconds_to_probe)("github")) <= 20
    vendor_settings.clear_faults()
    await probe_comes_due()
    for _ in range(2):
        session = await provision(begin)
        assert (await database_sync_to_async(chip)(session, "github"))["state"] == "ready"
    row = await database_sync_to_async(Vendor.objects.get)(provider="github")
    assert (row.refusals, row.probe_at) == (0, None)


def seconds_to_probe(provider: str) -> float:
    at = Vendor.objects.get(provider=provider).probe_at
    assert at is not None
    return (at - timezone.now()).total_seconds()


@pytest.mark.usefixtures("without_sandbox")
async def test_a_person_who_presses_retry_need_not_wait_for_the_probe(vendor_settings: Any, begin: Any) -> None:
    vendor_settings.set_faults([fault("neon", "*", "status:401")])
    session = [await provision(begin) for _ in range(4)][-1]
    vendor_settings.clear_faults()
    assert await database_sync_to_async(services.retry)(session, "neon")
    await services.converge(session.pk)
    assert (await database_sync_to_async(chip)(session, "neon"))["state"] == "ready"


@pytest.mark.django_db(transaction=True)
def test_of_all_who_come_when_the_probe_is_due_one_is_let_through() -> None:
    for _ in range(3):
        standing.refused("github")
    Vendor.objects.update(probe_at=timezone.now() - timedelta(seconds=1))
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: with_own_connection(standing.take_probe, "github"), range(24)))
    assert taken.count(True) == 1


@pytest.mark.django_db
def test_probes_come_ten_seconds_apart_then_twice_that_up_to_five_minutes() -> None:
    for _ in range(3):
        standing.refused("github")
    lengths = [seconds_to_probe("github")]
    for _ in range(7):
        Vendor.objects.update(probe_at=timezone.now() - timedelta(seconds=1))
        assert standing.take_probe("github")
        standing.refused("github")
        lengths.append(seconds_to_probe("github"))
    assert [round(length, -1) for length in lengths] == [10, 20, 40, 80, 160, 300, 300, 300]


@pytest.mark.django_db
def test_refusals_that_a_success_comes_between_open_nothing() -> None:
    for _ in range(4):
        standing.refused("github")
        standing.refused("github")
        admission.heard(REPOSITORY, standing.of("github"), None)
    assert not standing.of("github").refusing


@pytest.mark.usefixtures("without_sandbox")
async def test_deletes_pass_the_breaker_and_close_it(vendor_settings: Any, begin: Any, rows: Any) -> None:
    session = await provision(begin)
    for _ in range(3):
        await database_sync_to_async(standing.refused)("github")
    await database_sync_to_async(services.request_teardown)(session)
    await services.converge(session.pk)
    assert (await rows(session))["github", "repository"].state == "gone"
    assert not (await database_sync_to_async(standing.of)("github")).refusing


@pytest.mark.usefixtures("without_sandbox")
async def test_a_vendor_that_staff_have_stopped_is_not_asked_and_the_error_says_so(
    vendor_settings: Any, begin: Any
) -> None:
    await database_sync_to_async(Vendor.objects.create)(provider="neon", stopped=True)
    session = await provision(begin)
    neon = await database_sync_to_async(chip)(session, "neon")
    assert (neon["state"], neon["error"]["reason"], neon["attempt"]) == ("failed", "stopped", 0)
    assert neon["error"]["message"].startswith("Staff have paused Neon here")
    assert (await database_sync_to_async(chip)(session, "github"))["state"] == "ready"
    await database_sync_to_async(Vendor.objects.update)(stopped=False)
    await database_sync_to_async(services.retry)(session, "neon")
    await services.converge(session.pk)
    assert (await database_sync_to_async(chip)(session, "neon"))["state"] == "ready"


def test_only_a_throttle_pauses_and_only_a_refused_key_counts() -> None:
    from provisioning.exceptions import VendorError
    from provisioning.outcome import Hint

    throttle = {
        (Outcome.LATER, 429): True,
        (Outcome.LATER, 503): False,  # it names no time: see below
        (Outcome.LATER, 403): True,  # GitHub's secondary limit
        (Outcome.LATER, 423): False,
        (Outcome.REMEMBER, 429): True,
        (Outcome.REMEMBER, 500): False,
        (Outcome.CONFIG, 401): False,
        (Outcome.AMBIGUOUS, 502): False,
    }
    for (outcome, status), expected in throttle.items():
        assert admission.throttles(VendorError("x", outcome, status=status)) is expected
    assert admission.throttles(VendorError("x", Outcome.LATER, status=503, retry_after=5.0))
    assert not admission.throttles(VendorError("x", Outcome.REJECTED, status=429, hint=Hint.QUOTA))


@pytest.mark.django_db
def test_pauses_grow_only_while_no_call_is_taken_in_between() -> None:
    def throttled() -> float:
        standing.pause(REPOSITORY, None)
        length = standing.of("github").paused_for
        Vendor.objects.update(paused_until=timezone.now() - timedelta(seconds=1))
        return length

    grown = [throttled() for _ in range(4)][-1]
    admission.heard(REPOSITORY, standing.of("github"), None)
    assert throttled() < standing.SHORTEST_PAUSE * 1.5 < grown
    standing.pause(REPOSITORY, 30.0)
    admission.heard(REPOSITORY, None, None)  # let in before the pause
    assert Vendor.objects.get(provider="github").pauses > 1


@pytest.mark.django_db
def test_only_the_third_503_in_a_row_that_names_no_time_is_a_throttle() -> None:
    from provisioning.exceptions import VendorError

    away = VendorError("x", Outcome.LATER, status=503)
    for _ in range(4):
        admission.heard(REPOSITORY, None, away)
        admission.heard(REPOSITORY, None, away)
        assert standing.of("github").troubled
        assert standing.of("github").paused_for == 0
        admission.heard(REPOSITORY, None, None)
        assert not standing.of("github").troubled
    for _ in range(3):
        admission.heard(REPOSITORY, None, away)
    assert standing.of("github").paused_for > 0
