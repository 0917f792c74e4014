"""How Resend writes answers: flat errors, lists with `has_more`, timestamps without the ISO `T`."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from aiohttp import web

from localcloud import json_text
from localcloud.limits import LimitForm, Standing

Item = TypeVar("Item")

# The name that goes with a status when nothing more exact is known.
NAMES = {
    400: "validation_error",
    401: "missing_api_key",
    403: "invalid_api_key",
    404: "not_found",
    405: "method_not_allowed",
    409: "invalid_idempotent_request",
    422: "validation_error",
    429: "rate_limit_exceeded",
    451: "security_error",
}


class RefusedError(Exception):
    """A request Resend would refuse, with the status, name and message it would answer."""

    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(message)
        self.status, self.name, self.message = status, name, message

    def answer(self) -> web.Response:
        return error(self.status, self.message, self.name)


def error(status: int, message: str, name: str | None = None) -> web.Response:
    """An error in Resend's form."""
    name = name or NAMES.get(status, "application_error")
    return web.json_response({"statusCode": status, "name": name, "message": message}, status=status)


def _over_limit(standing: Standing) -> web.Response:
    limit = standing.limit
    pace = f"{limit.requests} requests per " + (
        "second" if limit.per_seconds == 1 else f"{limit.per_seconds:g} seconds"
    )
    return error(
        429,
        f"Too many requests. You can only make {pace}. See rate limit response headers for more information. "
        "Or contact support to increase rate limit.",
    )


def _limit_headers(standing: Standing) -> dict[str, str]:
    return {
        "ratelimit-limit": str(standing.limit.requests),
        "ratelimit-remaining": str(standing.remaining),
        "ratelimit-reset": str(standing.seconds),
    }


LIMIT_FORM = LimitForm(refusal=_over_limit, headers=_limit_headers)


def missing(member: str) -> RefusedError:
    """The error for a required member that is not there."""
    return RefusedError(422, "missing_required_field", f"Missing `{member}` field.")


def invalid(message: str) -> RefusedError:
    return RefusedError(422, "validation_error", message)


def check_id(given: str) -> None:
    """Refuse what cannot be an id. Raises `RefusedError`."""
    try:
        uuid.UUID(given)
    except ValueError as error:
        raise RefusedError(422, "invalid_parameter", "The `id` parameter must be a valid UUID.") from error


def not_found(what: str) -> RefusedError:
    return RefusedError(404, "not_found", f"{what} not found")


def moment(iso: str) -> str:
    """A moment of the store the way Resend lists it: `2026-01-02 03:04:05.678901+00`."""
    return iso.replace("T", " ").replace("Z", "+00")


async def read(request: web.Request) -> Any:
    """The JSON body. Raises `RefusedError`."""
    try:
        return json_text.read(await request.read())
    except ValueError as problem:
        raise RefusedError(400, "validation_error", "The request body must be valid JSON.") from problem


async def read_object(request: web.Request) -> dict[str, Any]:
    """The JSON body, which must be an object. Raises `RefusedError`."""
    body = await read(request)
    if not isinstance(body, dict):
        raise RefusedError(422, "validation_error", "The request body must be an object.")
    return body


def text(body: Mapping[str, Any], member: str, *, longest: int = 500) -> str:
    """A required member of text. Raises `RefusedError`."""
    value = body.get(member)
    if value is None or value == "":
        raise missing(member)
    if not isinstance(value, str):
        raise invalid(f"The `{member}` field must be a string.")
    if len(value) > longest:
        raise invalid(f"The `{member}` field must be at most {longest} characters.")
    return value


def page(
    query: Mapping[str, str], newest_first: Sequence[Item], identity: Callable[[Item], str]
) -> tuple[list[Item], bool]:
    """The items `limit`, `after` and `before` ask for, and whether more follow. Raises `RefusedError`."""
    limit = query.get("limit", "20")
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= 100:
        raise invalid("The `limit` parameter must be a number from 1 to 100.")
    if "after" in query and "before" in query:
        raise invalid("Only one of `after` and `before` may be given.")
    places = {identity(item): place for place, item in enumerate(newest_first)}
    for direction in ("after", "before"):
        if direction in query and query[direction] not in places:
            raise invalid(f"The `{direction}` parameter names nothing in this list.")
    if "before" in query:
        end = places[query["before"]]
        start = max(0, end - int(limit))
        return list(newest_first[start:end]), start > 0
    start = places[query["after"]] + 1 if "after" in query else 0
    end = start + int(limit)
    return list(newest_first[start:end]), end < len(newest_first)


def listed(items: Sequence[dict[str, Any]], more: bool) -> web.Response:
    return web.json_response({"object": "list", "has_more": more, "data": list(items)})
