"""The grammar of expressions, from what binds least to what binds most.

OR, AND, NOT; comparisons, [NOT] LIKE, ILIKE, IN, BETWEEN, IS [NOT] NULL; + - || * / %; CASE, calls, INTERVAL n unit,
fields with `.name` or `['name']`, and `{name}` for one of the query's values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.posthog.hogql.errors import HogQLError, uncovered
from localcloud.posthog.hogql.reader import Reader
from localcloud.posthog.hogql.tokens import Token
from localcloud.posthog.hogql.tree import (
    Between,
    Binary,
    Call,
    Case,
    Constant,
    Field,
    In,
    Interval,
    IsNull,
    Node,
    Star,
    Unary,
    Value,
)

UNITS = ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
COMPARISONS = {"=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", ">": ">", "<=": "<=", ">=": ">="}
DEEPEST = 60  # parentheses and calls within each other
MOST_OPERATORS = 200


class Terms(Reader):
    """Reads expressions. *values* are what `{name}` may stand for."""

    def __init__(self, text: str, values: Mapping[str, Any]) -> None:
        super().__init__(text)
        self._given = values
        self._depth = self._operators = 0

    def count(self) -> int:
        token = self.next
        found = self._value(token).value if token.kind in ("number", "value") else None
        if not isinstance(found, int) or isinstance(found, bool) or found < 0:
            raise self.unexpected("expected a whole number")
        self.advance()
        return found

    # Expressions, from what binds least to what binds most

    def expression(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise HogQLError("The query is nested too deeply", self.text, self.next.start)
        found = self._conjunction()
        while self.next.word == "or":
            place = self.next.start
            found = Binary("or", found, self._after(self._conjunction), place)
        self._depth -= 1
        return found

    def _after(self, one: Callable[[], Node]) -> Node:
        """What follows the operator that is next."""
        self._count_operator()
        self.advance()
        return one()

    def _count_operator(self) -> None:
        self._operators += 1
        if self._operators > MOST_OPERATORS:
            raise HogQLError(f"The query has more than {MOST_OPERATORS} operators", self.text, self.next.start)

    def _conjunction(self) -> Node:
        found = self._negation()
        while self.next.word == "and":
            place = self.next.start
            found = Binary("and", found, self._after(self._negation), place)
        return found

    def _negation(self) -> Node:
        place, negations = self.next.start, 0
        while self.take("not"):
            negations += 1
        found = self._comparison()
        return Unary("not", found, place) if negations % 2 else found

    def _comparison(self) -> Node:
        found = self._sum()
        while True:
            token = self.next
            if token.word in COMPARISONS:
                found = Binary(COMPARISONS[token.word], found, self._after(self._sum), token.start)
            elif token.word == "is":
                self.advance()
                negated = self.take("not")
                self.must("null")
                found = _negated(IsNull(found, token.start), negated)
            elif token.word in ("not", "like", "ilike", "in", "between"):
                negated = self.take("not")
                found = _negated(self._membership(found), negated)
            else:
                return found

    def _membership(self, operand: Node) -> Node:
        place = self.next.start
        if self.take("like"):
            return Binary("like", operand, self._sum(), place)
        if self.take("ilike"):
            return Binary("ilike", operand, self._sum(), place)
        if self.take("between"):
            low = self._sum()
            self.must("and")
            return Between(operand, low, self._sum(), place)
        self.must("in")
        if not self.take("(", "["):
            raise self.unexpected("expected a list")
        if self.next.word == "select":
            raise uncovered("subquery", self.text, self.next.start)
        choices = self.many(self.expression)
        if not self.take(")", "]"):
            raise self.unexpected("expected the end of the list")
        return In(operand, choices, place)

    def _sum(self) -> Node:
        found = self._product()
        while self.next.word in ("+", "-", "||"):
            token = self.next
            found = Binary(token.word, found, self._after(self._product), token.start)
        return found

    def _product(self) -> Node:
        found = self._unary()
        while self.next.word in ("*", "/", "%"):
            token = self.next
            found = Binary(token.word, found, self._after(self._unary), token.start)
        return found

    def _unary(self) -> Node:
        place = self.next.start
        if self.take("-"):
            self._count_operator()
            operand = self._unary()
            if isinstance(operand, Constant) and isinstance(operand.value, int | float):
                return Constant(-operand.value, place)
            return Unary("-", operand, place)
        return self._primary()

    def _primary(self) -> Node:
        token = self.next
        if token.kind in ("text", "number", "value"):
            self.advance()
            return self._value(token)
        if self.take("("):
            if self.next.word == "select":
                raise uncovered("subquery", self.text, self.next.start)
            found = self.expression()
            self.must(")")
            return found
        if token.word in ("null", "true", "false"):
            self.advance()
            return Constant({"null": None, "true": True, "false": False}[token.word], token.start)
        if self.take("interval"):
            return self._interval(token.start)
        if self.take("case"):
            return self._case(token.start)
        name = self.name()
        if self.next.word == "(":
            return self._call(name, token.start)
        return self._field(name, token.start)

    def _value(self, token: Token) -> Constant:
        found: Value = token.content
        if token.kind == "number":
            found = float(token.written) if "." in token.written else int(token.written)
        elif token.kind == "value":
            name = token.written[1:-1]
            given = self._given.get(name)
            if name not in self._given or not isinstance(given, str | int | float | bool | None):
                raise HogQLError(f"Placeholder {{{name}}} has no value that can be used", self.text, token.start)
            found = given
        return Constant(found, token.start)

    def _interval(self, place: int) -> Node:
        token = self.next
        if token.kind == "text":  # INTERVAL '7 days'
            amount, _, unit = token.content.strip().partition(" ")
            self.advance()
        else:
            amount = str(self.count())
            unit = self.advance().word
        unit = unit.strip().lower().removesuffix("s")
        if not amount.isascii() or not amount.isdigit() or unit not in UNITS:
            raise HogQLError(f"Syntax error: expected a number and one of {', '.join(UNITS)}", self.text, token.start)
        return Interval(int(amount), unit, place)

    def _case(self, place: int) -> Node:
        if self.next.word != "when":
            raise uncovered("CASE with an operand", self.text, self.next.start)
        branches = []
        while self.take("when"):
            condition = self.expression()
            self.must("then")
            branches.append((condition, self.expression()))
        otherwise = self.expression() if self.take("else") else Constant(None, place)
        self.must("end")
        return Case(tuple(branches), otherwise, place)

    def _call(self, name: str, place: int) -> Node:
        self.must("(")
        distinct = self.take("distinct")
        arguments: tuple[Node, ...] = ()
        if self.next.word == "*":
            arguments = (Star(self.advance().start),)
        elif self.next.word != ")":
            arguments = self.many(self.expression)
        self.must(")")
        if self.next.word == "(":
            raise uncovered(f"function {name} with parameters", self.text, place)
        if self.next.word == "over":
            raise self.unexpected("expected no window")
        return Call(name, arguments, distinct, place)

    def _field(self, name: str, place: int) -> Node:
        path = [name]
        while True:
            if self.take("."):
                if self.take("*"):
                    raise uncovered("table.*", self.text, place)
                token = self.advance()
                if token.kind not in ("name", "quoted", "number"):
                    raise HogQLError("Syntax error: expected a name after the dot", self.text, token.start)
                path.append(token.content)
            elif self.take("["):
                token = self.advance()
                if token.kind != "text":
                    raise HogQLError("Syntax error: expected a name in quotes", self.text, token.start)
                path.append(token.content)
                self.must("]")
            else:
                return Field(tuple(path), place)


def _negated(node: Node, negated: bool) -> Node:
    return Unary("not", node, node.place) if negated else node
