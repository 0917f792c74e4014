"""A session at a glance, for lists: one word for how it stands, its five legs, its turns, the last line of its log.

However many sessions are asked about, it takes three queries; none of them reads more of the log than one line each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from provisioning import chips
from provisioning.models import Provider, Resource
from sessions_app.models import Event, Session, Turn
from sessions_app.turns import ACTIVE
from staff import glyphs, phrases

State = Resource.State


@dataclass(frozen=True, slots=True)
class Leg:
    """One vendor's leg; its state is one of a resource's, or `paused`."""

    provider: str
    vendor: str
    state: str

    @property
    def word(self) -> str:
        """Its state as a person reads it."""
        return "asleep" if self.state == "paused" else glyphs.word(self.state)


@dataclass(frozen=True, slots=True)
class Glance:
    """What can be seen of one session without opening it."""

    state: str  # by whose glyph it is drawn
    word: str
    legs: list[Leg]
    turns: int
    turn: str  # the last one in words: "2 running, 48 s"
    last: str  # type of the last line of the log
    last_at: datetime | None


def glances(sessions: Sequence[Session]) -> dict[UUID, Glance]:
    """That of each of these sessions."""
    ids = [session.pk for session in sessions]
    rows: dict[UUID, list[Resource]] = defaultdict(list)
    for row in Resource.objects.filter(session_id__in=ids).order_by("id"):
        rows[row.session_id].append(row)
    turns = {turn.session_id: turn for turn in _last_turns(ids)}
    events = {event["session_id"]: event for event in _last_events(sessions)}
    return {one.pk: _glance(one, legs_of(rows[one.pk]), turns.get(one.pk), events.get(one.pk, {})) for one in sessions}


def legs_of(rows: Iterable[Resource]) -> list[Leg]:
    """The legs that these rows of one session, in order of their ids, amount to, in the order of every list."""
    by_provider: dict[str, list[Resource]] = defaultdict(list)
    for row in rows:
        by_provider[row.provider].append(row)
    legs = []
    for provider in Provider:
        its = by_provider.get(provider.value)
        state = str(chips.fold(its)["state"]) if its else str(State.PLANNED)
        if state == State.READY and its and chips.sandbox_state(its) == "paused":
            state = "paused"
        legs.append(Leg(provider.value, str(provider.label), state))
    return legs


def _last_turns(ids: list[UUID]) -> Iterable[Turn]:
    turns = Turn.objects.filter(session_id__in=ids).order_by("session_id", "-number").distinct("session_id")
    return turns.only("session_id", "number", "state", "created_at", "started_at")


def _last_events(sessions: Sequence[Session]) -> Iterable[Any]:
    """Named one by one, so that each is one step into the index; a join would read the whole log of each session."""
    named = [Q(session_id=one.pk, seq=one.last_seq) for one in sessions]
    last = Event.objects.filter(reduce(or_, named)) if named else Event.objects.none()
    return last.order_by().values("session_id", "type", "at")


def _glance(session: Session, legs: list[Leg], turn: Turn | None, event: dict[str, Any]) -> Glance:
    state, word = standing(session, legs, turn)
    return Glance(
        state=state,
        word=word,
        legs=legs,
        turns=turn.number if turn else 0,
        turn=turn_words(turn),
        last=str(event.get("type", "")),
        last_at=event.get("at"),
    )


def standing(session: Session, legs: list[Leg], turn: Turn | None) -> tuple[str, str]:
    """The glyph and the words for how a session stands."""
    states = [leg.state for leg in legs]
    stuck, failed = states.count(State.STUCK), states.count(State.FAILED)
    if session.state == Session.State.CLOSED:
        return "gone", "Ended"
    if session.state == Session.State.CLOSING:
        return ("stuck", f"Ending, {stuck} stuck") if stuck else ("deleting", "Ending")
    if turn is not None and turn.state in ACTIVE:
        return "creating", "Building"
    if "paused" in states and not failed:
        return "paused", "Asleep"
    if {State.CREATING, State.PLANNED, State.UNKNOWN} & set(states):
        return "creating", "Provisioning"
    if failed:
        return "failed", f"{failed} of {len(legs)} failed"
    return "ready", "Live"


def turn_words(turn: Turn | None) -> str:
    """The last turn: its number, its state, and for how long it has been running."""
    if turn is None:
        return "none"
    if turn.state not in ACTIVE:
        return f"{turn.number} {turn.state}"
    since = timezone.now() - (turn.started_at or turn.created_at)
    return f"{turn.number} {turn.state}, {phrases.duration(since.total_seconds() * 1000)}"
