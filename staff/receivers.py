"""What is written into the audit log because something below announced it, in the commit that it speaks of."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from provisioning import signals
from provisioning.models import Provider
from staff import audit
from staff.actors import Actor


@receiver(signals.credential_rotated, dispatch_uid="staff.credential_rotated")
def _credential_rotated(names: list[str], **told: Any) -> None:
    audit.record(
        Actor(told["by"], told["where"]), "rotated", _subject(**told), session=told["slug"], reason=told["reason"],
        names=names,
    )  # fmt: skip


@receiver(signals.resource_given, dispatch_uid="staff.resource_given")
def _resource_given(to: str, **told: Any) -> None:
    audit.record(
        Actor(told["by"], told["where"]), "transferred", _subject(**told), session=told["slug"],
        reason=told["reason"], to=to,
    )  # fmt: skip


def _subject(provider: str, kind: str, name: str, **_: Any) -> str:
    return f"{Provider(provider).label} {kind.replace('_', ' ')} {name}"
