"""How each vendor treats us, what is booked of its budget, which legs wait for it, and the switch that stops it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from provisioning import budgets, clock
from provisioning.exceptions import NotConfigured
from provisioning.models import Resource, Vendor
from provisioning.providers.base import Step
from provisioning.providers.registry import PROVIDERS, steps_of
from staff.actors import of_request
from staff.powers.subjects import session_page, vendor
from staff.powers.vendors import STOPPABLE

SHOWN = 50  # legs that wait, listed one by one
_UNITS = {1: "a second", 60: "a minute", 3600: "an hour"}


@dataclass(slots=True)
class Standing:
    """One vendor as the page shows it. `glyph` is drawn as that state of a resource, `badge` its colour."""

    provider: str
    name: str
    local: bool
    glyph: str
    badge: str
    word: str
    why: str = ""
    until: datetime | None = None
    when: str = "until"  # what `until` is
    stopped: bool = False
    can_stop: bool = False
    rates: list[dict[str, Any]] = field(default_factory=list)
    moving: int = 0  # legs being made
    waiting: int = 0  # legs not begun
    ending: int = 0  # things being deleted, and those that cannot be


@require_GET
@never_cache
def vendors(request: HttpRequest) -> HttpResponse:
    """Every vendor, in the order every list shows them."""
    if not request.user.has_perm("provisioning.view_vendor"):
        raise PermissionDenied
    now = clock.now()
    known = Vendor.objects.in_bulk()
    shown = [_standing(provider, known.get(provider), now) for provider in PROVIDERS]
    _count(shown)
    _budgets(shown, now)
    queued = list(_queued()[: SHOWN + 1])
    context = {
        **admin.site.each_context(request),
        "title": "Vendors",
        "vendors": shown,
        "queued": [_leg(row, now) for row in queued[:SHOWN]],
        "more": len(queued) > SHOWN,
        "may_stop": of_request(request).may("pause_vendor"),
        "now": now,
    }
    return TemplateResponse(request, "staff/vendors.html", context)


def _standing(provider: str, row: Vendor | None, now: datetime) -> Standing:
    step: Step = next(iter(steps_of(provider)))
    found = Standing(provider, vendor(provider), step.local, "ready", "ok", "Answering", can_stop=provider in STOPPABLE)
    try:
        step.check()
    except NotConfigured as error:
        found.glyph, found.badge, found.word, found.why = "planned", "off", "Not set up", str(error)
    if not step.remote and found.glyph == "ready":
        found.word, found.why = "Computed here", "nothing is asked of it"
    if row is None:
        return found
    if row.stopped:
        found.stopped, found.until, found.when = True, row.stopped_at, "since"
        found.glyph, found.badge, found.word = "paused", "off", "Stopped by staff"
        said = f"by {row.stopped_by}" if row.stopped_by else ""
        found.why = f"{said}: {row.stopped_reason}" if row.stopped_reason else said
    elif row.probe_at is not None:
        found.glyph, found.badge, found.word = "failed", "bad", "Refuses our key"
        found.until, found.when = row.probe_at, "asked again from"
        found.why = f"{row.refusals} times in a row; the next leg after that time finds out"
    elif row.paused_until is not None and row.paused_until > now:
        found.glyph, found.badge, found.word, found.until = "stuck", "warn", "Asked us to wait", row.paused_until
        found.why = "legs queue until then, and come back one by one"
    elif row.stumbles or row.refusals:
        found.why = f"{row.stumbles or row.refusals} in a row went wrong just now"
    return found


def _count(shown: list[Standing]) -> None:
    unsettled = Resource.objects.filter(state__in=["planned", "creating", "unknown", "deleting", "stuck"])
    counts = unsettled.values("provider").annotate(
        moving=Count("pk", filter=Q(state__in=["creating", "unknown"])),
        waiting=Count("pk", filter=Q(state="planned")),
        ending=Count("pk", filter=Q(state__in=["deleting", "stuck"])),
    )
    by_provider: dict[str, Any] = {one["provider"]: one for one in counts.order_by()}
    for one in shown:
        found = by_provider.get(one.provider, {"moving": 0, "waiting": 0, "ending": 0})
        one.moving, one.waiting, one.ending = found["moving"], found["waiting"], found["ending"]


def _budgets(shown: list[Standing], now: datetime) -> None:
    until = budgets.booked_until()
    for one in shown:
        if one.can_stop:
            step = next(iter(steps_of(one.provider)))
            one.rates = [
                {
                    "words": f"{booked.rate.count} {_UNITS[booked.rate.seconds]}",
                    "percent": round(100 * booked.share),
                    "wait": booked.wait,
                }
                for booked in budgets.booked(step, until, now)
            ]


def _queued() -> QuerySet[Resource]:
    """Legs that have a place in a vendor's queue, the next first."""
    waiting = Resource.objects.filter(state="planned", place_at__isnull=False).select_related("session")
    return waiting.order_by("place_at", "id")


def _leg(row: Resource, now: datetime) -> dict[str, Any]:
    assert row.place_at is not None  # noqa: S101 (asked for)
    return {
        "name": vendor(row.provider),
        "slug": row.session.slug,
        "url": session_page(row.session_id),
        "since": row.queued_at,
        "wait": max(0.0, (row.place_at - now).total_seconds()),
    }
