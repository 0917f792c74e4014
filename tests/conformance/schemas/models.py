"""Strict JSON schemas of Python types: a vendor's own typed dictionaries, or what we describe in our own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from tests.conformance.schemas.schema import Book

NEVER_SENT = "http_headers"  # a member that PyPI `resend` adds to what it received


def closed(name: str, types: Mapping[str, Any]) -> Book:
    """A book of *types* by their names, in which no object has a member that its type does not have."""
    schemas, shared = TypeAdapter.json_schemas([(key, "validation", TypeAdapter(one)) for key, one in types.items()])
    document: dict[str, Any] = {key: schema for (key, _mode), schema in schemas.items()}
    return Book(name, _strict(document | shared), "2020")


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _strict(value) for key, value in schema.items()}
    if isinstance(found.get("properties"), dict) and found.get("type") == "object":
        found["properties"].pop(NEVER_SENT, None)
        found["additionalProperties"] = False
    return found
