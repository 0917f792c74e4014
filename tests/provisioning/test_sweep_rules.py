"""What becomes of a stray, case by case (I-11): each condition alone is enough to keep it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from provisioning import sweep_rules
from provisioning.sweep_models import Stray
from provisioning.sweep_rules import Fate, Intent, judge, stop_reason, too_many

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ENDED = Intent(since=NOW - 2 * HOUR, until=NOW - HOUR, ended=True, holds=False)
FINE: dict[str, Any] = {
    "made_at": NOW - HOUR, "first_seen": NOW - 5 * MINUTE, "last_seen": NOW, "sightings": 2,
}  # fmt: skip


def stray(**changes: Any) -> Stray:
    return Stray(provider="neon", kind="project", external_id="p", name="mk0r-x", **(FINE | changes))


def fate(intent: Intent | None = ENDED, *, watched: bool = True, **changes: Any) -> Fate:
    return judge(stray(**changes), intent, watched=watched, now=NOW)[0]


def test_i11_what_fulfils_every_condition_is_deleted() -> None:
    assert fate() is Fate.DELETE
    assert fate(Intent(ENDED.since, None, ended=False, holds=True)) is Fate.DELETE


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"made_at": NOW - 9 * MINUTE}, Fate.WAIT),
        ({"made_at": NOW + 5 * MINUTE}, Fate.WAIT),  # a clock that runs ahead
        ({"made_at": NOW + HOUR}, Fate.ASK),
        ({"made_at": None}, Fate.ASK),
        ({"sightings": 1}, Fate.WAIT),
        ({"first_seen": NOW - 2 * MINUTE}, Fate.WAIT),
        ({"watched": False}, Fate.ASK),
        ({"intent": None}, Fate.ASK),
        ({"intent": Intent(NOW - 50 * MINUTE, None, ended=True, holds=False)}, Fate.ASK),  # made before it was meant
        ({"intent": Intent(NOW - 3 * HOUR, NOW - 2 * HOUR, ended=True, holds=False)}, Fate.ASK),  # long after
        ({"intent": Intent(ENDED.since, ENDED.until, ended=False, holds=False)}, Fate.WAIT),  # it may be taken up
    ],
)
def test_i11_one_condition_that_fails_keeps_it(changes: dict[str, Any], expected: Fate) -> None:
    assert fate(**changes) is expected


def test_i11_an_approval_answers_what_was_asked_but_not_the_grace() -> None:
    assert fate(None, watched=False, approved_at=NOW) is Fate.DELETE
    assert fate(None, watched=False, approved_at=NOW, made_at=None) is Fate.DELETE
    assert fate(approved_at=NOW, made_at=NOW - 9 * MINUTE) is Fate.WAIT


def test_the_grace_is_never_less_than_twice_the_longest_create(settings: Any) -> None:
    settings.MK0R_SWEEP_GRACE = 1
    settings.E2B_API_URL = "https://api.e2b.app"
    settings.LEG_DEADLINES = {"neon": 30, "e2b": 100, "resend": 15, "github": 15}
    assert sweep_rules.grace() == timedelta(seconds=2 * (100 + 30))
    settings.MK0R_SWEEP_GRACE = 3600
    assert sweep_rules.grace() == HOUR


@pytest.mark.parametrize(
    ("count", "listed", "expected"),
    [(10, 10, False), (11, 11, True), (50, 1000, False), (51, 1000, True), (0, 0, False)],
)
def test_more_than_ten_and_more_than_one_in_twenty_is_too_many(count: int, listed: int, expected: bool) -> None:
    assert too_many(count, listed) is expected


def test_i11_a_ledger_younger_than_what_it_does_not_know_stops() -> None:
    strays = [stray(), stray(made_at=None), stray(made_at=NOW - 3 * HOUR)]
    assert stop_reason(strays, 100, NOW - 4 * HOUR) == ""
    assert "older than this ledger" in stop_reason(strays, 100, NOW - 2 * HOUR)
    assert "older than this ledger" in stop_reason(strays, 100, None)
    assert stop_reason([], 100, None) == ""
