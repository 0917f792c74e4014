"""What a vendor lets us ask of it, shared by all processes: a place in time for every attempt to make something.

Each (vendor, window) is one row, kept as GCRA keeps a cell rate: `booked_until` is when the next unit would be due if
none ever came early. One statement locks the rows of a vendor, finds the first moment that suits all its windows, books
it, and tells it.

What is promised for a rate of N requests in W seconds, where an attempt costs C of them: the places in any W seconds
are for M = N / C attempts (rounded down) at most. A bucket that lets B attempts through at once and then one every T
seconds admits fewer than W / T + B in any W, so T is not W / M but (W + slack) / (M - B + 1). B is a fifth of M: the
price of letting a small crowd in at once is that a steady stream gets four fifths of the rate. The slack (five seconds,
or a tenth of a short window) covers that a call leaves a little after its place has come. A limit below what one
attempt costs is taken over as many windows as that attempt needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection

from provisioning.models import Bucket
from provisioning.providers.base import Step
from provisioning.rates import Rate

DEFAULTS: dict[str, tuple[Rate, ...]] = {
    "github": (Rate(80, 60), Rate(500, 3600)),  # making content, for all tokens of an owner together
    "resend": (Rate(5, 1),),  # of the whole team, all its keys together
    "neon": (Rate(11, 1),),  # 700 a minute
    "e2b": (Rate(1, 1),),  # sandboxes made, on the smallest plan
}
AFTER_A_PAUSE = (Rate(10, 1),)  # how fast those who waited come back where there is no budget
GRACE = 5.0  # seconds after which a place that was not used is lost
_FIFTH = 5

_RESERVE = """
WITH rate AS (
    SELECT * FROM unnest(%(seconds)s::int[], %(intervals)s::float8[], %(early)s::float8[]) AS r (seconds, pace, early)
), held AS MATERIALIZED (
    SELECT bucket.id, bucket.booked_until, rate.pace, rate.early
    FROM provisioning_bucket bucket JOIN rate ON rate.seconds = bucket.seconds
    WHERE bucket.provider = %(provider)s ORDER BY bucket.seconds FOR UPDATE OF bucket
), place AS MATERIALIZED (
    SELECT greatest(clock_timestamp(), %(not_before)s, max(booked_until - make_interval(secs => early))) AS at,
           clock_timestamp() AS now, count(*) AS buckets
    FROM held
), booked AS (
    UPDATE provisioning_bucket bucket
    SET booked_until = greatest(bucket.booked_until, place.at) + make_interval(secs => held.pace)
    FROM held, place
    WHERE bucket.id = held.id AND place.at <= place.now + make_interval(secs => %(patience)s)
    RETURNING bucket.id
)
SELECT at, extract(epoch FROM at - now)::float8, buckets, (SELECT count(*) FROM booked) FROM place
"""


@dataclass(frozen=True, slots=True)
class Place:
    """When an attempt may begin, and in how many seconds that is. Not `taken`: too late to be of use, so not booked."""

    at: datetime
    wait: float
    taken: bool


def rates_of(step: Step) -> tuple[Rate, ...]:
    """The budget of the vendor a step asks: as it is set, else its default; a stand-in on this machine has none."""
    told: tuple[Rate, ...] | None = settings.VENDOR_BUDGETS.get(step.provider)
    if told is not None:
        return told
    return () if step.local else DEFAULTS.get(step.provider, ())


def reserve(step: Step, rates: tuple[Rate, ...], *, not_before: datetime | None = None, patience: float) -> Place:
    """Book the next place for one attempt of `step`, not before `not_before`, if it comes within `patience` seconds."""
    cells = [_cell(rate, step.cost) for rate in rates]
    told = {
        "provider": step.provider,
        "seconds": [rate.seconds for rate in rates],
        "intervals": [pace for pace, _ in cells],
        "early": [early for _, early in cells],
        "not_before": not_before,
        "patience": patience,
    }
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_RESERVE, told)
            at, wait, buckets, booked = cursor.fetchone()
        if buckets == len(rates):
            return Place(at, max(0.0, wait), booked > 0)
        _open_buckets(step.provider, rates, at)


@dataclass(frozen=True, slots=True)
class Booked:
    """How much of one rate is booked: its share of what may come at once, and seconds until the next free place."""

    rate: Rate
    share: float
    wait: float


def booked_until() -> dict[tuple[str, int], datetime]:
    """Until when each vendor's windows are booked, by provider and seconds; one read for all."""
    return {(one.provider, one.seconds): one.booked_until for one in Bucket.objects.all()}


def booked(step: Step, until: dict[tuple[str, int], datetime], at: datetime) -> list[Booked]:
    """What is booked of a vendor's budget at that moment by the database's clock, rate by rate; books nothing."""
    found = []
    for rate in rates_of(step):
        pace, early = _cell(rate, step.cost)
        ahead = max(0.0, (until.get((step.provider, rate.seconds), at) - at).total_seconds())
        found.append(Booked(rate, min(1.0, ahead / (pace + early)), max(0.0, ahead - early)))
    return found


def pick_up_slowly(step: Step, rates: tuple[Rate, ...], since: datetime) -> None:
    """Let nobody come early once a pause ends at `since`: one after the other, not the crowd that waited."""
    _open_buckets(step.provider, rates, since)
    for rate in rates:
        _, early = _cell(rate, step.cost)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE provisioning_bucket SET booked_until = greatest(booked_until, %s + make_interval(secs => %s))"
                " WHERE provider = %s AND seconds = %s",
                [since, early, step.provider, rate.seconds],
            )


def _open_buckets(provider: str, rates: tuple[Rate, ...], at: datetime) -> None:
    empty = [Bucket(provider=provider, seconds=rate.seconds, booked_until=at) for rate in rates]
    Bucket.objects.bulk_create(empty, ignore_conflicts=True)


def _cell(rate: Rate, cost: int) -> tuple[float, float]:
    """Seconds from one attempt to the next in a steady stream, and how many seconds before that one may come."""
    windows = math.ceil(cost / rate.count)
    attempts, seconds = rate.count * windows // cost, float(rate.seconds * windows)
    burst = max(1, attempts // _FIFTH)
    pace = (seconds + min(GRACE, seconds / 10)) / (attempts - burst + 1)
    return pace, pace * (burst - 1)
