"""Cutting a query into tokens, each with its place in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from localcloud.posthog.hogql.errors import HogQLError

LONGEST = 20_000
SPACE = re.compile(r"(?:\s+|--[^\n]*|/\*.*?\*/)+", re.DOTALL)
TOKEN = re.compile(
    r"(?P<text>'(?:[^'\\]|\\.|'')*')|(?P<number>\d+(?:\.\d+)?)|(?P<value>\{[A-Za-z_]\w*\})"
    r"|(?P<quoted>`[^`]+`|\"[^\"]+\")|(?P<name>[A-Za-z_$][\w$]*)|(?P<sign><=|>=|!=|<>|==|\|\||[-=<>(),.*/+%\[\];])",
    re.DOTALL,
)
ESCAPE = re.compile(r"\\(.)|''", re.DOTALL)
ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is one of text, number, value, quoted, name, sign and end; `start` and `end` are offsets."""

    kind: str
    written: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """The word a grammar looks for: lower case for a bare name, the sign itself, else nothing."""
        return self.written.lower() if self.kind in ("name", "sign") else ""

    @property
    def content(self) -> str:
        """A name without its quotes, or a text without quotes and escapes."""
        if self.kind == "quoted":
            return self.written[1:-1]
        if self.kind == "text":
            return ESCAPE.sub(_unescaped, self.written[1:-1])
        return self.written


def _unescaped(found: re.Match[str]) -> str:
    return ESCAPED.get(found[1], found[1]) if found[1] is not None else "'"


def cut(text: str) -> list[Token]:
    """The tokens of a query, the last of kind `end`. Raises `HogQLError`."""
    if len(text) > LONGEST:
        raise HogQLError(f"The query is longer than {LONGEST} characters", text, LONGEST)
    found: list[Token] = []
    place = 0
    while True:
        if space := SPACE.match(text, place):
            place = space.end()
        if place == len(text):
            return [*found, Token("end", "", place, place)]
        match = TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise HogQLError(f"Syntax error: cannot read {text[place : place + 20]!r}", text, place)
        found.append(Token(match.lastgroup, match[0], match.start(), match.end()))
        place = match.end()
