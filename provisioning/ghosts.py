"""Rows that say ready while their vendor has nothing any more: found by the sweep, told to the visitor, put right.

What is on no list is asked for once more by its id before it counts as missing, and has to be missing in two passes. A
sandbox is then called lost as everywhere else, and made anew when its visitor is there. Any other leg fails with the
reason `lost`, and a Retry has a new thing made and `.env` written again.
"""

from __future__ import annotations

import logging
from datetime import datetime

from provisioning import ledger, sweep_rows, sweep_rules, words
from provisioning.answers import Answer
from provisioning.exceptions import VendorError
from provisioning.models import Resource
from provisioning.providers.base import Made
from provisioning.providers.registry import step_for
from provisioning.sweep_models import Ghost
from provisioning.sweep_report import Report
from provisioning.work import write

log = logging.getLogger(__name__)
_LOOKS = 50  # re-reads at one vendor and kind in one run


async def repair(compared: sweep_rows.Compared, report: Report, *, now: datetime, dry: bool) -> None:
    """Look for the ghosts of one kind, and repair those that were seen twice; asks where there are too many at once."""
    absent, expected = await write(sweep_rows.missing, compared.step, compared.listed, now)
    ghosts = [ghost for row in absent[:_LOOKS] if (ghost := await _confirmed(row, compared, now)) is not None]
    report.ghosts += len(ghosts)
    stopped = sweep_rules.too_many(len(absent), expected)
    if stopped:
        report.ask(f"{len(absent)} of {expected} {compared.step.kind} rows have nothing there: is it the same account?")
        report.asked_ghosts += [ghost.pk for ghost in ghosts if ghost.approved_at is None]
    for ghost in ghosts:
        due = ghost.approved_at is not None or (
            not stopped and sweep_rules.seen_twice(ghost.first_seen, ghost.last_seen)
        )
        if due and not dry:
            await write(_fail, ghost.resource, ghost)
            report.repaired += 1


async def _confirmed(row: Resource, compared: sweep_rows.Compared, now: datetime) -> Ghost | None:
    """The ghost of a row whose thing its vendor says is gone; None where it is there after all, or nobody says."""
    try:
        if await compared.step.exists(Made(row.external_id, row.url, row.meta)):
            return None
    except VendorError as error:
        log.info("ghost_unclear session=%s provider=%s %s", row.session.slug, row.provider, error)
        return None
    return await write(sweep_rows.sight_ghost, row, now)


async def repair_one(ghost_id: int) -> Answer:
    """Repair one now, on a person's word: its vendor is asked once more, and only what is gone counts as gone.

    Raises:
        NotConfigured, VendorError: nobody can say.
    """
    ghost = await write(_ghost, ghost_id)
    row = ghost.resource if ghost is not None else None
    if ghost is None or row is None:
        return Answer.nothing("is no ghost any more: it was repaired, or its thing is there")
    if row.state != Resource.State.READY or row.external_id != ghost.external_id:
        await write(sweep_rows.lay, ghost)
        return Answer.nothing("its row has moved on by itself")
    step = step_for(row.provider, row.kind)
    step.check()
    if await step.exists(Made(row.external_id, row.url, row.meta)):
        await write(sweep_rows.lay, ghost)
        return Answer.nothing(f"{step.label} has it after all")
    if not await write(_fail, row, ghost):
        return Answer.nothing("its row has moved on by itself")
    again = "a new one is made when its visitor is there" if row.provider == "e2b" else "a retry makes a new one"
    return Answer.done(f"told to its visitor as lost; {again}")


def _ghost(ghost_id: int) -> Ghost | None:
    return Ghost.objects.select_related("resource__session").filter(pk=ghost_id).first()


def _fail(row: Resource, ghost: Ghost) -> bool:
    """ready → failed; False when the row has moved on meanwhile."""
    step = step_for(row.provider, row.kind)
    told = words.lost(step) if row.provider == "e2b" else words.vanished(step)
    failed = ledger.fail(row, told, states=frozenset({Resource.State.READY}))
    if failed:
        log.warning(
            "ghost_repaired session=%s provider=%s kind=%s reference=%s",
            row.session.slug, row.provider, row.kind, told["reference"],
        )  # fmt: skip
    sweep_rows.lay(ghost)
    return failed
