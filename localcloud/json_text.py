"""JSON as the vendors' services read it, which is stricter than Python's own reading.

What Python would let in besides comes back later: half a character can be written to no page and no column, and one
`NaN` makes every query over the store that holds it fail.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

# An escape: two halves that make a character, half of one, or any other.
_ESCAPE = re.compile(
    r"\\(?:(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


def read(raw: bytes) -> Any:
    """The value of a JSON text in UTF-8. Half a character becomes U+FFFD, as in most services. Raises `ValueError`."""
    text = _ESCAPE.sub(_whole, raw.decode("utf-8-sig"))
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _whole(escape: re.Match[str]) -> str:
    return r"\ufffd" if escape[2] else escape[0]


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is out of range")
    return number
