"""A leg that has no place in its vendor's budget yet waits for it in the open, and holds up nobody else."""

from __future__ import annotations

import asyncio
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.utils import timezone

from provisioning import admission, budgets, delivery, rates, services, standing
from provisioning.models import Bucket, Resource, Vendor
from provisioning.providers.registry import step_for
from sessions_app.models import Session
from sessions_app.slugs import slug_for
from tests.provisioning.vendors_asked import LONG, REPOSITORY, chip, fault, provision
from tests.provisioning.waiting import converge_elsewhere


@pytest.mark.usefixtures("without_sandbox")
async def test_a_leg_that_has_to_queue_says_when_it_begins_and_begins_then(
    vendor_settings: Any, begin: Any, rows: Any, heard: Any, budget: Any
) -> None:
    budget("github", "30/m")  # six at once, then one in 2.6 s
    for _ in range(7):  # so it is the second of those that wait
        await database_sync_to_async(budgets.reserve)(REPOSITORY, rates.parse("30/m"), patience=LONG)
    session = await begin()
    await services.converge(session.pk)
    told = [each for each in heard.of("resource_changed", session) if each["provider"] == "github"]
    assert [each["state"] for each in told] == ["planned", "planned", "creating", "ready"]
    assert [each["starts_in_ms"] is None for each in told] == [True, False, True, True]
    assert 500 < told[1]["starts_in_ms"] <= 5200
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

    async with asyncio.timeout(60):
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
    async with asyncio.timeout(60):
        while not await database_sync_to_async(queued.exists)():
            await asyncio.sleep(0.02)
