"""Reading the tokens of a query one after the other, and saying what is wrong with the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from localcloud.posthog.hogql.errors import HogQLError, uncovered
from localcloud.posthog.hogql.tokens import Token, cut

T = TypeVar("T")

# Words that end an expression or begin a clause, and so name nothing unless they are quoted.
RESERVED = frozenset(
    word
    for line in (
        "select from where group having order limit offset union join inner left right full cross array prewhere",
        "sample window qualify settings final on using as and or not in is like ilike between null case when then else",
        "end by asc desc distinct with interval",
    )
    for word in line.split()
)
REFUSED = {
    "with": "WITH",
    "union": "UNION",
    "join": "JOIN",
    "inner": "JOIN",
    "left": "JOIN",
    "right": "JOIN",
    "full": "JOIN",
    "cross": "JOIN",
    "array": "ARRAY JOIN",
    "prewhere": "PREWHERE",
    "sample": "SAMPLE",
    "final": "FINAL",
    "window": "WINDOW",
    "qualify": "QUALIFY",
    "settings": "SETTINGS",
    "over": "window function",
}


class Reader:
    """The tokens of one query. Everything that takes a token raises `HogQLError` when another stands there."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = cut(text)
        self._at = 0

    @property
    def next(self) -> Token:
        return self._tokens[self._at]

    @property
    def before(self) -> Token:
        return self._tokens[self._at - 1]

    def advance(self) -> Token:
        """The next token, whatever it is; at the end always the end."""
        token = self.next
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def take(self, *wanted: str) -> bool:
        """Whether one of these words was next, and is now taken."""
        if self.next.word not in wanted:
            return False
        self.advance()
        return True

    def must(self, wanted: str) -> None:
        if not self.take(wanted):
            raise self.unexpected(f"expected {wanted.upper()}")

    def many(self, one: Callable[[], T]) -> tuple[T, ...]:
        """One or more, with commas between."""
        found = [one()]
        while self.take(","):
            found.append(one())
        return tuple(found)

    def is_name(self) -> bool:
        return self.next.kind == "quoted" or (self.next.kind == "name" and self.next.word not in RESERVED)

    def name(self) -> str:
        if not self.is_name():
            raise self.unexpected("expected a name")
        return self.advance().content

    def unexpected(self, expected: str) -> HogQLError:
        """The error for the next token: named where it begins something that is not covered."""
        token = self.next
        if token.word in REFUSED:
            return uncovered(REFUSED[token.word], self.text, token.start)
        found = repr(token.written[:40]) if token.kind != "end" else "the end of the query"
        return HogQLError(f"Syntax error: {expected}, found {found}", self.text, token.start)
