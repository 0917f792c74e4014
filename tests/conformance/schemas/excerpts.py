"""Parts of bodies for a person to read, without the secrets that stand in them."""

from __future__ import annotations

import json
import re
from typing import Any

_SECRET_NAME = re.compile(r"token|key$|password|secret|uri$|digest|signature", re.IGNORECASE)
_SECRET = re.compile(
    r"(napi_|npg_|re_|gh[ps]_|github_pat_|e2b_|sk-ant-|phx_|cloud_)[A-Za-z0-9_-]{6,}|(?<=://)[^\s/@]+:[^\s/@]+(?=@)"
)
LONGEST = 300


def excerpt(value: Any, name: str = "") -> str:
    """*value* as JSON, cut short; *name* is the key it stands under."""
    text = json.dumps(_hidden(value, name), ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def masked(text: str) -> str:
    """*text* with what looks like a key or a password in an address made unreadable."""
    return _SECRET.sub("•••", text)


def _hidden(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _hidden(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item, name) for item in value]
    if isinstance(value, str):
        return "•••" if _SECRET_NAME.search(name) else masked(value)
    return value
