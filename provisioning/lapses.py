"""Credentials whose lease is over while their session goes on: found, revoked, and kept no longer.

Synchronous database code, fenced and announced like everything in `ledger`.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Least

from provisioning import clock
from provisioning.ledger import changing, fenced
from provisioning.models import Credential, Resource, Rotation
from provisioning.signals import work_wanted

State = Resource.State


HELD = frozenset({State.READY, State.FAILED})  # at rest, and the vendor may take what it gave out
_A_WHILE = timedelta(minutes=1)  # by then somebody is at work on it


def lapsed(session_id: UUID) -> QuerySet[Credential]:
    """Credentials of what is at rest in a session that goes on, whose lease is over and which the vendor still takes.

    Those of a session whose own time is up end with it.
    """
    now = clock.now()
    due = Q(resource__next_at=None) | Q(resource__next_at__lte=now)
    held = Credential.objects.filter(due, resource__session_id=session_id, resource__state__in=HELD)
    return held.filter(revoked_at=None, expires_at__lte=now, resource__session__expires_at__gt=now)


def unfinished(limit: int) -> list[UUID]:
    """Sessions with a credential that is still to be revoked, for whoever looks after what lost its job."""
    now = clock.now()
    due = Q(resource__next_at=None) | Q(resource__next_at__lte=now)
    held = Credential.objects.filter(due, revoked_at=None, expires_at__lte=now - _A_WHILE, resource__state__in=HELD)
    going_on = held.filter(resource__session__expires_at__gt=now)
    return list(going_on.values_list("resource__session_id", flat=True).distinct()[:limit])


def has_lapsed(row: Resource) -> bool:
    """Whether a credential of this row is to be revoked now."""
    return lapsed(row.session_id).filter(resource=row).exists()


def lapse(session_id: UUID, provider: str) -> bool:
    """End the leases of a provider's credentials now; False when there are none. The converging that follows revokes
    them at the vendor.

    They end before their session does in any case: more time for it brings back what ended with it, and not these.
    """
    with changing(session_id, provider):
        held = Credential.objects.filter(resource__session_id=session_id, resource__provider=provider, revoked_at=None)
        before = F("expires_at") - timedelta(microseconds=1)
        lapsed_now = bool(held.update(expires_at=Least(before, Value(clock.now()))))
        if lapsed_now:
            work_wanted.send(Resource, session_id=session_id)
    return lapsed_now


def revoked(row: Resource, error: dict[str, Any]) -> bool:
    """To failed: the vendor takes the row's credentials no more. A retry adopts what is left or makes it anew."""
    with fenced(row, row.attempt, HELD) as current:
        if current is None:
            return False
        current.state, current.error, current.settled_at, current.next_at = State.FAILED, error, clock.now(), None
        current.save(update_fields=["state", "error", "settled_at", "next_at"])
        wipe(current)
    return True


def unrevoked(row: Resource) -> bool:
    """A revocation that the vendor did not confirm: the next try is put off by about half a minute."""
    with fenced(row, row.attempt, HELD) as current:
        if current is None:
            return False
        current.next_at = clock.now() + timedelta(seconds=30 * random.uniform(0.5, 1.5))  # noqa: S311
        current.save(update_fields=["next_at"])
    return True


def wipe(row: Resource) -> None:
    """Keep no secret of a resource any more: what is revoked leaves no ciphertext behind, and is not rotated."""
    now = clock.now()
    row.credentials.filter(revoked_at=None).update(revoked_at=now, ciphertext="", fingerprint="")
    row.rotations.filter(ended_at=None).update(
        state=Rotation.State.GIVEN_UP, ended_at=now, words="the credentials have come to their end meanwhile"
    )
