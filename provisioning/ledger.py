"""Every change of a resource's row, as synchronous database code: fenced by attempt, announced in its own transaction.

Whoever changes a row first locks all rows of that provider in the session (lock order: resource, then session), so a
check followed by a write is a compare-and-set, and what is announced is what was committed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from provisioning.chips import fold, sandbox_state, visible
from provisioning.models import Credential, Resource
from provisioning.providers.base import Made, Order
from provisioning.signals import resource_changed, sandbox_changed

State = Resource.State
IN_FLIGHT = frozenset({State.CREATING, State.UNKNOWN})
UNWANTED = frozenset({State.DELETING, State.STUCK})
STUCK_AFTER = 6  # failed deletes
HOURLY = timedelta(hours=1)


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
    told = {key: chip[key] for key in ("provider", "kind", "name", "state", "elapsed_ms", "url", "error")}
    resource_changed.send(Resource, session_id=rows[0].session_id, **told)


@contextmanager
def _fenced(row: Resource, attempt: int | None, states: frozenset[State]) -> Iterator[Resource | None]:
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
    """What the row knows of the thing at the vendor, secrets opened."""
    held = {one.name: one.reveal() for one in row.credentials.all() if one.revoked_at is None}
    return Made(row.external_id, row.url, row.meta, held)


def claim(row: Resource, *, asks: bool = False) -> Resource | None:
    """planned → creating under a new attempt; None when someone else was first. Only then may the call leave (I-2).

    `asks` says that the call leaves at once; else `ask` comes before it.
    """
    with _fenced(row, None, frozenset({State.PLANNED})) as current:
        if current is None:
            return None
        current.state, current.attempt = State.CREATING, current.attempt + 1
        current.started_at = current.started_at or timezone.now()
        current.settled_at, current.error = None, None
        if asks:
            _note_asked(current)
        current.save(update_fields=["state", "attempt", "started_at", "settled_at", "error", "meta"])
    return current


def ask(row: Resource) -> bool:
    """Write down that the call leaves now: until its outcome is known, what it makes may show itself any moment."""
    with _fenced(row, row.attempt, IN_FLIGHT) as current:
        if current is None:
            return False
        _note_asked(current)
        current.save(update_fields=["meta"])
    return True


def _note_asked(current: Resource) -> None:
    current.meta = {**current.meta, "asked": timezone.now().isoformat()}


def may_appear_for(row: Resource, within: float) -> float:
    """Seconds until a create without a known outcome must have shown itself, at a vendor that takes `within` for that.

    0 when no such create is under way.
    """
    if row.external_id or "asked" not in row.meta:
        return 0.0
    asked = datetime.fromisoformat(row.meta["asked"])
    return max(0.0, within - (timezone.now() - asked).total_seconds())


def take_over(row: Resource) -> Resource | None:
    """Raise the attempt of a row in flight that another process left, so that it cannot write any more (I-3).

    None when the row has moved on meanwhile.
    """
    with _fenced(row, row.attempt, IN_FLIGHT) as current:
        if current is None:
            return None
        current.attempt += 1
        current.save(update_fields=["attempt"])
    return current


def doubt(row: Resource) -> bool:
    """creating → unknown: it takes longer than it should, or the answer does not tell."""
    with _fenced(row, row.attempt, frozenset({State.CREATING})) as current:
        if current is None:
            return False
        current.state = State.UNKNOWN
        current.save(update_fields=["state"])
    return True


def replan(row: Resource, *, name: str = "", next_in: float = 0.0) -> bool:
    """unknown or creating → planned: proven absent. `name` gives it another one, `next_in` seconds put it off."""
    with _fenced(row, row.attempt, IN_FLIGHT) as current:
        if current is None:
            return False
        current.state, current.external_id, current.url, current.meta = State.PLANNED, "", "", _lasting(current)
        current.name = name or current.name
        current.next_at = timezone.now() + timedelta(seconds=next_in) if next_in else None
        current.save(update_fields=["state", "external_id", "url", "meta", "name", "next_at"])
        current.credentials.all().delete()
    return True


def keep(row: Resource, made: Made) -> bool:
    """Save id and secrets in one transaction (I-5); the row stays in flight, or doomed by a teardown (I-10)."""
    with _fenced(row, row.attempt, IN_FLIGHT | UNWANTED) as current:
        if current is None:
            return False
        current.external_id, current.url, current.meta = made.external_id, made.url, _lasting(current) | dict(made.meta)
        current.save(update_fields=["external_id", "url", "meta"])
        current.credentials.all().delete()
        for name, value in made.secrets.items():
            credential = Credential(resource=current, name=name, expires_at=row.session.expires_at)
            credential.seal(value)
            credential.save()
    return True


def _lasting(row: Resource) -> dict[str, Any]:
    """What of `meta` speaks of the leg and not of the one thing it made."""
    return {key: value for key, value in row.meta.items() if key == "renewed"}


def renew(session_id: UUID, provider: str, *, most: int, within: timedelta) -> bool:
    """failed for its loss → planned, without anybody asking; False when there is no such row.

    After `most` renewals `within` that time the row is left for a person to retry: what is lost as soon as it is made
    would be made for ever.
    """
    now, changed = timezone.now(), False
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
    current.started_at = current.settled_at = current.next_at = None
    current.save()


def ready(row: Resource) -> bool:
    """creating or unknown → ready."""
    with _fenced(row, row.attempt, IN_FLIGHT) as current:
        if current is None or not current.external_id:
            return False
        current.state, current.settled_at, current.error = State.READY, timezone.now(), None
        current.save(update_fields=["state", "settled_at", "error"])
    return True


def fail(
    row: Resource, error: dict[str, Any], *, states: frozenset[State] | None = None, answered: bool = False
) -> bool:
    """To failed, from planned, creating or unknown unless `states` says otherwise.

    `answered` says that no create of ours is under way at the vendor any more, so a retry need not wait for one.
    """
    with _fenced(row, row.attempt, states or IN_FLIGHT | {State.PLANNED}) as current:
        if current is None:
            return False
        current.state, current.error, current.settled_at = State.FAILED, error, timezone.now()
        current.started_at = current.started_at or current.settled_at
        if answered:
            current.meta = {key: value for key, value in current.meta.items() if key != "asked"}
        current.save(update_fields=["state", "error", "settled_at", "started_at", "meta"])
    return True


def gone(row: Resource) -> bool:
    """deleting or stuck → gone, proved by a re-read; its secrets are wiped."""
    with _fenced(row, None, UNWANTED) as current:
        if current is None:
            return False
        now = timezone.now()
        current.state, current.error, current.next_at = State.GONE, None, None
        current.deleted_at, current.verified_at = current.deleted_at or now, now
        current.save(update_fields=["state", "error", "next_at", "deleted_at", "verified_at"])
        current.credentials.update(revoked_at=now, ciphertext="", fingerprint="")
    return True


def undeleted(row: Resource, error: dict[str, Any], *, at_least: float = 0.0) -> bool:
    """A delete that could not be proved: count it, put the next try off, and call it stuck after six (I-7)."""
    with _fenced(row, None, UNWANTED) as current:
        if current is None:
            return False
        current.delete_attempts += 1
        stuck = current.delete_attempts >= STUCK_AFTER
        pause = timedelta(seconds=max(at_least, 10 * 2**current.delete_attempts * random.uniform(0.5, 1.5)))  # noqa: S311
        current.state, current.error = (State.STUCK if stuck else State.DELETING), error
        current.next_at = timezone.now() + (HOURLY if stuck else pause)
        current.save(update_fields=["state", "error", "delete_attempts", "next_at"])
    return True


def needs_work(rows: list[Resource]) -> bool:
    """Whether a leg has something to do now: rows of one provider, in the order of its steps."""
    now = timezone.now()
    if any(row.state in UNWANTED for row in rows):
        return any(row.state in UNWANTED and (row.next_at is None or row.next_at <= now) for row in rows)
    open_step = next((row for row in rows if row.state != State.READY), None)
    return open_step is not None and open_step.state in IN_FLIGHT | {State.PLANNED}
