"""The sweep: every vendor's inventory held against the ledger, and what has no owner deleted where that is safe (I-11).

It is the last net. Whatever a session makes is found again through its row; the sweep finds what no row leads to, such
as a create that succeeded minutes after everybody had given it up. It deletes only what bears a name of this
installation, what no row owns, what is old enough and was seen in two passes, and what this ledger can say how it came
about (`sweep_rules`). Where much is out of place at once it deletes nothing and asks. Ownership is looked up again
right before each deletion, under the lease of the leg that could still take the thing up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import datetime

from django.conf import settings

from provisioning import alerts, clock, faults, ghosts, leases, sweep_rows, sweep_rules
from provisioning.exceptions import NotConfigured, VendorError
from provisioning.providers.base import Made, Step
from provisioning.providers.registry import PROVIDERS, steps_of
from provisioning.sweep_models import Stray, SweepRun
from provisioning.sweep_report import Report
from provisioning.sweep_rules import Fate
from provisioning.work import write

log = logging.getLogger(__name__)

LEASE = "sweep"
VENDOR_SECONDS = 120.0  # for one vendor in one run
_PATIENCE = 2.0  # seconds for a leg that is being worked on
_TICK = 0.1  # of the interval that a run may come early

_swept_here = False  # the first run of a process is dry: whatever it was started with, somebody can still look


async def run_due() -> SweepRun | None:
    """Sweep if the last run was `MK0R_SWEEP_SECONDS` ago; the first one of this process deletes nothing."""
    global _swept_here
    async with leases.hold(LEASE):
        last = await write(sweep_rows.last_run_at)
        now = await write(clock.now)
        if last is not None and (now - last).total_seconds() < settings.MK0R_SWEEP_SECONDS * (1 - _TICK):
            return None
        dry, _swept_here = not _swept_here, True
        return await _run(now, dry=dry, by_hand=False)


async def run(*, dry: bool = False, by_hand: bool = False, now: datetime | None = None) -> SweepRun:
    """Sweep now, alone in all processes. `dry` looks and remembers but neither deletes nor repairs.

    No vendor's failure is raised, and none keeps the other vendors from being swept.
    """
    async with leases.hold(LEASE):
        began = now if now is not None else await write(clock.now)
        return await _run(began, dry=dry, by_hand=by_hand)


async def _run(now: datetime, *, dry: bool, by_hand: bool) -> SweepRun:
    record = await write(sweep_rows.begin_run, now, dry=dry, by_hand=by_hand)
    vendors = [provider for provider in PROVIDERS if any(step.remote for step in steps_of(provider))]
    found = await asyncio.gather(*(_vendor(provider, now, dry=dry) for provider in vendors))
    reports = dict(zip(vendors, found, strict=True))
    record.report = {provider: report.stored() for provider, report in reports.items()}
    record.asked = {
        "strays": [pk for report in found for pk in report.asked_strays],
        "ghosts": [pk for report in found for pk in report.asked_ghosts],
    }
    reasons = [f"{provider}: {'; '.join(report.asks)}" for provider, report in reports.items() if report.asks]
    record.reason, record.ended_at = "\n".join(reasons), await write(clock.now)
    record.state = SweepRun.State.ASKING if reasons else SweepRun.State.DONE
    await write(sweep_rows.finish_run, record)
    await write(_tell, record, reports)
    return record


def _tell(record: SweepRun, reports: dict[str, Report]) -> None:
    """One alert for each vendor where staff have to say, open until no run asks any more."""
    for provider, report in reports.items():
        if report.asks:
            why = "; ".join(report.asks)
            alerts.raise_alert(alerts.SWEEP_ASKS, provider, f"The sweep asks about {provider}, run {record.pk}: {why}")
        elif not report.trouble:
            alerts.clear(alerts.SWEEP_ASKS, provider)


async def _vendor(provider: str, now: datetime, *, dry: bool) -> Report:
    """One vendor; whatever goes wrong at it stays at it."""
    report = Report()
    try:
        async with asyncio.timeout(VENDOR_SECONDS):
            await _sweep_vendor(provider, report, now, dry=dry)
    except NotConfigured as error:
        report.trouble.append(str(error))
        return report  # a vendor this installation does without is nothing to log every time
    except TimeoutError:
        report.trouble.append(f"not through within {VENDOR_SECONDS:g} s")
    except Exception:  # the task's boundary: a fault of our own must not end the other vendors' sweep
        log.exception("sweep_crashed provider=%s", provider)
        report.trouble.append("mk0r itself failed; see the log")
    for trouble in report.trouble:
        log.warning("sweep_trouble provider=%s %s", provider, trouble)
    return report


async def _sweep_vendor(provider: str, report: Report, now: datetime, *, dry: bool) -> None:
    compared = [one for step in steps_of(provider) if (one := await look(step, report, now)) is not None]
    faults.point("sweep.after_list")
    for one in compared:
        await ghosts.repair(one, report, now=now, dry=dry)
    due = await decide(compared, report, now)
    report.due = len(due)
    if dry or report.trouble:  # a vendor that was seen in part is cleared of nothing
        return
    for stray in due[: sweep_rules.MOST]:
        if await _cleared(stray, report, now):
            report.deleted += 1
            report.due -= 1


async def look(step: Step, report: Report, now: datetime) -> sweep_rows.Compared | None:
    """List one kind of thing and hold it against the rows; None where no whole list is to be had."""
    step.check()
    try:
        found = await step.inventory()
    except VendorError as error:
        report.trouble.append(f"no whole list of {step.kind}: {error}")
        return None
    compared = await write(sweep_rows.compare, step, found, now)
    report.listed += len(found)
    report.owned += compared.owned
    report.unknown += len(compared.strays)
    report.saw_foreign(compared.foreign)
    return compared


async def decide(compared: list[sweep_rows.Compared], report: Report, now: datetime) -> list[Stray]:
    """What of a vendor's strays may be deleted now; what may not is noted, and asked about where only staff can say."""
    strays = [stray for one in compared for stray in one.strays]
    unapproved = [stray for stray in strays if stray.approved_at is None and stray.dismissed_at is None]
    stop = sweep_rules.stop_reason(unapproved, report.listed, await write(sweep_rows.ledger_since))
    due: list[Stray] = []
    for one in compared:
        for stray in one.strays:
            fate, why = await write(_judged, stray, one.listed, now)
            provable = fate is Fate.DELETE and stray.approved_at is None
            if stop and stray.approved_at is None and fate is not Fate.LEAVE:
                fate, why = Fate.ASK, stop
            await write(sweep_rows.note, stray, why, provable=provable)
            if fate is Fate.DELETE:
                due.append(stray)
            elif fate is Fate.WAIT:
                report.waiting += 1
            elif fate is Fate.LEAVE:
                report.left += 1
            else:
                report.ask(why)
                report.held += 1
                report.asked_strays.append(stray.pk)
    return due


def _judged(stray: Stray, listed: frozenset[str], now: datetime) -> tuple[Fate, str]:
    watched = stray.made_at is not None and sweep_rows.was_watching(stray.made_at)
    return sweep_rules.judge(stray, sweep_rows.intent_of(stray, listed), watched=watched, now=now)


async def _cleared(stray: Stray, report: Report, now: datetime) -> bool:
    """Delete one; whatever goes wrong with it stays with it."""
    try:
        return await clear(stray, now)
    except VendorError as error:
        report.trouble.append(f"{stray.kind} {stray.external_id} could not be deleted: {error}")
    except Exception:  # the item's boundary: the others are swept all the same
        log.exception("sweep_item_crashed provider=%s name=%s", stray.provider, stray.name)
        report.trouble.append(f"{stray.kind} {stray.external_id}: mk0r itself failed; see the log")
    return False


async def clear(stray: Stray, now: datetime) -> bool:
    """Delete a stray unless it has found an owner since it was listed, and prove that it is gone.

    Returns whether it is. Raises `VendorError` where the vendor does not do it, or does not say.
    """
    step = next(step for step in steps_of(stray.provider) if step.kind == stray.kind)
    made = Made(stray.external_id, meta=stray.meta)
    async with undisturbed(stray) as alone:
        if not alone:
            await write(sweep_rows.note, stray, "its leg is being worked on")
            return False
        faults.point("sweep.before_delete")
        if await write(sweep_rows.has_owner, stray.provider, stray.kind, stray.external_id, stray.name):
            await write(sweep_rows.cleared, stray, "owned", now)
            return False
        log.warning(
            "sweep_deletes provider=%s kind=%s name=%s id=%s", step.provider, step.kind, stray.name, made.external_id
        )
        await step.destroy(made)
        faults.point("sweep.after_delete")
        if await step.exists(made):
            await write(sweep_rows.note, stray, "its vendor took the deletion and still has it")
            return False
        await write(sweep_rows.deleted, stray, now)
    return True


@contextlib.asynccontextmanager
async def undisturbed(stray: Stray) -> AsyncIterator[bool]:
    """Hold the lease of the leg that alone could take the thing up; False where somebody is at work there."""
    session_id = await write(sweep_rows.leg_of, stray)
    async with contextlib.AsyncExitStack() as stack:
        try:
            if session_id is not None:
                async with asyncio.timeout(_PATIENCE):
                    await stack.enter_async_context(leases.hold(leases.of_leg(session_id, stray.provider)))
        except TimeoutError:
            yield False
        else:
            yield True
