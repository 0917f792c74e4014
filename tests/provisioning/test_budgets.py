"""What a vendor lets us ask is shared by every process, never exceeded, and waited for in the open (I-25)."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db import connection
from django.utils import timezone

from provisioning import admission, budgets, delivery, rates, services, standing
from provisioning.models import Alert, Bucket, Resource, Vendor
from provisioning.outcome import Outcome
from provisioning.providers.registry import STEPS, step_for
from provisioning.rates import Rate
from sessions_app.models import Session
from sessions_app.slugs import slug_for
from tests.provisioning.waiting import converge_elsewhere

REPOSITORY = step_for("github", "repository")
PROJECT = step_for("neon", "project")
LONG = 100_000.0


def fault(vendor: str, operation: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"vendor": vendor, "operation": operation, "fault": kind, "probability": 1} | more


def most_within(moments: list[datetime], seconds: float) -> int:
    """The most moments that any half-open window of that length holds."""
    stamps = sorted(moment.timestamp() for moment in moments)
    return max(sum(1 for other in stamps if start <= other < start + seconds) for start in stamps)


def with_own_connection(call: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return call(*args, **kwargs)
    finally:
        connection.close()


def chip(session: Session, provider: str) -> dict[str, Any]:
    return next(each for each in services.resources_state(session) if each["provider"] == provider)


@pytest.fixture
def budget(settings: Any) -> Callable[[str, str], None]:
    """Set one vendor's budget for this test."""

    def put(provider: str, text: str) -> None:
        settings.VENDOR_BUDGETS = {**settings.VENDOR_BUDGETS, provider: rates.parse(text)}

    return put


# --- what settings say ------------------------------------------------------------------------------------------------


def test_a_budget_is_read_as_it_is_written() -> None:
    assert rates.parse("80/m,500/h") == (Rate(80, 60), Rate(500, 3600))
    assert rates.parse(" 500/h , 80/m ") == (Rate(80, 60), Rate(500, 3600))
    assert rates.parse("") == rates.parse("  ") == ()


@pytest.mark.parametrize(
    "text", ["80", "80/d", "0/s", "-1/s", "5/s,", ",", "5/s,6/s", "1.5/s", "5 / s", "٥/s", "5/s\n6/m"]
)
def test_a_budget_that_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="N/s, N/m or N/h"):
        rates.parse(text)


def test_a_bad_budget_stops_the_start_and_names_itself() -> None:
    code = "import mk0r.settings"
    environment = {
        "GITHUB_BUDGET": "80 a minute",
        "SECRET_KEY": "x",
        "MK0R_ENCRYPTION_KEYS": "x",
        "MK0R_VAR": "/nowhere",
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "ImproperlyConfigured: GITHUB_BUDGET: '80 a minute' is not N/s" in done.stderr


def test_a_stand_in_on_this_machine_has_no_budget_unless_one_is_set(settings: Any, budget: Any) -> None:
    settings.GITHUB_API_URL = "https://api.github.com"
    assert budgets.rates_of(REPOSITORY) == (Rate(80, 60), Rate(500, 3600))
    settings.GITHUB_API_URL = "http://127.0.0.1:8001/github"
    assert budgets.rates_of(REPOSITORY) == ()
    budget("github", "2/s")
    assert budgets.rates_of(REPOSITORY) == (Rate(2, 1),)
    settings.GITHUB_API_URL = "https://api.github.com"
    budget("github", "")
    assert budgets.rates_of(REPOSITORY) == ()


def test_every_vendor_that_is_asked_has_a_default_and_one_price() -> None:
    remote = {step.provider for step in STEPS if step.remote}
    assert remote == set(budgets.DEFAULTS)
    for provider in remote:
        assert len({step.cost for step in STEPS if step.provider == provider}) == 1


# --- the buckets ------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("step", "text", "attempts"),
    [
        (REPOSITORY, "80/m,500/h", 700),
        (REPOSITORY, "5/s", 40),
        (REPOSITORY, "1/s", 10),
        (REPOSITORY, "1/h", 3),
        (PROJECT, "11/s", 20),
        (PROJECT, "700/m", 400),
        (PROJECT, "3/s", 6),
    ],
)
def test_i25_the_places_in_no_window_are_more_than_the_budget(step: Any, text: str, attempts: int) -> None:
    told = rates.parse(text)
    places = [budgets.reserve(step, told, patience=LONG).at for _ in range(attempts)]
    assert places == sorted(places)
    for rate in told:
        windows = -(-step.cost // rate.count)
        assert most_within(places, rate.seconds * windows) * step.cost <= rate.count * windows


@pytest.mark.django_db
def test_i25_the_window_holds_as_well_when_every_start_is_late_by_as_much_as_is_allowed() -> None:
    told = rates.parse("80/m,500/h")
    places = [budgets.reserve(REPOSITORY, told, patience=LONG).at for _ in range(600)]
    late = [at + timedelta(seconds=budgets.GRACE * 0.999 * (number % 2)) for number, at in enumerate(places)]
    for rate in told:
        assert most_within(late, rate.seconds) <= rate.count


@pytest.mark.django_db
def test_a_small_crowd_is_let_in_at_once_and_the_rest_evenly() -> None:
    told = rates.parse("80/m,500/h")
    waits = [budgets.reserve(REPOSITORY, told, patience=LONG).wait for _ in range(20)]
    assert waits[:16] == [0.0] * 16
    assert all(0.5 < wait < 6 for wait in waits[16:])


@pytest.mark.django_db
def test_a_place_too_far_away_is_not_booked_and_leaves_the_queue_as_it_was() -> None:
    told = rates.parse("1/m")
    assert budgets.reserve(REPOSITORY, told, patience=10).wait == 0.0
    booked = Bucket.objects.get().booked_until
    for _ in range(3):
        place = budgets.reserve(REPOSITORY, told, patience=10)
        assert not place.taken
        assert 50 < place.wait < 70
    assert Bucket.objects.get().booked_until == booked


@pytest.mark.django_db(transaction=True)
def test_i25_many_who_ask_at_once_get_places_that_fit_one_budget() -> None:
    told = rates.parse("60/m,300/h")

    def ask(_: int) -> datetime:
        place: budgets.Place = with_own_connection(budgets.reserve, REPOSITORY, told, patience=LONG)
        return place.at

    with ThreadPoolExecutor(16) as pool:
        places = list(pool.map(ask, range(320)))
    assert most_within(places, 60) <= 60
    assert most_within(places, 3600) <= 300
    assert_nobody_shares_a_place(places)


def assert_nobody_shares_a_place(places: list[datetime]) -> None:
    """After the twelve that 60/m lets in at once, each has a place of its own: 65 s for 49 of them."""
    ordered = sorted(places)[12:]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(ordered)]
    assert min(gaps) > 65 / 49 * 0.99


PROCESS = """
import django; django.setup()
from provisioning import budgets, rates
from provisioning.providers.registry import step_for
told = rates.parse("60/m")
for _ in range({count}):
    print(budgets.reserve(step_for("github", "repository"), told, patience=1e6).at.isoformat(), flush=True)
"""


@pytest.mark.django_db(transaction=True)
def test_i25_processes_that_know_nothing_of_each_other_share_it() -> None:
    held = connection.settings_dict
    environment = {
        "DATABASE_URL": f"postgres://{held['USER']}:{held['PASSWORD']}@{held['HOST']}:{held['PORT']}/{held['NAME']}",
        "DJANGO_SETTINGS_MODULE": "mk0r.settings",
        "SECRET_KEY": "x",
        "MK0R_ENCRYPTION_KEYS": "t1:dGVzdC1vbmx5LTMyLWJ5dGVzLWtleS0wMDAwMDAwMDA=",
        "MK0R_VAR": "/nowhere",
    }
    command = [sys.executable, "-c", PROCESS.format(count=40)]
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    places = [datetime.fromisoformat(line) for each in running for line in each.communicate()[0].split()]
    assert len(places) == 120
    assert most_within(places, 60) <= 60
    assert_nobody_shares_a_place(places)


# --- the queue --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("without_sandbox")
async def test_a_leg_that_has_to_queue_says_when_it_begins_and_begins_then(
    vendor_settings: Any, begin: Any, rows: Any, heard: Any, budget: Any
) -> None:
    budget("github", "30/m")  # six at once, then one in 2.2 s
    for _ in range(6):
        await database_sync_to_async(budgets.reserve)(REPOSITORY, rates.parse("30/m"), patience=LONG)
    session = await begin()
    await services.converge(session.pk)
    told = [each for each in heard.of("resource_changed", session) if each["provider"] == "github"]
    assert [each["state"] for each in told] == ["planned", "planned", "creating", "ready"]
    assert [each["starts_in_ms"] is None for each in told] == [True, False, True, True]
    assert 500 < told[1]["starts_in_ms"] < 5000
    row = (await rows(session))["github", "repository"]
    assert row.attempt == 1
    assert (row.place_at, row.next_at, row.queued_at) == (None, None, None)


@pytest.mark.usefixtures("without_sandbox")
async def test_a_queued_leg_holds_up_neither_env_nor_whoever_waits_for_the_session(
    vendor_settings: Any, begin: Any, heard: Any, budget: Any
) -> None:
    budget("github", "1/m")
    await database_sync_to_async(budgets.reserve)(REPOSITORY, rates.parse("1/m"), patience=LONG)
    session = await begin()
    async with asyncio.timeout(25):
        await services.converge(session.pk)
    github = await database_sync_to_async(chip)(session, "github")
    assert github["state"] == "planned"
    assert github["starts_in_ms"] > 30_000
    assert github["elapsed_ms"] == 0
    assert heard.states(session, "neon")[-1] == heard.states(session, "resend")[-1] == "ready"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("queued", "vain"),
    [
        ({}, False),  # nothing is missing
        ({"github": 20}, True),
        ({"github": 10}, False),  # comes within its deadline
        ({"github": 20, "neon": 40}, True),
        ({"github": 20, "neon": 10}, False),
        ({"e2b": 300}, False),  # without a sandbox there is nothing to begin with
    ],
)
def test_a_turn_waits_for_what_comes_soon_and_not_for_the_rest(queued: dict[str, float], vain: bool) -> None:
    session_id = uuid.uuid4()
    session = Session.objects.create(id=session_id, slug=slug_for(session_id))
    services.plan(session)
    now = timezone.now()
    session.resources.update(state="ready", external_id="x", attempt=1)
    for provider, wait in queued.items():
        session.resources.filter(provider=provider).update(state="planned", place_at=now + timedelta(seconds=wait))
    e2b = session.resources.get(provider="e2b")
    if e2b.state == "ready":
        assert services.nothing_comes_soon(session) is False  # `.env` is not written yet
        e2b.meta = {"env": delivery._digest(services.env_text(session))}
        e2b.save()
    assert services.nothing_comes_soon(session) is vain


@pytest.mark.usefixtures("without_sandbox")
async def test_a_place_outlives_the_process_that_reserved_it_and_is_not_asked_for_twice(
    vendor_settings: Any, begin: Any, rows: Any, budget: Any
) -> None:
    budget("github", "30/m")
    for _ in range(7):
        await database_sync_to_async(budgets.reserve)(REPOSITORY, rates.parse("30/m"), patience=LONG)
    session = await begin()
    dying = asyncio.create_task(services.converge(session.pk))

    def place() -> datetime | None:
        return Resource.objects.get(session_id=session.pk, provider="github").place_at

    async with asyncio.timeout(10):
        while (held := await database_sync_to_async(place)()) is None:
            await asyncio.sleep(0.02)
    dying.cancel()
    await asyncio.wait({dying})
    booked = (await database_sync_to_async(Bucket.objects.get)(provider="github")).booked_until
    await converge_elsewhere(session.pk)
    row = (await rows(session))["github", "repository"]
    assert row.state == "ready"
    assert held is not None
    assert row.started_at >= held
    assert (await database_sync_to_async(Bucket.objects.get)(provider="github")).booked_until == booked


@pytest.mark.django_db
def test_a_place_nobody_came_for_is_exchanged_for_another(budget: Any, settings: Any) -> None:
    budget("github", "1/m")
    budgets.reserve(REPOSITORY, rates.parse("1/m"), patience=LONG)
    now = timezone.now()
    kept = Resource(provider="github", place_at=now - timedelta(seconds=budgets.GRACE / 2))
    lost = Resource(provider="github", place_at=now - timedelta(seconds=budgets.GRACE * 2))
    assert admission.ask(kept, REPOSITORY, standing.of("github")) == 0.0
    assert admission.ask(lost, REPOSITORY, standing.of("github")) > 30


@pytest.mark.django_db
def test_without_a_budget_and_without_trouble_nothing_is_written(budget: Any) -> None:
    budget("github", "")
    row = Resource(provider="github")
    now = standing.of("github")
    assert admission.ask(row, REPOSITORY, now) == 0.0
    admission.heard(REPOSITORY, now, None)
    assert not Vendor.objects.exists()
    assert not Bucket.objects.exists()


@pytest.mark.usefixtures("without_sandbox")
async def test_the_second_step_of_a_leg_queues_in_the_open_too(
    vendor_settings: Any, begin: Any, heard: Any, budget: Any
) -> None:
    vendor_settings.set_faults([fault("resend", "create_api_key", "status:422")])
    session = await provision(begin)
    vendor_settings.clear_faults()
    budget("resend", "1/m")
    await database_sync_to_async(budgets.reserve)(step_for("resend", "audience"), rates.parse("1/m"), patience=LONG)
    await database_sync_to_async(services.retry)(session, "resend")
    await services.converge(session.pk)
    told = [each for each in heard.of("resource_changed", session) if each["provider"] == "resend"]
    assert (told[-1]["kind"], told[-1]["state"]) == ("api_key", "planned")
    assert told[-1]["starts_in_ms"] > 30_000


@pytest.mark.usefixtures("without_sandbox")
async def test_an_end_or_a_stop_reaches_a_leg_that_queues(
    vendor_settings: Any, begin: Any, rows: Any, budget: Any
) -> None:
    budget("github", "10/m")
    for _ in range(4):
        await database_sync_to_async(budgets.reserve)(REPOSITORY, rates.parse("10/m"), patience=LONG)
    session = await begin()
    converging = asyncio.create_task(services.converge(session.pk))
    await until_queued(session)
    await database_sync_to_async(services.request_teardown)(session)
    await converging
    assert {row.state for row in (await rows(session)).values()} == {"gone"}
    assert vendor_settings.ledger(vendor="github", name=f"mk0r-{session.slug}") == []


async def until_queued(session: Session) -> None:
    queued = Resource.objects.filter(session_id=session.pk, place_at__isnull=False)
    async with asyncio.timeout(10):
        while not await database_sync_to_async(queued.exists)():
            await asyncio.sleep(0.02)


# --- the pause --------------------------------------------------------------------------------------------------------


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
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(3.0):
            await services.converge(second.pk)
    assert (await database_sync_to_async(Vendor.objects.get)(provider="github")).making_only
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


# --- the breaker ------------------------------------------------------------------------------------------------------


async def provision(begin: Any) -> Session:
    session: Session = await begin()
    await services.converge(session.pk)
    return session


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
