"""What needs a person: resources that cannot be deleted, and every alert that is open."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Min

from provisioning import alerts
from provisioning.models import Alert, Resource

SHOWN = 8
_KINDS = {alerts.KEY_REFUSED: ("key refused", "keys refused"), alerts.SWEEP_ASKS: ("sweep asks", "sweeps ask")}


@dataclass(slots=True)
class Trouble:
    """How many resources are stuck, the open alerts by kind, and since when the oldest of all waits."""

    stuck: int = 0
    alerts: dict[str, int] = field(default_factory=dict)  # kind to count
    oldest: datetime | None = None

    @property
    def count(self) -> int:
        """Everything a person has to look at; the alert of a stuck resource is no second thing."""
        return self.stuck + sum(count for kind, count in self.alerts.items() if kind != alerts.STUCK)

    @property
    def others(self) -> list[tuple[str, int, str]]:
        """Kind, count and words of the alerts that are not about a stuck resource."""
        return [
            (kind, count, _KINDS.get(kind, (kind.replace("_", " "),) * 2)[count != 1])
            for kind, count in sorted(self.alerts.items())
            if kind != alerts.STUCK
        ]


def trouble() -> Trouble:
    """Two queries."""
    found = Trouble(stuck=Resource.objects.filter(state=Resource.State.STUCK).count())
    rows = Alert.objects.filter(cleared_at=None).order_by().values("kind")
    for row in rows.annotate(count=Count("pk"), first=Min("raised_at")):
        found.alerts[row["kind"]] = row["count"]
        found.oldest = min(found.oldest or row["first"], row["first"])
    return found


def stuck() -> list[Resource]:
    """The stuck resources that are tried soonest; one query."""
    rows = Resource.objects.filter(state=Resource.State.STUCK).select_related("session")
    return list(rows.order_by("next_at", "pk")[:SHOWN])
