"""What a client of the Neon stand-in asks for, checked before anything is made."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from localcloud.store import Object

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
KINDS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "region_id": (str,),
    "pg_version": (int,),
    "org_id": (str,),
    "store_passwords": (bool,),
    "history_retention_seconds": (int,),
    "default_endpoint_settings": (dict,),
    "branch": (dict,),
    "settings": (dict,),
}


class BadRequestError(ValueError):
    """A request the real service would refuse; `status` is the one it would use."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


async def read_project(request: web.Request) -> dict[str, Any]:
    """The `project` member of the body, with only the members we know. Raises `BadRequestError`."""
    try:
        body = json.loads(await request.read())
    except ValueError as error:
        raise BadRequestError("request body has an error: failed to decode request body") from error
    wished = body.get("project") if isinstance(body, dict) else None
    if not isinstance(wished, dict):
        raise BadRequestError('request body has an error: property "project" is missing')
    for member, kinds in KINDS.items():
        value = wished.get(member)
        if value is not None and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
            raise BadRequestError(f'request body has an error: Error at "/project/{member}": wrong type')
    _check_values(wished)
    return {member: wished[member] for member in KINDS if wished.get(member) is not None}


def _check_values(wished: dict[str, Any]) -> None:
    def refuse(member: str, why: str) -> None:
        raise BadRequestError(f'request body has an error: Error at "/project/{member}": {why}')

    name = wished.get("name")
    if name is not None and not 1 <= len(name) <= 256:
        refuse("name", "length must be from 1 to 256")
    version = wished.get("pg_version")
    if version is not None and not 14 <= version <= 18:
        refuse("pg_version", "number must be from 14 to 18")
    kept = wished.get("history_retention_seconds")
    if kept is not None and not 0 <= kept <= 2_592_000:
        refuse("history_retention_seconds", "number must be from 0 to 2592000")
    if wished.get("org_id") is not None and not re.fullmatch(r"[a-z0-9-]{1,60}", wished["org_id"]):
        refuse("org_id", "string doesn't match the regular expression")
    for member in ("role_name", "database_name"):
        value = (wished.get("branch") or {}).get(member)
        if value is not None and not (isinstance(value, str) and IDENTIFIER.fullmatch(value)):
            refuse(f"branch/{member}", "not usable as a name")


def read_limit(query: Mapping[str, str], *, default: int, most: int) -> int:
    """The `limit` parameter. Raises `BadRequestError`."""
    text = query.get("limit", str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise BadRequestError(f'parameter "limit" in query has an error: number must be from 1 to {most}')
    return int(text)


def cursor_of(item: Object) -> str:
    """The cursor that stands after *item*; it holds when the object is deleted meanwhile."""
    return base64.urlsafe_b64encode(f"{item.created_at} {item.id}".encode()).decode()


def after(found: list[Object], cursor: str | None) -> list[Object]:
    """What follows the object that *cursor* names. Raises `BadRequestError` when it is none of ours."""
    if not cursor:
        return found
    try:
        created_at, _, project_id = base64.urlsafe_b64decode(cursor).decode().partition(" ")
    except ValueError as error:
        raise BadRequestError("invalid cursor") from error
    return [item for item in found if (item.created_at, item.id) > (created_at, project_id)]
