"""The provisioning waterfall of a session, drawn on the server: one ruler, five legs, and what the same work would have
cost one after another.

Places and widths are percentages of the ruler, for SVG attributes: a strict Content-Security-Policy takes no inline
style. The visitor's page draws the same from the log as it happens; this one draws it from the ledger.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from provisioning.models import Provider, Resource
from staff import phrases
from staff.glance import Leg, legs_of
from staff.making import had_lived

_STEPS = (100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000)  # ms between two marks of the ruler
_LONGEST = 120_000
_MARKS = 8  # at most
_LABELS = 5
_APART = 30_000  # ms; what is begun this much later is a second try: it is drawn without the time before it
_LEAST = 0.75  # percent: what took no time is still to be seen
_MOVING = {"creating", "unknown"}
_BEGUN = "Begun {} later, and drawn from the ruler's start."
_GONE_ON = "Gone on with {} later, and drawn without that time."


@dataclass(frozen=True, slots=True)
class Bar:
    """One step of a leg."""

    x: str
    width: str
    tone: str  # class of the bar


@dataclass(frozen=True, slots=True)
class Row:
    """One leg on the ruler."""

    leg: Leg
    bars: list[Bar]
    took: str
    note: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One line of the ruler, with its figure where there is room for it."""

    x: str
    label: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The whole drawing; `after` is the row of all legs one after another."""

    rows: list[Row]
    marks: list[Mark]
    after: list[Bar]
    total: str
    verdict: str
    bracket: tuple[str, str] | None  # from the end of the last leg to the end of the row below
    saved: str


@dataclass(frozen=True, slots=True)
class _Step:
    start: float
    end: float
    state: str


@dataclass(frozen=True, slots=True)
class _Timed:
    leg: Leg
    steps: list[_Step]
    note: str
    timed: bool  # whether all that it took is known

    @property
    def start(self) -> float:
        return self.steps[0].start if self.steps else 0.0

    @property
    def end(self) -> float:
        return max((step.end for step in self.steps), default=0.0)

    @property
    def spent(self) -> float:
        return self.end - self.start


def waterfall(began: datetime, rows: Iterable[Resource]) -> Waterfall:
    """The drawing of these rows of one session, in order of their ids, by the time since it `began`."""
    rows = list(rows)
    legs = _timed(began, rows)
    wall = max((leg.end for leg in legs), default=0.0)
    total = sum(leg.spent for leg in legs)
    longest = max(total, wall, 400.0)
    step = next((one for one in _STEPS if longest / one <= _MARKS), _LONGEST)
    full = float(-(-longest * 1.02 // step) * step)
    saved = total - wall
    return Waterfall(
        rows=[
            Row(one.leg, _bars(one, full), phrases.duration(one.spent) if one.timed else "", one.note) for one in legs
        ],
        marks=_marks(full, step),
        after=_sequence(legs, full),
        total=phrases.duration(total),
        verdict=_verdict(legs, wall, total),
        bracket=(_percent(wall / full), _percent(total / full)) if saved > full * 0.02 else None,
        saved=phrases.duration(max(0.0, saved)),
    )


def _timed(began: datetime, rows: list[Resource]) -> list[_Timed]:
    by_provider: dict[str, list[Resource]] = defaultdict(list)
    for row in rows:
        by_provider[row.provider].append(row)
    begun = [row.started_at for row in rows if row.started_at]
    zero, now = min([began, *begun]), timezone.now()
    timed = []
    for leg in legs_of(rows):
        steps = [_step(row, zero, now) for row in by_provider.get(leg.provider, []) if row.started_at]
        steps, note = _together(steps)
        lived = next((row for row in by_provider.get(leg.provider, []) if had_lived(row)), None)
        timed.append(_Timed(leg, steps, _lived(lived) if lived else note, bool(steps) and lived is None))
    return timed


def _together(steps: list[_Step]) -> tuple[list[_Step], str]:
    """The steps of a leg without the time in which nobody worked on it, and words for that."""
    shown: list[_Step] = []
    late, note = 0.0, ""
    for step in steps:
        before = shown[-1].end if shown else 0.0
        if (gap := step.start - late - before) > _APART:
            late += gap
            note = (_GONE_ON if shown else _BEGUN).format(phrases.duration(gap))
        shown.append(_Step(step.start - late, step.end - late, step.state))
    return shown, note


def _lived(row: Resource) -> str:
    assert row.started_at is not None and row.settled_at is not None  # noqa: S101, PT018 (what lived was begun)
    return f"Was live, and failed {phrases.span(row.settled_at - row.started_at)} after it was begun."


def _step(row: Resource, zero: datetime, now: datetime) -> _Step:
    start = row.started_at or zero
    end = row.settled_at or (now if row.state in _MOVING else start)
    if had_lived(row):
        end = start  # when it came live is not known, and its life is no part of its making
    return _Step((start - zero).total_seconds() * 1000, (max(start, end) - zero).total_seconds() * 1000, str(row.state))


def _bars(leg: _Timed, full: float) -> list[Bar]:
    bars = []
    for number, step in enumerate(leg.steps):
        tone = "bar-next" if number else "bar"
        if step.state in _MOVING:
            tone = "bar-moving"
        elif step.state == "failed":
            tone = "bar-failed"
        bars.append(_bar(step.start, step.end - step.start, full, tone))
    return bars


def _sequence(legs: list[_Timed], full: float) -> list[Bar]:
    bars, at = [], 0.0
    for leg in legs:
        if leg.spent > 0:
            bars.append(_bar(at, leg.spent, full, "bar-unreal"))
            at += leg.spent
    return bars


def _bar(start: float, length: float, full: float, tone: str) -> Bar:
    return Bar(_percent(start / full), _percent(max(length / full, _LEAST / 100)), tone)


def _marks(full: float, step: float) -> list[Mark]:
    count = round(full / step)
    every = -(-(count + 1) // _LABELS)
    marks = []
    for number in range(count + 1):
        shown = number == count or (number % every == 0 and count - number >= every)
        anchor = "start" if number == 0 else "end" if number == count else "middle"
        marks.append(Mark(_percent(number / count), phrases.duration(number * step) if shown else "", anchor))
    return marks


def _percent(share: float) -> str:
    return f"{min(100.0, max(0.0, share * 100)):.2f}%"


def _verdict(legs: list[_Timed], wall: float, total: float) -> str:
    live = sum(leg.leg.state in {"ready", "paused"} for leg in legs)
    failed = " and ".join(leg.leg.vendor for leg in legs if leg.leg.state == "failed")
    if failed:
        return f"{live} of {len(Provider)} live. {failed} failed."
    if live == len(Provider):
        alone = phrases.duration(total)
        return f"All five live in {phrases.duration(wall)}. One after another the same work takes {alone}."
    return f"{live} of {len(Provider)} live."
