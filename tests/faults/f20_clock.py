"""F20: this process's clock jumps; nothing ends or is refused early for it, nothing is kept longer, nothing is lost.

The clock jumps an hour ahead or back, to either side of a change of summer time, and into the last second of a year,
while the database's and the vendors' clocks go on. A minute is what a lease may be off by.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import time_machine

from tests.fixtures.ground import begin, ground

TITLE = "a clock that jumps ends no lease more than 60 s early or late, and loses nothing a vendor made"
SMALL, FULL = 4, 50
SKEW = timedelta(seconds=60)
HOUR = timedelta(hours=1)
ZONES = ("UTC", "Europe/Berlin", "America/New_York")
LEAP = "Sat, 31 Dec 2016 23:59:60 GMT"


def jumps() -> list[datetime]:
    """Where the clock goes: an hour off, into both changes of summer time, to the end of a year."""
    now = datetime.now(UTC)
    summer, winter = datetime(2027, 3, 28, 0, 59, 59, tzinfo=UTC), datetime(2026, 10, 25, 0, 59, 59, tzinfo=UTC)
    return [now + HOUR, now - HOUR, summer, winter, datetime(2026, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)]


@contextmanager
def jumped(number: int) -> Iterator[str]:
    """The wall clock of this process has jumped, in one of several time zones; yields where to."""
    places = jumps()
    moment, zone = places[number % len(places)], ZONES[number % len(ZONES)]
    usual, os.environ["TZ"] = os.environ.get("TZ", "UTC"), zone
    time.tzset()
    try:
        with time_machine.travel(moment):
            yield f"{moment:%Y-%m-%d %H:%M} in {zone}"
    finally:
        os.environ["TZ"] = usual
        time.tzset()


def assert_leases(session: Any, where: str) -> None:
    """Leases with a minute left are good, leases a minute over are not; synchronous database code."""
    from provisioning import clock, services
    from sessions_app import sweeps, tokens
    from sessions_app.models import Session

    token = tokens.gateway_token(session)
    for left, good in ((SKEW, True), (-SKEW, False)):
        ends = clock.now() + left
        Session.objects.filter(pk=session.pk).update(expires_at=ends, prompted_at=ends)
        for resource in session.resources.all():
            resource.credentials.update(expires_at=ends)
        assert (tokens.resolve_gateway_token(token) is not None) is good, f"{where}: a token with {left} left"
        names = services.env_entries(session)
        assert ("DATABASE_URL" in names) is good, f"{where}: credentials with {left} left"
        ended = sweeps.close_due()
        assert (session.slug in ended) is not good, f"{where}: a session with {left} left"


def assert_lifetime(where: str) -> None:
    """A session begun now lives as long as it should; synchronous database code."""
    from django.conf import settings

    from provisioning import clock
    from sessions_app.models import Session
    from sessions_app.services import session_begin, session_end

    session = session_begin(None)
    left = session.expires_at - clock.now()
    assert abs(left - timedelta(seconds=settings.MK0R_SESSION_TTL)) < SKEW, f"{where}: a new session has {left}"
    session_end(Session.objects.get(pk=session.pk))


async def one(under: Any, number: int) -> None:
    """Begin, lose a reply, and end a session while the clock is wrong."""
    from channels.db import database_sync_to_async

    from provisioning import services

    vendor, operation = [("github", "create_repository"), ("neon", "create_project")][number % 2]
    under.cloud.set_faults([{"vendor": vendor, "operation": operation, "fault": "reset_after"}])
    with jumped(number) as where:
        session = await database_sync_to_async(begin)()
        await services.converge(session.pk)
        under.cloud.clear_faults()
        made = [thing for thing in under.cloud.ledger() if session.slug in thing["name"]]
        assert len(made) == 4, f"{where}: {len(made)} things were made for four rows"
        await database_sync_to_async(assert_leases)(session, where)
        await database_sync_to_async(assert_lifetime)(where)
        await services.converge(session.pk)
    states = await database_sync_to_async(lambda: set(session.resources.values_list("state", flat=True)))()
    assert states == {"gone"}, f"{where}: the session ended, and its rows are {states}"
    assert not [thing for thing in under.cloud.live() if session.slug in thing["name"]], f"{where}: something is left"


async def measure(under: Any, size: int) -> dict[str, Any]:
    from provisioning import http
    from provisioning.outcome import retry_after

    wait = retry_after(LEAP)
    assert wait is None or 0 <= wait <= 3600, f"a leap second is {wait}"
    for number in range(size):
        await one(under, number)
    await http.close_clients()
    return {"jumps": size, "early": 0, "late": 0, "left": 0}


def run(size: int, scratch: Path) -> dict[str, object]:
    """Let the clock jump under `size` sessions."""
    with ground(scratch, E2B_API_KEY="") as under:
        return asyncio.run(measure(under, size))
