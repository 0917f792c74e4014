"""Figures as a person thinks of them: "361 ms", "1 min 04 s", "$0.13". The visitor's pages say them the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal


def duration(ms: float) -> str:
    """How long something took: "361 ms", "2.3 s", "48 s", "1 min 04 s", "2 h 05 min"."""
    if round(ms) < 1000:
        return f"{max(0, round(ms))} ms"
    if ms < 9950:
        return f"{ms / 1000:.1f} s"
    seconds = round(ms / 1000)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def span(length: timedelta) -> str:
    """How long ago or how far off: "4 s", "3 min 12 s", "3 h 20 min", "2 days"."""
    seconds = max(0, int(length.total_seconds()))
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


def money(usd: Decimal | float) -> str:
    """ "$0.13"; what is under a cent keeps a digit that says something."""
    value = float(usd)
    return f"${value:.1g}" if 0 < value < 0.01 else f"${value:,.2f}"


def stamp(moment: datetime) -> str:
    """A moment to the second, in UTC as all of the console."""
    return f"{moment:%Y-%m-%d %H:%M:%S}"
