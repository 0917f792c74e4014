"""What the last look at the vendors' inventories found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from provisioning.models import Provider
from provisioning.sweep_models import SweepRun


@dataclass(frozen=True, slots=True)
class Swept:
    """One vendor's figures in a run."""

    provider: str
    label: str
    listed: int
    owned: int
    orphans: int
    held: int
    deleted: int
    ghosts: int
    trouble: bool


@dataclass(frozen=True, slots=True)
class LastSweep:
    """The last run that came to its end."""

    run: SweepRun
    vendors: list[Swept]

    @property
    def took(self) -> timedelta:
        """How long it went on."""
        return (self.run.ended_at or self.run.started_at) - self.run.started_at


def last_sweep() -> LastSweep | None:
    """One query."""
    run = SweepRun.objects.filter(ended_at__isnull=False).order_by("-id").first()
    if run is None:
        return None
    return LastSweep(run, [_swept(provider, run.report[provider]) for provider in Provider if provider in run.report])


def _swept(provider: Provider, report: dict[str, Any]) -> Swept:
    def figure(name: str) -> int:
        return int(report.get(name, 0))

    return Swept(
        provider=str(provider),
        label=str(provider.label),
        listed=figure("listed"),
        owned=figure("owned"),
        orphans=figure("unknown"),
        held=figure("held"),
        deleted=figure("deleted"),
        ghosts=figure("ghosts"),
        trouble=bool(report.get("trouble")),
    )
