"""The two ways to tell a report: lines for a person, an object for a script. No key of ours is in either."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mk0r.doctor.report import Check, Report, State
from mk0r.log_redaction import installation_keys
from sessions_app.redaction import redact, redact_data, spellings

VERSION = 1
_MARKS = {State.WELL: "ok", State.NOTE: "note", State.WRONG: "FAIL"}


def document(report: Report) -> dict[str, Any]:
    """The report as JSON; docs/operations.md says what a script may rely on."""
    told = {
        "version": VERSION,
        "status": int(report.status),
        "parts": [
            {
                "part": part.part,
                "where": part.where,
                "state": part.state.value,
                "checks": [
                    {"check": one.check, "state": one.state.value, "said": one.said, "next": one.next}
                    for one in part.checks
                ],
            }
            for part in report.parts
        ],
        "refusals": list(report.refusals),
    }
    redacted = redact_data(told, spellings(installation_keys()))
    assert isinstance(redacted, dict)  # noqa: S101 (a dictionary stays one)
    return redacted


def lines(report: Report) -> Iterator[str]:
    """The report as lines: a part, its checks below it, the step that mends it below those."""
    for line in _lines(report):
        yield redact(line, installation_keys())


def _lines(report: Report) -> Iterator[str]:
    for part in report.parts:
        yield f"{_MARKS[part.state]:<5}{part.label}{f', {part.where}' if part.where else ''}"
        for one in part.checks:
            yield from _check(one)
    for problem in report.refusals:
        yield f"{_MARKS[State.WRONG]:<5}{problem}"


def _check(one: Check) -> Iterator[str]:
    yield f"     {_MARKS[one.state]:<5}{one.check}: {one.said}"
    if one.next:
        yield f"          -> {one.next}"
