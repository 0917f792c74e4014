"""The meter: what a session may still spend, and what a call has cost it.

A call is held at the most it can cost from before it leaves until it is settled. A session below its cap may always
make one call; more at once only as far as all that is held fits under the cap. So a cap is overrun by one call at
most, and near it calls run one after the other. The day's cap over all sessions looks at what is settled alone: it is
overrun by the calls that were under way when it was reached.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Sum
from django.utils import timezone

from gateway.models import ModelCall, ModelHold
from gateway.prices import Usage, cost_usd
from sessions_app.database import in_database
from sessions_app.models import Session, Turn

log = logging.getLogger(__name__)

CALLS_AT_ONCE = 8  # of one session; what they can overrun the cap by is bounded thereby
HOLD_LASTS = timedelta(minutes=25)  # longer than any call
TOKENS_PER_SECOND = 80  # that a model puts out, where nobody saw how many it did
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds between tries to settle a call
_in_flight: Counter[UUID] = Counter()


class OverBudget(Exception):
    """The session may not call the model any more; the text says why."""


class Held(Exception):
    """The session may call the model again once another call of its own has ended."""


@dataclass(slots=True)
class Call:
    """One call under way: what is known of its usage so far.

    `prompt` is an estimate of its input in tokens, `most` the most it may put out.
    """

    session_id: UUID
    model: str
    prompt: int = 0
    most: int = 0
    id: UUID = field(default_factory=uuid4)
    held: bool = False  # let in by `hold`
    usd: Decimal = Decimal(0)  # held for it
    turn_id: int | None = None  # the turn that ran when it was let in
    sent: bool = True  # False: it is certain that the upstream never saw it
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


@in_database
def hold(call: Call) -> None:
    """Let the call count against its session's cap at the most it can cost.

    Raises:
        OverBudget: the session has spent its budget, or all sessions together that of the day. Held: what is left of
            the session's is held by calls under way.
    """
    cap, daily = Decimal(str(settings.MK0R_BUDGET_USD)), Decimal(str(settings.MK0R_DAILY_USD))
    if 0 < daily <= spent_since(today()):
        raise OverBudget(
            f"mk0r has spent what it may spend in a day on the model: ${daily:.2f}. It goes on at 0:00 UTC."
        )
    with transaction.atomic():
        session = Session.objects.select_for_update(no_key=True).get(pk=call.session_id)
        holds = ModelHold.objects.filter(session=session)
        holds.filter(at__lt=timezone.now() - HOLD_LASTS).delete()  # of a process that died
        held = holds.aggregate(sum=Sum("usd"))["sum"] or Decimal(0)
        if 0 < cap <= session.spent_usd:
            raise OverBudget(
                f"This session has spent its budget for the model: ${session.spent_usd:.2f} of ${cap:.2f}."
            )
        if 0 < cap <= session.spent_usd + held:
            raise Held("What is left of this session's budget is held by calls under way. Try again in a moment.")
        running = Turn.objects.filter(session=session, state=Turn.State.RUNNING)
        call.turn_id = running.values_list("pk", flat=True).first()
        most = cost_usd(call.model, Usage(input=call.prompt, output=call.most))
        call.usd = most
        if most:
            ModelHold.objects.create(id=call.id, session=session, usd=most)
    call.held = True


def today() -> datetime:
    """When the day began that `MK0R_DAILY_USD` is for. Days are UTC's."""
    return timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def spent_since(moment: datetime) -> Decimal:
    """What the calls that began since then have cost, over all sessions; those under way are not among them."""
    return ModelCall.objects.filter(started_at__gte=moment).aggregate(sum=Sum("cost_usd"))["sum"] or Decimal(0)


async def end(call: Call) -> None:
    """Settle the call, even if whoever waits for it is cancelled, and only then give back its place."""
    try:
        if call.held:
            await asyncio.shield(_settle_surely(call))
    finally:
        leave(call.session_id)


async def _settle_surely(call: Call) -> None:
    """Settle the call, also when the database is away for a moment: what it cost is known here alone."""
    for number, pause in enumerate(_PAUSES):
        try:
            await settle(call, again=number > 0)
        except (OperationalError, InterfaceError) as error:
            log.warning("gateway.not_settled session=%s error=%s", call.session_id, type(error).__name__)
            await asyncio.sleep(pause)
        else:
            return
    await settle(call, again=True)


@in_database
def settle(call: Call, *, again: bool = False) -> None:
    """Write the call down, add its cost to its session and to the turn that made it, and give back what was held.

    That turn may be over, and another may run: a call that was left is settled after whoever left it. `again`: it was
    tried before, and may have come through.
    """
    usage = _usage(call)
    cost = cost_usd(call.model, usage)
    with transaction.atomic():
        Session.objects.select_for_update(no_key=True).get(pk=call.session_id)  # before the turn, as everybody does
        given_back, _ = ModelHold.objects.filter(pk=call.id).delete()
        if again and call.usd and not given_back:
            return
        ModelCall.objects.create(
            session_id=call.session_id,
            turn_id=call.turn_id,
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
        if call.turn_id is not None and cost:
            Turn.objects.filter(pk=call.turn_id).update(cost_usd=F("cost_usd") + cost)
        if cost:
            Session.objects.filter(pk=call.session_id).update(spent_usd=F("spent_usd") + cost)


def _usage(call: Call) -> Usage:
    """What the upstream said; where a call was broken off before it did, an estimate, so that leaving is not free."""
    usage = call.usage
    if call.complete or not call.sent or call.status not in {0, 200}:
        return usage
    if not (usage.input or usage.cache_read or usage.cache_write_5m or usage.cache_write_1h):
        usage = usage.updated({"input_tokens": call.prompt})
    output = call.streamed // 3
    if not call.streamed:
        output = min(call.most, round((time.monotonic() - call.clock) * TOKENS_PER_SECOND))
    return usage.updated({"output_tokens": output})
