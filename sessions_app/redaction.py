"""Taking known secret values out of text before anybody else gets to read it (I-15).

Redaction is by value: the values are known, so no pattern has to guess what looks like a secret. Each value is also
looked for as it appears in a URL, in a JSON string and in Base64, which is how tools usually print it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from urllib.parse import quote

DOTS = "•••"
MIN_LENGTH = 8  # shorter values occur in ordinary text


def spellings(values: Iterable[str]) -> list[str]:
    """Every way the values may be written, longest first, so that no longer one is cut by a shorter one."""
    found: set[str] = set()
    for value in values:
        if len(value) < MIN_LENGTH:
            continue
        found |= {
            value,
            quote(value, safe=""),
            json.dumps(value)[1:-1],
            json.dumps(value, ensure_ascii=False)[1:-1],
            base64.b64encode(value.encode()).decode().rstrip("="),
        }
    return sorted(found, key=len, reverse=True)


def redact(text: str, values: Iterable[str]) -> str:
    """`text` with every spelling of every value of at least eight characters replaced by dots."""
    for spelling in spellings(values):
        text = text.replace(spelling, DOTS)
    return text


def redact_data(data: object, known: list[str]) -> object:
    """A copy of JSON-like `data` with every one of the `known` spellings replaced in its strings and its keys."""
    match data:
        case str():
            for spelling in known:
                data = data.replace(spelling, DOTS)
            return data
        case dict():
            return {redact_data(key, known): redact_data(value, known) for key, value in data.items()}
        case list() | tuple():
            return [redact_data(item, known) for item in data]
        case _:
            return data
