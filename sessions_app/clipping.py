"""Making any value fit to be stored and shown:

text Postgres takes, of a size a browser takes, with a note where it was cut.
"""

from __future__ import annotations

import json

MAX_ITEMS = 100
MAX_DEPTH = 6


def clean(text: str) -> str:
    """`text` without NUL and lone surrogates, neither of which a JSON column can hold."""
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


def clip(text: str, limit: int) -> str:
    """At most about `limit` characters of `text`:

    its head and the end of its tail, and between them how much is missing.
    """
    if len(text) <= limit:
        return text
    tail = limit // 4
    head = limit - tail
    return f"{text[:head]}\n… {len(text) - limit} characters left out …\n{text[-tail:]}"


def clip_data(data: object, limit: int, depth: int = 0) -> object:
    """A copy of JSON-like `data` whose strings, lists, mappings and nesting are all bounded."""
    match data:
        case str():
            return clip(clean(data), limit)
        case bool() | int() | None:
            return data
        case float():
            return data if data == data and abs(data) != float("inf") else str(data)
        case dict() if depth < MAX_DEPTH:
            shown = {
                clip(clean(str(k)), 200): clip_data(v, limit, depth + 1) for k, v in list(data.items())[:MAX_ITEMS]
            }
            return shown | ({"…": f"{len(data) - MAX_ITEMS} more"} if len(data) > MAX_ITEMS else {})
        case list() | tuple() if depth < MAX_DEPTH:
            items = [clip_data(item, limit, depth + 1) for item in data[:MAX_ITEMS]]
            return items + ([f"… {len(data) - MAX_ITEMS} more"] if len(data) > MAX_ITEMS else [])
        case _:
            return clip(clean(str(data)), 200)


def weight(data: object) -> int:
    """Characters of `data` as JSON."""
    return len(json.dumps(data, ensure_ascii=False))
