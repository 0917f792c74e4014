"""What sessions are doing now, and the newest of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Case, CharField, Count, Exists, OuterRef, Q, QuerySet, Value, When

from provisioning.models import Provider, Resource
from sessions_app.models import Session, Turn
from sessions_app.turns import ACTIVE
from staff import glance

BUILDING, ASLEEP, IDLE = "building", "asleep", "idle"
NEWEST = 10


def doing(sessions: QuerySet[Session]) -> QuerySet[Any]:
    """The sessions with `doing`: building, asleep or idle while they are open, else their state."""
    turn = Turn.objects.filter(session=OuterRef("pk"), state__in=ACTIVE)
    paused = Resource.objects.filter(session=OuterRef("pk"), provider=Provider.E2B, state="ready", meta__paused=True)
    words = Case(
        When(~Q(state=Session.State.OPEN), then="state"),
        When(Exists(turn), then=Value(BUILDING)),
        When(Exists(paused), then=Value(ASLEEP)),
        default=Value(IDLE),
        output_field=CharField(),
    )
    return sessions.annotate(doing=words)


@dataclass(frozen=True, slots=True)
class Live:
    """Open sessions, by what they do."""

    open: int
    building: int
    idle: int
    asleep: int


def live() -> Live:
    """One query."""
    rows = doing(Session.objects.filter(state=Session.State.OPEN)).order_by().values_list("doing")
    counted = dict(rows.annotate(count=Count("pk")))
    return Live(sum(counted.values()), *(counted.get(word, 0) for word in (BUILDING, IDLE, ASLEEP)))


def recent(count: int = NEWEST) -> list[tuple[Session, glance.Glance]]:
    """The newest sessions, each as the list of sessions tells of it; four queries."""
    found = list(Session.objects.order_by("-created_at")[:count])
    seen = glance.glances(found)
    return [(session, seen[session.pk]) for session in found]
