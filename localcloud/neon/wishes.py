"""What a client of the Neon stand-in asks for, checked before anything is made."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aiohttp import web

from localcloud import json_text
from localcloud.store import Object

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
ID = re.compile(r"[a-z0-9-]{1,60}")
LSN = re.compile(r"[0-9A-F]{1,8}/[0-9A-F]{1,8}")
Kinds = dict[str, tuple[type, ...]]

COMPUTE: Kinds = {
    "autoscaling_limit_min_cu": (int, float),
    "autoscaling_limit_max_cu": (int, float),
    "suspend_timeout_seconds": (int,),
}
PROJECT: Kinds = {
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
QUOTAS = (
    "active_time_seconds",
    "compute_time_seconds",
    "written_data_bytes",
    "data_transfer_bytes",
    "logical_size_bytes",
)


class RefusedError(Exception):
    """A request the real service would refuse, with its status, its message and, where it has one, its code."""

    def __init__(self, status: int, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def bad(where: str, why: str) -> RefusedError:
    """The refusal of a body whose member at *where* is wrong."""
    return RefusedError(400, f'request body has an error: Error at "{where}": {why}')


async def read_body(request: web.Request, *, optional: bool = False) -> dict[str, Any]:
    """The body, which may be missing when *optional*. Raises `RefusedError`."""
    text = await request.read()
    if optional and not text.strip():
        return {}
    try:
        body = json_text.read(text)
    except ValueError as error:
        raise RefusedError(400, "request body has an error: failed to decode request body") from error
    if not isinstance(body, dict):
        raise RefusedError(400, "request body has an error: doesn't match schema: value must be an object")
    return body


def member(body: Mapping[str, Any], name: str, kinds: Kinds, *, optional: bool = False) -> dict[str, Any]:
    """The object called *name* in the body, with only the members we know. Raises `RefusedError`."""
    wished = body.get(name)
    if wished is None and optional:
        return {}
    if not isinstance(wished, dict):
        raise RefusedError(400, f'request body has an error: property "{name}" is missing')
    return known(wished, kinds, f"/{name}")


def known(wished: Mapping[str, Any], kinds: Kinds, where: str = "") -> dict[str, Any]:
    """The members we know, each of its kind; null counts as absent. Raises `RefusedError`."""
    for name, allowed in kinds.items():
        value = wished.get(name)
        if value is not None and (not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed)):
            raise bad(f"{where}/{name}", "wrong type")
    return {name: wished[name] for name in kinds if wished.get(name) is not None}


async def read_project(request: web.Request) -> dict[str, Any]:
    """The `project` member of the body, with only the members we know. Raises `RefusedError`."""
    wished = member(await read_body(request), "project", PROJECT)
    within(wished, "/project", "name", 1, 256)
    within(wished, "/project", "pg_version", 14, 18)
    within(wished, "/project", "history_retention_seconds", 0, 2_592_000)
    if "org_id" in wished and not ID.fullmatch(wished["org_id"]):
        raise bad("/project/org_id", "string doesn't match the regular expression")
    branch = known(wished.get("branch", {}), {"name": (str,)}, "/project/branch")
    within(branch, "/project/branch", "name", 1, 256)
    for name in ("role_name", "database_name"):
        value = wished.get("branch", {}).get(name)
        if value is not None and not (isinstance(value, str) and IDENTIFIER.fullmatch(value)):
            raise bad(f"/project/branch/{name}", "not usable as a name")
    check_compute(wished.get("default_endpoint_settings", {}), "/project/default_endpoint_settings")
    quota = wished.get("settings", {}).get("quota") or {}
    if not isinstance(quota, dict):
        raise bad("/project/settings/quota", "wrong type")
    for name, value in known(quota, dict.fromkeys(QUOTAS, (int,)), "/project/settings/quota").items():
        if value < 0:
            raise bad(f"/project/settings/quota/{name}", "number must be at least 0")
    return wished


def check_compute(wished: Mapping[str, Any], where: str) -> None:
    """The size and the patience of a compute. Raises `RefusedError`."""
    sizes = known(wished, COMPUTE, where)
    for name in ("autoscaling_limit_min_cu", "autoscaling_limit_max_cu"):
        if name in sizes and sizes[name] < 0.25:
            raise bad(f"{where}/{name}", "number must be at least 0.25")
    within(sizes, where, "suspend_timeout_seconds", -1, 604_800)


def within(wished: Mapping[str, Any], where: str, name: str, least: int, most: int) -> None:
    """The number, or the length of the text, called *name* lies between the two. Raises `RefusedError`."""
    value = wished.get(name)
    if value is None:
        return
    if not least <= (len(value) if isinstance(value, str) else value) <= most:
        what = "length" if isinstance(value, str) else "number"
        raise bad(f"{where}/{name}", f"{what} must be from {least} to {most}")


def check_point(wished: Mapping[str, Any], where: str, lsn: str, timestamp: str) -> None:
    """A point of the past, told in at most one way. Raises `RefusedError`."""
    if lsn in wished and timestamp in wished:
        raise RefusedError(400, f"only one of {lsn} and {timestamp} may be given")
    if lsn in wished and not LSN.fullmatch(wished[lsn]):
        raise bad(f"{where}/{lsn}", "not a log sequence number")
    if timestamp in wished:
        read_moment(wished[timestamp], f"{where}/{timestamp}")


def read_moment(text: str, where: str) -> datetime:
    """A date and time with its zone. Raises `RefusedError`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise bad(where, 'string doesn\'t match the format "date-time"')
    return moment


# Queries


def flag(query: Mapping[str, str], name: str) -> bool:
    """A `true` or `false` parameter. Raises `RefusedError`."""
    text = query.get(name, "false")
    if text not in ("true", "false"):
        raise RefusedError(400, f'parameter "{name}" in query has an error: value {text}: an invalid boolean')
    return text == "true"


def choice(query: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    """A parameter that has a fixed set of values. Raises `RefusedError`."""
    text = query.get(name, default)
    if text not in allowed:
        raise RefusedError(400, f'parameter "{name}" in query has an error: value is not one of the allowed values')
    return text


def read_limit(query: Mapping[str, str], *, default: int, most: int) -> int:
    """The `limit` parameter. Raises `RefusedError`."""
    text = query.get("limit", str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise RefusedError(400, f'parameter "limit" in query has an error: number must be from 1 to {most}')
    return int(text)


def encode_cursor(*parts: str) -> str:
    """A cursor that stands after the thing these tell; it holds when that is deleted meanwhile."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def decode_cursor(cursor: str, parts: int) -> list[str]:
    """What `encode_cursor` was given. Raises `RefusedError` when the cursor is none of ours."""
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor))
    except ValueError as error:
        raise RefusedError(400, "invalid cursor") from error
    if not isinstance(found, list) or len(found) != parts or not all(isinstance(one, str) for one in found):
        raise RefusedError(400, "invalid cursor")
    return found


def cursor_of(item: Object) -> str:
    """The cursor after a project."""
    return encode_cursor(item.created_at, item.id)


def after(found: list[Object], cursor: str | None) -> list[Object]:
    """What follows the project that *cursor* names. Raises `RefusedError` when it is none of ours."""
    if not cursor:
        return found
    last = tuple(decode_cursor(cursor, 2))
    return [item for item in found if (item.created_at, item.id) > last]
