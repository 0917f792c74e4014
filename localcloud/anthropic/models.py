"""Which models there are: their list, in pages, and which names are answered.

Every name of the vendor's family is answered, also one that is newer than this list; a name of no model is refused as
the vendor refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-sonnet-5", "claude-haiku-4-5")
_FAMILY = "claude-"
_USUAL, _MOST = 20, 1000


class BadPageError(ValueError):
    """A page that cannot be given; the message is the vendor's."""


def is_known(name: str) -> bool:
    """Whether requests under that name are answered."""
    return name.startswith(_FAMILY)


def described(name: str) -> dict[str, Any]:
    """One model, as the list shows it."""
    return {
        "type": "model",
        "id": name,
        "display_name": f"{name} (scripted stand-in)",
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        **dict.fromkeys(("capabilities", "line", "max_input_tokens", "max_tokens", "deprecated_at", "retires_at")),
    }


def page(query: Mapping[str, str]) -> dict[str, Any]:
    """The page that `limit`, `after_id` and `before_id` ask for. Raises `BadPageError`."""
    limit = _limit(query.get("limit", str(_USUAL)))
    after, before = query.get("after_id"), query.get("before_id")
    if after and before:
        raise BadPageError("after_id and before_id cannot both be given")
    listed = list(MODELS)
    if after:
        listed = listed[_place(after) + 1 :]
    rest = listed[: _place(before)] if before else listed
    shown = rest[-limit:] if before else rest[:limit]
    return {
        "data": [described(name) for name in shown],
        "has_more": len(rest) > len(shown),
        "first_id": shown[0] if shown else None,
        "last_id": shown[-1] if shown else None,
    }


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= _MOST:
        raise BadPageError(f"limit: Input should be between 1 and {_MOST}")
    return int(text[:6])


def _place(name: str) -> int:
    if name not in MODELS:
        raise BadPageError(f"model: {name}")
    return MODELS.index(name)
