"""What time does to sessions: looked for by periodic jobs, each finding its work in the rows alone."""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from provisioning import clock, giving, lapses, rotations, unsettled
from provisioning import services as provisioning
from provisioning.models import Resource
from sessions_app import jobs
from sessions_app.models import Session
from sessions_app.services import session_end
from sessions_app.turns import ACTIVE

log = logging.getLogger(__name__)

_ALIVE = [state for state in Resource.State if state != Resource.State.GONE]
_BATCH = 100


def close_due() -> list[str]:
    """End what is due by the database's clock. Returns the slugs of the sessions that were ended."""
    ended = [session.slug for session in _due().order_by("expires_at")[:_BATCH] if _end(session)]
    for slug in ended:
        log.info("session.due_ended session=%s", slug)
    return ended


def _due() -> QuerySet[Session]:
    now = clock.now()
    abandoned = Q(prompted_at=None, last_active_at__lt=now - timedelta(seconds=settings.MK0R_ABANDONED_TTL))
    abandoned &= Q(kept_until=None) | Q(kept_until__lt=now)
    return Session.objects.filter(Q(expires_at__lt=now) | abandoned, state=Session.State.OPEN)


def _end(session: Session) -> bool:
    """End one session, unless it was prompted or given time while others were ended.

    What is wrong with it keeps no other from being ended.
    """
    try:
        with transaction.atomic():
            provisioning.resources_lock(session.pk)  # lock order is resource, then session
            still = _due().select_for_update(no_key=True).filter(pk=session.pk).first()
            return still is not None and session_end(still)
    except Exception:  # the loop's boundary
        log.exception("session.not_ended session=%s", session.slug)
        return False


def forgotten_resume() -> int:
    """Defer converging of every session that has work to do and no job for it. Returns how many there were.

    A job is deferred with every intent, so this finds what lost its job: one given up by hand, or deleted.
    """
    now = clock.now()
    due = Q(next_at=None) | Q(next_at__lte=now)
    moving = Exists(unsettled.on_their_way().filter(due, session=OuterRef("pk")))
    leaving = Resource.objects.filter(state__in=[Resource.State.DELETING, Resource.State.STUCK])
    ending = Exists(leaving.filter(due, session=OuterRef("pk")))
    settled = now - timedelta(seconds=settings.MK0R_LATE)
    late = Session.objects.filter(
        Q(moving, state=Session.State.OPEN) | Q(ending, state=Session.State.CLOSING), created_at__lt=settled
    ).order_by("created_at")
    # A session all of whose resources are gone has only to be closed.
    bare = Session.objects.filter(state=Session.State.CLOSING).exclude(resources__state__in=_ALIVE)
    found = [*late.values_list("pk", flat=True)[:_BATCH], *bare.values_list("pk", flat=True)[:_BATCH]]
    for kind in (rotations, lapses, giving):
        found += kind.unfinished(_BATCH)
    forgotten = jobs.without_job(found)
    for session_id in forgotten:
        log.warning("session.taken_up session=%s", session_id)
        jobs.converge_soon(session_id)
    return len(forgotten)


def sessions_idle(limit: int = 20) -> list[UUID]:
    """Open sessions with a running sandbox where for `MK0R_IDLE_PAUSE` seconds nobody looked and no agent worked."""
    since = clock.now() - timedelta(seconds=settings.MK0R_IDLE_PAUSE)
    running = Resource.objects.filter(provider="e2b", state=Resource.State.READY).exclude(
        meta__contains={"paused": True}
    )
    quiet = (
        Session.objects.filter(state=Session.State.OPEN, last_active_at__lt=since, pk__in=running.values("session_id"))
        .exclude(turns__state__in=ACTIVE)
        .exclude(turns__finished_at__gt=since)
    )
    return list(quiet.order_by("last_active_at").values_list("pk", flat=True)[:limit])
