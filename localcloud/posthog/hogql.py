"""A small part of HogQL over the events, enough to count them and to list the last ones.

    SELECT <columns> FROM events [WHERE <condition> [AND …]] [GROUP BY <columns>] [ORDER BY <column> [ASC|DESC]]
    [LIMIT n]

Columns: `uuid event distinct_id timestamp created_at properties properties.<name> $group_<0-4>` and `count()`,
`count(*)`, `count(DISTINCT <column>)`, `min(<column>)`, `max(<column>)`, each with `AS <name>` if wished. Conditions
compare a column with text or a number by `= != < > <= >= LIKE ILIKE IN`, or `IS [NOT] NULL`; `{name}` stands for a
value of the query's `values`. Anything else is refused by name. No text of a query ever becomes SQL: names are looked
up, values are bound.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<value>\{[A-Za-z_]\w*\})"
    r"|(?P<quoted>[`\"][^`\"]+[`\"])|(?P<name>[A-Za-z_$][\w$]*)|(?P<sign><=|>=|!=|<>|[=<>(),.*;]))"
)
COLUMNS = {
    "uuid": "e.uuid",
    "event": "e.event",
    "distinct_id": "e.distinct_id",
    "timestamp": "e.timestamp",
    "created_at": "e.received_at",
    "properties": "e.properties",
}
DEFAULT_LIMIT, MOST = 100, 50_000


class UnsupportedError(ValueError):
    """A query this small part of HogQL does not cover; the message says where it stopped understanding."""


class Query:
    """One parsed query: `statement` and `values` for SQLite, `columns` as the answer names them."""

    def __init__(self, text: str, values: dict[str, Any]) -> None:
        self._tokens = _tokens(text)
        self._given = values
        self.values: list[Any] = []
        self.columns: list[str] = []
        self.statement = self._select()

    # Reading tokens

    def _peek(self) -> str:
        return self._tokens[0][1].lower() if self._tokens else ""

    def _take(self, *wanted: str) -> bool:
        if self._peek() in wanted and self._tokens[0][0] in ("name", "sign"):
            self._tokens.pop(0)
            return True
        return False

    def _must(self, wanted: str) -> None:
        if not self._take(wanted):
            raise UnsupportedError(f"expected {wanted.upper()}, found {self._peek() or 'the end'}")

    def _name(self) -> str:
        if not self._tokens or self._tokens[0][0] not in ("name", "quoted"):
            raise UnsupportedError(f"expected a name, found {self._peek() or 'the end'}")
        return self._tokens.pop(0)[1].strip('`"')

    def _many(self, one: Callable[[], str], separator: str) -> list[str]:
        found = [one()]
        while self._take(separator):
            found.append(one())
        return found

    # Grammar

    def _select(self) -> str:
        self._must("select")
        columns = self._many(self._result, ",")
        self._must("from")
        if self._name() != "events":
            raise UnsupportedError("only the table events is here")
        where = group = order = ""
        if self._take("where"):
            where = " WHERE " + " AND ".join(self._many(self._condition, "and"))
        if self._take("group"):
            self._must("by")
            group = " GROUP BY " + ", ".join(self._many(self._column, ","))
        if self._take("order"):
            self._must("by")
            order = " ORDER BY " + ", ".join(self._many(self._ordering, ","))
        limit = self._number() if self._take("limit") else DEFAULT_LIMIT
        self._take(";")
        if self._tokens:
            raise UnsupportedError(f"cannot read from {self._tokens[0][1]!r} on")
        return f"SELECT {', '.join(columns)} FROM posthog_events e{where}{group}{order} LIMIT {min(limit, MOST)}"  # noqa: S608 -- made of known parts

    def _number(self) -> int:
        if not self._tokens or not self._tokens[0][1].isdigit():
            raise UnsupportedError("LIMIT needs a number")
        return int(self._tokens.pop(0)[1])

    def _result(self) -> str:
        if self._take("*"):
            self.columns += ["uuid", "event", "properties", "timestamp", "distinct_id"]
            return "e.uuid, e.event, e.properties, e.timestamp, e.distinct_id"
        before = [value for _, value in self._tokens]
        column = self._expression()
        name = "".join(before[: len(before) - len(self._tokens)])
        self.columns.append(self._name() if self._take("as") else name)
        return column

    def _ordering(self) -> str:
        if self._tokens and self._tokens[0][1] in self.columns and self._tokens[0][1] not in COLUMNS:
            column = str(self.columns.index(self._tokens.pop(0)[1]) + 1)
        else:
            column = self._expression()
        return f"{column} DESC" if self._take("desc") else f"{column} ASC" if self._take("asc") else column

    def _expression(self) -> str:
        function = self._peek()
        if function not in ("count", "min", "max") or len(self._tokens) < 2 or self._tokens[1][1] != "(":
            return self._column()
        self._tokens = self._tokens[2:]
        if function == "count" and (self._take("*") or self._peek() == ")"):
            inner = "*"
        else:
            inner = ("DISTINCT " if self._take("distinct") else "") + self._column()
        self._must(")")
        return f"{function}({inner})"

    def _column(self) -> str:
        name = self._name()
        if group := re.fullmatch(r"\$group_([0-4])", name):
            return f"(SELECT key FROM posthog_event_groups g WHERE g.event = e.number AND g.place = {group[1]})"  # noqa: S608 -- one digit
        if name not in COLUMNS:
            raise UnsupportedError(f"unknown column {name!r}")
        if name != "properties" or not self._take("."):
            return COLUMNS[name]
        path = ["$"]
        path += [f'"{part}"' for part in self._many(self._name, ".")]
        return f"json_extract(e.properties, '{_quoted('.'.join(path))}')"

    def _condition(self) -> str:
        if self._take("("):
            inner = " AND ".join(self._many(self._condition, "and"))
            if self._take("or"):
                inner = f"({inner}) OR " + " OR ".join(self._many(self._condition, "or"))
            self._must(")")
            return f"({inner})"
        column = self._column()
        if self._take("is"):
            negated = self._take("not")
            self._must("null")
            return f"{column} IS {'NOT ' if negated else ''}NULL"
        if self._take("in"):
            self._must("(")
            marks = self._many(self._bound, ",")
            self._must(")")
            return f"{column} IN ({', '.join(marks)})"
        for sign in ("=", "!=", "<>", "<=", ">=", "<", ">", "like", "ilike"):
            if self._take(sign):
                return f"{column} {'LIKE' if 'like' in sign else sign} {self._bound()}"
        raise UnsupportedError(f"expected a comparison, found {self._peek() or 'the end'}")

    def _bound(self) -> str:
        kind, text = self._tokens.pop(0) if self._tokens else ("", "")
        if kind == "text":
            self.values.append(re.sub(r"\\(.)|''", lambda found: found[1] or "'", text[1:-1]))
        elif kind == "number":
            self.values.append(float(text) if "." in text else int(text))
        elif kind == "value" and isinstance(self._given.get(text[1:-1]), str | int | float):
            self.values.append(self._given[text[1:-1]])
        else:
            raise UnsupportedError(f"expected a value, found {text or 'the end'}")
        return "?"


def _tokens(text: str) -> list[tuple[str, str]]:
    found, place = [], 0
    text = text.strip()
    while place < len(text):
        match = TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise UnsupportedError(f"cannot read from {text[place : place + 20]!r} on")
        found.append((match.lastgroup, match[match.lastgroup]))
        place = match.end()
    return found


def _quoted(path: str) -> str:
    return path.replace("'", "''")
