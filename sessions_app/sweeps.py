"""What time does to sessions: looked for by periodic jobs, each finding its work in the rows alone."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.exceptions import AlreadyEnqueued

from provisioning import services as provisioning
from provisioning.models import Resource
from sessions_app.models import Event, Session
from sessions_app.services import session_end
from sessions_app.turns import ACTIVE

log = logging.getLogger(__name__)

_TEARDOWN = "sessions_app.tasks.teardown"
_LATE_SECONDS = 40  # past every leg's deadline: nobody who began it still waits for it
_BATCH = 100


def close_due(at: float) -> list[str]:
    """End what is due at the time `at` (seconds since the epoch). Returns the slugs of the sessions that were ended."""
    now = datetime.fromtimestamp(at, tz=UTC)
    abandoned = Q(prompted_at=None, last_active_at__lt=now - timedelta(seconds=settings.MK0R_ABANDONED_TTL))
    due = Session.objects.filter(Q(expires_at__lt=now) | abandoned, state=Session.State.OPEN)[:_BATCH]
    ended = [session.slug for session in due if session_end(session)]
    for slug in ended:
        log.info("session.due_ended session=%s", slug)
    return ended


def provisioning_resume() -> int:
    """Defer converging of every open session with a leg that waits for somebody to go on with it. Returns how many."""
    now = timezone.now()
    soon = now + timedelta(seconds=provisioning.PATIENCE)  # early enough to be there when a place in a queue comes
    due = Q(resources__next_at=None) | Q(resources__next_at__lte=soon)
    late = Session.objects.filter(
        due,
        state=Session.State.OPEN,
        created_at__lt=now - timedelta(seconds=_LATE_SECONDS),
        resources__state__in=["planned", "creating", "unknown"],
    ).distinct()
    deferred = 0
    for session in late[:_BATCH]:
        job = app.configure_task(
            "sessions_app.tasks.converge_session", queue="provision", queueing_lock=f"converge.{session.pk}"
        )
        with suppress(AlreadyEnqueued), transaction.atomic():
            job.defer(session_id=str(session.pk))
            deferred += 1
    return deferred


def sessions_idle(limit: int = 20) -> list[UUID]:
    """Open sessions with a running sandbox where for `MK0R_IDLE_PAUSE` seconds nobody looked and no agent worked."""
    since = timezone.now() - timedelta(seconds=settings.MK0R_IDLE_PAUSE)
    running = Resource.objects.filter(provider="e2b", state=Resource.State.READY).exclude(
        meta__contains={"paused": True}
    )
    quiet = (
        Session.objects.filter(state=Session.State.OPEN, last_active_at__lt=since, pk__in=running.values("session_id"))
        .exclude(turns__state__in=ACTIVE)
        .exclude(turns__finished_at__gt=since)
    )
    return list(quiet.order_by("last_active_at").values_list("pk", flat=True)[:limit])


def teardowns_resume() -> None:
    """Give every closing session that has no teardown job left a new one: what is stuck is tried again, hourly."""
    hour_ago = timezone.now() - timedelta(hours=1)
    for session in Session.objects.filter(state=Session.State.CLOSING):
        jobs = ProcrastinateJob.objects.filter(task_name=_TEARDOWN, args__session_id=str(session.pk))
        if jobs.filter(status__in=["todo", "doing"]).exists():
            continue
        last = Event.objects.filter(session=session).order_by("-seq").first()
        if last is None or last.at < hour_ago:
            app.configure_task(_TEARDOWN, queue="teardown").defer(session_id=str(session.pk))
