"""Options that are on or off, as a form, a command or the API gives them."""

from __future__ import annotations

from typing import Any

from staff.refusals import Refused

_ON, _OFF = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}


def switch(options: dict[str, Any], name: str, missing: str) -> bool:
    """Whether the option is on; raises `Refused` with `missing` where it is neither on nor off."""
    said = str(options.get(name, "")).strip().lower()
    if said in _ON | _OFF:
        return said in _ON
    raise Refused(missing)
