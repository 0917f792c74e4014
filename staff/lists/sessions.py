"""Sessions, and what happened in them: events, turns, versions. Everything to read, nothing to edit."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.safestring import SafeString

from provisioning.models import Provider
from sessions_app.models import Event, Session, Turn, Version
from staff import glance, glyphs, moments, phrases
from staff.listing import session_page
from staff.lists import filters, search
from staff.lists.base import ReadOnly
from staff.lists.columns import OfSessions
from staff.lists.doing import Doing
from staff.pages import timeline


def _leg(place: int, label: str) -> Callable[[Any, Any], SafeString]:
    @admin.display(description=label)
    def column(self: Any, session: Any) -> SafeString:  # noqa: ARG001 (Django's signature)
        leg = session.glance.legs[place]
        return glyphs.badge(leg.state, leg.vendor, leg.word)

    return column


@admin.register(Session)
class SessionAdmin(ReadOnly):
    """Sessions at a glance, newest first. A session's own page is the console's."""

    newest = ("created_at", "id")
    list_display = (
        "name", "how", "age", *(provider.value for provider in Provider), "turns_", "cost", "last_event", "title_",
    )  # fmt: skip
    list_filter = (
        "state",
        Doing,
        filters.within("created_at", "age"),
        filters.Legs,
        filters.TurnUnderWay,
        filters.Prompted,
        filters.Spend,
    )
    search_help_text = "Slug, words of the title, or the name or id of something at a vendor"
    powers = ("teardown", "extend")
    posthog, github, resend, e2b, neon = (
        _leg(place, str(provider.label)) for place, provider in enumerate(Provider)
    )  # fmt: skip

    def search(self, queryset: QuerySet[Any], words: str) -> QuerySet[Any]:
        """By slug, title, or what it owns at a vendor."""
        return search.sessions(queryset, words)

    def complete(self, rows: list[Any]) -> None:
        """Each with its glance."""
        seen = glance.glances(rows)
        for row in rows:
            row.glance = seen[row.pk]

    def address_of(self, row: Any) -> str:
        """The console's page of the session."""
        return session_page(row.slug)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None  # noqa: ARG002
    ) -> HttpResponse:  # fmt: skip
        """To the console's page, for those who want to read it."""
        if not self.has_view_permission(request) or request.method not in {"GET", "HEAD"}:
            raise PermissionDenied
        session = self.get_object(request, object_id)
        if session is None:
            raise Http404(object_id)
        return redirect(session_page(session.slug))

    @admin.display(description="session")
    def name(self, session: Any) -> SafeString:
        """Its slug."""
        return format_html('<span class="mono">{}</span>', session.slug)

    @admin.display(description="state")
    def how(self, session: Any) -> SafeString:
        """How it stands, in a word or two."""
        return glyphs.told(session.glance.state, session.glance.word)

    @admin.display(description="asked for")
    def title_(self, session: Any) -> SafeString:
        """What the app is called."""
        return format_html('<span class="clip">{}</span>', session.title) if session.title else format_html(
            '<span class="faint">{}</span>', "nothing yet"
        )  # fmt: skip

    @admin.display(description="turns")
    def turns_(self, session: Any) -> str:
        """Number and state of the last turn."""
        return str(session.glance.turn)

    @admin.display(description="cost")
    def cost(self, session: Any) -> SafeString:
        """What the model has cost."""
        return format_html('<span class="num">{}</span>', phrases.money(session.spent_usd))

    @admin.display(description="last event")
    def last_event(self, session: Any) -> SafeString | str:
        """The last line of its log, and how long ago that was."""
        seen = session.glance
        return format_html('{} <span class="faint">{}</span>', seen.last, moments.ago(seen.last_at))

    @admin.display(description="age")
    def age(self, session: Any) -> SafeString | str:
        """Since when it exists."""
        return moments.ago(session.created_at)


@admin.register(Event)
class EventAdmin(OfSessions):
    """The logs of all sessions, newest first."""

    list_display = ("at_", "its_session", "seq", "type", "gist")
    list_filter = (filters.EventType, filters.OfSession)
    fields = ("its_session", "seq", "type", "at", "body")
    readonly_fields = ("its_session", "body")

    @admin.display(description="at (UTC)")
    def at_(self, event: Event) -> SafeString | str:
        """When it was written."""
        return moments.at(event.at)

    @admin.display(description="what")
    def gist(self, event: Event) -> SafeString:
        """In a line."""
        return format_html('<span class="clip">{}</span>', timeline.gist(event.type, event.data))

    @admin.display(description="data")
    def body(self, event: Event) -> SafeString:
        """All of it. It was redacted before it was written."""
        return format_html('<pre class="lines">{}</pre>', json.dumps(event.data, indent=2, ensure_ascii=False))


@admin.register(Turn)
class TurnAdmin(OfSessions):
    """Prompts and what came of them, newest first."""

    list_display = ("number", "its_session", "how", "took", "cost", "age")
    list_display_links = ("number",)
    list_filter = ("state", filters.within("created_at", "age"), filters.OfSession)
    powers = ("end_turn",)
    fields = (
        "its_session", "number", "how", "prompt", "summary", "cost", "took", "created_at", "started_at", "finished_at",
        "sandbox_id", "log_lines",
    )  # fmt: skip
    readonly_fields = ("its_session", "how", "cost", "took")

    @admin.display(description="took")
    def took(self, turn: Turn) -> str:
        """From when the agent began to its end."""
        if turn.finished_at is None:
            return ""
        spent = turn.finished_at - (turn.started_at or turn.created_at)
        return phrases.duration(spent.total_seconds() * 1000)

    @admin.display(description="cost")
    def cost(self, turn: Turn) -> SafeString:
        """By the gateway's meter."""
        return format_html('<span class="num">{}</span>', phrases.money(turn.cost_usd))


@admin.register(Version)
class VersionAdmin(OfSessions):
    """Commits of all apps, newest first."""

    list_display = ("number", "its_session", "kind", "message", "sha_", "age")
    list_filter = ("kind", filters.OfSession)
    search_help_text = "Slug, name at a vendor, or commit, from its beginning"
    fields = ("its_session", "number", "kind", "message", "sha", "tree", "restores", "pushed_at", "created_at")
    readonly_fields = ("its_session",)

    def search(self, queryset: QuerySet[Any], words: str) -> QuerySet[Any]:
        """By commit or by slug."""
        return search.versions(queryset, words)

    @admin.display(description="commit")
    def sha_(self, version: Version) -> SafeString:
        """Its first twelve characters."""
        return format_html('<span class="mono">{}</span>', version.sha[:12])
