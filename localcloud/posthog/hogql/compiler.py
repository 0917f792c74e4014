"""From the tree of a query to one SQLite statement: aliases expanded, columns looked up, aggregates checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.posthog.hogql.errors import HogQLError, uncovered
from localcloud.posthog.hogql.expressions import Expressions, is_aggregate
from localcloud.posthog.hogql.parser import parse
from localcloud.posthog.hogql.sql import Sql, shown
from localcloud.posthog.hogql.tables import TABLES, Table
from localcloud.posthog.hogql.tree import Constant, Field, Item, Node, Ordering, Select, Star, inside, rebuilt

DEFAULT_LIMIT, MOST_ROWS = 100, 50_000
MOST_SKIPPED = 2**62


@dataclass(frozen=True, slots=True)
class Compiled:
    """A query SQLite can run, with its parameters; `types` are those of the columns as ClickHouse names them.

    The statement asks for one row more than `limit`, which tells whether there are more.
    """

    statement: str
    values: dict[str, Any]
    columns: list[str]
    types: list[str]
    limit: int
    offset: int

    def rows(self, found: list[Any]) -> list[list[object]]:
        """The rows of an answer, within the limit."""
        return [
            [shown(value, kind) for value, kind in zip(row, self.types, strict=True)] for row in found[: self.limit]
        ]


def compile_query(text: str, values: Mapping[str, Any]) -> Compiled:
    """Compile a query. Raises `HogQLError`."""
    select = parse(text, values)
    table = TABLES.get(select.table)
    if table is None:
        known = ", ".join(TABLES)
        raise HogQLError(
            f'Unknown table "{select.table}": localcloud\'s part of HogQL has {known}', text, select.table_place
        )
    return _Query(text, select, table).compiled()


class _Query:
    def __init__(self, text: str, select: Select, table: Table) -> None:
        self._text, self._select, self._table = text, select, table
        self._items = [item for written in select.items for item in self._starred(written)]
        self._aliases = {item.alias: item.expression for item in self._items if item.alias}
        names = {select.table, select.table_alias} - {None}
        self._expressions = Expressions(text, table, frozenset(str(name) for name in names))

    def _starred(self, item: Item) -> list[Item]:
        if not isinstance(item.expression, Star):
            return [item]
        place = item.expression.place
        return [Item(Field((name,), place), None, name) for name in self._table.star]

    def compiled(self) -> Compiled:
        select = self._select
        items = [self._resolved(item.expression) for item in self._items]
        where = self._resolved(select.where) if select.where else None
        group = [self._numbered(node, items) for node in select.group]
        having = self._resolved(select.having) if select.having else None
        order = [Ordering(self._numbered(one.expression, items), one.descending) for one in select.order]
        self._check(items, where, group, having, order)
        columns = [self._write(node) for node in items]
        limit = min(DEFAULT_LIMIT if select.limit is None else select.limit, MOST_ROWS)
        clauses = [
            f"SELECT {'DISTINCT ' if select.distinct else ''}{', '.join(one.text for one in columns)}",
            f"FROM {self._table.source}",
            f"WHERE {self._write(where).text}" if where else "",
            f"GROUP BY {', '.join(self._write(node).text for node in group)}" if group else "",
            f"HAVING {self._write(having).text}" if having else "",
            f"ORDER BY {', '.join(self._ordering(one) for one in order)}" if order else "",
            f"LIMIT {limit + 1} OFFSET {min(select.offset, MOST_SKIPPED)}",
        ]
        return Compiled(
            " ".join(filter(None, clauses)),
            self._expressions.values,
            [item.alias or item.written for item in self._items],
            [one.type for one in columns],
            limit,
            select.offset,
        )

    def _write(self, node: Node) -> Sql:
        return self._expressions.write(node)

    def _ordering(self, one: Ordering) -> str:
        return f"{self._write(one.expression).text} {'DESC' if one.descending else 'ASC'} NULLS LAST"

    # Aliases

    def _resolved(self, node: Node, within: frozenset[str] = frozenset()) -> Node:
        """The expression with every alias replaced by what it stands for; inside of itself it is a column."""
        if isinstance(node, Field):
            alias = node.path[0]
            if len(node.path) == 1 and alias in self._aliases and alias not in within:
                return self._resolved(self._aliases[alias], within | {alias})
            return node
        return rebuilt(node, lambda part: self._resolved(part, within))

    def _numbered(self, node: Node, items: list[Node]) -> Node:
        """In GROUP BY and ORDER BY a number means a column of the result."""
        if isinstance(node, Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
            if not 1 <= node.value <= len(items):
                raise HogQLError(f"There is no column {node.value} in the result", self._text, node.place)
            return items[node.value - 1]
        return self._resolved(node)

    # Aggregates

    def _check(
        self,
        items: list[Node],
        where: Node | None,
        group: list[Node],
        having: Node | None,
        order: list[Ordering],
    ) -> None:
        """Refuse what SQLite would answer with an arbitrary row. Raises `HogQLError`."""
        for node in ([where] if where else []) + group:
            if found := _aggregate_in(node):
                raise HogQLError("An aggregate function stands in WHERE or GROUP BY", self._text, found.place)
        after = [*items, *([having] if having else []), *(one.expression for one in order)]
        if not group and not any(_aggregate_in(node) for node in after):
            return
        if not group and not any(_aggregate_in(node) for node in items):
            place = next(found.place for node in after if (found := _aggregate_in(node)))
            raise uncovered("HAVING or ORDER BY of an aggregate without one in the result", self._text, place)
        for node in after:
            self._check_grouped(node, group)

    def _check_grouped(self, node: Node, group: list[Node]) -> None:
        if node in group:
            return
        if is_aggregate(node):
            for part in inside(node):
                if found := _aggregate_in(part):
                    raise HogQLError("An aggregate function stands inside of another", self._text, found.place)
            return
        if isinstance(node, Field):
            name = ".".join(node.path)
            raise HogQLError(
                f"Column {name} is not under an aggregate function and not in GROUP BY", self._text, node.place
            )
        for part in inside(node):
            self._check_grouped(part, group)


def _aggregate_in(node: Node) -> Node | None:
    if is_aggregate(node):
        return node
    return next((found for part in inside(node) if (found := _aggregate_in(part))), None)
