"""F14: a vendor will not delete; what was made is remembered, tried again, shown, and in the end gone.

Half of the sessions meet a delete that fails six times and then works. For the other half it fails for ever: six tries
later the row is stuck, staff see it and hear of it once, and it is tried again every hour.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.fixtures.ground import begin, ground

TITLE = "a delete that fails is tried six times, then loudly stuck and tried hourly; one that works again ends it"
SMALL, FULL = 2, 50
TRIES = 6
THINGS = [
    ("github", "repository", "delete_repository"),
    ("resend", "audience", "delete_audience"),
    ("resend", "api_key", "delete_api_key"),
    ("neon", "project", "delete_project"),
]
REFUSALS = ["status:500", "status:403", "status:409", "reset_before", "status:503"]


def alerts_about(row: Any) -> int | None:
    """How many alerts speak of the row; None where this installation keeps none."""
    try:
        from provisioning.models import Alert  # type: ignore[attr-defined]
    except ImportError:
        return None
    return sum(row.name in alert.subject or alert.subject == str(row.pk) for alert in Alert.objects.all())


def seen_by_staff(row: Any) -> bool:
    """Whether the list of stuck resources in the admin shows the row."""
    from django.contrib.auth import get_user_model
    from django.test import Client

    users = get_user_model()
    sam = users.objects.filter(username="sam").first() or users.objects.create_superuser("sam", password="secret")
    client = Client()
    client.force_login(sam)
    page = client.get("/admin/provisioning/resource/", {"state__exact": "stuck"}, headers={"host": "127.0.0.1"})
    assert page.status_code == 200, f"the admin answers {page.status_code}"
    return row.name in page.content.decode()


def due_in(row: Any) -> timedelta:
    """How long until the row's next try; then let that time pass."""
    from django.utils import timezone

    row.refresh_from_db()
    left: timedelta = row.next_at - timezone.now()
    type(row).objects.filter(pk=row.pk).update(next_at=timezone.now() - timedelta(seconds=1))
    return left


async def one(under: Any, number: int, *, for_ever: bool) -> dict[str, Any]:
    from channels.db import database_sync_to_async

    from provisioning import services

    vendor, kind, operation = THINGS[number // 2 % len(THINGS)]
    session = await database_sync_to_async(begin)()
    await services.converge(session.pk)
    refusal = REFUSALS[number % len(REFUSALS)]
    under.cloud.set_faults([{"vendor": vendor, "operation": operation, "fault": refusal}])
    await database_sync_to_async(services.request_teardown)(session)
    row = await database_sync_to_async(session.resources.get)(provider=vendor, kind=kind)
    waits = []
    for tries in range(1, TRIES + (3 if for_ever else 1)):
        await services.converge(session.pk)
        waits.append(await database_sync_to_async(due_in)(row))
        assert row.state == ("deleting" if tries < TRIES else "stuck"), f"try {tries} of {operation}: {row.state}"
        assert row.delete_attempts == tries, f"{row.delete_attempts} tries are counted, not {tries}"
        assert row.error["message"], f"{row} says nothing"
    hours = [wait for wait in waits[TRIES - 1 :] if timedelta(minutes=59) < wait <= timedelta(minutes=61)]
    assert len(hours) == len(waits) - TRIES + 1, f"what is stuck is tried after {waits[TRIES - 1 :]}"
    assert all(later > first for first, later in zip(waits[: TRIES - 2 : 2], waits[2:TRIES:2], strict=False)), waits
    assert await database_sync_to_async(seen_by_staff)(row), "the admin does not show what is stuck"
    alerts = await database_sync_to_async(alerts_about)(row)
    assert alerts in {None, 1}, f"{alerts} alerts for one stuck resource"
    left = [thing for thing in under.cloud.live() if session.slug in thing["name"]]
    assert len(left) == 1, f"{len(left)} things are left where one could not be deleted"
    under.cloud.clear_faults()
    await services.converge(session.pk)
    states = await database_sync_to_async(lambda: set(session.resources.values_list("state", flat=True)))()
    assert states == {"gone"}, f"the vendor deletes again, and the session's rows are {states}"
    assert not [thing for thing in under.cloud.live() if session.slug in thing["name"]], "something is left"
    return {"tries": len(waits), "alerts": alerts}


async def measure(under: Any, size: int) -> dict[str, Any]:
    from provisioning import http

    done = [await one(under, number, for_ever=bool(number % 2)) for number in range(size)]
    await http.close_clients()
    told = [one["alerts"] for one in done if one["alerts"] is not None]
    return {"sessions": size, "tries": sum(one["tries"] for one in done), "alerts": sum(told) if told else None}


def run(size: int, scratch: Path) -> dict[str, object]:
    """Refuse to delete one thing of each of `size` sessions."""
    with ground(scratch, E2B_API_KEY="") as under:
        from provisioning import teardown

        teardown.QUICK_TRIES = 1  # within one call; what is tried here are the calls
        return asyncio.run(measure(under, size))
