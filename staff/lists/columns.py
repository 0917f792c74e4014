"""Columns that several lists have."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from staff import glyphs, moments
from staff.listing import session_page
from staff.lists.base import ReadOnly
from staff.lists.search import HELP, of_session


def session_link(slug: str) -> SafeString:
    """A slug that leads to the console's page of its session."""
    return format_html('<a class="mono" href="{}">{}</a>', session_page(slug), slug)


class OfSessions(ReadOnly):
    """A list of what belongs to sessions, searched by the beginning of a slug."""

    list_select_related = ("session",)
    search_help_text = HELP

    def search(self, queryset: Any, words: str) -> Any:
        """The rows of sessions whose slug begins so."""
        return of_session(queryset, words)

    @admin.display(description="session")
    def its_session(self, row: Any) -> SafeString:
        """Slug, leading to the page of the session."""
        return session_link(row.session.slug)

    @admin.display(description="state")
    def how(self, row: Any) -> SafeString:
        """Glyph and word."""
        return glyphs.told(row.state)

    @admin.display(description="age")
    def age(self, row: Any) -> SafeString | str:
        """Since when it exists."""
        return moments.ago(row.created_at)
