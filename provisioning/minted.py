"""Tokens this process was given that may still open something, by value, to be kept out of what is written (I-15).

They come and go within the hour, so no setting and no row of every process holds them.
"""

from __future__ import annotations

import time

_wide: dict[str, float] = {}  # value -> when its time is over, by this process's monotonic clock
_narrow: dict[str, float] = {}


def remember(value: str, seconds: float, *, wide: bool) -> None:
    """A token that is good for `seconds`; a wide one reaches more than one session's things."""
    (_wide if wide else _narrow)[value] = time.monotonic() + seconds


def forget(value: str) -> None:
    """A token that opens nothing any more."""
    _wide.pop(value, None)
    _narrow.pop(value, None)


def wide() -> list[str]:
    """Those that reach more than one session's things."""
    return _living(_wide)


def everything() -> list[str]:
    """All of them."""
    return [*_living(_wide), *_living(_narrow)]


def _living(tokens: dict[str, float]) -> list[str]:
    now = time.monotonic()
    for value in [value for value, ends in list(tokens.items()) if ends <= now]:
        tokens.pop(value, None)
    return list(tokens)
