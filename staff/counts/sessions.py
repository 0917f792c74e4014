"""What sessions are doing now, and the newest of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Case, CharField, Count, Exists, OuterRef, Q, QuerySet, Subquery, Value, When
from django.utils import timezone

from provisioning import chips
from provisioning.models import Provider, Resource
from sessions_app.models import Session, Turn

BUILDING, ASLEEP, IDLE = "building", "asleep", "idle"
UNDER_WAY = (Turn.State.QUEUED, Turn.State.RUNNING)
NEWEST = 10


def doing(sessions: QuerySet[Session]) -> QuerySet[Any]:
    """The sessions with `doing`: building, asleep or idle while they are open, else their state."""
    turn = Turn.objects.filter(session=OuterRef("pk"), state__in=UNDER_WAY)
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
    counted: dict[str, int] = doing(Session.objects.filter(state=Session.State.OPEN)).aggregate(
        open=Count("pk"), **{word: Count("pk", filter=Q(doing=word)) for word in (BUILDING, IDLE, ASLEEP)}
    )
    return Live(**counted)


@dataclass(frozen=True, slots=True)
class Recent:
    """One session as a line of the dashboard."""

    session: Session
    glyph: str
    state: str  # of a resource, whose glyph is drawn
    words: str
    chips: list[dict[str, Any] | None]  # in the order of lists; None where nothing was planned
    asked: str
    turns: str
    turn_since: datetime | None  # of one that runs
    cost: Decimal


def recent(count: int = NEWEST) -> list[Recent]:
    """The newest sessions; two queries."""
    turns = Turn.objects.filter(session=OuterRef("pk"))
    last = turns.order_by("-number")
    found = doing(Session.objects.order_by("-created_at")).annotate(
        turn_number=Subquery(last.values("number")[:1]),
        turn_state=Subquery(last.values("state")[:1]),
        turn_since=Subquery(last.values("started_at")[:1]),
    )
    return [_recent(session) for session in found.prefetch_related("resources")[:count]]


def _recent(session: Any) -> Recent:
    rows: dict[str, list[Resource]] = {}
    for row in sorted(session.resources.all(), key=lambda one: one.pk):
        rows.setdefault(row.provider, []).append(row)
    folded = {provider: chips.fold(its) for provider, its in rows.items()}
    state, glyph, words = _state(session, folded)
    running = session.turn_state in UNDER_WAY
    number = session.turn_number or 0
    return Recent(
        session=session,
        state=state,
        glyph=glyph,
        words=words,
        chips=[folded.get(provider) for provider in Provider],
        asked=session.title or ("Left before building" if session.state != "open" else "Nothing yet"),
        turns=f"{number} {session.turn_state}" if number else "none",
        turn_since=(session.turn_since or timezone.now()) if running else None,
        cost=session.spent_usd,
    )


def _state(session: Any, folded: dict[str, dict[str, Any]]) -> tuple[str, str, str]:
    states = [chip["state"] for chip in folded.values()]
    if session.state == Session.State.CLOSED:
        return "gone", "gone", "Ended"
    if session.state == Session.State.CLOSING:
        stuck = states.count("stuck")
        return ("stuck", "stuck", f"Ending, {stuck} stuck") if stuck else ("deleting", "", "Ending")
    if session.doing == BUILDING:
        return "creating", "", "Building"
    if session.doing == ASLEEP:
        return "paused", "paused", "Asleep"
    if any(state in {"planned", "creating", "unknown"} for state in states):
        return "creating", "", "Provisioning"
    return "ready", "ready", "Live"
