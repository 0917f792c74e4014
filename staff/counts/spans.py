"""The spans of time the dashboard can look back over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone


@dataclass(frozen=True, slots=True)
class Span:
    """One span: its name in an address, in words, and into how many steps a drawing cuts it."""

    key: str
    words: str
    length: timedelta
    steps: int

    @property
    def step(self) -> timedelta:
        """How long one step of a drawing is."""
        return self.length / self.steps

    def since(self) -> datetime:
        """When it began, to the second, so that a link can say the same."""
        return timezone.now().replace(microsecond=0) - self.length


SPANS = (
    Span("1h", "1 hour", timedelta(hours=1), 30),
    Span("24h", "24 hours", timedelta(hours=24), 24),
    Span("7d", "7 days", timedelta(days=7), 28),
)
USUAL = SPANS[1]


def span_of(key: str) -> Span:
    """The span of that name; a day where there is none."""
    return next((span for span in SPANS if span.key == key), USUAL)
