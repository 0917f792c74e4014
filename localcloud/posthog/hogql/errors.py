"""The one error of this package: a query that cannot be answered, why, and where it stands."""

from __future__ import annotations


class HogQLError(ValueError):
    """A query that is wrong, or beyond what is covered. The message ends with the line and column."""

    def __init__(self, message: str, text: str, place: int) -> None:
        before = text[:place]
        line, column = before.count("\n") + 1, place - (before.rfind("\n") + 1) + 1
        super().__init__(f"{message} (line {line}, column {column})")
        self.line, self.column = line, column


def uncovered(what: str, text: str, place: int) -> HogQLError:
    """The error for what PostHog may well know but localcloud does not do."""
    return HogQLError(f"localcloud's part of HogQL has no {what}", text, place)
