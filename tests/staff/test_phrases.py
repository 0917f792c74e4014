"""Figures read the same on the console as on the visitor's pages."""

from __future__ import annotations

from datetime import timedelta

from staff import phrases


def test_how_long_something_took() -> None:
    told = {361: "361 ms", 999.7: "1.0 s", 2300: "2.3 s", 48_000: "48 s", 64_000: "1 min 04 s", 7_500_000: "2 h 05 min"}
    assert {ms: phrases.duration(ms) for ms in told} == told


def test_how_long_ago_something_was() -> None:
    told = {4: "4 s", 192: "3 min 12 s", 2_460: "41 min", 12_000: "3 h 20 min", 90_000: "25 h", 200_000: "2 days"}
    assert {seconds: phrases.span(timedelta(seconds=seconds)) for seconds in told} == told


def test_what_something_costs() -> None:
    assert [phrases.money(usd) for usd in (0, 0.004, 0.13, 1234.5)] == ["$0.00", "$0.004", "$0.13", "$1,234.50"]
