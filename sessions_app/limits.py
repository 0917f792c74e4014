"""How much strangers may do: sessions begun from one network and open at once, turns within a day, and money; and until
when a reached limit holds.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from sessions_app.addresses import network_of
from sessions_app.errors import Limit
from sessions_app.locks import serialise
from sessions_app.models import Session, Turn

_WINDOW = timedelta(hours=24)
_WORDS = {1: "second", 60: "minute", 3600: "hour", 86400: "day"}


def admit(address: str) -> str:
    """Let a session be begun from `address`, one at a time until the caller's transaction ends, so that none slips by.

    Returns what stands for its network in the new row: nothing where networks are not counted, or it is no address.

    Raises:
        Limit: `network` until the oldest that counts is old enough, or `sessions`, for nobody knows how long.
    """
    network = network_of(address) if settings.MK0R_SESSIONS_PER_NETWORK else ""
    network_hash = salted_hmac("mk0r.network", network, algorithm="sha256").hexdigest() if network else ""
    if network_hash:
        serialise(f"network|{network_hash}")
        _require_few_of(network_hash)
    if settings.MK0R_OPEN_SESSIONS:
        serialise("open sessions")
        _require_room(settings.MK0R_OPEN_SESSIONS)
    return network_hash


def _require_few_of(network_hash: str) -> None:
    for rate in settings.MK0R_SESSIONS_PER_NETWORK:
        window = timedelta(seconds=rate.seconds)
        recent = Session.objects.filter(network_hash=network_hash, created_at__gt=timezone.now() - window)
        begun = list(recent.order_by("-created_at").values_list("created_at", flat=True)[: rate.count])
        if len(begun) >= rate.count:
            until = begun[-1] + window
            minutes = max(1, math.ceil((until - timezone.now()) / timedelta(minutes=1)))
            message = (
                f"Your network has begun {rate.count} app{'s' if rate.count > 1 else ''} within one "
                f"{_WORDS[rate.seconds]}, and that is all it may. The next can be begun in {minutes} "
                f"minute{'s' if minutes > 1 else ''}."
            )
            raise Limit(message, limit="network", until=until)


def _require_room(most: int) -> None:
    if Session.objects.filter(state=Session.State.OPEN).count() >= most:
        message = "As many apps as there is room for are being built here. Please try again in a few minutes."
        raise Limit(message, limit="sessions", until=None)


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
