"""HTML that cannot be broken out of: every value put into a template is escaped unless it is `Html` itself."""

from __future__ import annotations

import html
import string
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any


class Html(str):
    """Text that is already HTML. Only this module and templates make it."""

    __slots__ = ()


class _Escaping(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        return value if isinstance(value, Html) else html.escape(format(value, format_spec))


_FORMATTER = _Escaping()


def h(template: str, *values: Any, **named: Any) -> Html:
    """Fill a template of our own; values that are not `Html` are escaped, for text and for quoted attributes."""
    return Html(_FORMATTER.vformat(template, values, named))


def join(parts: Iterable[Html]) -> Html:
    return Html("".join(parts))


def when(moment: str | None) -> Html:
    """A moment of the store as a person says it, with the exact one in the markup."""
    if not moment:
        return h('<span class="faint">never</span>')
    then = datetime.fromisoformat(moment)
    return h('<time datetime="{0}" title="{0}">{1}</time>', moment, _ago((datetime.now(UTC) - then).total_seconds()))


def _ago(seconds: float) -> str:
    if seconds < -60:
        return f"in {-seconds / 60:.0f} min"
    if seconds < 5:
        return "now"
    for limit, unit, name in ((90, 1, "s"), (5400, 60, "min"), (129_600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name} ago"
    return f"{seconds / 86400:.0f} days ago"


def size(count: int) -> str:
    """Bytes in the unit a person thinks in."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
