"""How each vendor treats us now, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models.functions import Now

from provisioning.exceptions import NotConfigured
from provisioning.models import Provider, Vendor
from provisioning.providers.registry import steps_of


@dataclass(frozen=True, slots=True)
class Condition:
    """One vendor now: `badge` and `glyph` say how bad it is, `until` when a pause ends."""

    provider: str
    words: str
    badge: str = "ok"
    glyph: str = "ready"
    until: datetime | None = None
    local: bool = False

    @property
    def well(self) -> bool:
        """Whether nothing is the matter."""
        return self.badge == "ok"

    @property
    def label(self) -> str:
        """The vendor's name."""
        return str(Provider(self.provider).label)


def conditions() -> Mapping[str, Condition]:
    """Every vendor, in the order of lists; one query."""
    rows = {row.provider: row for row in Vendor.objects.annotate(now=Now())}
    return {str(provider): _condition(provider, rows.get(provider)) for provider in Provider}


def _condition(provider: Provider, row: Vendor | None) -> Condition:
    steps = list(steps_of(provider))
    local = all(step.local for step in steps)
    try:
        for step in steps:
            step.check()
    except NotConfigured:
        return Condition(provider, "No key", "off", "failed", local=local)
    if row is not None and row.stopped:
        return Condition(provider, "Stopped by staff", "warn", "paused", local=local)
    if row is not None and row.probe_at is not None:
        return Condition(provider, "Refuses our key", "bad", "failed", local=local)
    now: datetime | None = getattr(row, "now", None)
    if row is not None and now is not None and row.paused_until is not None and row.paused_until > now:
        return Condition(provider, "Slow", "warn", "stuck", until=row.paused_until, local=local)
    words = "Answering" if any(step.remote for step in steps) else "Computed here"
    return Condition(provider, words, local=local)
