"""Moments on the console's pages: words first, the moment itself for whoever points at them and for programs."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from staff import phrases


def ago(moment: datetime | None) -> SafeString | str:
    """How long ago; nothing for no moment."""
    return _timed(moment, phrases.span(timezone.now() - moment)) if moment else ""


def until(moment: datetime | None) -> SafeString | str:
    """How long until then; "now" once it is past, nothing for no moment."""
    if moment is None:
        return ""
    left = moment - timezone.now()
    return _timed(moment, phrases.span(left) if left.total_seconds() > 0 else "now")


def at(moment: datetime | None) -> SafeString | str:
    """The moment itself, in UTC; nothing for none."""
    return _timed(moment, phrases.stamp(moment)) if moment else ""


def _timed(moment: datetime, words: str) -> SafeString:
    return format_html(
        '<time class="num" datetime="{}" title="{} UTC">{}</time>', moment.isoformat(), phrases.stamp(moment), words
    )
