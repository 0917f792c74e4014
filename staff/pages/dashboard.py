"""The console's first page: what runs, how provisioning goes, what is stuck, what it costs. Every figure leads to the
list of the rows it was counted from.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from gateway.models import ModelCall
from provisioning.models import Alert, Provider, Resource
from provisioning.sweep_models import Stray, SweepRun
from sessions_app.models import Session, Turn
from staff import charts
from staff.actors import of_request
from staff.counts import failures, legs, money, sessions, sweeps, trouble, turns, vendors
from staff.counts.spans import SPANS, Span, span_of
from staff.glance import Glance
from staff.glyphs import badge
from staff.listing import listing, page_of, session_page
from staff.powers import POWERS

KINDS = {"posthog": "analytics", "github": "repository", "resend": "e-mail", "e2b": "sandbox", "neon": "database"}
ICONS = {"posthog": "chart", "github": "repo", "resend": "mail", "e2b": "box", "neon": "db"}
_RIGHTS = ("sessions_app.view_session", "provisioning.view_resource", "gateway.view_modelcall")


@dataclass(frozen=True, slots=True)
class Line:
    """One vendor in the table of provisioning, with its drawing."""

    legs: legs.Legs
    now: vendors.Condition
    kind: str
    icon: str
    p50: str  # path data
    p95: str
    last: tuple[str, str] | None
    failed: int  # that did so in the span, whenever they were begun
    links: dict[str, str]


@never_cache
def dashboard(request: HttpRequest, site: AdminSite) -> TemplateResponse:
    """The page; to somebody without the rights it says so, as it is where every sign-in leads."""
    context: dict[str, Any] = {**site.each_context(request), "title": "Dashboard", "subtitle": None}
    if not request.user.has_perms(_RIGHTS):
        return TemplateResponse(request, "staff/nothing.html", context)
    span = span_of(request.GET.get("range", ""))
    power = POWERS["delete_now"]
    context["delete_now"] = power if of_request(request).may(power.right) else None
    return TemplateResponse(request, "staff/dashboard.html", context | _figures(span))


def _figures(span: Span) -> dict[str, Any]:
    since = span.since()
    told, together = legs.legs_of(span, since)
    failed = failures.failures_since(since)
    now = vendors.conditions()
    spent, needs = money.today(), trouble.trouble()
    lines = [_line(told[provider], now[provider], failed.by_vendor.get(provider, 0), since) for provider in told]
    return {
        "span": span,
        "spans": SPANS,
        "counted_at": timezone.now(),
        "live": sessions.live(),
        "turns": turns.under_way(),
        "together": together,
        "trouble": needs,
        "asks": [
            {"count": count, "words": words, "link": listing(Alert, kind__exact=kind, cleared_at__isnull=True)}
            for kind, count, words in needs.others
        ],
        "spent": spent,
        "spent_width": charts.share(float(spent.usd), spent.cap),
        "lines": lines,
        "failures": failed,
        "reasons": [
            {
                "failure": one,
                "width": charts.share(one.count, failed.most),
                "link": listing(Resource, failed_reason__exact=one.reason, failed_at__gte=since),
            }
            for one in failed.reasons
        ],
        "stuck": [{"row": row, "why": _first_sentence(row), "link": page_of(row)} for row in trouble.stuck()],
        "sweep": _sweep(sweeps.last_sweep()),
        "recent": [_recent(session, seen) for session, seen in sessions.recent()],
        "providers": [str(provider.label) for provider in Provider],
        "links": _links(since, spent.since),
    }


def _line(told: legs.Legs, now: vendors.Condition, failed: int, since: datetime) -> Line:
    top = charts.ceiling(told.p50s, told.p95s)
    provider = told.provider
    return Line(
        legs=told,
        now=now,
        kind=KINDS[provider],
        icon=ICONS[provider],
        p50=charts.sparkline(told.p50s, top),
        p95=charts.sparkline(told.p95s, top),
        last=charts.last_point(told.p50s, top),
        failed=failed,
        links={
            "all": listing(Resource, provider__exact=provider, created_at__gte=since),
            "settled": listing(Resource, provider__exact=provider, created_at__gte=since, settled_at__isnull=False),
            "failed": listing(Resource, provider__exact=provider, failed_at__gte=since),
            "now": reverse("admin:vendors"),
        },
    )


def _recent(session: Session, seen: Glance) -> dict[str, Any]:
    untouched = "Nothing yet" if session.state == Session.State.OPEN else "Left before building"
    return {
        "session": session,
        "seen": seen,
        "legs": [badge(leg.state, leg.vendor, leg.word) for leg in seen.legs],
        "asked": session.title or untouched,
        "link": session_page(session.slug),
    }


def _links(since: datetime, day: datetime) -> dict[str, str]:
    return {
        "open": listing(Session, state__exact=Session.State.OPEN),
        "building": listing(Session, doing=sessions.BUILDING),
        "idle": listing(Session, doing=sessions.IDLE),
        "asleep": listing(Session, doing=sessions.ASLEEP),
        "running": listing(Turn, state__exact=Turn.State.RUNNING),
        "waiting": listing(Turn, state__exact=Turn.State.QUEUED),
        "begun": listing(Session, created_at__gte=since),
        "failed": listing(Resource, failed_at__gte=since),
        "settled": listing(Resource, created_at__gte=since, settled_at__isnull=False),
        "stuck": listing(Resource, state__exact=Resource.State.STUCK),
        "alerts": listing(Alert, cleared_at__isnull=True),
        "calls": listing(ModelCall, started_at__gte=day),
        "sweeps": listing(SweepRun),
        "sessions": listing(Session),
    }


def _sweep(last: sweeps.LastSweep | None) -> dict[str, Any] | None:
    if last is None:
        return None
    began = last.run.started_at
    left = {"cleared_at__isnull": True, "deleted_at__isnull": True}
    return {
        "run": last.run,
        "took": last.took.total_seconds() * 1000,
        "link": page_of(last.run),
        "answer": reverse("admin:orphans"),
        "vendors": [
            {
                "swept": one,
                "listed": listing(Resource, provider__exact=one.provider, state__exact=Resource.State.READY),
                "orphans": listing(Stray, provider__exact=one.provider, **left),
                "deleted": listing(Stray, provider__exact=one.provider, deleted_at__gte=began),
            }
            for one in last.vendors
        ],
    }


def _first_sentence(row: Resource) -> str:
    said, _, _ = str((row.error or {}).get("message", "")).partition(". ")
    return said.rstrip(".")
