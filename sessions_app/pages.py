"""What the two pages are given: the first state, the visitor's apps, what is usual here. Names only, never a value."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from functools import cache as cache_once
from statistics import median
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db.models import Max, Min
from django.utils import timezone

from provisioning.models import Provider, Resource
from sessions_app.models import Event, Session, Turn
from sessions_app.services import session_state
from sessions_app.state import is_loopback
from sessions_app.visitors import Visitor

SHOWN_APPS = 12
_USUAL_SECONDS = 60
_USUAL_SAMPLES = 5  # fewer say nothing about what is usual
WORDS = {
    "planned": "planned",
    "creating": "creating",
    "ready": "live",
    "failed": "failed",
    "unknown": "slow",
    "deleting": "ending",
    "gone": "gone",
    "stuck": "stuck",
}
GLYPHS = {"ready": "ready", "failed": "failed", "unknown": "stuck", "stuck": "stuck", "gone": "gone"}


@cache_once
def modules() -> list[str]:
    """Paths below `static/` of every script of the pages, so that a browser asks for all of them at once."""
    static = settings.BASE_DIR / "static"
    found = [*(static / "js").rglob("*.js"), *(static / "vendor").rglob("*.js")]
    return sorted(path.relative_to(static).as_posix() for path in found)


def localities() -> dict[str, bool]:
    """Whether each service is a stand-in on this machine, by provider."""
    addresses = {
        "posthog": settings.POSTHOG_HOST,
        "github": settings.GITHUB_API_URL,
        "resend": settings.RESEND_API_URL,
        "e2b": settings.E2B_API_URL,
        "neon": settings.NEON_API_URL,
    }
    return {provider: is_loopback(address) for provider, address in addresses.items()}


def usual_times() -> dict[str, int]:
    """Milliseconds each service usually takes here: the median of the last week, where there is enough to say so."""
    known: dict[str, int] | None = cache.get("pages.usual")
    if known is None:
        known = _usual_times()
        cache.set("pages.usual", known, _USUAL_SECONDS)
    return known


def _usual_times() -> dict[str, int]:
    recent = (
        Resource.objects.filter(settled_at__gt=timezone.now() - timedelta(days=7), started_at__isnull=False)
        .filter(state=Resource.State.READY)
        .values("session_id", "provider")
        .annotate(began=Min("started_at"), ended=Max("settled_at"))
        .order_by("-ended")[:500]
    )
    samples: dict[str, list[float]] = defaultdict(list)
    for each in recent:
        samples[each["provider"]].append((each["ended"] - each["began"]).total_seconds() * 1000)
    return {name: round(median(took)) for name, took in samples.items() if len(took) >= _USUAL_SAMPLES}


def first_state(page: str, session: Session | None, visitor: Visitor | None = None) -> dict[str, Any]:
    """The JSON a page starts from; `now` lets it tell how far its clock is off."""
    return {
        "page": page,
        "now": timezone.now().isoformat(),
        "session": session_state(session) if session else None,
        "apps": apps_of(visitor) if visitor else [],
        "usual": usual_times(),
        "deadlines": settings.LEG_DEADLINES,
        "local": localities(),
    }


def legs(state: dict[str, Any] | None) -> list[dict[str, str]]:
    """The five services as the templates draw them; without a session they have no state."""
    local = localities()
    told = {each["provider"]: each for each in state["resources"]} if state else {}
    shown = []
    for provider in Provider:
        leg = told.get(provider.value, {})
        leg_state = str(leg.get("state", ""))
        shown.append(
            {
                "provider": provider.value,
                "vendor": str(provider.label),
                "state": leg_state,
                "word": WORDS.get(leg_state, leg_state),
                "glyph": GLYPHS.get(leg_state, "planned"),
                "where": "local" if leg.get("local", local[provider.value]) else "real",
            }
        )
    return shown


def apps_of(visitor: Visitor) -> list[dict[str, Any]]:
    """The visitor's sessions that have a prompt, the last used first."""
    mine = Session.objects.filter(visitor_hash=visitor.hash, prompted_at__isnull=False).order_by("-last_active_at")
    sessions = list(mine.prefetch_related("turns", "resources")[:SHOWN_APPS])
    paused = _paused([session.pk for session in sessions])
    return [_app(session, session.pk in paused) for session in sessions]


def _paused(ids: list[Any]) -> set[Any]:
    """Which of these sessions have a sandbox whose last word was that it is paused."""
    last = (
        Event.objects.filter(session_id__in=ids, type="sandbox.changed")
        .order_by("session_id", "-seq")
        .distinct("session_id")
    )
    return {event.session_id for event in last if event.data.get("state") == "paused"}


def _app(session: Session, asleep: bool) -> dict[str, Any]:
    turns = sorted(session.turns.all(), key=lambda turn: turn.number)
    last = turns[-1] if turns else None
    states: dict[str, set[str]] = defaultdict(set)
    for resource in session.resources.all():
        states[resource.provider].add(resource.state)
    status, since = _status(session, last, asleep)
    return {
        "slug": session.slug,
        "title": session.title or (last.prompt.split("\n")[0][:120] if last else "New app"),
        "status": status,
        "since": since.isoformat(),
        "version": session.head,
        "live": sum(found == {"ready"} for found in states.values()),
    }


def _status(session: Session, last: Turn | None, asleep: bool) -> tuple[str, Any]:
    if session.state != Session.State.OPEN:
        return session.state, session.ended_at or session.last_active_at
    if last and last.state in {Turn.State.QUEUED, Turn.State.RUNNING}:
        return "building", last.started_at or last.created_at
    if asleep:
        return "asleep", session.last_active_at
    return ("failed" if last and last.state == Turn.State.FAILED else "live"), session.last_active_at
