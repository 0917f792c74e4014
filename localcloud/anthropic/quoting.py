"""Putting a stranger's words into code: every language of the generated app has its one way in, and no other exists.

The results are safe wherever a value of that kind may stand. Templates are filled in one pass, so words that look
like a placeholder stay words.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_TEMPLATES = Path(__file__).parent / "templates"
_PLACEHOLDER = re.compile(r"%%([A-Z_]+)%%")
# Text that means the same in JSX, HTML and a quoted attribute. No apostrophe, quote, brace, bracket, `<`, `&` or `\`.
_PLAIN = re.compile(r"[\w ,.:;!?()/+*=#%°€£$’‘“”–—…-]+")


def string(words: str) -> str:
    """A TypeScript string literal. It also may stand inside a `<script>` and survives every line separator."""
    text = json.dumps(words, ensure_ascii=False)
    # JSON is TypeScript but for lone surrogates and the two separators; `<` cannot open a tag or a comment this way.
    for char in "<>&\u2028\u2029\u0085\x7f\ufeff":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)


def single(words: str) -> str:
    """A TypeScript string literal in single quotes where that is plain, for code that reads as one would write it."""
    return f"'{words}'" if _PLAIN.fullmatch(words) else string(words)


def jsx(words: str) -> str:
    """Text between JSX tags."""
    plain = _PLAIN.fullmatch(words) and words == words.strip() and words
    return words if plain else f"{{{string(words)}}}"


def attribute(words: str) -> str:
    """The value of a JSX attribute, quotes or braces included."""
    return f'"{words}"' if _PLAIN.fullmatch(words) else f"{{{string(words)}}}"


def template(words: str) -> str:
    """Text inside a TypeScript template literal."""
    return string(words)[1:-1].replace('\\"', '"').replace("`", "\\`").replace("${", "\\${")


def html_text(words: str) -> str:
    """Text of an HTML element."""
    return html.escape(words, quote=True)


def sql(words: str) -> str:
    """An SQL string literal, under the `standard_conforming_strings` every current server has on."""
    return "'" + words.replace("\0", "").replace("'", "''") + "'"


@cache
def _template(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def fill(name: str, values: Mapping[str, str]) -> str:
    """The template file `name` with each `%%NAME%%` replaced by already safe text. A name without a value is a bug."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], _template(name))
