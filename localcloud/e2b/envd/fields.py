"""Reading proto3-JSON messages: both spellings of a name, strict types, absent means the zero value."""

from __future__ import annotations

import base64
import binascii
import re

from .connect import Json, RpcError


def _raw(message: Json, name: str) -> object:
    """The field by its proto name or its camelCase name; proto3 JSON allows either, and null means absent."""
    value = message.get(name)
    if value is None:
        value = message.get(re.sub(r"_(.)", lambda match: match[1].upper(), name))
    return value


def text(message: Json, name: str) -> str:
    """A string field. Raises RpcError when it is of another type or holds a NUL, which no path or argument can."""
    value = _raw(message, name)
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value:
        raise RpcError("invalid_argument", f"{name}: expected a string without NUL")
    return value


def optional_text(message: Json, name: str) -> str | None:
    """A string field that may be absent."""
    return None if _raw(message, name) is None else text(message, name)


def flag(message: Json, name: str, *, default: bool = False) -> bool:
    """A bool field."""
    value = _raw(message, name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise RpcError("invalid_argument", f"{name}: expected a bool")
    return value


def number(message: Json, name: str) -> int:
    """A uint32 field; proto3 JSON allows numbers to come as strings."""
    value = _raw(message, name)
    if value is None:
        return 0
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise RpcError("invalid_argument", f"{name}: expected a uint32")
    return value


def nested(message: Json, name: str) -> Json | None:
    """A message field, or None when absent."""
    value = _raw(message, name)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise RpcError("invalid_argument", f"{name}: expected an object")
    return value


def texts(message: Json, name: str) -> list[str]:
    """A repeated string field."""
    value = _raw(message, name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) and "\0" not in item for item in value):
        raise RpcError("invalid_argument", f"{name}: expected a list of strings without NUL")
    return value


def text_map(message: Json, name: str) -> dict[str, str]:
    """A ``map<string, string>`` field, as used for environments: names hold neither '=' nor NUL."""
    value = _raw(message, name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RpcError("invalid_argument", f"{name}: expected an object")
    for key, item in value.items():
        if not key or "=" in key or "\0" in key or not isinstance(item, str) or "\0" in item:
            raise RpcError("invalid_argument", f"{name}: {key!r} is not a usable name with a string value")
    return value


def raw_bytes(message: Json, name: str) -> bytes | None:
    """A bytes field (base64, standard or URL alphabet, padding optional), or None when absent."""
    value = _raw(message, name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise RpcError("invalid_argument", f"{name}: expected base64")
    normal = value.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(normal + "=" * (-len(normal) % 4), validate=True)
    except binascii.Error:
        raise RpcError("invalid_argument", f"{name}: expected base64") from None
