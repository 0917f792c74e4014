"""From an expression of a query to SQL, with its type: columns looked up, constants bound, functions called."""

from __future__ import annotations

from typing import Any

from localcloud.posthog.hogql.errors import HogQLError, uncovered
from localcloud.posthog.hogql.functions import AGGREGATES, FUNCTIONS, SAME, TRUNCATED, truncated
from localcloud.posthog.hogql.sql import (
    BOOL,
    DATE,
    FLAG,
    FLOAT,
    FORMAT,
    INT,
    NOTHING,
    NUMBERS,
    PROPERTY,
    STRING,
    TIME,
    TIMES,
    UINT,
    Sql,
    as_date,
    as_number,
    as_text,
    as_time,
    glob_of,
    moment_of,
)
from localcloud.posthog.hogql.tables import Table, column, group_members, group_place
from localcloud.posthog.hogql.terms import UNITS
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
    chain,
)

ARITHMETIC = ("+", "-", "*", "/", "%")
STEPS = {"week": ("days", 7), "quarter": ("months", 3)}
LONGEST = 50_000  # characters of SQL that one expression may become
LARGEST = 2**63  # beyond it an integer is none for SQLite
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


def is_aggregate(node: Node) -> bool:
    """Whether an expression is itself the call of an aggregate function."""
    if not isinstance(node, Call):
        return False
    name = node.name.lower()
    return name == "count" or SAME.get(name, name) in AGGREGATES


class Expressions:
    """Writes expressions over one table. `values` are the parameters by name."""

    def __init__(self, text: str, table: Table, names: frozenset[str]) -> None:
        self._text, self._table, self._names = text, table, names
        self.values: dict[str, Any] = {}
        self._bound: dict[tuple[type, Any], str] = {}

    def write(self, node: Node) -> Sql:
        """The SQL of an expression. Raises `HogQLError`."""
        found = self._written(node)
        if len(found.text) > LONGEST:  # some functions write an argument several times
            raise HogQLError("The query is nested too deeply", self._text, node.place)
        return found

    def _written(self, node: Node) -> Sql:  # noqa: C901 -- one line for each kind of expression
        match node:
            case Constant(value=value):
                return self._constant(value)
            case Field():
                return self._field(node)
            case Call():
                return self._call(node)
            case Unary(operator="not", operand=operand):
                return Sql(f"(NOT coalesce({self.write(operand).text}, 0))", FLAG)
            case Unary(operand=operand):
                return Sql(f"(- {as_number(self.write(operand))})", INT)
            case Binary(operator=operator) if operator in ARITHMETIC:
                return self._arithmetic(node)
            case Binary():
                return self._binary(node)
            case Between(operand=operand, low=low, high=high):
                floor, top = Binary(">=", operand, low, node.place), Binary("<=", operand, high, node.place)
                return self.write(Binary("and", floor, top, node.place))
            case In():
                return self._in(node)
            case IsNull(operand=operand):
                return Sql(f"({self.write(operand).text} IS NULL)", FLAG)
            case Case():
                return self._case(node)
            case Interval():
                raise HogQLError("An INTERVAL can only be added to a time or taken from one", self._text, node.place)
            case Star():
                raise HogQLError("Syntax error: * stands where a value is expected", self._text, node.place)

    # Constants and columns

    def _bind(self, value: Any) -> str:
        """A parameter for a value; the same one for the same value, so that equal expressions stay equal."""
        if isinstance(value, int) and not -LARGEST <= value < LARGEST:
            value = float(value)
        name = self._bound.setdefault((type(value), value), f"v{len(self._bound)}")
        self.values[name] = value
        return f":{name}"

    def _constant(self, value: Value) -> Sql:
        if value is None:
            return Sql("NULL", NOTHING)
        if isinstance(value, bool):
            return Sql("(1 = 1)" if value else "(1 = 0)", BOOL)  # a bare 1 in GROUP BY would be a place
        if isinstance(value, str):
            return Sql(self._bind(value), STRING, value)
        return Sql(self._bind(value), FLOAT if isinstance(value, float) else INT if value < 0 else UINT)

    def _path(self, node: Field) -> tuple[str, ...]:
        return node.path[1:] if len(node.path) > 1 and node.path[0] in self._names else node.path

    def _field(self, node: Field) -> Sql:
        found = column(self._table, self._path(node), self._bind)
        if found is None:
            raise HogQLError(f"Unable to resolve field: {'.'.join(node.path)}", self._text, node.place)
        return found

    # Operators

    def _arithmetic(self, node: Binary) -> Sql:
        operator, left, right = node.operator, node.left, node.right
        if operator == "+" and isinstance(left, Interval):
            left, right = right, left
        if operator in ("+", "-") and isinstance(right, Interval):
            return self._moved(self.write(left), right, operator)
        first, second = self.write(left), self.write(right)
        if operator in ("+", "-") and first.type == DATE and second.type in NUMBERS:
            return Sql(f"date({first.text}, ({operator} {second.text}) || ' days')", DATE)
        for side in (first, second):
            if side.type not in (*NUMBERS, PROPERTY):
                raise HogQLError(f"Illegal type {side.type} of an argument of {operator}", self._text, node.place)
        one, other = as_number(first), as_number(second)
        if operator == "/":
            return Sql(f"(CAST({one} AS REAL) / nullif({other}, 0))", FLOAT)
        whole = {first.type, second.type} <= {INT, UINT, FLAG}
        return Sql(f"({one} {operator} {other})", INT if whole else FLOAT)

    def _moved(self, moment: Sql, interval: Interval, operator: str) -> Sql:
        unit, times = STEPS.get(interval.unit, (f"{interval.unit}s", 1))
        step = self._bind(f"{operator}{interval.amount * times} {unit}")
        if moment.type == DATE and interval.unit not in ("second", "minute", "hour"):
            return Sql(f"date({moment.text}, {step})", DATE)
        kind = moment.type if moment.type in TIMES else TIME
        return Sql(f"strftime('{FORMAT}', {moment.text}, {step})", kind)

    def _binary(self, node: Binary) -> Sql:
        operator = node.operator
        if operator == "=" and (members := self._members(node)):
            return Sql(members, FLAG)
        if operator in ("and", "or"):
            parts = (self.write(part).text for part in chain(node))
            return Sql(f"({f' {operator.upper()} '.join(parts)})", FLAG)
        left, right = self.write(node.left), self.write(node.right)
        if operator == "||":
            return Sql(f"({as_text(left)} || {as_text(right)})", STRING)
        if operator == "ilike":
            return Sql(f"({as_text(left)} LIKE {as_text(right)} ESCAPE '\\')", FLAG)
        if operator == "like":
            if right.literal is None:
                raise uncovered("LIKE with a pattern that is not a text", self._text, node.place)
            return Sql(f"({as_text(left)} GLOB {self._bind(glob_of(right.literal))})", FLAG)
        one, other = self._alike(left, right, node.place)
        # As in HogQL two NULLs are equal, and a value is not equal to NULL.
        return Sql(f"({one} {({'=': 'IS', '!=': 'IS NOT'}).get(operator, operator)} {other})", FLAG)

    def _members(self, node: Binary) -> str | None:
        if not isinstance(node.left, Field) or not isinstance(node.right, Constant):
            return None
        key = node.right.value
        if not isinstance(key, str) or not key or "event" not in self._table.columns:
            return None
        place = group_place(self._path(node.left))
        return group_members(place, self._bind(key)) if place is not None else None

    def _alike(self, left: Sql, right: Sql, place: int) -> tuple[str, str]:
        """Two sides of a comparison, read as the same kind of thing."""
        kinds = {left.type, right.type}
        if kinds & set(TIMES):
            return self._as_moment(left, place), self._as_moment(right, place)
        if DATE in kinds:
            return as_date(left), as_date(right)
        if PROPERTY in kinds and STRING in kinds:
            return as_text(left), as_text(right)
        if PROPERTY in kinds and BOOL in kinds:
            return self._truth(left), self._truth(right)
        return left.text, right.text

    def _as_moment(self, side: Sql, place: int) -> str:
        if side.literal is None:
            return as_time(side)
        moment = moment_of(side.literal)
        if moment is None:
            raise HogQLError(f"Cannot parse {side.literal!r} as a DateTime", self._text, place)
        return self._bind(moment)

    def _truth(self, side: Sql) -> str:
        """Truth as JSON columns have it: the texts true and false."""
        return side.text if side.type == PROPERTY else f"iif({side.text}, 'true', 'false')"

    def _in(self, node: In) -> Sql:
        operand, found = self.write(node.operand), []
        whole = operand.text
        for choice in node.choices:
            if not isinstance(choice, Constant):
                raise uncovered("IN with anything but constants", self._text, choice.place)
            whole, other = self._alike(operand, self.write(choice), choice.place)
            found.append(f"{whole} IS {other}")
        return Sql(f"({' OR '.join(found)})", FLAG)

    def _case(self, node: Case) -> Sql:
        branches = [(self.write(condition), self.write(value)) for condition, value in node.branches]
        otherwise = self.write(node.otherwise)
        kinds = [value.type for _, value in branches] + [otherwise.type]
        kind = next((kind for kind in kinds if kind != NOTHING), NOTHING)
        whens = " ".join(f"WHEN {condition.text} THEN {value.text}" for condition, value in branches)
        return Sql(f"(CASE {whens} ELSE {otherwise.text} END)", kind)

    # Calls

    def _call(self, node: Call) -> Sql:
        name = node.name.lower()
        if name == "count":
            return self._count(node)
        if any(isinstance(argument, Star) for argument in node.arguments) or node.distinct:
            raise HogQLError(f"Only count takes * or DISTINCT, not {node.name}", self._text, node.place)
        if name in ("if", "multiif"):
            return self._if(node)
        if name == "datetrunc":
            return self._trunc(node)
        if name == "datediff":
            return self._difference(node)
        function = FUNCTIONS.get(name)
        if function is None:
            raise uncovered(f"function {node.name}", self._text, node.place)
        if not function.least <= len(node.arguments) <= function.most:
            wanted = f"{function.least}" if function.least == function.most else f"{function.least} to {function.most}"
            raise HogQLError(
                f"Function {node.name} takes {wanted} arguments, not {len(node.arguments)}", self._text, node.place
            )
        given = [self.write(argument) for argument in node.arguments]
        return Sql(function.write(given), function.gives or given[0].type)

    def _count(self, node: Call) -> Sql:
        if len(node.arguments) > 1:
            raise uncovered("count of several columns", self._text, node.place)
        if not node.arguments or isinstance(node.arguments[0], Star):
            return Sql("count(*)", UINT)
        return Sql(f"count({'DISTINCT ' if node.distinct else ''}{self.write(node.arguments[0]).text})", UINT)

    def _if(self, node: Call) -> Sql:
        given = node.arguments
        if len(given) < 3 or len(given) % 2 == 0 or (node.name.lower() == "if" and len(given) != 3):
            raise HogQLError(
                f"{node.name} takes conditions, each with a value, and one value more", self._text, node.place
            )
        branches = tuple((given[at], given[at + 1]) for at in range(0, len(given) - 1, 2))
        return self._case(Case(branches, given[-1], node.place))

    def _unit(self, node: Call, known: tuple[str, ...], arguments: int) -> str:
        first = node.arguments[0] if node.arguments else None
        unit = first.value if isinstance(first, Constant) else None
        if len(node.arguments) != arguments or not isinstance(unit, str) or unit.lower() not in known:
            raise HogQLError(
                f"{node.name} takes {arguments} arguments, the first of them one of {', '.join(known)}",
                self._text,
                node.place,
            )
        return unit.lower()

    def _trunc(self, node: Call) -> Sql:
        return truncated(
            self._unit(node, tuple(unit for unit in UNITS if unit in TRUNCATED), 2), self.write(node.arguments[1])
        )

    def _difference(self, node: Call) -> Sql:
        """How many borders of the unit lie between two moments."""
        unit = self._unit(node, tuple(SECONDS), 3)
        first, second = (truncated(unit, self.write(one)).text for one in node.arguments[1:])
        return Sql(f"((strftime('%s', {second}) - strftime('%s', {first})) / {SECONDS[unit]})", INT)
