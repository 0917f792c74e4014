"""Figures as a person reads them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()
_NONE = "–"


@register.filter
def spell(span: timedelta | None) -> str:
    """`4 s`, `3 min 12 s`, `3 h 20 min`, `2 days`."""
    if span is None:
        return _NONE
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 10:
        return f"{minutes} min {seconds % 60:02d} s"
    if hours < 1:
        return f"{minutes} min"
    if hours < 10:
        return f"{hours} h {minutes % 60:02d} min"
    return f"{hours} h" if days < 2 else f"{days} days"


@register.filter
def ago(moment: datetime | None) -> str:
    """How long that was ago, or will be until then."""
    return _NONE if moment is None else spell(abs(timezone.now() - moment))


@register.filter
def brief(span: timedelta) -> str:
    """A short time to a tenth of a second."""
    return f"{span.total_seconds():.1f} s" if span < timedelta(minutes=1) else spell(span)


@register.filter
def usd(amount: Decimal | float) -> str:
    """`$1,234.56`."""
    return f"${amount:,.2f}"


@register.filter
def count(number: float) -> str:
    """A whole number with its thousands apart."""
    return f"{int(number):,}"


@register.filter
def millis(number: float | None) -> SafeString | str:
    """Milliseconds with a quiet unit."""
    return _NONE if number is None else format_html('{}<span class="unit">ms</span>', f"{round(number):,}")


@register.filter
def millis_words(number: float | None) -> str:
    """The same as plain text, for who hears it."""
    return "unknown" if number is None else f"{round(number):,} ms"


@register.filter
def percent(number: float | None) -> SafeString | str:
    """Percent to a tenth. What is not quite all is not shown as all."""
    if number is None:
        return _NONE
    return format_html('{}<span class="unit">%</span>', f"{min(number, 99.9) if number < 100 else number:.1f}")
