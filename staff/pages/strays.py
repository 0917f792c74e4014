"""Orphans, foreign names and ghosts: what the vendors have against what the ledger says, and what to do about it.

What stands here is what the last sweeps saw. Foreign names are shown and never acted upon: they are another
installation's, or a person's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from provisioning import strays, sweep_rows
from provisioning.models import Ghost, Provider, Resource, Stray, SweepRun
from provisioning.names import slug_in
from provisioning.sweep_rules import DRY_COUNTS
from staff.actors import of_request
from staff.powers.strays import GHOST, RUN
from staff.powers.subjects import kind, session_page, vendor
from staff.undertakings import MOST

SHOWN = 200  # strays, and ghosts, listed one by one
RUNS = 10
_FIGURES = ("listed", "owned", "unknown", "foreign", "ghosts", "deleted", "repaired", "waiting", "left", "due")
_OURS = {
    "ready": "has another, which is live",
    "gone": "ended; what it had is gone",
    "deleting": "is ending",
    "stuck": "is ending, and stuck",
    "failed": "failed, and has none",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One stray: the thing at its vendor, and what the ledger says of its name."""

    stray: Stray
    vendor: str
    kind: str
    ours: str
    slug: str
    url: str
    objection: str  # why it cannot be given to its session; empty where it can


@require_GET
@never_cache
def orphans(request: HttpRequest) -> HttpResponse:
    """Theirs against ours, as last seen."""
    if not request.user.has_perm("provisioning.view_stray"):
        raise PermissionDenied
    actor, now = of_request(request), timezone.now()
    runs = list(SweepRun.objects.filter(ended_at__isnull=False)[:RUNS])
    last = runs[0] if runs else None
    open_still = Stray.objects.filter(cleared_at=None, deleted_at=None)
    lines = _lines(open_still.order_by("provider", "kind", "-made_at", "-id")[: SHOWN + 1])
    ghosts = list(Ghost.objects.select_related("resource__session").order_by("resource__provider", "id")[: SHOWN + 1])
    provable = open_still.filter(provable=True, dismissed_at=None).order_by("id").values_list("pk", flat=True)
    keys = [str(pk) for pk in provable[:MOST]]
    context = {
        **admin.site.each_context(request),
        "title": "Orphans",
        "last": last,
        "figures": _by_vendor(last),
        "runs": [(run, _sums(run)) for run in runs],
        "asking": last if last and last.state == SweepRun.State.ASKING and not last.answered else None,
        "strays": [line for line in lines[:SHOWN] if line.stray.dismissed_at is None],
        "ghosts": [_ghost(one) for one in ghosts[:SHOWN] if one.dismissed_at is None],
        "left_strays": [line for line in lines[:SHOWN] if line.stray.dismissed_at is not None],
        "left_ghosts": [_ghost(one) for one in ghosts[:SHOWN] if one.dismissed_at is not None],
        "more": len(lines) > SHOWN or len(ghosts) > SHOWN,
        "foreign": _foreign(last),
        "provable": keys,
        "provable_keys": " ".join(keys),
        "run_prefix": RUN,
        "may_sweep": actor.may("sweep"),
        "may_approve": actor.may("approve"),
        "looked": sweep_rows.looked_by_hand(now - DRY_COUNTS),
        "now": now,
    }
    return TemplateResponse(request, "staff/orphans.html", context)


def _report(run: SweepRun | None) -> list[tuple[str, dict[str, Any]]]:
    """What a run found at each vendor, in the order every list shows them."""
    return [(name, run.report[name]) for name in Provider.values if name in run.report] if run else []


def _foreign(run: SweepRun | None) -> list[tuple[str, list[str], int]]:
    """Vendor, some of the names and how many there are, where there are any."""
    found = [(vendor(name), one.get("foreign_names", []), int(one.get("foreign", 0))) for name, one in _report(run)]
    return [one for one in found if one[2]]


def _by_vendor(run: SweepRun | None) -> list[dict[str, Any]]:
    """The figures of one run, vendor by vendor; what an older run did not count is 0."""
    return [
        {
            "name": vendor(name),
            "trouble": one.get("trouble", []),
            "asked": one.get("asked_about", one.get("held", 0)),
            **{key: one.get(key, 0) for key in _FIGURES},
        }
        for name, one in _report(run)
    ]


def _sums(run: SweepRun) -> dict[str, int]:
    return {key: sum(int(one.get(key, 0)) for one in run.report.values()) for key in _FIGURES}


def _lines(found: Iterable[Stray]) -> list[Line]:
    seen = list(found)
    slugs = {stray.pk: slug_in(stray.name) or "" for stray in seen}
    rows = Resource.objects.select_related("session").filter(session__slug__in={*slugs.values()} - {""})
    by_name = {(row.session.slug, row.provider, row.kind): row for row in rows}
    return [_line(stray, slugs[stray.pk], by_name.get((slugs[stray.pk], stray.provider, stray.kind))) for stray in seen]


def _line(stray: Stray, slug: str, row: Resource | None) -> Line:
    return Line(
        stray,
        vendor(stray.provider),
        kind(stray.kind),
        _OURS.get(row.state, "is being made") if row else "never heard of it",
        slug if row else "",
        session_page(row.session_id) if row else "",
        strays.objection(stray, row),
    )


def _ghost(ghost: Ghost) -> dict[str, Any]:
    row = ghost.resource
    return {
        "ghost": ghost,
        "key": f"{GHOST}{ghost.pk}",
        "vendor": vendor(row.provider),
        "kind": kind(row.kind),
        "slug": row.session.slug,
        "url": session_page(row.session_id),
    }
