"""A process whose clock is wrong does nothing that one whose clock is right would not do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from channels.db import database_sync_to_async
from django.db import connection
from django.db.models.functions import Now
from django.test import AsyncClient

from provisioning import clock, services, sweep
from sessions_app import sweeps, tokens
from sessions_app.models import Session

HOUR = timedelta(hours=1)
pytestmark = pytest.mark.usefixtures("without_sandbox")


@pytest.fixture(params=[HOUR, -HOUR], ids=["ahead", "behind"])
def wrong_clock(request: pytest.FixtureRequest) -> Iterator[None]:
    """This process's wall clock is an hour off, the database's and the vendors' are not."""
    with time_machine.travel(datetime.now(UTC) + request.param):
        yield


async def test_i6_what_a_lost_reply_made_is_adopted_whatever_the_clock_says(
    vendor_settings: Any, begin: Any, rows: Any, wrong_clock: None
) -> None:
    vendor_settings.set_faults([{"vendor": "neon", "operation": "create_project", "fault": "reset_after"}])
    session = await begin()
    await services.converge(session.pk)
    made = vendor_settings.ledger(vendor="neon", name=f"mk0r-{session.slug}")
    assert len(made) == 1
    assert (await rows(session))["neon", "project"].external_id == made[0]["id"]
    await database_sync_to_async(services.request_teardown)(session)
    await services.converge(session.pk)
    assert not vendor_settings.live(name=f"mk0r-{session.slug}")


@pytest.mark.django_db
def test_i12_a_lease_is_over_when_the_database_says_so(wrong_clock: None) -> None:
    now = clock.now()
    runs = Session.objects.create(slug="a" * 12, expires_at=now + timedelta(minutes=1), prompted_at=now)
    over = Session.objects.create(slug="b" * 12, expires_at=now - timedelta(minutes=1), prompted_at=now)
    assert tokens.resolve_gateway_token(tokens.gateway_token(runs)) == runs
    assert tokens.resolve_gateway_token(tokens.gateway_token(over)) is None
    assert sweeps.close_due() == [over.slug]


@pytest.mark.django_db
def test_i12_a_new_session_lives_as_long_as_it_should(wrong_clock: None, settings: Any) -> None:
    from sessions_app.services import session_begin

    left = session_begin(None).expires_at - clock.now()
    assert abs(left - timedelta(seconds=settings.MK0R_SESSION_TTL)) < timedelta(seconds=60)


@pytest.mark.django_db
def test_a_session_that_somebody_looks_at_is_not_abandoned_whatever_the_clock_says(wrong_clock: None) -> None:
    from sessions_app.services import session_begin, session_touch

    session = session_begin(None)
    assert sweeps.close_due() == []
    session_touch(session.pk)
    assert sweeps.close_due() == []
    session.refresh_from_db()
    assert abs(session.last_active_at - clock.now()) < timedelta(seconds=60)


async def test_a_sweep_is_dated_by_the_database(
    vendor_settings: Any, transactional_db: None, wrong_clock: None
) -> None:
    """By a clock that was ahead, the next sweep would be due an hour late, and what was just made be old enough."""
    run = await sweep.run(dry=True)
    assert abs(run.started_at - await database_sync_to_async(clock.now)()) < timedelta(seconds=60)


@pytest.mark.django_db
async def test_a_worker_that_beats_is_alive_whatever_the_clock_says(transactional_db: None, wrong_clock: None) -> None:
    def beat() -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now()) RETURNING id")

    await database_sync_to_async(beat)()
    checks = (await AsyncClient().get("/api/health")).json()["checks"]
    assert checks["worker"]["ok"]


async def test_a_wait_that_the_database_set_is_as_long_as_it_says_whatever_the_clock_says(
    vendor_settings: Any, begin: Any, rows: Any, wrong_clock: None
) -> None:
    session = await begin()
    await database_sync_to_async(session.resources.filter(provider="github").update)(
        next_at=clock_in(timedelta(seconds=2))
    )
    began = time.monotonic()
    await services.converge(session.pk)
    assert (await rows(session))["github", "repository"].state == "ready"
    assert 1 < time.monotonic() - began < 100


def clock_in(more: timedelta) -> Any:
    """The database's time so much later."""
    return Now() + more
