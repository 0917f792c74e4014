"""The control plane's request bodies, read strictly."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from localcloud import json_text
from localcloud.e2b.sandbox import Wanted

LONGEST_SECONDS = 24 * 3600
TEMPLATE = re.compile(r"(mk0r|base)([-:/][a-zA-Z0-9._:/-]{1,100})?")
HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?(:\d{1,5})?")
NAME = re.compile(r"[^\x00-\x1f]{1,200}")


class BadRequestError(Exception):
    """The request cannot be understood; the message says which part."""


class NotCoveredError(Exception):
    """The request asks for something that is not here; the message says what."""


def known_template(name: str) -> bool:
    """Whether a sandbox can be made from it: `mk0r…` boots the starter project, `base…` an empty one."""
    return TEMPLATE.fullmatch(name) is not None


async def body(request: web.Request) -> dict[str, Any]:
    """The JSON object of the request; an empty body is an empty object. Raises `BadRequestError`."""
    raw = await request.read()
    try:
        found = json_text.read(raw or b"{}")
    except ValueError as error:
        raise BadRequestError(f"Error when parsing body: {error}") from None
    if not isinstance(found, dict):
        raise BadRequestError("Error when parsing body: expected a JSON object")
    return found


def seconds(found: dict[str, Any], name: str, default: int | None) -> int:
    """A whole number of seconds up to a day. Raises `BadRequestError`."""
    value = found.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadRequestError(f"{name} must be a whole number of seconds")
    if value > LONGEST_SECONDS:
        raise BadRequestError("Timeout cannot be greater than 24 hours")
    return value


def wanted(found: dict[str, Any], *, default_seconds: int, key: str | None) -> Wanted:
    """What a create asks for. Raises `BadRequestError`, and `NotCoveredError` rather than leave a wish out."""
    template = found.get("templateID")
    if not isinstance(template, str) or not template:
        raise BadRequestError("templateID is required")
    for wish in ("mcp", "iam", "volumeMounts"):
        if found.get(wish):
            raise NotCoveredError(f"localcloud does not cover {wish} of e2b.")
    network = found.get("network")
    if isinstance(network, dict) and network.get("allowPublicTraffic") is False:
        raise NotCoveredError("localcloud does not cover network.allowPublicTraffic of e2b.")
    metadata = _texts(found, "metadata")
    lifecycle = found.get("autoResume")
    auto_resume = isinstance(lifecycle, dict) and lifecycle.get("enabled") is True
    auto_pause_memory = found.get("autoPauseMemory") is not False
    if auto_resume and not auto_pause_memory:
        raise BadRequestError("autoResume cannot be combined with autoPauseMemory false")
    return Wanted(
        template=template,
        timeout=seconds(found, "timeout", default_seconds),
        metadata=metadata,
        environment=_environment(found),
        auto_pause=found.get("autoPause") is True,
        auto_pause_memory=auto_pause_memory,
        auto_resume=auto_resume,
        hosts=_hosts(network),
        internet=found.get("allow_internet_access") is not False,
        name=_name(metadata, key),
    )


def _name(metadata: dict[str, str], key: str | None) -> str:
    """What a person would call it in the ledger; a sandbox has no name of its own."""
    for candidate in (*(metadata.get(name) for name in ("name", "mk0r", "app")), key):
        if candidate and NAME.fullmatch(candidate):
            return candidate
    return ""


def _texts(found: dict[str, Any], name: str) -> dict[str, str]:
    value = found.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise BadRequestError(f"{name} must be an object of strings")
    return value


def _environment(found: dict[str, Any]) -> dict[str, str]:
    variables = _texts(found, "envVars")
    for name, value in variables.items():
        if not name or "=" in name or "\0" in name + value:
            raise BadRequestError(f"envVars: {name!r} is not a usable variable")
    return variables


def _hosts(network: object) -> frozenset[str]:
    """Domain names among `network.allowOut`; addresses and ranges mean nothing where all traffic goes by name."""
    allowed = network.get("allowOut") if isinstance(network, dict) else None
    if not isinstance(allowed, list):
        return frozenset()
    return frozenset(
        host for host in allowed if isinstance(host, str) and HOST.fullmatch(host) and not host[0].isdigit()
    )
