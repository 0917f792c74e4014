"""How long a resource was in the making, for lists and drawings."""

from __future__ import annotations

from datetime import timedelta

from provisioning.models import Resource

# Reasons for which what was live failed later. When it had come live stands in the log alone.
OF_WHAT_LIVED = frozenset({"lost", "revoked", "sandbox_lost"})


def had_lived(row: Resource) -> bool:
    """Whether its last settling was no end of its making: it was live, and failed after that."""
    return row.failed_reason in OF_WHAT_LIVED and row.failed_at is not None and row.failed_at == row.settled_at


def took(row: Resource) -> timedelta | None:
    """From when work on it began to when it was live or failed; None while nobody can say."""
    if row.started_at is None or row.settled_at is None or had_lived(row):
        return None
    return row.settled_at - row.started_at
