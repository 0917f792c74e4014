"""The meter: what a session may still spend, and what a call has cost it."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from gateway.models import ModelCall
from gateway.prices import Usage, cost_usd
from sessions_app.database import in_database
from sessions_app.models import Session, Turn

log = logging.getLogger(__name__)

CALLS_AT_ONCE = 8  # of one session; what they can overrun the cap by is bounded thereby
_in_flight: Counter[UUID] = Counter()


@dataclass(slots=True)
class Call:
    """One call under way: what is known of its usage so far."""

    session_id: UUID
    model: str
    status: int = 0
    complete: bool = False
    usage: Usage = field(default_factory=Usage)
    streamed: int = 0  # characters the model has produced, for an estimate when the final count never came
    started_at: datetime = field(default_factory=timezone.now)
    clock: float = field(default_factory=time.monotonic)


def enter(session_id: UUID) -> bool:
    """Take one of the session's places in this process; False when all are taken. `leave` gives it back."""
    if _in_flight[session_id] >= CALLS_AT_ONCE:
        return False
    _in_flight[session_id] += 1
    return True


def leave(session_id: UUID) -> None:
    """Give back a place taken by `enter`."""
    _in_flight[session_id] -= 1
    if _in_flight[session_id] <= 0:
        del _in_flight[session_id]


def over_budget(session: Session) -> str | None:
    """Why the session may not call the model any more, as a sentence, or None."""
    cap = settings.MK0R_SESSION_BUDGET_USD
    if cap > 0 and float(session.spent_usd) >= cap:
        return f"This session has spent its budget for the model: ${session.spent_usd:.2f} of ${cap:.2f}."
    return None


@in_database
def settle(call: Call) -> None:
    """Write the call down and add its cost to its session and to the turn that runs."""
    usage = call.usage
    if not call.complete and call.status == 200:
        usage = usage.updated({"output_tokens": call.streamed // 3})
    cost = cost_usd(call.model, usage)
    with transaction.atomic():
        Session.objects.select_for_update(no_key=True).get(pk=call.session_id)  # before the turn, as everybody does
        turn = Turn.objects.filter(session_id=call.session_id, state=Turn.State.RUNNING).first()
        ModelCall.objects.create(
            session_id=call.session_id,
            turn=turn,
            model=call.model[:100],
            status=call.status,
            complete=call.complete,
            input_tokens=usage.input,
            output_tokens=usage.output,
            cache_write_tokens=usage.cache_write_5m + usage.cache_write_1h,
            cache_read_tokens=usage.cache_read,
            cost_usd=cost,
            started_at=call.started_at,
            duration_ms=round((time.monotonic() - call.clock) * 1000),
        )
        if turn is not None and cost:
            Turn.objects.filter(pk=turn.pk).update(cost_usd=F("cost_usd") + cost)
        if cost:
            Session.objects.filter(pk=call.session_id).update(spent_usd=F("spent_usd") + cost)
