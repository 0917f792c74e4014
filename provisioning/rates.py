"""How many of something there may be in how long, as settings say it: `80/m,500/h`. Pure; the settings read it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE = re.compile(r"(?P<count>[1-9][0-9]{0,6})/(?P<unit>[smhd])\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` in any `seconds`."""

    count: int
    seconds: int


def parse(text: str) -> tuple[Rate, ...]:
    """Read `N/s`, `N/m`, `N/h` or `N/d`, or several of them separated by commas; an empty text is no limit.

    Raises:
        ValueError: it is something else, or names a unit twice.
    """
    rates: dict[int, Rate] = {}
    for part in text.split(",") if text.strip() else ():
        match = _ONE.match(part.strip())
        if match is None or _SECONDS[match["unit"]] in rates:
            raise ValueError(f"{text!r} is not N/s, N/m, N/h or N/d, or several of them separated by commas")
        seconds = _SECONDS[match["unit"]]
        rates[seconds] = Rate(int(match["count"]), seconds)
    return tuple(rates[seconds] for seconds in sorted(rates))
