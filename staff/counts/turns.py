"""Turns under way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q

from sessions_app.models import Turn
from sessions_app.turns import ACTIVE


@dataclass(frozen=True, slots=True)
class Turns:
    """How many run and wait, and since when the one that has run longest does."""

    running: int
    waiting: int
    longest_since: datetime | None


def under_way() -> Turns:
    """One query."""
    running = Q(state=Turn.State.RUNNING)
    found = Turn.objects.filter(state__in=ACTIVE).aggregate(
        running=Count("pk", filter=running),
        waiting=Count("pk", filter=~running),
        longest_since=Min("started_at", filter=running),
    )
    return Turns(**found)
