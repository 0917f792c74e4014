"""How provisioning went in the sessions begun since a moment: per vendor, step by step of that time, and together.

A leg is one vendor's part of a session, be it one resource or two. It came live, or it failed, or it was still being
made, also where it has been torn down since; its time is what its resources took, without the wait between them. What
was lost or revoked later had come live, in a time that nobody knows any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from provisioning.models import Provider
from provisioning.providers.registry import PROVIDERS, steps_of
from staff.counts.spans import Span
from staff.making import OF_WHAT_LIVED

# `failed_at` is the moment of `settled_at` where nothing came after the failure; the index `resource_begun` has it all.
_LIVED = "coalesce(failed_at = settled_at AND failed_reason = ANY(%(lived)s), false)"
_FAILED = "coalesce(failed_at = settled_at AND failed_reason <> ALL(%(lived)s), false)"
_LIVE = f"settled_at IS NOT NULL AND NOT {_FAILED}"
_TOOK = "1000 * date_part('epoch', settled_at - started_at)"
_LEGS = f"""
WITH leg AS (
  SELECT provider, created_at AS begun, {_LIVE} AS live, {_FAILED} AS failed,
         CASE WHEN NOT {_LIVED} THEN {_TOOK} END AS took
  FROM provisioning_resource WHERE created_at >= %(since)s AND provider <> ALL(%(composed)s)
  UNION ALL
  SELECT provider, min(created_at), bool_and({_LIVE}), bool_or({_FAILED}),
         CASE WHEN NOT bool_or({_LIVED}) THEN sum({_TOOK}) END
  FROM provisioning_resource WHERE created_at >= %(since)s AND provider = ANY(%(composed)s)
  GROUP BY session_id, provider
), step AS (
  SELECT provider, live, failed, took,
         least(floor(date_part('epoch', begun - %(since)s) / %(step)s)::int, %(last)s) AS step
  FROM leg
), session AS (
  SELECT bool_and({_LIVE}) AS live, CASE WHEN NOT bool_or({_LIVED}) THEN sum({_TOOK}) END AS took,
         CASE WHEN NOT bool_or({_LIVED}) THEN 1000 * date_part('epoch', max(settled_at) - min(started_at)) END AS whole
  FROM provisioning_resource WHERE created_at >= %(since)s GROUP BY session_id
)
SELECT provider, step, count(*) FILTER (WHERE live), count(*) FILTER (WHERE failed), count(*),
       percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY took) FILTER (WHERE live)
FROM step GROUP BY GROUPING SETS ((provider), (provider, step))
UNION ALL
SELECT '', NULL, count(*) FILTER (WHERE live), NULL, count(*),
       ARRAY[percentile_disc(0.5) WITHIN GROUP (ORDER BY whole) FILTER (WHERE live),
             percentile_disc(0.5) WITHIN GROUP (ORDER BY took) FILTER (WHERE live)]
FROM session
"""  # noqa: S608 (put together from the expressions above)
# Providers whose legs are more than one resource. Those of the others are their rows, and need no grouping.
_COMPOSED = [provider for provider in PROVIDERS if len(list(steps_of(provider))) > 1]


@dataclass(slots=True)
class Legs:
    """The legs of one vendor. Times are in milliseconds, of those that came live; None where there was none."""

    provider: str
    steps: int
    live: int = 0
    failed: int = 0
    begun: int = 0
    p50: float | None = None
    p95: float | None = None
    p50s: list[float | None] = field(default_factory=list)
    p95s: list[float | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.p50s, self.p95s = [None] * self.steps, [None] * self.steps

    @property
    def settled(self) -> int:
        """How many have come to an end of which one can say what it was."""
        return self.live + self.failed

    @property
    def success(self) -> float | None:
        """Percent of those that came live."""
        return 100 * self.live / self.settled if self.settled else None


@dataclass(frozen=True, slots=True)
class Together:
    """The same for whole sessions: how many have all their legs, and the median of their time, beside and in a row."""

    sessions: int
    whole: int
    p50: float | None
    sequence: float | None

    @property
    def percent(self) -> float | None:
        """Percent of the sessions that have all their legs."""
        return 100 * self.whole / self.sessions if self.sessions else None


def legs_of(span: Span, since: datetime) -> tuple[Mapping[str, Legs], Together]:
    """The figures of every vendor, in the order of lists, and those of all together; one query."""
    told: dict[str, Any] = {
        "since": since,
        "step": span.step.total_seconds(),
        "last": span.steps - 1,
        "composed": _COMPOSED,
        "lived": sorted(OF_WHAT_LIVED),
    }
    with connection.cursor() as cursor:
        cursor.execute(_LEGS, told)
        rows = cursor.fetchall()
    found = {str(provider): Legs(provider, span.steps) for provider in Provider}
    together = Together(0, 0, None, None)
    for provider, step, live, failed, begun, times in rows:
        first, second = times or (None, None)
        if not provider:
            together = Together(begun, live, first, second)
        elif step is None:
            legs = found[provider]
            legs.live, legs.failed, legs.begun, legs.p50, legs.p95 = live, failed, begun, first, second
        else:
            found[provider].p50s[step], found[provider].p95s[step] = first, second
    return found, together
