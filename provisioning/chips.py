"""One chip per provider: the rows of its steps, folded into what a list shows and a change announces."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from provisioning.models import Resource
from provisioning.providers.registry import step_for

State = Resource.State
SETTLED = frozenset({State.READY, State.FAILED, State.GONE})
WINDING_DOWN = frozenset({State.DELETING, State.STUCK, State.GONE})


def fold(rows: Sequence[Resource]) -> dict[str, Any]:
    """The chip of one provider's rows, given in the order of its steps; times are what the steps took, added up."""
    state = _state(rows)
    shown = next((row for row in rows if row.state != State.READY), rows[-1])
    elapsed = sum((_took(row) for row in rows), timedelta())
    ended = max((row.settled_at for row in rows if row.settled_at), default=None) if state in SETTLED else None
    started = any(row.started_at for row in rows)
    place = shown.place_at if state == State.PLANNED else None
    return {
        "provider": rows[0].provider,
        "kind": shown.kind,
        "name": shown.name,
        "state": str(state),
        "attempt": max(row.attempt for row in rows),
        "elapsed_ms": round(elapsed.total_seconds() * 1000),
        "started_at": _iso((ended or timezone.now()) - elapsed) if started else None,
        "settled_at": _iso(ended) if ended else None,
        "starts_at": _iso(place) if place else None,
        "starts_in_ms": max(0, round((place - timezone.now()).total_seconds() * 1000)) if place else None,
        "url": next((row.url for row in rows if row.url), ""),
        "local": step_for(shown.provider, shown.kind).local,
        "error": next((row.error for row in rows if row.error and row.state in {State.FAILED, State.STUCK}), None),
    }


def visible(chip: dict[str, Any]) -> tuple[Any, ...]:
    """What makes two foldings differ for a person: not the clock."""
    return chip["state"], chip["error"], chip["name"], chip["kind"], chip["starts_at"]


def _state(rows: Sequence[Resource]) -> State:
    states = {State(row.state) for row in rows}
    if states & WINDING_DOWN:
        for state in (State.STUCK, State.DELETING):
            if state in states:
                return state
        return State.GONE
    for state in (State.FAILED, State.UNKNOWN, State.CREATING):
        if state in states:
            return state
    if states == {State.READY}:
        return State.READY
    planned = [row for row in rows if row.state == State.PLANNED]
    between_steps = State.READY in states and not any(row.attempt or row.place_at for row in planned)
    return State.CREATING if between_steps else State.PLANNED


def _took(row: Resource) -> timedelta:
    if row.started_at is None:
        return timedelta()
    return max((row.settled_at or timezone.now()) - row.started_at, timedelta())


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def sandbox_state(rows: Sequence[Resource]) -> str | None:
    """What the sandbox itself is doing (`booting`, `running`, `paused`, `lost`, `gone`); None while there is none."""
    row = next((row for row in rows if row.provider == "e2b"), None)
    if row is None:
        return None
    if row.state == State.READY:
        return "paused" if row.meta.get("paused") else "running"
    if row.state == State.FAILED:
        return "lost" if row.error and row.error.get("reason") == "sandbox_lost" else None
    return {State.CREATING: "booting", State.UNKNOWN: "booting", State.GONE: "gone"}.get(State(row.state))
