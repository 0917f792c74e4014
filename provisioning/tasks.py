"""Jobs of provisioning, run by the worker on Postgres."""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from channels.db import database_sync_to_async
from django.db.models import Q
from django.utils import timezone
from procrastinate.contrib.django import app

from provisioning import ledger
from provisioning.converge import converge
from provisioning.models import Resource

log = logging.getLogger(__name__)

_FORGOTTEN = timedelta(minutes=6)  # longer than any leg is worked on or waited for
_BATCH = 20


@app.periodic(cron="* * * * *")
@app.task(queue="provision", name="provisioning.tasks.take_up", queueing_lock="take_up")
async def take_up(timestamp: int) -> None:  # noqa: ARG001 (given by the scheduler)
    """Bring open sessions to rest whose legs everybody else has forgotten; closing ones have jobs of their own."""
    for session_id in await database_sync_to_async(forgotten)():
        log.info("session_taken_up session=%s", session_id)
        await converge(session_id)


def forgotten() -> list[UUID]:
    """Open sessions with a leg in flight that has not moved for longer than any leg may take, oldest first."""
    since = timezone.now() - _FORGOTTEN
    rows = Resource.objects.filter(
        session__state="open", state__in=[*ledger.IN_FLIGHT, Resource.State.PLANNED], created_at__lt=since
    ).exclude(Q(started_at__gt=since) | Q(next_at__gt=timezone.now()))
    # A second step waits for ever behind a first one that failed; that is settled, not forgotten.
    stuck_behind = Resource.objects.filter(session__state="open", state=Resource.State.FAILED)
    waiting = set(stuck_behind.values_list("session_id", "provider"))
    found = [row.session_id for row in rows.order_by("created_at") if (row.session_id, row.provider) not in waiting]
    return list(dict.fromkeys(found))[:_BATCH]
