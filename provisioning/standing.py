"""How each vendor treats us just now, in one row that every process reads: asked to wait, refused, stopped by staff.

*Pause*: a vendor that says 429, or 503 with a time, is left alone by everybody until then, or for a few seconds,
longer each time it says so again before it took a call. A 503 that names no time may be one machine's trouble: only
the third in a row counts as a throttle. A 429 that names no time and was the answer to a create keeps nobody from
deleting: the account may be full, and then nothing but deleting ever makes room. *Breaker*: after three refusals of
our key in a row nobody asks any more, until one probe, let through by compare-and-set after 10 s, then 20 s and so on
up to 5 min, gets any answer but that refusal. Calls that are already under way when it opens cannot be called back.
Nothing is written while nothing is the matter.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Least, Now

from provisioning import alerts, budgets
from provisioning.models import Vendor
from provisioning.outcome import MAX_RETRY_AFTER
from provisioning.providers.base import Step

log = logging.getLogger(__name__)

STUMBLES = 3  # in a row, over all processes
OPENS_AFTER = 3  # refusals in a row, over all processes
PROBE_SECONDS = 10
PROBE_SECONDS_MOST = 300
SHORTEST_PAUSE = 2.0  # seconds, where the vendor names none
LONGEST_PAUSE = 60.0  # of those it did not name
_CALM = timedelta(minutes=1)  # after a pause; what comes then is a new one and not the same again


@dataclass(frozen=True, slots=True)
class Standing:
    """One vendor's row as it was when it was read, by the database's clock."""

    now: datetime
    paused_until: datetime | None = None  # None as well once it is over
    making_only: bool = False  # the pause is of making things: the account may be full, and deleting makes room
    refusing: bool = False  # the breaker is open
    probe_due: bool = False
    stopped: bool = False
    troubled: bool = False  # there is something that an accepted call would wipe out

    @property
    def welcomes(self) -> bool:
        """Whether nothing speaks against asking it now."""
        return not (self.paused_until or self.refusing or self.stopped)

    @property
    def paused_for(self) -> float:
        """Seconds the vendor is still to be left alone."""
        return (self.paused_until - self.now).total_seconds() if self.paused_until else 0.0

    @property
    def deletes_paused_for(self) -> float:
        """Seconds it is still to be left alone by those who delete."""
        return 0.0 if self.making_only else self.paused_for


def of(provider: str) -> Standing:
    """How the vendor treats us now; one read."""
    row = Vendor.objects.annotate(now=Now()).filter(provider=provider).values().first()
    if row is None:
        return Standing(now=_now())
    now, until, probe_at = row["now"], row["paused_until"], row["probe_at"]
    return Standing(
        now=now,
        paused_until=until if until is not None and until > now else None,
        making_only=row["making_only"],
        refusing=probe_at is not None,
        probe_due=probe_at is not None and probe_at <= now,
        stopped=row["stopped"],
        troubled=row["refusals"] > 0 or row["stumbles"] > 0 or (row["pauses"] > 0 and (until is None or until <= now)),
    )


def pause(step: Step, asked: float | None, *, making_only: bool = False) -> None:
    """The vendor said "later", perhaps naming seconds: have everybody leave it alone, then come back one by one.

    With `making_only` deletes go on, unless a pause of everything is running.
    """
    with transaction.atomic():
        row, now = _locked(step.provider), _now()
        before = row.paused_until
        row.making_only = making_only and (row.making_only or before is None or before <= now)
        if before is None or before < now - _CALM:
            row.pauses = 1
        elif before <= now:
            row.pauses += 1
        ours = min(SHORTEST_PAUSE * 2.0 ** min(row.pauses - 1, 10), LONGEST_PAUSE) * random.uniform(0.75, 1.25)  # noqa: S311
        seconds = min(asked, MAX_RETRY_AFTER) if asked is not None and asked >= 1 else ours
        row.paused_until = max(now + timedelta(seconds=seconds), before or now)
        row.save(update_fields=["pauses", "paused_until", "making_only"])
        budgets.pick_up_slowly(step, budgets.rates_of(step) or budgets.AFTER_A_PAUSE, row.paused_until)
    if before is None or before <= now:
        log.warning("vendor_paused provider=%s seconds=%.1f asked=%s", step.provider, seconds, asked)


def stumbled(step: Step) -> None:
    """The vendor was not there for one call, and named no time: the third time in a row it is left alone."""
    with transaction.atomic():
        row = _locked(step.provider)
        row.stumbles = (row.stumbles + 1) % STUMBLES
        row.save(update_fields=["stumbles"])
    if row.stumbles == 0:
        pause(step, None)


def refused(provider: str) -> None:
    """The vendor refused our key once more; the third time in a row opens the breaker, and says so once."""
    with transaction.atomic():
        row = _locked(provider)
        row.refusals += 1
        opens = row.refusals >= OPENS_AFTER and row.probe_at is None
        if opens:
            row.probe_at, row.probe_seconds = _now() + timedelta(seconds=PROBE_SECONDS), PROBE_SECONDS
        row.save(update_fields=["refusals", "probe_at", "probe_seconds"])
        if opens:
            text = f"{provider} refuses our key. Nothing is made there until it takes it again."
            alerts.raise_alert(alerts.KEY_REFUSED, provider, text)


def accepted(provider: str) -> None:
    """The vendor took a call: forget its refusals and stumbles, close the breaker, begin with short pauses again."""
    was_open = Vendor.objects.filter(provider=provider, probe_at__isnull=False).exists()
    troubled = Vendor.objects.filter(Q(refusals__gt=0) | Q(stumbles__gt=0), provider=provider)
    changed = troubled.update(refusals=0, stumbles=0, probe_at=None)
    # What was let in before a pause tells nothing of whether that was long enough.
    Vendor.objects.filter(provider=provider, pauses__gt=0, paused_until__lte=Now()).update(pauses=0)
    if changed and was_open:
        alerts.clear(alerts.KEY_REFUSED, provider)


def take_probe(provider: str) -> bool:
    """Whether this call is the one that may find out; the next may go after twice the time."""
    due = Vendor.objects.filter(provider=provider, probe_at__lte=Now())
    longer = Least(F("probe_seconds") * 2, PROBE_SECONDS_MOST)
    return due.update(probe_seconds=longer, probe_at=Now() + longer * timedelta(seconds=1)) == 1


def invite_probe(provider: str) -> None:
    """A person wants to know now: let the next call through."""
    Vendor.objects.filter(provider=provider, probe_at__gt=Now()).update(probe_at=Now())


def stop(provider: str, *, by: str, reason: str) -> bool:
    """Have nothing made there from now on, in any process, on a person's word; False when that is so already.

    What is there stays and can be deleted. A leg whose place in the queue comes fails and says so.
    """
    with transaction.atomic():
        row = _locked(provider)
        if row.stopped:
            return False
        row.stopped, row.stopped_at, row.stopped_by, row.stopped_reason = True, _now(), by[:150], reason[:500]
        row.save(update_fields=["stopped", "stopped_at", "stopped_by", "stopped_reason"])
    log.warning("vendor_stopped provider=%s by=%s", provider, by)
    return True


def start(provider: str) -> bool:
    """Let things be made there again; False when nobody had stopped it."""
    told = {"stopped": False, "stopped_at": None, "stopped_by": "", "stopped_reason": ""}
    started = bool(Vendor.objects.filter(provider=provider, stopped=True).update(**told))
    if started:
        log.warning("vendor_started provider=%s", provider)
    return started


def _locked(provider: str) -> Vendor:
    Vendor.objects.bulk_create([Vendor(provider=provider)], ignore_conflicts=True)
    return Vendor.objects.select_for_update().get(provider=provider)


def _now() -> datetime:
    """The time by the clock that all processes share."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
