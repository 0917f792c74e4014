"""Vendors: how each treats us just now, whether staff have stopped it, and what is on its way there or stuck.

Synchronous database code.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Count

from provisioning import standing
from provisioning.models import Provider, Resource
from sessions_app.pages import localities
from staff.refusals import NotFound
from staff.telling import iso

_MOVING = ("planned", "creating", "unknown", "deleting", "stuck")


def told() -> list[dict[str, Any]]:
    """Every vendor of a session, in the order every list shows them."""
    local = localities()
    rows = Resource.objects.filter(state__in=_MOVING).order_by().values("provider", "state").annotate(count=Count("id"))
    counts: dict[str, dict[str, int]] = {provider: {} for provider in Provider.values}
    for row in rows:
        counts[row["provider"]][row["state"]] = row["count"]
    return [_vendor(Provider(provider), counts[provider], local=local[provider]) for provider in Provider.values]


def _vendor(provider: Provider, counts: dict[str, int], *, local: bool) -> dict[str, Any]:
    now = standing.of(provider.value)
    return {
        "provider": provider.value,
        "vendor": str(provider.label),
        "local": local,
        "state": _word(now),
        "stopped": now.stopped,
        "key_refused": now.refusing,
        "paused_until": iso(now.paused_until),
        "resources": {state: counts.get(state, 0) for state in _MOVING},
    }


def _word(now: standing.Standing) -> str:
    """What matters most about it, in a word."""
    if now.stopped:
        return "stopped"
    if now.refusing:
        return "key refused"
    return "paused" if now.paused_until else "ok"


def named(provider: str) -> str:
    """That vendor.

    Raises:
        NotFound: there is none of that name.
    """
    if provider not in Provider.values:
        raise NotFound(f"There is no vendor {provider[:40]}: they are {', '.join(sorted(Provider.values))}.")
    return provider
