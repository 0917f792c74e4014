"""Bring every stored secret under the first key of the ring while everything runs, so that an old key can go (I-17).

Each row is read and written under its own lock, so a value that is replaced meanwhile is never overwritten by the one
before. A process that was started with an older ring may still seal with its own first key; a second run finds those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from provisioning.models import Credential, RepositoryToken
from provisioning.secrets import Secret, Unreadable, first_key


@dataclass(frozen=True, slots=True)
class _Held:
    """Rows that hold a ciphertext, and how one is opened whether or not its time is over."""

    rows: Callable[[], QuerySet[Any]]
    opened: Callable[[Any], Secret]


_HELD = (
    _Held(lambda: Credential.objects.filter(revoked_at=None), Credential.reveal_to_redact),
    _Held(RepositoryToken.objects.all, RepositoryToken.reveal),
)
BATCH = 200  # rows locked at a time: some milliseconds for whoever waits


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """How many values were sealed anew, and which rows no key of the ring opens; those were left as they are."""

    resealed: int
    unreadable: list[str]


def rekey() -> Rekeyed:
    """Seal every held value under the first key. Ending it half-way loses nothing; running it again goes on."""
    resealed, unreadable = 0, list[str]()
    for held in _HELD:
        last: object = None
        while True:
            done, failed, last = _batch(held, last)
            resealed += done
            unreadable += failed
            if last is None:
                break
    return Rekeyed(resealed, unreadable)


@transaction.atomic
def _batch(of: _Held, after: object) -> tuple[int, list[str], object]:
    """The next rows by id: how many were resealed, which could not be read, and the last id (None at the end)."""
    rows = of.rows().exclude(ciphertext__startswith=f"v1:{first_key()}:")
    if after is not None:
        rows = rows.filter(pk__gt=after)
    held = list(rows.order_by("pk").select_for_update(no_key=True)[:BATCH])
    unreadable = []
    for row in held:
        try:
            row.seal(of.opened(row))
        except Unreadable:
            unreadable.append(f"{row} ({row.pk})")
        else:
            row.save(update_fields=["ciphertext"])
    return len(held) - len(unreadable), unreadable, held[-1].pk if held else None
