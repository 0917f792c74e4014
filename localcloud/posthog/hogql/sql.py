"""Pieces of SQL with their ClickHouse type, and how values of one type are read as another.

Moments are texts in UTC with milliseconds, as events are stored, so they compare as texts; dates are `2026-01-31`. What
comes out of JSON has no type of its own: numbers stay numbers, truth is the text `true` or `false`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

STRING, UUID, PROPERTY = "String", "UUID", "Nullable(String)"
INT, UINT, FLOAT = "Int64", "UInt64", "Float64"
FLAG, BOOL = "UInt8", "Bool"
DATE, TIME, SECOND = "Date", "DateTime64(6, 'UTC')", "DateTime('UTC')"
NOTHING = "Nullable(Nothing)"

NUMBERS = (INT, UINT, FLOAT, FLAG, BOOL)
TEXTS = (STRING, UUID)
TIMES = (TIME, SECOND)

FORMAT = "%Y-%m-%dT%H:%M:%fZ"


@dataclass(frozen=True, slots=True)
class Sql:
    """One expression. `literal` is a text constant's value, before it was bound."""

    text: str
    type: str
    literal: str | None = None


def as_time(sql: Sql) -> str:
    """Read as a moment; NULL where it is none."""
    return sql.text if sql.type in TIMES else f"strftime('{FORMAT}', {sql.text})"


def as_date(sql: Sql) -> str:
    return sql.text if sql.type == DATE else f"date({sql.text})"


def as_number(sql: Sql) -> str:
    """Read as a number; NULL where it is none."""
    if sql.type in NUMBERS:
        return sql.text
    it = sql.text
    return (
        f"iif(typeof({it}) IN ('integer', 'real'), {it},"
        f" iif(json_valid({it}) AND json_type({it}) IN ('integer', 'real'), CAST({it} AS REAL), NULL))"
    )


def as_text(sql: Sql) -> str:
    if sql.type in TIMES:
        return f"strftime('%Y-%m-%d %H:%M:%S', {sql.text})"
    return sql.text if sql.type in (*TEXTS, DATE) else f"CAST({sql.text} AS TEXT)"


def moment_of(text: str) -> str | None:
    """A moment written in a query, the way moments are stored; None when it is none."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown(value: object, kind: str) -> object:
    """A value of SQLite the way PostHog answers it."""
    if kind == BOOL and isinstance(value, int):
        return bool(value)
    if kind in TIMES and isinstance(value, str):
        whole, _, fraction = value.removesuffix("Z").partition(".")
        return f"{whole}Z" if kind == SECOND else f"{whole}.{fraction[:6].ljust(6, '0')}Z"
    return value


def glob_of(pattern: str) -> str:
    """The pattern of LIKE as one of GLOB, which minds capitals as ClickHouse does."""
    found, escaped = [], False
    for sign in pattern:
        if not escaped and sign == "\\":
            escaped = True
            continue
        if sign in "*?[":
            found.append(f"[{sign}]")
        elif escaped or sign not in "%_":
            found.append(sign)
        else:
            found.append("*" if sign == "%" else "?")
        escaped = False
    return "".join(found)
