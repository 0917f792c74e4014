"""Every change of a resource's row, as synchronous database code: fenced by attempt, announced in its own transaction.

Whoever changes a row first locks all rows of that provider in the session (lock order: resource, then session), so a
check followed by a write is a compare-and-set, and what is announced is what was committed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from provisioning import clock
from provisioning.chips import fold, sandbox_state, visible
from provisioning.models import Credential, Resource
from provisioning.providers.base import Made, Order
from provisioning.signals import resource_changed, sandbox_changed, work_wanted

State = Resource.State
IN_FLIGHT = frozenset({State.CREATING, State.UNKNOWN})
UNWANTED = frozenset({State.DELETING, State.STUCK})
_REFUSED = "refused"  # in `meta`: the attempt that was told to come again later, and so made nothing
_TOLD = ("provider", "kind", "name", "state", "elapsed_ms", "starts_in_ms", "url", "error")


@contextmanager
def changing(session_id: UUID, provider: str) -> Iterator[dict[int, Resource]]:
    """Lock a provider's rows of one session; announce the chip once if what it shows has changed at the end."""
    with transaction.atomic():
        locked = Resource.objects.select_for_update(of=("self",)).select_related("session")
        rows = {row.pk: row for row in locked.filter(session_id=session_id, provider=provider).order_by("id")}
        before = visible(fold(list(rows.values()))) if rows else None
        sandbox_before = sandbox_state(list(rows.values()))
        yield rows
        if rows:
            announce(list(rows.values()), before)
        sandbox = sandbox_state(list(rows.values()))
        if sandbox is not None and sandbox != sandbox_before:
            sandbox_changed.send(Resource, session_id=session_id, state=sandbox)


def announce(rows: list[Resource], before: tuple[Any, ...] | None = None) -> None:
    """Send `resource_changed` for one provider's rows unless the chip still shows `before`."""
    chip = fold(rows)
    if visible(chip) == before:
        return
    told = {key: chip[key] for key in _TOLD}
    resource_changed.send(Resource, session_id=rows[0].session_id, **told)


@contextmanager
def fenced(row: Resource, attempt: int | None, states: frozenset[State]) -> Iterator[Resource | None]:
    """The locked row if it is still in one of `states` and, where given, of `attempt`; None when it moved on (I-3)."""
    with changing(row.session_id, row.provider) as rows:
        current = rows.get(row.pk)
        fits = current is not None and current.state in states and attempt in (None, current.attempt)
        yield current if fits else None


def rows_of(session_id: UUID, provider: str) -> list[Resource]:
    """A provider's rows in the order of its steps."""
    rows = Resource.objects.filter(session_id=session_id, provider=provider)
    return list(rows.select_related("session").order_by("id"))


def row(pk: int) -> Resource:
    """One row with its session."""
    return Resource.objects.select_related("session").get(pk=pk)


def order_for(row: Resource) -> Order:
    """What a step is told about the row it works for."""
    return Order(row.session.slug, row.name, row.attempt, row.created_at, row.session.expires_at)


def made_of(row: Resource) -> Made:
    """What the row knows of the thing at the vendor, secrets opened; raises `Unreadable` for one that cannot be."""
    held = {one.name: one.reveal() for one in row.credentials.all() if one.revoked_at is None}
    return Made(row.external_id, row.url, row.meta, held)


def claim(row: Resource, *, settles: float = 0.0) -> Resource | None:
    """planned → creating under a new attempt; None when someone else was first. Only then may the call leave (I-2).

    `settles`: the call leaves at once, and in doubt shows after so many seconds what became of it. See `send`.
    """
    with fenced(row, None, frozenset({State.PLANNED})) as current:
        if current is None:
            return None
        current.state, current.attempt = State.CREATING, current.attempt + 1
        current.started_at = current.started_at or clock.now()
        current.settled_at = current.error = current.next_at = current.place_at = None
        if settles:
            current.doubt_until = clock.now() + timedelta(seconds=settles)
        fields = ["state", "attempt", "started_at", "settled_at", "error", "next_at", "place_at", "doubt_until"]
        current.save(update_fields=fields)
    return current


def send(row: Resource, settles: float) -> bool:
    """Write down that the call leaves now: until it is answered, or `settles` seconds are over, not finding what it
    makes proves nothing. False when the row moved on.
    """
    with fenced(row, row.attempt, IN_FLIGHT) as current:
        if current is None:
            return False
        current.doubt_until = clock.now() + timedelta(seconds=settles)
        current.save(update_fields=["doubt_until"])
    return True


def in_doubt(row: Resource) -> bool:
    """Whether a call that was sent, and never answered, may still make something."""
    return not row.external_id and row.doubt_until is not None and row.doubt_until > clock.now()


def take_over(row: Resource) -> Resource | None:
    """creating or unknown → unknown under a new attempt, for a row that another process left: it writes no more (I-3).

    None when the row has moved on meanwhile.
    """
    with fenced(row, row.attempt, IN_FLIGHT) as current:
        if current is None:
            return None
        current.state, current.attempt = State.UNKNOWN, current.attempt + 1
        current.save(update_fields=["state", "attempt"])
    return current


def queue(row: Resource, wait: float, *, refused: bool = False, certain: bool = False) -> bool:
    """planned, or creating where the vendor has `refused` to for now → planned, with a place in `wait` seconds.

    `certain` as for `replan`.
    """
    with fenced(row, row.attempt, IN_FLIGHT | {State.PLANNED}) as current:
        if current is None:
            return False
        now = clock.now()
        current.state, current.queued_at = State.PLANNED, current.queued_at or now
        current.next_at = current.place_at = now + timedelta(seconds=wait)
        current.meta = current.meta | ({_REFUSED: current.attempt} if refused else {})
        current.doubt_until = None if certain else current.doubt_until
        current.save(update_fields=["state", "queued_at", "next_at", "place_at", "meta", "doubt_until"])
    return True


def left_nothing(row: Resource) -> bool:
    """Whether it is known of a row about to be claimed that no attempt so far can have made anything."""
    return row.attempt == 0 or row.meta.get(_REFUSED) == row.attempt


def doubt(row: Resource) -> bool:
    """creating → unknown: it takes longer than it should, or the answer does not tell."""
    with fenced(row, row.attempt, frozenset({State.CREATING})) as current:
        if current is None:
            return False
        current.state = State.UNKNOWN
        current.save(update_fields=["state"])
    return True


def replan(row: Resource, *, name: str = "", next_in: float = 0.0, certain: bool = False) -> bool:
    """unknown or creating → planned: proven absent. `name` gives it another one, `next_in` seconds put it off.

    `certain`: the vendor never had the request, or refused it, so nothing can come of it later either.
    """
    with fenced(row, row.attempt, IN_FLIGHT) as current:
        if current is None:
            return False
        current.state, current.external_id, current.url, current.meta = State.PLANNED, "", "", _lasting(current)
        current.name = name or current.name
        current.next_at = clock.now() + timedelta(seconds=next_in) if next_in else None
        current.doubt_until = None if certain else current.doubt_until
        current.save(update_fields=["state", "external_id", "url", "meta", "name", "next_at", "doubt_until"])
        current.credentials.all().delete()
    return True


def keep(row: Resource, made: Made) -> bool:
    """Save id and secrets in one transaction (I-5); the row stays in flight, or doomed by a teardown (I-10)."""
    with fenced(row, row.attempt, IN_FLIGHT | UNWANTED) as current:
        if current is None:
            return False
        _own(current, made)
    return True


def give(row: Resource, made: Made, *, name: str) -> bool:
    """failed and owning nothing → creating under a new attempt, owning `made`, which bears `name`; the leg goes on.

    False when the row moved on, or owns something after all.
    """
    with fenced(row, row.attempt, frozenset({State.FAILED})) as current:
        if current is None or not owns_nothing(current):
            return False
        replan_failed(current, _lasting(current))
        current.state, current.attempt, current.name = State.CREATING, current.attempt + 1, name
        current.started_at = clock.now()
        current.save(update_fields=["state", "attempt", "name", "started_at"])
        _own(current, made)
        work_wanted.send(Resource, session_id=current.session_id)
    return True


def owns_nothing(row: Resource) -> bool:
    """Whether a failed row has no thing at its vendor: never had one, or was told that it is lost."""
    return not row.external_id or (row.error or {}).get("reason") in {"lost", "sandbox_lost"}


def _own(current: Resource, made: Made) -> None:
    current.external_id, current.url, current.meta = made.external_id, made.url, _lasting(current) | dict(made.meta)
    current.doubt_until = None
    current.save(update_fields=["external_id", "url", "meta", "doubt_until"])
    current.credentials.all().delete()
    for name, value in made.secrets.items():
        credential = Credential(resource=current, name=name, expires_at=current.session.expires_at)
        credential.seal(value)
        credential.save()


def _lasting(row: Resource) -> dict[str, Any]:
    """What of `meta` speaks of the leg and not of the one thing it made."""
    return {key: value for key, value in row.meta.items() if key == "renewed"}


def renew(session_id: UUID, provider: str, *, most: int, within: timedelta) -> bool:
    """failed for its loss → planned, without anybody asking; False when there is no such row.

    After `most` renewals `within` that time the row is left for a person to retry: what is lost as soon as it is made
    would be made for ever.
    """
    now, changed = clock.now(), False
    with changing(session_id, provider) as rows:
        for current in rows.values():
            if current.state != State.FAILED or (current.error or {}).get("reason") != "sandbox_lost":
                continue
            before = [at for at in current.meta.get("renewed", []) if now - datetime.fromisoformat(at) < within]
            if len(before) >= most:
                continue
            replan_failed(current, {"renewed": [*before, now.isoformat()]})
            changed = True
    return changed


def replan_failed(current: Resource, meta: dict[str, Any] | None = None) -> None:
    """failed → planned, for a row locked by `changing`. `meta` given: what the row was about is gone, so forget it."""
    if meta is not None:
        current.external_id, current.url, current.meta = "", "", meta
    current.state, current.error = State.PLANNED, None
    current.started_at = current.settled_at = current.next_at = current.place_at = current.queued_at = None
    current.save()


def ready(row: Resource) -> bool:
    """creating or unknown → ready."""
    with fenced(row, row.attempt, IN_FLIGHT) as current:
        if current is None or not current.external_id:
            return False
        current.state, current.settled_at = State.READY, clock.now()
        current.error = current.queued_at = None
        current.save(update_fields=["state", "settled_at", "error", "queued_at"])
    return True


def fail(
    row: Resource, error: dict[str, Any], *, states: frozenset[State] | None = None, certain: bool = False
) -> bool:
    """To failed, from planned, creating or unknown unless `states` says otherwise; `certain` as for `replan`."""
    with fenced(row, row.attempt, states or IN_FLIGHT | {State.PLANNED}) as current:
        if current is None:
            return False
        current.state, current.error, current.settled_at = State.FAILED, error, clock.now()
        current.started_at = current.started_at or current.settled_at
        current.doubt_until = None if certain else current.doubt_until
        current.save(update_fields=["state", "error", "settled_at", "started_at", "doubt_until"])
    return True


def is_due(row: Resource) -> bool:
    """Whether the row is to be destroyed, now."""
    return row.state in UNWANTED and (row.next_at is None or row.next_at <= clock.now())


def needs_work(rows: list[Resource]) -> bool:
    """Whether a leg has something to do now: rows of one provider, in the order of its steps."""
    if any(row.state in UNWANTED for row in rows):
        return any(is_due(row) for row in rows)
    open_step = next((row for row in rows if row.state != State.READY), None)
    if open_step is None or queued_for(rows) > 0:
        return False
    return open_step.state in IN_FLIGHT | {State.PLANNED}


def queued_for(rows: list[Resource]) -> float:
    """Seconds until the place comes that a leg waits for; 0 when it waits for none."""
    open_step = next((row for row in rows if row.state != State.READY), None)
    if open_step is None or open_step.state != State.PLANNED or open_step.place_at is None:
        return 0.0
    return max(0.0, (open_step.place_at - clock.now()).total_seconds())
