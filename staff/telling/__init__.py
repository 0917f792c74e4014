"""What shell and API tell of the console's things: plain data that is JSON as it stands, without a secret in it."""

from __future__ import annotations

from datetime import datetime


def iso(moment: datetime | None) -> str | None:
    """A moment as every answer writes it."""
    return moment.isoformat() if moment else None
