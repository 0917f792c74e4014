"""HogQL: what a dashboard of one app asks is answered from rows, and what is wrong is named with its place."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from localcloud.posthog.events import Events
from localcloud.posthog.hogql import HogQLError, compile_query
from localcloud.posthog.parsing import Event
from localcloud.store import Store, stamp

NOW = datetime.now(UTC).replace(minute=30, second=15, microsecond=123000)


def event(name: str, who: str, *, days: int = 0, app: str | None = "a", **properties: Any) -> Event:
    groups = {"$groups": {"app": app}} if app else {}
    at = stamp(NOW - timedelta(days=days))[:-4] + "Z"
    return Event(str(uuid.uuid4()), name, who, at, properties | groups)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Events]:
    """Three days of two apps: Ada first as an anonymous visitor, then by her name; Ben; a stranger elsewhere."""
    store = Store(tmp_path_factory.mktemp("hogql") / "state.sqlite3")
    found = Events(store)
    found.add(
        [
            event("$groupidentify", "x", **{"$group_type": "app", "$group_key": "a", "$group_set": {"name": "Guests"}}),
            event("$pageview", "anonymous", days=2, path="/", seconds=1.5),
            event("$pageview", "anonymous", days=1, path="/list", seconds=2.5, beta=True),
            event("$identify", "ada", days=1, **{"$anon_distinct_id": "anonymous", "$set": {"plan": "free"}}),
            event("signed up", "ada", days=1, price=5, note="it's 100%"),
            event("$pageview", "ben", path="/", seconds="3", beta=False),
            event("signed up", "ben", price=7),
            event("$pageview", "mallory", app="b", path="/"),
            event("$pageview", "nobody", app=None, path="/A*b"),
        ]
    )
    yield found
    store.close()


def ask(events: Events, text: str, **values: Any) -> list[list[object]]:
    compiled = compile_query(text, values)
    return compiled.rows(events.select(compiled.statement, compiled.values))


DAY = [(NOW - timedelta(days=days)).date().isoformat() for days in range(3)]
APP = "$group_0 = 'a'"


# Each question with its answer; {APP} is the condition on the group.
QUESTIONS: list[tuple[str, list[list[object]]]] = [
    # by event
    (
        """SELECT event, count() AS c FROM events WHERE {APP} AND event != '$groupidentify'
           GROUP BY event ORDER BY c DESC, event""",
        [["$pageview", 3], ["signed up", 2], ["$identify", 1]],
    ),
    # by day
    (
        """SELECT toDate(timestamp) AS day, count() FROM events WHERE {APP} AND event = '$pageview'
           GROUP BY day ORDER BY day""",
        [[DAY[2], 1], [DAY[1], 1], [DAY[0], 1]],
    ),
    (
        """SELECT toStartOfDay(timestamp), uniq(person_id) FROM events WHERE {APP} AND event = 'signed up'
           GROUP BY 1 ORDER BY 1""",
        [[f"{DAY[1]}T00:00:00Z", 1], [f"{DAY[0]}T00:00:00Z", 1]],
    ),
    # in a range of time
    ("select count() from events where {APP} and timestamp > now() - interval 36 hour", [[6]]),
    (f"select count() from events where {{APP}} and timestamp between '{DAY[2]}' and '{DAY[1]}'", [[1]]),
    (f"select count() from events where {{APP}} and timestamp < '{DAY[1]}T00:00:00+00:00'", [[1]]),
    (f"select count() from events where {{APP}} and timestamp >= toDateTime('{DAY[0]} 00:00:00')", [[3]]),
    # unique persons, before and after they were identified
    ("SELECT count(DISTINCT distinct_id) FROM events WHERE {APP} AND event = '$pageview'", [[2]]),
    ("SELECT count(DISTINCT person_id) FROM events WHERE {APP} AND event LIKE '%sign%' OR event = '$pageview'", [[4]]),
    ("SELECT uniq(person_id) FROM events WHERE distinct_id IN ('anonymous', 'ada')", [[1]]),
    ("SELECT DISTINCT person.properties.plan FROM events WHERE distinct_id = 'anonymous'", [["free"]]),
    # the last ones
    (
        "SELECT event, distinct_id FROM events WHERE {APP} ORDER BY timestamp, event DESC LIMIT 1",
        [["$pageview", "anonymous"]],
    ),
    (
        """SELECT properties.price FROM events WHERE event = 'signed up'
           ORDER BY properties.price DESC LIMIT 1 OFFSET 1""",
        [[5]],
    ),
    # groups in every way they are written
    ("SELECT count() FROM events e WHERE e.properties.$groups.app = 'b'", [[1]]),
    ("SELECT count() FROM events WHERE properties['$groups']['app'] = 'b'", [[1]]),
    ("SELECT count() FROM events WHERE group_0.key = 'b'", [[1]]),
    ("SELECT count() FROM events WHERE `$group_0` IN ('b', 'c')", [[1]]),
    ("SELECT count() FROM events WHERE $group_0 = ''", [[1]]),
    ("SELECT any(group_0.properties.name) FROM events WHERE $group_0 = 'a'", [["Guests"]]),
    ("SELECT key, properties.name FROM groups WHERE index = 0 ORDER BY key", [["a", "Guests"], ["b", None]]),
    ("SELECT count() FROM persons WHERE is_identified", [[1]]),
    # conditions
    ("SELECT count() FROM events WHERE {APP} AND NOT (event = '$pageview' OR event = 'signed up')", [[2]]),
    ("SELECT count() FROM events WHERE {APP} AND properties.path IS NULL", [[4]]),
    ("SELECT count() FROM events WHERE {APP} AND properties.path != '/'", [[5]]),
    ("SELECT count() FROM events WHERE {APP} AND properties.path NOT IN ('/', '/list')", [[4]]),
    ("SELECT count() FROM events WHERE {APP} AND properties.beta = true", [[1]]),
    ("SELECT count() FROM events WHERE {APP} AND properties.beta = 'false'", [[1]]),
    ("SELECT count() FROM events WHERE properties.note = 'it\\'s 100%'", [[1]]),
    ("SELECT count() FROM events WHERE properties.note = 'it''s 100%' -- a word", [[1]]),
    ("SELECT count() FROM events WHERE properties.note LIKE '%100\\%'", [[1]]),
    ("SELECT count() FROM events WHERE event LIKE 'SIGNED%'", [[0]]),
    ("SELECT count() FROM events WHERE event ILIKE 'SIGNED%'", [[2]]),
    ("SELECT count() FROM events WHERE properties.path LIKE '%*_'", [[1]]),
    # sums and choices
    ("SELECT sum(properties.price), avg(properties.price) FROM events WHERE {APP}", [[12, 6.0]]),
    ("SELECT round(avg(properties.seconds), 2) FROM events WHERE {APP}", [[2.33]]),
    (
        "SELECT countIf(event = '$pageview'), uniqIf(distinct_id, event = 'signed up') FROM events WHERE {APP}",
        [[3, 2]],
    ),
    (
        """SELECT if(properties.price > 5, 'dear', 'cheap') AS k, count() FROM events
           WHERE {APP} AND event = 'signed up' GROUP BY k ORDER BY k""",
        [["cheap", 1], ["dear", 1]],
    ),
    (
        """SELECT CASE WHEN event = '$pageview' THEN 1 ELSE 0 END, count() FROM events WHERE {APP}
           GROUP BY 1 ORDER BY 2""",
        [[1, 3], [0, 4]],
    ),
    ("SELECT event FROM events WHERE {APP} GROUP BY event HAVING count() > 2", [["$pageview"]]),
    (
        """SELECT toInt(properties.price) * 2 + 1 AS x FROM events WHERE {APP} AND event = 'signed up'
           ORDER BY x""",
        [[11], [15]],
    ),
    (
        "SELECT concat(upper(event), '-', toString(1)) FROM events WHERE event = 'signed up' LIMIT 1",
        [["SIGNED UP-1"]],
    ),
    ("SELECT JSONExtractString(properties, 'path') FROM events WHERE $group_0 = 'b'", [["/"]]),
    ("SELECT JSONExtractInt(event, 'path'), JSONHas(properties, 'path') FROM events WHERE $group_0 = 'b'", [[0, 1]]),
    ("SELECT count(), true FROM events WHERE {APP} GROUP BY true", [[7, True]]),
    ("SELECT dateDiff('day', min(timestamp), max(timestamp)) FROM events WHERE $group_0 = 'a'", [[2]]),
    ("SELECT count() FROM events WHERE event = {name} AND $group_0 = {app} AND 1 = {one}", [[2]]),
]


@pytest.mark.parametrize(("text", "rows"), QUESTIONS)
def test_a_question_is_answered_from_rows(events: Events, text: str, rows: list[list[object]]) -> None:
    assert ask(events, text.replace("{APP}", APP), name="signed up", app="a", one=1) == rows


def test_today_and_yesterday_are_those_of_the_clock(events: Events) -> None:
    days = [day for (day,) in ask(events, f"SELECT toDate(timestamp) FROM events WHERE {APP}")]
    assert len(days) == 7

    def counted() -> tuple[int, int]:
        """How many are of yesterday or later, and how many of yesterday, as the clock is now."""
        yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
        return sum(str(day) >= yesterday for day in days), days.count(yesterday)

    before = counted()
    (since,) = ask(events, f"select count() from events where {APP} and timestamp >= today() - INTERVAL 1 DAY")
    (of,) = ask(events, f"select count() from events where {APP} and toDate(timestamp) = yesterday()")
    after = counted()  # another day may have begun
    assert since[0] in (before[0], after[0])
    assert of[0] in (before[1], after[1])


def test_columns_have_the_names_and_types_of_clickhouse(events: Events) -> None:
    compiled = compile_query(
        "SELECT event, count() c, max( timestamp ), toDate(timestamp) AS day, properties.path, person_id, 1 > 2"
        " FROM events GROUP BY event, day, properties.path, person_id",
        {},
    )
    assert compiled.columns == ["event", "c", "max( timestamp )", "day", "properties.path", "person_id", "1 > 2"]
    assert compiled.types == [
        "String", "UInt64", "DateTime64(6, 'UTC')", "Date", "Nullable(String)", "UUID", "UInt8",
    ]  # fmt: skip
    (last,) = ask(events, "SELECT max(timestamp) FROM events")
    assert last == [stamp(NOW)]
    assert compile_query("SELECT * FROM events", {}).columns[:3] == ["uuid", "event", "properties"]
    assert (
        compile_query("SELECT 1 FROM events", {}).limit,
        compile_query("SELECT 1 FROM events LIMIT 9", {}).limit,
    ) == (100, 9)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", (1, 1), "Syntax error: expected SELECT, found the end"),
        ("SELEC event FROM events", (1, 1), "expected SELECT"),
        ("SELECT event FROM", (1, 18), "expected a name"),
        ("SELECT event\nFROM events\nWHERE event ==== 'a'", (3, 15), "Syntax error"),
        ("SELECT event FROM events WHERE", (1, 31), "Syntax error"),
        ("SELECT event FROM events LIMIT -1", (1, 32), "whole number"),
        ("SELECT event FROM events; SELECT 1", (1, 27), "expected the end of the query"),
        ("SELECT event FROM events WHERE event = 'open", (1, 40), "cannot read"),
        ("SELECT nothing FROM events", (1, 8), "Unable to resolve field: nothing"),
        ("SELECT data FROM objects", (1, 18), 'Unknown table "objects"'),
        ("SELECT event FROM sqlite_master", (1, 19), "Unknown table"),
        ("SELECT load_extension('x') FROM events", (1, 8), "localcloud's part of HogQL has no function load_extension"),
        ("SELECT quantile(0.5)(x) FROM events", (1, 8), "has no function quantile"),
        ("SELECT event FROM events JOIN persons ON 1", (1, 26), "has no JOIN"),
        ("SELECT event FROM events UNION ALL SELECT 1", (1, 26), "has no UNION"),
        ("WITH x AS (SELECT 1) SELECT x FROM events", (1, 1), "has no WITH"),
        ("SELECT event FROM (SELECT 1)", (1, 19), "has no subquery"),
        ("SELECT event FROM events WHERE uuid IN (SELECT 1 FROM events)", (1, 41), "has no subquery"),
        ("SELECT count() OVER () FROM events", (1, 16), "has no window function"),
        ("SELECT event, count() FROM events", (1, 8), "not under an aggregate function"),
        ("SELECT event FROM events WHERE count() > 1", (1, 32), "aggregate function stands in WHERE"),
        ("SELECT 1 FROM events ORDER BY count()", (1, 31), "has no HAVING or ORDER BY of an aggregate without one"),
        ("SELECT sum(count()) FROM events", (1, 12), "stands inside of another"),
        ("SELECT lower(event, event) FROM events", (1, 8), "takes 1 arguments, not 2"),
        ("SELECT event + 1 FROM events", (1, 14), "Illegal type String"),
        ("SELECT count() FROM events WHERE timestamp > 'soon'", (1, 44), "Cannot parse 'soon' as a DateTime"),
        ("SELECT count() FROM events WHERE event = {missing}", (1, 42), "Placeholder {missing}"),
        ("SELECT dateTrunc('age', timestamp) FROM events", (1, 8), "the first of them one of second, minute"),
        ("SELECT INTERVAL 1 DAY FROM events", (1, 8), "INTERVAL"),
        ("SELECT event FROM events ORDER BY 2", (1, 35), "There is no column 2"),
        ("SELECT " + "(" * 100 + "1" + ")" * 100 + " FROM events", (1, 68), "nested too deeply"),
        ("SELECT " + "+".join("1" * 300) + " FROM events", None, "more than 200 operators"),
        ("SELECT " + "- " * 300 + "1 FROM events", None, "more than 200 operators"),
        ("SELECT " + "toStartOfQuarter(" * 50 + "timestamp" + ")" * 50 + " FROM events", None, "nested too deeply"),
        ("SELECT ';' FROM events -- " + "x" * 20_000, None, "longer than"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, place: tuple[int, int] | None, words: str) -> None:
    with pytest.raises(HogQLError) as refused:
        compile_query(text, {})
    assert words in str(refused.value)
    assert str(refused.value).endswith(f"(line {refused.value.line}, column {refused.value.column})")
    if place:
        assert (refused.value.line, refused.value.column) == place


def test_the_deepest_query_that_is_taken_runs(events: Events) -> None:
    deep = "(" * 55 + "1" + ")" * 55
    assert ask(events, f"SELECT {deep} FROM events LIMIT 1") == [[1]]
    long = " OR ".join(["event = 'a'"] * 100)
    assert ask(events, f"SELECT count() FROM events WHERE {long}") == [[0]]
    assert ask(events, "SELECT 99999999999999999999 FROM events LIMIT 1 OFFSET 99999999999999999999") == []
