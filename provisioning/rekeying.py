"""Bring every stored secret under the first key of the ring while everything runs, so that an old key can go (I-17).

Each row is read and written under its own lock, so a value that is replaced meanwhile is never overwritten by the one
before. A process that was started with an older ring may still seal with its own first key; a second run finds those.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from provisioning.models import Credential
from provisioning.secrets import Unreadable, first_key

BATCH = 200  # rows locked at a time: some milliseconds for whoever waits


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """How many values were sealed anew, and which rows no key of the ring opens; those were left as they are."""

    resealed: int
    unreadable: list[str]


def rekey() -> Rekeyed:
    """Seal every held value under the first key. Ending it half-way loses nothing; running it again goes on."""
    resealed, unreadable, last = 0, list[str](), None
    while True:
        done, failed, last = _batch(last)
        resealed += done
        unreadable += failed
        if last is None:
            return Rekeyed(resealed, unreadable)


@transaction.atomic
def _batch(after: object) -> tuple[int, list[str], object]:
    """The next rows by id: how many were resealed, which could not be read, and the last id (None at the end)."""
    rows = Credential.objects.filter(revoked_at=None).exclude(ciphertext__startswith=f"v1:{first_key()}:")
    if after is not None:
        rows = rows.filter(pk__gt=after)
    held = list(rows.order_by("pk").select_for_update(no_key=True)[:BATCH])
    unreadable = []
    for credential in held:
        try:
            credential.seal(credential.reveal_to_redact())
        except Unreadable:
            unreadable.append(f"{credential} ({credential.pk})")
        else:
            credential.save(update_fields=["ciphertext"])
    return len(held) - len(unreadable), unreadable, held[-1].pk if held else None
