"""What failed since a moment, by reason; what was retried or torn down since counts like the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, F, Min, Q

from provisioning.models import Provider, Resource

WORDS = {
    "not_configured": "No key is set here",
    "unauthorized": "Our key was refused",
    "rate_limited": "Asked to slow down",
    "busy": "Busy",
    "quota": "Account limit reached",
    "refused": "Refused",
    "broken": "Made, but does not work",
    "vendor_error": "Vendor error",
    "bad_reply": "Answer that cannot be read",
    "no_answer": "No answer in time",
    "unreachable": "Could not be reached",
    "not_accepting": "Takes no connections",
    "name_taken": "Name is taken",
    "sandbox_lost": "Sandbox was lost",
    "revoked": "Credentials were revoked",
    "lost": "Vendor no longer has it",
    "stopped": "Paused by staff",
    "internal": "mk0r itself failed",
}


@dataclass(slots=True)
class Failure:
    """One reason: how many legs, at which vendors, how many of them came live again, and since when."""

    reason: str
    first: datetime
    count: int = 0
    healed: int = 0
    vendors: dict[str, int] = field(default_factory=dict)  # label to count

    @property
    def words(self) -> str:
        """The reason as a person says it."""
        return WORDS.get(self.reason, self.reason.replace("_", " ").capitalize() or "Unknown")


@dataclass(frozen=True, slots=True)
class Failures:
    """Every reason, the most frequent first, and the failures of each vendor."""

    reasons: list[Failure]
    by_vendor: Mapping[str, int]

    @property
    def count(self) -> int:
        """All of them."""
        return sum(one.count for one in self.reasons)

    @property
    def healed(self) -> int:
        """Those that came live again, by a retry or by themselves."""
        return sum(one.healed for one in self.reasons)

    @property
    def most(self) -> int:
        """Those of the most frequent reason."""
        return self.reasons[0].count if self.reasons else 0


def failures_since(since: datetime) -> Failures:
    """One query; a leg that failed more than once counts once, with its last reason."""
    healed = Count("pk", filter=Q(settled_at__gt=F("failed_at")))
    rows = (
        Resource.objects.filter(failed_at__gte=since)
        .values("failed_reason", "provider")
        .annotate(count=Count("pk"), healed=healed, first=Min("failed_at"))
        .order_by("failed_reason", "provider")
    )
    found: dict[str, Failure] = {}
    vendors: dict[str, int] = {}
    for row in rows:
        reason, provider = row["failed_reason"], row["provider"]
        one = found.setdefault(reason, Failure(reason, row["first"]))
        one.first = min(one.first, row["first"])
        one.count, one.healed = one.count + row["count"], one.healed + row["healed"]
        one.vendors[str(Provider(provider).label)] = row["count"]
        vendors[provider] = vendors.get(provider, 0) + row["count"]
    return Failures(sorted(found.values(), key=lambda one: (-one.count, one.reason)), vendors)
