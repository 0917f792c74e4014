"""The tree of a query. Places are not compared: two expressions are equal when they say the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

Value: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Constant:
    value: Value
    place: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Interval:
    """So many units of time."""

    amount: int
    unit: str
    place: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Field:
    """A column, with what is inside it: `properties.$groups.app`."""

    path: tuple[str, ...]
    place: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Star:
    place: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: tuple[Node, ...]
    distinct: bool
    place: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """`not` or `-`."""

    operator: str
    operand: Node
    place: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic, comparison, `and`, `or`, `like`, `ilike`."""

    operator: str
    left: Node
    right: Node
    place: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Between:
    operand: Node
    low: Node
    high: Node
    place: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class In:
    operand: Node
    choices: tuple[Node, ...]
    place: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class IsNull:
    operand: Node
    place: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Case:
    """`CASE WHEN … THEN … ELSE … END`, and `if` and `multiIf`."""

    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node
    place: int = field(compare=False)


Node: TypeAlias = Constant | Interval | Field | Star | Call | Unary | Binary | Between | In | IsNull | Case


@dataclass(frozen=True, slots=True)
class Item:
    """One column of the result. `written` is its text, which names it when there is no alias."""

    expression: Node
    alias: str | None
    written: str


@dataclass(frozen=True, slots=True)
class Ordering:
    expression: Node
    descending: bool


@dataclass(frozen=True, slots=True)
class Select:
    items: tuple[Item, ...]
    distinct: bool
    table: str
    table_alias: str | None
    table_place: int
    where: Node | None
    group: tuple[Node, ...]
    having: Node | None
    order: tuple[Ordering, ...]
    limit: int | None
    offset: int


def inside(node: Node) -> tuple[Node, ...]:
    """The expressions directly inside one."""
    match node:
        case Call(arguments=arguments):
            return arguments
        case Unary(operand=operand) | IsNull(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case Between(operand=operand, low=low, high=high):
            return (operand, low, high)
        case In(operand=operand, choices=choices):
            return (operand, *choices)
        case Case(branches=branches, otherwise=otherwise):
            return (*(part for branch in branches for part in branch), otherwise)
        case _:
            return ()


def rebuilt(node: Node, part: Callable[[Node], Node]) -> Node:
    """The same expression with everything directly inside it replaced by *part* of it."""
    match node:
        case Call(arguments=arguments):
            return replace(node, arguments=tuple(map(part, arguments)))
        case Unary(operand=operand) | IsNull(operand=operand):
            return replace(node, operand=part(operand))
        case Binary(left=left, right=right):
            return replace(node, left=part(left), right=part(right))
        case Between(operand=operand, low=low, high=high):
            return replace(node, operand=part(operand), low=part(low), high=part(high))
        case In(operand=operand, choices=choices):
            return replace(node, operand=part(operand), choices=tuple(map(part, choices)))
        case Case(branches=branches, otherwise=otherwise):
            changed = tuple((part(condition), part(value)) for condition, value in branches)
            return replace(node, branches=changed, otherwise=part(otherwise))
        case _:
            return node


def chain(node: Binary) -> list[Node]:
    """The operands of one operator repeated, which SQLite would otherwise nest too deeply."""
    found, left = [node.right], node.left
    while isinstance(left, Binary) and left.operator == node.operator:
        found.append(left.right)
        left = left.left
    return [left, *reversed(found)]
