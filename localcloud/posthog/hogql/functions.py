"""The functions a query may call: how many arguments each takes, what it gives, and its SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from localcloud.posthog.hogql.sql import (
    BOOL,
    DATE,
    FLAG,
    FLOAT,
    FORMAT,
    INT,
    PROPERTY,
    SECOND,
    STRING,
    TIME,
    UINT,
    Sql,
    as_date,
    as_number,
    as_text,
    as_time,
)

Arguments = Sequence[Sql]
Write = Callable[[Arguments], str]
MANY = 50


@dataclass(frozen=True, slots=True)
class Function:
    """`gives` is the type of the result, or None for that of the first argument."""

    least: int
    most: int
    gives: str | None
    write: Write
    aggregate: bool = False


# Moments cut off at a unit: the ClickHouse type, and the SQL.
_WHOLE = {
    "second": "%Y-%m-%dT%H:%M:%S.000Z",
    "minute": "%Y-%m-%dT%H:%M:00.000Z",
    "hour": "%Y-%m-%dT%H:00:00.000Z",
    "day": "%Y-%m-%dT00:00:00.000Z",
}
_DATES = {
    "week": "'+1 day', 'weekday 0', '-7 days'",  # weeks begin on Sunday, as in a new project
    "monday": "'weekday 0', '-6 days'",
    "month": "'start of month'",
    "year": "'start of year'",
}
TRUNCATED = dict.fromkeys(_WHOLE, SECOND) | dict.fromkeys(("week", "month", "quarter", "year"), DATE)


def truncated(unit: str, moment: Sql) -> Sql:
    """A moment cut off at a unit of `TRUNCATED`."""
    if unit in _WHOLE:
        return Sql(f"strftime('{_WHOLE[unit]}', {moment.text})", SECOND)
    if unit == "quarter":
        it = moment.text
        return Sql(f"date({it}, 'start of month', '-' || ((strftime('%m', {it}) - 1) % 3) || ' months')", DATE)
    return Sql(f"date({moment.text}, {_DATES[unit]})", DATE)


def _start_of(unit: str) -> Function:
    return Function(1, 1, TRUNCATED[unit], lambda given: truncated(unit, given[0]).text)


def _week(given: Arguments) -> str:
    """With a second argument other than 0 weeks begin on Monday."""
    by_mode = truncated("week", given[0]).text
    if len(given) == 1:
        return by_mode
    return f"iif({given[1].text} = 0, {by_mode}, {truncated('monday', given[0]).text})"


def _part(form: str) -> Function:
    """A number out of a moment."""
    return Function(1, 1, UINT, lambda given: f"CAST(strftime('{form}', {given[0].text}) AS INTEGER)")


def _called(name: str, gives: str | None, least: int, most: int, read: Callable[[Sql], str] = as_text) -> Function:
    """A function that SQLite has under the same meaning."""
    return Function(least, most, gives, lambda given: f"{name}({', '.join(map(read, given))})")


def _when(condition: Sql, value: str) -> str:
    return f"CASE WHEN {condition.text} THEN {value} END"


def _aggregate(gives: str | None, arguments: int, write: Write) -> Function:
    return Function(arguments, arguments, gives, write, aggregate=True)


def _plain(sql: Sql) -> str:
    return sql.text


def _filled(sql: Sql) -> str:
    return f"coalesce({as_text(sql)}, '')"


def _matches(given: Arguments, pattern: str) -> str:
    whole, part = as_text(given[0]), as_text(given[1])
    return pattern.format(whole=whole, part=part)


def _json(gives: str, read: Callable[[Sql], str]) -> Function:
    """A value inside of JSON text, by its keys."""

    def write(given: Arguments) -> str:
        keys = " || ".join(f"'.\"' || replace({as_text(key)}, '\"', '') || '\"'" for key in given[1:])
        it = as_text(given[0])
        return read(Sql(f"iif(json_valid({it}), json_extract({it}, '$' || {keys}), NULL)", PROPERTY))

    return Function(2, 10, gives, write)


AGGREGATES = {
    "uniq": _aggregate(UINT, 1, lambda given: f"count(DISTINCT {given[0].text})"),
    "uniqif": _aggregate(UINT, 2, lambda given: f"count(DISTINCT {_when(given[1], given[0].text)})"),
    "countif": _aggregate(UINT, 1, lambda given: f"count({_when(given[0], '1')})"),
    "sum": _aggregate(FLOAT, 1, lambda given: f"coalesce(sum({as_number(given[0])}), 0)"),
    "sumif": _aggregate(FLOAT, 2, lambda given: f"coalesce(sum({_when(given[1], as_number(given[0]))}), 0)"),
    "avg": _aggregate(FLOAT, 1, lambda given: f"avg({as_number(given[0])})"),
    "avgif": _aggregate(FLOAT, 2, lambda given: f"avg({_when(given[1], as_number(given[0]))})"),
    "min": _aggregate(None, 1, lambda given: f"min({given[0].text})"),
    "minif": _aggregate(None, 2, lambda given: f"min({_when(given[1], given[0].text)})"),
    "max": _aggregate(None, 1, lambda given: f"max({given[0].text})"),
    "maxif": _aggregate(None, 2, lambda given: f"max({_when(given[1], given[0].text)})"),
    "any": _aggregate(None, 1, lambda given: f"max({given[0].text})"),
}
TIMELY = {
    "now": Function(0, 0, TIME, lambda _: f"strftime('{FORMAT}', 'now')"),
    "today": Function(0, 0, DATE, lambda _: "date('now')"),
    "yesterday": Function(0, 0, DATE, lambda _: "date('now', '-1 day')"),
    "todate": Function(1, 1, DATE, lambda given: as_date(given[0])),
    "todatetime": Function(1, 1, TIME, lambda given: as_time(given[0])),
    "parsedatetimebesteffort": Function(1, 1, TIME, lambda given: as_time(given[0])),
    "tostartofsecond": _start_of("second"),
    "tostartofminute": _start_of("minute"),
    "tostartofhour": _start_of("hour"),
    "tostartofday": _start_of("day"),
    "tostartofweek": Function(1, 2, DATE, _week),
    "tomonday": Function(1, 1, DATE, lambda given: truncated("monday", given[0]).text),
    "tostartofmonth": _start_of("month"),
    "tostartofquarter": _start_of("quarter"),
    "tostartofyear": _start_of("year"),
    "toyear": _part("%Y"),
    "tomonth": _part("%m"),
    "todayofmonth": _part("%d"),
    "todayofyear": _part("%j"),
    "tohour": _part("%H"),
    "tominute": _part("%M"),
    "tosecond": _part("%S"),
    "tounixtimestamp": _part("%s"),
    "todayofweek": Function(1, 1, UINT, lambda given: f"((strftime('%w', {given[0].text}) + 6) % 7 + 1)"),
    "toyyyymm": _part("%Y%m"),
    "toyyyymmdd": _part("%Y%m%d"),
}
TEXTUAL = {
    "tostring": Function(1, 1, STRING, lambda given: as_text(given[0])),
    "lower": _called("lower", STRING, 1, 1),
    "upper": _called("upper", STRING, 1, 1),
    "length": _called("length", UINT, 1, 1),
    "trim": _called("trim", STRING, 1, 1),
    "substring": Function(
        2, 3, STRING, lambda given: f"substr({', '.join([as_text(given[0]), *map(as_number, given[1:])])})"
    ),
    "replaceall": _called("replace", STRING, 3, 3),
    "concat": Function(1, MANY, STRING, lambda given: f"({' || '.join(map(_filled, given))})"),
    "position": _called("instr", UINT, 2, 2),
    "startswith": Function(2, 2, FLAG, lambda given: _matches(given, "(substr({whole}, 1, length({part})) = {part})")),
    "endswith": Function(
        2, 2, FLAG,
        lambda given: _matches(given, "(length({part}) = 0 OR substr({whole}, -length({part})) = {part})"),
    ),
    "empty": Function(1, 1, FLAG, lambda given: f"(coalesce({as_text(given[0])}, '') = '')"),
    "notempty": Function(1, 1, FLAG, lambda given: f"(coalesce({as_text(given[0])}, '') != '')"),
    "jsonextractstring": _json(STRING, lambda it: f"coalesce({as_text(it)}, '')"),
    "jsonextractraw": _json(STRING, as_text),
    "jsonextractint": _json(INT, lambda it: f"CAST(coalesce({as_number(it)}, 0) AS INTEGER)"),
    "jsonextractfloat": _json(FLOAT, lambda it: f"coalesce({as_number(it)}, 0)"),
    "jsonextractbool": _json(BOOL, lambda it: f"coalesce({it.text}, 0)"),
    "jsonhas": _json(FLAG, lambda it: f"({it.text} IS NOT NULL)"),
}  # fmt: skip
NUMERIC = {
    "toint": Function(1, 1, INT, lambda given: f"CAST({as_number(given[0])} AS INTEGER)"),
    "tofloat": Function(1, 1, FLOAT, lambda given: f"CAST({as_number(given[0])} AS REAL)"),
    "round": _called("round", FLOAT, 1, 2, as_number),
    "abs": _called("abs", FLOAT, 1, 1, as_number),
    "greatest": _called("max", None, 2, MANY, _plain),
    "least": _called("min", None, 2, MANY, _plain),
}
CHOOSING = {
    "coalesce": _called("coalesce", None, 2, MANY, _plain),
    "ifnull": _called("coalesce", None, 2, 2, _plain),
    "nullif": _called("nullif", None, 2, 2, _plain),
    "isnull": Function(1, 1, FLAG, lambda given: f"({given[0].text} IS NULL)"),
    "isnotnull": Function(1, 1, FLAG, lambda given: f"({given[0].text} IS NOT NULL)"),
    "not": Function(1, 1, FLAG, lambda given: f"(NOT coalesce({given[0].text}, 0))"),
    "and": Function(2, MANY, FLAG, lambda given: "(" + " AND ".join(map(_plain, given)) + ")"),
    "or": Function(2, MANY, FLAG, lambda given: "(" + " OR ".join(map(_plain, given)) + ")"),
}
SAME = {
    "uniqexact": "uniq",
    "countdistinct": "uniq",
    "countdistinctif": "uniqif",
    "anylast": "any",
    "tointornull": "toint",
    "toint64": "toint",
    "toint64ornull": "toint",
    "tofloatornull": "tofloat",
    "tofloat64": "tofloat",
    "tofloat64ornull": "tofloat",
    "todatetime64": "todatetime",
    "len": "length",
    "substr": "substring",
    "lowerutf8": "lower",
    "upperutf8": "upper",
    "replace": "replaceall",
}
FUNCTIONS = AGGREGATES | TIMELY | TEXTUAL | NUMERIC | CHOOSING
for _name, _other in SAME.items():
    FUNCTIONS[_name] = FUNCTIONS[_other]
