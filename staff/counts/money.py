"""What the model has cost today, against the day's cap."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db.models import Count, Sum

from gateway import meter
from gateway.models import ModelCall


@dataclass(frozen=True, slots=True)
class Spending:
    """Dollars since the day began, by how many calls; `cap` is 0 where there is none."""

    since: datetime
    usd: Decimal
    calls: int
    cap: float

    @property
    def percent(self) -> float:
        """Of the cap, at most 100."""
        return min(100.0, 100 * float(self.usd) / self.cap) if self.cap else 0.0


def today() -> Spending:
    """One query."""
    since = meter.today()
    found = ModelCall.objects.filter(started_at__gte=since).aggregate(usd=Sum("cost_usd"), calls=Count("pk"))
    return Spending(since, found["usd"] or Decimal(0), found["calls"], settings.MK0R_DAILY_USD)
