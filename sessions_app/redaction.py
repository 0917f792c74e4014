"""Taking known secret values out of text before anybody else gets to read it (I-15).

Redaction is by value: the values are known, so no pattern has to guess what looks like a secret. Each value is also
looked for as tools usually print it: in a URL, in JSON (also JSON within JSON), in hexadecimal, and in Base64 of a
longer text that holds it, wherever in there it begins; and each of these also broken into lines. Redact first and cut
afterwards: half a secret is not found.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote

DOTS = "•••"
MIN_LENGTH = 8  # shorter values occur in ordinary text
_DEEPEST = 100  # levels of nesting
_ESCAPE = re.compile(r"%[0-9A-F]{2}")
_BREAK = r"\r?\n[ \t]*"


def spellings(values: Iterable[str]) -> list[str]:
    """Every way the values may be written, longest first, so that no longer one is cut by a shorter one."""
    found: set[str] = set()
    for value in values:
        if len(value) >= MIN_LENGTH:
            found |= _spellings(value)
    return sorted(found, key=len, reverse=True)


@lru_cache(maxsize=512)
def _spellings(value: str) -> frozenset[str]:
    raw = value.encode("utf-8", "replace")
    in_urls = {quote(raw, safe=safe) for safe in ("", "/", "!'()*~")}
    in_json = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    return frozenset(
        {value, raw.hex(), raw.hex().upper(), *in_urls, *in_json, *_base64(raw)}
        | {_ESCAPE.sub(lambda escape: escape[0].lower(), each) for each in in_urls}
        | {json.dumps(each)[1:-1] for each in in_json}
    )


def _base64(raw: bytes) -> Iterator[str]:
    """The characters of Base64 that `raw` alone decides, for each of the three places it may begin at in a group."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(raw).decode().rstrip("=")
        for before in range(3):
            text = encode(bytes(before) + raw).decode()
            yield text[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]


def redact(text: str, values: Iterable[str]) -> str:
    """`text` with every spelling of every value of at least eight characters replaced by dots."""
    return _cleared(text, spellings(values))


def _cleared(text: str, known: list[str]) -> str:
    for spelling in known:
        text = text.replace(spelling, DOTS)
    if "\n" in text:
        joined = re.sub(_BREAK, "", text)
        for spelling in known:
            if spelling in joined:
                text = re.sub(f"(?:{_BREAK})?".join(map(re.escape, spelling)), DOTS, text)
    return text


def redact_data(data: object, known: list[str], depth: int = 0) -> object:
    """A copy of JSON-like `data` with every one of the `known` spellings replaced in its strings and its keys.

    What is nested deeper than a hundred levels is left out: nobody reads it, and it would exhaust the stack.
    """
    match data:
        case str():
            return _cleared(data, known)
        case dict() | list() | tuple() if depth == _DEEPEST:
            return "…"
        case dict():
            return {redact_data(key, known): redact_data(value, known, depth + 1) for key, value in data.items()}
        case list() | tuple():
            return [redact_data(item, known, depth + 1) for item in data]
        case _:
            return data
