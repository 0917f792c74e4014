"""The grammar of a query: one SELECT over one table.

SELECT [DISTINCT] item, … FROM table [[AS] name] [WHERE e] [GROUP BY e, …] [HAVING e]
[ORDER BY e [ASC | DESC], …] [LIMIT n [OFFSET n]]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.posthog.hogql.errors import uncovered
from localcloud.posthog.hogql.terms import Terms
from localcloud.posthog.hogql.tree import Item, Node, Ordering, Select, Star


def parse(text: str, values: Mapping[str, Any]) -> Select:
    """The tree of a query. Raises `HogQLError`."""
    return _Parser(text, values).select()


class _Parser(Terms):
    def select(self) -> Select:
        self.must("select")
        distinct = self.take("distinct")
        items = self.many(self._item)
        self.must("from")
        place = self.next.start
        if self.next.word == "(":
            raise uncovered("subquery", self.text, place)
        table = self.name()
        named = self.take("as") or self.is_name()
        alias = self.name() if named else None
        where = self.expression() if self.take("where") else None
        group = self._by() if self.take("group") else ()
        having = self.expression() if self.take("having") else None
        order: tuple[Ordering, ...] = ()
        if self.take("order"):
            self.must("by")
            order = self.many(self._ordering)
        limit = self.count() if self.take("limit") else None
        offset = self.count() if self.take("offset") else 0
        self.take(";")
        if self.next.kind != "end":
            raise self.unexpected("expected the end of the query")
        return Select(items, distinct, table, alias, place, where, group, having, order, limit, offset)

    def _by(self) -> tuple[Node, ...]:
        self.must("by")
        return self.many(self.expression)

    def _item(self) -> Item:
        first = self.next
        expression: Node = Star(self.advance().start) if first.word == "*" else self.expression()
        written = " ".join(self.text[first.start : self.before.end].split())
        named = self.take("as") or self.is_name()
        return Item(expression, self.name() if named else None, written)

    def _ordering(self) -> Ordering:
        expression = self.expression()
        descending = self.take("desc")
        if not descending:
            self.take("asc")
        return Ordering(expression, descending)
