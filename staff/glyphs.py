"""The glyph of a state and its one plain word, the same that visitors see; shape and word say it before colour does."""

from __future__ import annotations

from functools import cache

from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from sessions_app.pages import GLYPHS, WORDS

# States that are not a resource's, and the state of one that is drawn for them.
_DRAWN_AS = {
    "queued": "planned",
    "running": "creating",
    "done": "ready",
    "cancelled": "gone",
    "open": "ready",
    "closing": "deleting",
    "closed": "gone",
}
_ALONE = {"paused": "paused"}  # drawn as themselves


def word(state: str) -> str:
    """One plain word for it."""
    return WORDS.get(state, state)


@cache
def glyph(state: str) -> SafeString:
    """Its drawing, silent: the word beside it speaks."""
    drawn = _DRAWN_AS.get(state, state)
    kind = _ALONE.get(drawn) or GLYPHS.get(drawn, "planned")
    # What is rendered is our own template, and a state is one of ours.
    return mark_safe(render_to_string("part/glyph.html", {"state": drawn, "glyph": kind}).strip())  # noqa: S308


def told(state: str, words: str = "") -> SafeString:
    """The glyph, then its word, or other `words`."""
    return format_html('<span class="with">{} {}</span>', glyph(state), words or word(state))


def badge(state: str, of: str, words: str = "") -> SafeString:
    """The glyph alone for the eye; for everybody else "Neon live"."""
    said = f"{of} {words or word(state)}"
    return format_html('<span class="vcell" title="{1}">{0}<span class="sr">{1}</span></span>', glyph(state), said)
