"""Names of templates and snapshots as E2B writes them: `alias`, `namespace/alias`, either with `:tag` behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from localcloud.e2b.requests import BadRequestError

NAMESPACE = "local"  # the one team of this installation
DEFAULT_TAG = "default"
_PART = re.compile(r"[a-z0-9_-]{1,128}")
_TAG = re.compile(r"[a-z0-9_.-]{1,128}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Name:
    """A name taken apart. `tag` is None when none was given, which means `default` except in filters."""

    alias: str
    tag: str | None = None

    @property
    def tag_or_default(self) -> str:
        return self.tag or DEFAULT_TAG


def parse(raw: str) -> Name:
    """Read a name, in any case. Raises `BadRequestError` in the vendor's words."""
    identifier, separator, tag = raw.strip().partition(":")
    namespace, slash, alias = identifier.rpartition("/")
    clean = alias.strip().lower()
    if slash and namespace.strip().lower() != NAMESPACE:
        raise BadRequestError(f"namespace '{namespace}' must match your team '{NAMESPACE}'")
    if not _PART.fullmatch(clean):
        raise BadRequestError(f"Invalid name: invalid template ID: {alias}")
    return Name(clean, check_tag(tag) if separator else None)


def check_tag(raw: str) -> str:
    """A tag in its one spelling. Raises `BadRequestError`."""
    clean = raw.strip().lower()
    if not _TAG.fullmatch(clean):
        raise BadRequestError(f"Invalid tag: invalid tag '{raw}'")
    if _UUID.fullmatch(clean):
        raise BadRequestError("Invalid tag: tag cannot be a UUID")
    return clean


def qualified(alias: str) -> str:
    """An alias with its namespace."""
    return f"{NAMESPACE}/{alias}"
