"""Filters, order and pages of the lists of sandboxes and snapshots."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import parse_qsl, unquote

from multidict import MultiMapping

from localcloud.e2b.requests import BadRequestError
from localcloud.e2b.sandbox import Sandbox

PAGE = 100
STATES = ("running", "paused")
Item = TypeVar("Item")
Key = tuple[float, str]


@dataclass(frozen=True, slots=True)
class Page:
    """One page, the token of the next ("" on the last), and how many run in all."""

    sandboxes: list[Sandbox]
    next_token: str
    running: int


def metadata_filter(raw: str) -> dict[str, str]:
    """The wanted metadata. Clients encode it thrice: the parameter, a query string in it, and each key and value."""
    return {unquote(name): unquote(value) for name, value in parse_qsl(raw, keep_blank_values=True)}


def matches(sandbox: Sandbox, metadata: dict[str, str]) -> bool:
    """Whether the sandbox carries all of *metadata*."""
    return all(sandbox.wanted.metadata.get(name) == value for name, value in metadata.items())


def page(query: MultiMapping[str], sandboxes: Sequence[Sandbox]) -> Page:
    """What `GET /v2/sandboxes` was asked for. Raises `BadRequestError`."""
    metadata = metadata_filter(query.get("metadata", ""))
    states = _states(query.getall("state", []))
    template, after = query.get("template"), _moment(query.get("startedAfter"))
    found = [
        sandbox
        for sandbox in sandboxes
        if matches(sandbox, metadata)
        and sandbox.state in states
        and template in (None, sandbox.image.template_id, sandbox.image.alias)
        and (after is None or sandbox.started_at > after)
    ]
    descending = query.get("order", "desc") != "asc"
    chosen, token = one_page(query, found, lambda sandbox: (sandbox.started_at, sandbox.id), descending=descending)
    return Page(sandboxes=chosen, next_token=token, running=sum(not sandbox.paused for sandbox in sandboxes))


def one_page(
    query: MultiMapping[str], found: Sequence[Item], key: Callable[[Item], Key], *, descending: bool = True
) -> tuple[list[Item], str]:
    """The page that `limit` and `nextToken` ask for, and the next one's token. Raises `BadRequestError`."""
    ordered = sorted(found, key=key, reverse=descending)
    token = query.get("nextToken")
    if token:
        last = _decode(token)
        ordered = [item for item in ordered if (key(item) < last if descending else key(item) > last)]
    limit = _limit(query.get("limit"))
    chosen = ordered[:limit]
    return chosen, _encode(key(chosen[-1])) if len(ordered) > limit else ""


def _states(raw: Sequence[str]) -> set[str]:
    states = {state for value in raw for state in value.split(",") if state}
    if not states <= set(STATES):
        raise BadRequestError(f"state must be one of {', '.join(STATES)}")
    return states or set(STATES)


def _limit(raw: str | None) -> int:
    if raw is None:
        return PAGE
    if not raw.isascii() or not raw.isdigit() or not 1 <= int(raw) <= PAGE:
        raise BadRequestError(f"limit must be from 1 to {PAGE}")
    return int(raw)


def _moment(raw: str | None) -> float | None:
    if raw is None:
        return None
    try:
        moment = datetime.fromisoformat(raw)
    except ValueError:
        raise BadRequestError("startedAfter must be an ISO 8601 time") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _encode(key: Key) -> str:
    moment, identifier = key
    return base64.urlsafe_b64encode(f"{moment!r}__{identifier}".encode()).decode()


def _decode(token: str) -> Key:
    try:
        moment, _, identifier = base64.urlsafe_b64decode(token.encode()).decode().partition("__")
        return float(moment), identifier
    except (binascii.Error, ValueError):
        raise BadRequestError("nextToken is not one of ours") from None
