"""What a visitor may do with a session: begin and end it here, prompt it and move between versions in `turns`.

Every function is synchronous database code, one transaction, no HTTP. Async callers wrap each once with
`database_sync_to_async`. What takes time is left to jobs that are deferred in the same transaction, so either both
the row and its job exist or neither does. Refusals are `sessions_app.errors`.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from provisioning import clock, rotations, unsettled
from provisioning import services as provisioning
from sessions_app import events, jobs, limits
from sessions_app.errors import Forbidden, NotFound
from sessions_app.locks import serialise
from sessions_app.models import Session, Turn
from sessions_app.slugs import has_shape, slug_for
from sessions_app.state import session_state
from sessions_app.turns import (
    ACTIVE,
    redo,
    require_open,
    turn_cancel,
    turn_cancelled,
    turn_fail,
    turn_submit,
    undo,
    version_restore,
)
from sessions_app.visitors import Visitor

__all__ = [
    "leg_retry",
    "redo",
    "sandbox_renew",
    "session_begin",
    "session_current",
    "session_end",
    "session_extend",
    "session_for",
    "session_in_flight",
    "session_join",
    "session_settle",
    "session_state",
    "session_touch",
    "session_unsettled",
    "turn_cancel",
    "turn_fail",
    "turn_submit",
    "undo",
    "version_restore",
]

_SLUG_TRIES = 5


def session_begin(visitor: Visitor | None, idempotency_key: str | None = None, *, address: str = "") -> Session:
    """Make a session with its intent rows and the job that finishes provisioning if this process dies, in one commit.

    A repeated `idempotency_key` of the same visitor returns the session it made the first time, whatever its state.
    Without a visitor the session belongs to whoever holds its key, and so does the idempotency key: the caller makes
    it unguessable. A stranger's `address` counts against the limit of its network; none does not.

    Raises:
        Limit: too many were begun from that network, or are open in all.
    """
    owner = visitor.hash if visitor else ""
    with transaction.atomic():
        if idempotency_key is not None:
            serialise(f"idempotency|{owner}|{idempotency_key}")
            made = Session.objects.filter(visitor_hash=owner, idempotency_key=idempotency_key).first()
            if made is not None:
                return made
        return _session_make(owner, idempotency_key, address)


def session_join(visitor: Visitor | None, *, address: str = "") -> Session:
    """The visitor's open session that has no prompt yet, or a new one: what `begin` means. Two tabs get the same.

    Raises:
        Forbidden: there is no visitor to own it. Limit: as for `session_begin`.
    """
    if visitor is None:
        raise Forbidden("mk0r keeps your session in a cookie, and this browser sent none. Allow cookies and reload.")
    with transaction.atomic():
        serialise(f"begin|{visitor.hash}")
        waiting = _open_sessions(visitor).filter(prompted_at=None).first()
        return waiting or _session_make(visitor.hash, None, address)


def session_current(visitor: Visitor | None) -> Session | None:
    """The visitor's newest open session, or None."""
    return _open_sessions(visitor).first() if visitor else None


def session_for(visitor: Visitor | None, slug: str) -> Session | None:
    """The visitor's session of that slug in any state; None when there is none or it is somebody else's (I-23)."""
    if visitor is None or not has_shape(slug):
        return None
    return Session.objects.filter(slug=slug, visitor_hash=visitor.hash).first()


def session_touch(session_id: UUID) -> None:
    """Note that somebody is there, so that the session does not count as abandoned."""
    Session.objects.filter(pk=session_id).update(last_active_at=clock.now())


def session_end(session: Session) -> bool:
    """Close the session:

    everything it owns is marked for deletion and a job sees it through. False when it was not open.
    """
    with transaction.atomic():
        # Lock order is resource, then session: whatever touches resources comes first.
        if Session.objects.get(pk=session.pk).state != Session.State.OPEN:
            return False
        provisioning.request_teardown(session)
        if not Session.objects.filter(pk=session.pk, state=Session.State.OPEN).update(state=Session.State.CLOSING):
            return False
        session.turns.filter(state__in=ACTIVE).update(cancel_requested=True)
        events.append(session.pk, "session.closing", {})
        jobs.converge_soon(session.pk, seconds=settings.MK0R_SAFETY_NET, queue=jobs.DOWN)
    session.refresh_from_db()
    return True


def session_extend(session_id: UUID, more: timedelta) -> datetime | None:
    """Let an open session live until `more` from now, and its credentials with it; returns when it ends.

    Until then it does not count as abandoned either, prompted or not. None when it is not open. One that lives longer
    already keeps its time. Leases that were ended by hand stay ended.
    """
    with transaction.atomic():
        provisioning.resources_lock(session_id)
        until = clock.now() + more
        still = Session.objects.filter(pk=session_id, state=Session.State.OPEN)
        if not still.update(kept_until=Greatest("kept_until", Value(until))):
            return None
        before: datetime = still.values_list("expires_at", flat=True).get()
        if still.filter(expires_at__lt=until).update(expires_at=until):
            provisioning.leases_extend(session_id, until, before=before)
            text = f"This app now lives until {until:%d %B %H:%M} UTC."
            events.append(session_id, "notice", {"level": "info", "text": text})
        ends: datetime = still.values_list("expires_at", flat=True).get()
    return ends


def session_settle(session_id: UUID) -> bool:
    """What follows once a session has been converged: it is closed when everything it owned is gone, and what is put
    off gets a job at its time. True when the session is closed now.
    """
    with transaction.atomic():
        session = Session.objects.select_for_update(no_key=True).get(pk=session_id)
        if session.state == Session.State.CLOSING and not session.resources.exclude(state="gone").exists():
            _session_close(session)
        if session.state != Session.State.CLOSED:
            _put_off(session)
    return bool(session.state == Session.State.CLOSED)


def _session_close(session: Session) -> None:
    for turn in session.turns.filter(state__in=ACTIVE):
        turn_cancelled(turn, "The session ended.")
    session.state, session.ended_at = Session.State.CLOSED, timezone.now()
    session.save(update_fields=["state", "ended_at"])
    events.append(session.pk, "session.closed", {})


def _put_off(session: Session) -> None:
    """Defer a job for the resource whose next try comes first, if one waits for its time."""
    now = clock.now()
    waiting = session.resources.filter(next_at__gt=now).exclude(state="gone")
    first = waiting.order_by("next_at").values_list("next_at", "place_at").first()
    due, place_at = first or (None, None)
    turned = rotations.next_at(session.pk)
    if turned is not None and (due is None or turned < due):
        due, place_at = turned, None
    if due is not None:
        # Early enough to be there when a place in a vendor's queue comes: it is not kept for long.
        seconds = max(0.0, (due - now).total_seconds() - (provisioning.PATIENCE / 3 if place_at else 0.0))
        queue = jobs.UP if session.state == Session.State.OPEN else jobs.DOWN
        jobs.converge_soon(session.pk, seconds=seconds, queue=queue)


def leg_retry(session: Session, provider: str) -> None:
    """Put the failed resources of a provider back to planned. The caller then converges the session.

    Raises:
        Closed: the session is not open. NotFound: nothing of that provider has failed.
    """
    with transaction.atomic():
        require_open(Session.objects.get(pk=session.pk))
        if not provisioning.retry(session, provider):
            raise NotFound("There is nothing to retry: that service has not failed.")
        jobs.converge_soon(session.pk, seconds=settings.MK0R_SAFETY_NET)


def sandbox_renew(session_id: UUID) -> bool:
    """Put a sandbox that was found lost back to planned. The caller then converges the session.

    False when nothing is to be made: none is lost, the session is not open, or several were lost in a short time.
    """
    with transaction.atomic():
        session = Session.objects.get(pk=session_id)
        if session.state != Session.State.OPEN or not provisioning.renew(session):
            return False
        jobs.converge_soon(session_id, seconds=settings.MK0R_SAFETY_NET)
    return True


def _session_make(owner: str, idempotency_key: str | None, address: str) -> Session:
    network_hash = limits.admit(address)
    session = _session_insert(owner, idempotency_key, network_hash)
    events.append(session.pk, "session.opened", {})  # first in the log; nobody else can hold the lock of a new row
    provisioning.plan(session)
    jobs.converge_soon(session.pk, seconds=settings.MK0R_SAFETY_NET)
    return session


def _session_insert(owner: str, idempotency_key: str | None, network_hash: str) -> Session:
    for _ in range(_SLUG_TRIES):
        session_id = uuid.uuid4()
        try:
            with transaction.atomic():
                return Session.objects.create(
                    id=session_id, slug=slug_for(session_id), visitor_hash=owner, idempotency_key=idempotency_key,
                    network_hash=network_hash, last_active_at=clock.now(),
                )  # fmt: skip
        except IntegrityError:
            if not Session.objects.filter(slug=slug_for(session_id)).exists():
                raise
    raise RuntimeError("no free slug in five tries")


def _open_sessions(visitor: Visitor) -> QuerySet[Session]:
    return Session.objects.filter(visitor_hash=visitor.hash, state=Session.State.OPEN).order_by("-created_at")


def session_unsettled(session_id: UUID) -> bool:
    """Whether converging the session has something to do: a leg on its way up or down."""
    if unsettled.on_their_way().filter(session_id=session_id).exists():
        return True
    going = Q(state=Session.State.CLOSING) | Q(resources__state="deleting")
    return Session.objects.filter(going, pk=session_id).exists()


def session_in_flight(session_id: UUID) -> bool:
    """Whether news may come at any moment: a leg is unsettled or a turn is under way."""
    return session_unsettled(session_id) or Turn.objects.filter(session_id=session_id, state__in=ACTIVE).exists()
