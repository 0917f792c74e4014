"""How much a session may do: turns within a day and money, and until when a reached limit holds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from sessions_app.errors import Limit
from sessions_app.models import Session, Turn

_WINDOW = timedelta(hours=24)


def _recent_turns(session: Session) -> QuerySet[Turn]:
    """Turns of the last day that count together:

    the visitor's over all sessions, or the session's when it has no visitor.
    """
    recent = Turn.objects.filter(created_at__gt=timezone.now() - _WINDOW)
    if session.visitor_hash:
        return recent.filter(session__visitor_hash=session.visitor_hash)
    return recent.filter(session=session)


def check(session: Session) -> None:
    """Refuse another turn when a limit is reached.

    Raises:
        Limit: `turns` until the oldest turn of the day is a day old, or `budget` for the rest of the session.
    """
    limit = settings.MK0R_TURN_LIMIT
    if limit:
        recent = list(_recent_turns(session).order_by("-created_at").values_list("created_at", flat=True)[:limit])
        if len(recent) >= limit:
            message = f"All {limit} turns of the last 24 hours are used. The next is free when the oldest is a day old."
            raise Limit(message, limit="turns", until=recent[-1] + _WINDOW)
    budget = settings.MK0R_BUDGET_USD
    if budget and float(session.spent_usd) >= budget:
        message = f"This session has used its ${budget:.2f} for the model. A new session starts from zero."
        raise Limit(message, limit="budget", until=session.expires_at)


def state(session: Session) -> dict[str, Any]:
    """What is left, for showing; None where there is no limit."""
    limit = settings.MK0R_TURN_LIMIT
    return {
        "turns_left": max(0, limit - _recent_turns(session).count()) if limit else None,
        "budget_usd": settings.MK0R_BUDGET_USD or None,
        "spent_usd": float(session.spent_usd),
    }
