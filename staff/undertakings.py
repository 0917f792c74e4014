"""Orders of staff, taken: checked, written down with the audit entries, and left to a job, all in one commit.

Synchronous database code, but for `carry_out`, which is what the job runs.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from procrastinate.contrib.django import app

from provisioning.exceptions import NotConfigured, VendorError
from sessions_app.database import db
from staff import audit
from staff.actors import Actor
from staff.models import Errand, Undertaking
from staff.powers import POWERS, Came, Order, Power
from staff.refusals import NotAllowed, Refused

log = logging.getLogger(__name__)

CARRY_OUT = "staff.tasks.carry_out"
QUEUE = "staff"
MOST = 1000  # things in one order
AT_ONCE = 6
_LOOKS = 20  # at what is under way, a second apart, before the job makes room and comes back later
_SLOWEST = 600.0  # seconds between two visits to an undertaking that does not end
_BROKE = "mk0r itself failed at this; the log has it under {}"
State = Errand.State


def begin(
    actor: Actor, power: Power, keys: Sequence[str], *, reason: str = "", options: dict[str, Any] | None = None
) -> Undertaking:
    """Take an order of `actor` to use `power` on the things of these keys.

    Raises:
        NotAllowed: they do not have the power.
        Refused: nothing or too much is chosen, a reason or an option is missing.
    """
    if not actor.may(power.right):
        raise NotAllowed(f"{actor.name} may not do this: it takes the permission staff.{power.right}.")
    reason = audit.reason_of(reason)
    kept = power.checked(options or {})
    if power.wants_reason(kept) and not reason:
        raise Refused("Say why: the reason is kept in the audit log.")
    if len(keys) > MOST:
        raise Refused(f"At most {MOST} at once; {len(keys)} are chosen.")
    subjects = power.find(list(dict.fromkeys(keys)))
    if not subjects:
        raise Refused("Nothing is chosen, or what was chosen no longer exists.")
    with transaction.atomic():
        made = Undertaking.objects.create(
            power=power.name, by=actor.user, by_name=actor.name, where=actor.where, reason=reason[:500], options=kept
        )
        Errand.objects.bulk_create(
            Errand(undertaking=made, number=number, key=power.key(one), label=power.label(one)[:200])
            for number, one in enumerate(subjects, 1)
        )
        for one in subjects:
            audit.record(
                actor, power.name, power.label(one), session=power.slug(one), reason=reason, undertaking=str(made.pk),
                **kept,
            )  # fmt: skip
        carry_out_soon(made.pk)
    return made


def lock_of(undertaking_id: UUID) -> str:
    """What the jobs that carry out one undertaking share."""
    return f"staff.{undertaking_id}"


def carry_out_soon(undertaking_id: UUID, *, seconds: float = 0.0, visits: int = 0) -> None:
    """Have a worker go on with it; at most one at a time does."""
    task = app.configure_task(
        CARRY_OUT,
        queue=QUEUE,
        lock=lock_of(undertaking_id),
        schedule_in={"seconds": seconds} if seconds else None,
    )
    task.defer(undertaking_id=str(undertaking_id), visits=visits)


async def carry_out(undertaking_id: UUID, visits: int) -> None:
    """Run the errands that wait, then look after those under way for a while. A repeated run repeats no errand that
    has ended.
    """
    undertaking = await db(Undertaking.objects.get, pk=undertaking_id)
    power = POWERS[undertaking.power]
    order = Order(undertaking.by_name, undertaking.where, undertaking.reason, undertaking.options, str(undertaking.pk))
    places = asyncio.Semaphore(AT_ONCE)

    async def one(errand: Errand) -> None:
        async with places:
            await db(_settle, errand, await _done(power, order, errand))

    waiting = await db(lambda: list(undertaking.errands.filter(state=State.WAITING)))
    async with asyncio.TaskGroup() as group:  # where one breaks the job, none goes on beside the job's next run
        for errand in waiting:
            group.create_task(one(errand))
    for _ in range(_LOOKS):
        if not await db(_follow, undertaking, power):
            return
        await asyncio.sleep(1.0)
    await db(carry_out_soon, undertaking_id, seconds=min(_SLOWEST, 2.0 * 2.0 ** min(visits, 10)), visits=visits + 1)


async def _done(power: Power, order: Order, errand: Errand) -> Came:
    try:
        return await power.act(order, errand.key)
    except VendorError as error:
        return Came(State.FAILED, f"the vendor did not do it: {error}")
    except (Refused, NotConfigured) as error:
        return Came(State.FAILED, str(error))
    except Exception:  # the errand's boundary: one that breaks holds up no other
        reference = secrets.token_hex(3)
        log.exception("staff.errand_broke power=%s key=%s reference=%s", power.name, errand.key, reference)
        return Came(State.FAILED, _BROKE.format(reference))


def _followed(power: Power, errands: list[Errand]) -> dict[str, Came]:
    try:
        return power.followed_all([one.key for one in errands])
    except Exception:  # of one of them: look at each by itself
        log.warning("staff.look_broke power=%s", power.name, exc_info=True)
    return {one.key: _followed_one(power, one) for one in errands}


def _followed_one(power: Power, errand: Errand) -> Came:
    try:
        return power.followed(errand.key)
    except Exception:  # the errand's boundary
        reference = secrets.token_hex(3)
        log.exception("staff.errand_broke power=%s key=%s reference=%s", power.name, errand.key, reference)
        return Came(State.FAILED, _BROKE.format(reference))


def _settle(errand: Errand, came: Came) -> None:
    ended = None if came.state == State.WORKING else timezone.now()
    Errand.objects.filter(pk=errand.pk).update(
        state=came.state, words=came.words[:500], link=came.link, settled_at=ended
    )


def _follow(undertaking: Undertaking, power: Power) -> bool:
    """Look at what is under way; whether anything still is. Writes down when nothing is any more."""
    under_way = False
    errands = list(undertaking.errands.filter(state=State.WORKING))
    found = _followed(power, errands) if errands else {}
    for errand in errands:
        came = found.get(errand.key) or Came(State.FAILED, "no longer exists")
        under_way = under_way or came.state == State.WORKING
        if (came.state, came.words, came.link) != (errand.state, errand.words, errand.link):
            _settle(errand, came)
    if not under_way:
        Undertaking.objects.filter(pk=undertaking.pk, finished_at=None).update(finished_at=timezone.now())
    return under_way
