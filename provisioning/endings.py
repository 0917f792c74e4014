"""The ledger's other end: a row on its way from deleting to gone, and what keeps it from getting there.

Synchronous database code, fenced and announced like everything in `ledger`.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from provisioning import alerts, clock
from provisioning.lapses import wipe
from provisioning.ledger import UNWANTED, fenced
from provisioning.models import Resource
from provisioning.signals import work_wanted

State = Resource.State
STUCK_AFTER = 6  # failed deletes
HOURLY = timedelta(hours=1)


def gone(row: Resource) -> bool:
    """deleting or stuck → gone, proved by a re-read; its secrets are wiped.

    False when the row has come to own something since it was read: that has to go first (I-10).
    """
    with fenced(row, None, UNWANTED) as current:
        if current is None or current.external_id != row.external_id:
            return False
        now = clock.now()
        current.state, current.error, current.next_at = State.GONE, None, None
        current.deleted_at, current.verified_at = current.deleted_at or now, now
        current.save(update_fields=["state", "error", "next_at", "deleted_at", "verified_at"])
        wipe(current)
        alerts.clear(alerts.STUCK, _subject(current))
    return True


def forget(row: Resource, *, reason: str, by: str, states: frozenset[State] = UNWANTED) -> bool:
    """deleting or stuck → gone without proof, on a person's word, which stays on the row. False when it moved on."""
    with fenced(row, None, states) as current:
        if current is None:
            return False
        current.state, current.error, current.next_at = State.GONE, None, None
        current.forgotten_at, current.forgotten_reason, current.forgotten_by = clock.now(), reason, by
        current.save(update_fields=["state", "error", "next_at", "forgotten_at", "forgotten_reason", "forgotten_by"])
        wipe(current)
        alerts.clear(alerts.STUCK, _subject(current))
        work_wanted.send(Resource, session_id=current.session_id)
    return True


def hasten(row: Resource) -> bool:
    """deleting or stuck → the same, due now: whoever converges its session tries at once. False when it moved on."""
    with fenced(row, None, UNWANTED) as current:
        if current is None:
            return False
        current.next_at = None
        current.save(update_fields=["next_at"])
        work_wanted.send(Resource, session_id=current.session_id)
    return True


def wait_out(row: Resource) -> bool:
    """deleting, and not found: looked for again once nothing can come any more of a request that left. No failure."""
    with fenced(row, None, UNWANTED) as current:
        if current is None or current.doubt_until is None:
            return False
        current.next_at = current.doubt_until
        current.save(update_fields=["next_at"])
    return True


def undeleted(row: Resource, error: dict[str, Any], *, at_least: float = 0.0) -> bool:
    """A delete that could not be proved: count it, put the next try off, and call it stuck after six (I-7)."""
    with fenced(row, None, UNWANTED) as current:
        if current is None:
            return False
        current.delete_attempts += 1
        stuck = current.delete_attempts >= STUCK_AFTER
        pause = 10 * 2 ** (current.delete_attempts - 1) * random.uniform(0.5, 1.5)  # noqa: S311
        current.state, current.error = (State.STUCK if stuck else State.DELETING), error
        current.next_at = clock.now() + (HOURLY if stuck else timedelta(seconds=max(at_least, pause)))
        current.save(update_fields=["state", "error", "delete_attempts", "next_at"])
        if stuck:
            alerts.raise_alert(alerts.STUCK, _subject(current), f"{current} cannot be deleted. {error['message']}")
    return True


def put_off(row: Resource, wait: float) -> None:
    """A delete that was not tried, because its vendor is to be left alone for `wait` seconds: it counts for nothing."""
    with fenced(row, None, UNWANTED) as current:
        if current is not None:
            current.next_at = clock.now() + timedelta(seconds=wait)
            current.save(update_fields=["next_at"])


def _subject(row: Resource) -> str:
    return f"{row.provider}/{row.kind}/{row.name}"
