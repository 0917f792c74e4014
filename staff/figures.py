"""Counted figures as a person reads them in a table: the number first, its unit quiet."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString

_NONE = "–"


def count(number: float) -> str:
    """A whole number with its thousands apart."""
    return f"{int(number):,}"


def millis(number: float | None) -> SafeString | str:
    """Milliseconds with a quiet unit."""
    return _NONE if number is None else format_html('{}<span class="unit">ms</span>', f"{round(number):,}")


def millis_words(number: float | None) -> str:
    """The same as plain text, for who hears it."""
    return "unknown" if number is None else f"{round(number):,} ms"


def percent(number: float | None) -> SafeString | str:
    """Percent to a tenth. What is not quite all is not shown as all."""
    if number is None:
        return _NONE
    return format_html('{}<span class="unit">%</span>', f"{min(number, 99.9) if number < 100 else number:.1f}")
