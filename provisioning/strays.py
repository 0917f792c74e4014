"""What staff decide about one stray: have it deleted, give it to its row, or leave it alone.

Their word stands in for what the sweep cannot know, and for nothing else. Whatever they decide, the thing is looked for
once more under its name and has to be the very one that was seen; a name has to be this installation's; and nothing
happens under the hands of a leg that is at work.
"""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import IntegrityError, transaction

from provisioning import ledger, sweep, sweep_rows, sweep_rules
from provisioning.answers import Answer
from provisioning.exceptions import VendorError
from provisioning.models import Resource
from provisioning.names import slug_in
from provisioning.providers.base import Found, Made, Order, Step
from provisioning.providers.registry import step_for
from provisioning.sweep_models import DISMISSAL, Ghost, Stray
from provisioning.sweep_rules import Fate
from provisioning.work import write

log = logging.getLogger(__name__)
State = Resource.State

_WORKING = ledger.IN_FLIGHT | {State.PLANNED}
_AT_WORK = "its leg is being worked on"


async def delete(stray_id: int, now: datetime) -> Answer:
    """Delete a stray at its vendor under the guards of the sweep, and prove that it is gone.

    What cannot be done at once, as it is too young or its vendor fails, stays approved: the next sweep sees to it.

    Raises:
        NotConfigured: the vendor's key is missing.
    """
    stray = await write(_approved, stray_id, now)
    if isinstance(stray, Answer):
        return stray
    step = step_for(stray.provider, stray.kind)
    step.check()
    try:
        found = await _again(step, stray)
        if found is None:
            return await _missed(step, stray, now)
        fate, why = sweep_rules.judge(stray, None, watched=False, now=now)
        if fate is not Fate.DELETE:
            await write(sweep_rows.note, stray, why)
            return Answer.later(f"{why}: the sweep deletes it once it is {_minutes(sweep_rules.grace().seconds)} old")
        if await sweep.clear(stray, now):
            return Answer.done("deleted, and not found when looked for again")
    except VendorError as error:
        log.warning("stray_not_deleted provider=%s name=%s %s", stray.provider, stray.name, error)
        return Answer.later(f"{step.label} did not do it ({error}); the sweep tries again")
    if stray.cleared_at is not None:
        return Answer.nothing("found an owner meanwhile, and was left to it")
    return Answer.later(f"{stray.why}; the sweep tries again")


async def adopt(stray_id: int, now: datetime) -> Answer:
    """Give a stray to the row under whose name it was made, if that owns nothing; the leg then goes on with it.

    Raises:
        NotConfigured, VendorError: its vendor cannot be asked, or did not answer as it should.
    """
    known = await write(_known, stray_id)
    if isinstance(known, Answer):
        return known
    stray, row = known
    against = objection(stray, row)
    if row is None or against:
        return Answer.refused(against)
    step = step_for(stray.provider, stray.kind)
    step.check()
    async with sweep.undisturbed(stray) as alone:
        if not alone:
            return Answer.refused(f"{_AT_WORK}; try again in a moment")
        found = await _again(step, stray)
        if found is None:
            return await _missed(step, stray, now)
        order = await write(lambda: ledger.order_for(ledger.row(row.pk)))
        if not found.belongs_to(order):
            return Answer.refused("it was made before its session was begun")
        made = await step.adopt(order, found)
        return await write(_given, stray, row, made, now)


def objection(stray: Stray, row: Resource | None) -> str:
    """Why a stray cannot be given to its row as that stands, `row` with its session; empty where it can."""
    if row is None:
        return "no session of this ledger bears its name, so there is nobody to give it to"
    if not step_for(stray.provider, stray.kind).adoptable:
        return "its secret was shown once and is lost: delete it, and a retry of the leg makes a new one"
    if row.state in _WORKING:
        return f"{_AT_WORK}, and finds by itself what bears its name"
    if row.state == State.READY:
        return "its session has another that is live; where that one is gone, repair it first"
    if row.state != State.FAILED:
        return "its session has ended or is ending: what bears its name is deleted"
    if not ledger.owns_nothing(row):
        return "its session has another, which a retry of the leg goes on with"
    if row.session.state != "open":
        return "its session has ended or is ending: what bears its name is deleted"
    return ""


def dismiss(stray_id: int, *, by: str, reason: str, now: datetime) -> Answer:
    """Leave a stray alone: neither deleted nor asked about again, until it is another thing or staff say otherwise."""
    with transaction.atomic():
        stray = _open(stray_id)
        if isinstance(stray, Answer):
            return stray
        if stray.dismissed_at is not None:
            return Answer.nothing(f"was left alone before, by {stray.dismissed_by}")
        stray.dismiss(now, by=by, reason=reason)
        stray.approved_at = None
        stray.save(update_fields=[*DISMISSAL, "approved_at"])
    return Answer.done("is left alone and not asked about again")


def dismiss_ghost(ghost_id: int, *, by: str, reason: str, now: datetime) -> Answer:
    """Leave a ghost alone: its row stays as it is, and is not asked about again while it says the same."""
    with transaction.atomic():
        ghost = Ghost.objects.select_for_update().filter(pk=ghost_id).first()
        if ghost is None:
            return Answer.nothing("is no ghost any more")
        if ghost.dismissed_at is not None:
            return Answer.nothing(f"was left alone before, by {ghost.dismissed_by}")
        ghost.dismiss(now, by=by, reason=reason)
        ghost.approved_at = None
        ghost.save(update_fields=[*DISMISSAL, "approved_at"])
    return Answer.done("is left alone and not asked about again")


def _open(stray_id: int) -> Stray | Answer:
    """A stray that still is one, locked; or what became of it."""
    stray = Stray.objects.select_for_update().filter(pk=stray_id).first()
    if stray is None or stray.deleted_at is not None:
        return Answer.nothing("was deleted before")
    return Answer.nothing(f"is no stray any more: {stray.why}") if stray.cleared_at is not None else stray


def _known(stray_id: int) -> tuple[Stray, Resource | None] | Answer:
    with transaction.atomic():
        stray = _open(stray_id)
    return stray if isinstance(stray, Answer) else (stray, sweep_rows.row_of(stray))


def _approved(stray_id: int, now: datetime) -> Stray | Answer:
    with transaction.atomic():
        stray = _open(stray_id)
        if isinstance(stray, Answer):
            return stray
        if slug_in(stray.name) is None:
            return Answer.refused("its name is not one of this installation's")
        stray.approved_at = stray.approved_at or now
        stray.dismiss(None)
        stray.save(update_fields=[*DISMISSAL, "approved_at"])
    return stray


async def _again(step: Step, stray: Stray) -> Found | None:
    """The thing as its vendor shows it now, under its name; None where it is not the very one that was seen."""
    made_at = stray.made_at or stray.first_seen
    order = Order(slug_in(stray.name) or "", stray.name, 0, made_at, made_at)
    found = await step.find(order)
    return next((one for one in found if (one.external_id, one.created_at) == (stray.external_id, stray.made_at)), None)


async def _missed(step: Step, stray: Stray, now: datetime) -> Answer:
    """It is not there under its name as it was seen: gone, or something else by now, which nobody has decided about."""
    if not await step.exists(Made(stray.external_id, meta=stray.meta)):
        await write(sweep_rows.cleared, stray, "gone by itself", now)
        return Answer.nothing("is gone already")
    await write(_doubted, stray)
    return Answer.refused("is not what was seen any more: sweep again, then decide anew")


def _doubted(stray: Stray) -> None:
    Stray.objects.filter(pk=stray.pk).update(approved_at=None)


def _given(stray: Stray, row: Resource, made: Made, now: datetime) -> Answer:
    try:
        with transaction.atomic():
            if not ledger.give(row, made, name=stray.name):
                return Answer.refused(f"{_AT_WORK}; try again in a moment")
            sweep_rows.cleared(stray, "adopted", now)
    except IntegrityError:
        return Answer.refused("another session owns it")
    log.warning("stray_adopted session=%s provider=%s kind=%s", row.session.slug, row.provider, row.kind)
    return Answer.later("given to its session; its leg goes on with it")


def _minutes(seconds: int) -> str:
    return f"{max(1, round(seconds / 60))} minutes"
