"""What becomes of a thing at a vendor that bears our name and that no row owns. Pure: everything it rests on is given.

A row is committed before anything is made under its name, and rows are never removed. From that follows what may be
deleted without asking: a thing this very ledger can say how it came about. Its row exists, the thing was made while
that row was being worked on or shortly after (a create that succeeded when nobody waited for it any more), and the row
has since come to own another one, or ended. Everything else that bears our name was made by a ledger that is not this
one: the days that a restored backup has forgotten, a directory that was wiped, or a copy of this installation that
still runs. Such a thing may be somebody's app, and is held until staff decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.conf import settings

from provisioning import work
from provisioning.providers.base import CLOCK_SKEW
from provisioning.providers.registry import STEPS
from provisioning.sweep_models import Stray

SIGHTINGS = 2
MOST = 50  # deletions at one vendor in one run
FEW, SHARE = 10, 0.05  # more than this many, or this share of what is listed, is not an accident of single creates
DRY_COUNTS = timedelta(hours=1)  # for so long after a dry run by hand a live one is taken
MISSED = 3  # intervals between runs that count as one watch
LATE_BY = timedelta(minutes=15)  # after the last work on a row; vendors were seen to be two minutes late
MARGIN = timedelta(minutes=1)  # between a vendor's clock and ours, where the edge of a watch is concerned
_SHORTEST_WATCH = 60.0  # seconds


class Fate(StrEnum):
    """What to do about a stray."""

    WAIT = "wait"  # it may still be taken up, or was not looked at long enough
    ASK = "ask"
    LEAVE = "leave"  # staff said so
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Intent:
    """The row under whose name a stray was made. `until` is None while the row is being worked on."""

    since: datetime
    until: datetime | None
    ended: bool  # gone, proved
    holds: bool  # it owns another thing, which its vendor lists
    given: bool = False  # staff gave the thing to another owner


def grace() -> timedelta:
    """How old a thing has to be: `MK0R_SWEEP_GRACE`, but never less than twice as long as any create may take."""
    longest = max(work.longest(step) for step in STEPS if step.remote)
    return timedelta(seconds=max(settings.MK0R_SWEEP_GRACE, 2 * longest))


def apart() -> timedelta:
    """How far two sightings have to be apart to count as two."""
    return timedelta(seconds=settings.MK0R_SWEEP_SECONDS / 2)


def longest_watch() -> timedelta:
    """How far two runs may be apart so that the ledger counts as alive between them."""
    return timedelta(seconds=MISSED * max(settings.MK0R_SWEEP_SECONDS, _SHORTEST_WATCH))


def too_many(count: int, listed: int) -> bool:
    """Whether so many of what a vendor lists, or should list, are out of place that nothing is touched unasked."""
    return count > max(FEW, SHARE * listed)


def seen_twice(first: datetime, last: datetime) -> bool:
    """Whether two sightings were far enough apart."""
    return last - first >= apart()


def judge(stray: Stray, intent: Intent | None, *, watched: bool, now: datetime) -> tuple[Fate, str]:
    """What to do about `stray`, and why. `watched`: the ledger was alive around the time it was made."""
    if stray.dismissed_at is not None:
        return Fate.LEAVE, "staff leave it alone"
    if stray.made_at is None:
        if stray.approved_at is not None:
            return Fate.DELETE, "approved"
        return Fate.ASK, "its vendor does not say when it was made"
    if now - stray.made_at < grace() and stray.made_at <= now + CLOCK_SKEW:
        return Fate.WAIT, "it is too young"
    if stray.approved_at is not None:
        return Fate.DELETE, "approved"
    if stray.made_at > now:
        return Fate.ASK, "by its vendor's word it was made in the future"
    if stray.sightings < SIGHTINGS or not seen_twice(stray.first_seen, stray.last_seen):
        return Fate.WAIT, "it was seen once"
    return _judge_origin(stray.made_at, intent, watched=watched)


def _judge_origin(made_at: datetime, intent: Intent | None, *, watched: bool) -> tuple[Fate, str]:
    if intent is None:
        return Fate.ASK, "this ledger never meant to make it"
    if intent.given:
        return Fate.ASK, "it was given to another owner, and is here again"
    if made_at < intent.since - MARGIN or (intent.until is not None and made_at > intent.until + LATE_BY):
        return Fate.ASK, "it was made when this ledger did not work on it"
    if not watched:
        return Fate.ASK, "it was made while nobody knows whether this ledger was alive"
    if not (intent.ended or intent.holds):
        return Fate.WAIT, "its row has nothing else and may take it up"
    return Fate.DELETE, "its row owns another or has ended"


def stop_reason(strays: Sequence[Stray], listed: int, ledger_since: datetime | None) -> str:
    """Why nothing at all is deleted unasked at a vendor with these unapproved strays; empty: no reason."""
    if too_many(len(strays), listed):
        return f"{len(strays)} of {listed} have no owner"
    oldest = min((stray.made_at for stray in strays if stray.made_at is not None), default=None)
    if oldest is not None and (ledger_since is None or oldest < ledger_since - MARGIN):
        return "the oldest without an owner is older than this ledger"
    return ""
