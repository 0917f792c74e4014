"""`POST /sandboxes/{id}/fork`: more sandboxes that begin with the files this one has now."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from aiohttp import web

from localcloud.cloud import cloud_of
from localcloud.e2b import bodies, requests
from localcloud.e2b.calls import KNOWN, route, told
from localcloud.e2b.image import Image
from localcloud.e2b.keys import CATALOGUE
from localcloud.e2b.requests import BadRequestError
from localcloud.e2b.sandbox import StateError, Wanted
from localcloud.e2b.sandboxes import Sandboxes

DEFAULT_SECONDS = 15
MOST = 20


def routes() -> list[web.RouteDef]:
    """The one path."""
    return [web.post("/e2b/sandboxes/{sandbox_id}/fork", route("fork_sandbox", fork))]


async def fork(request: web.Request, sandboxes: Sandboxes) -> web.Response:
    """All forks begin with the same state; each succeeds or fails for itself, and its entry says which."""
    body = await requests.body(request)
    seconds = requests.seconds(body, "timeout", DEFAULT_SECONDS)
    count = _count(body)
    sandbox = sandboxes.get(request.match_info["sandbox_id"])
    if sandbox.paused:
        raise StateError(f"Sandbox '{sandbox.id}' is paused and cannot be forked; resume it first")
    pool = request.app[CATALOGUE].pool
    base = await sandboxes.snapshot(sandbox, pool)
    wanted, image = replace(sandbox.wanted, timeout=seconds), replace(sandbox.image, base=base)
    port = cloud_of(request).config.port
    try:
        made = await asyncio.gather(*(_one(sandboxes, wanted, image, port) for _ in range(count)))
    finally:
        pool.settled(base)
    return web.json_response(made, status=201)


def _count(body: dict[str, Any]) -> int:
    count = body.get("count", 1)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise BadRequestError("Count must be at least 1")
    if count > MOST:
        raise BadRequestError(f"Count cannot be greater than {MOST}")
    return count


async def _one(sandboxes: Sandboxes, wanted: Wanted, image: Image, port: int) -> dict[str, Any]:
    try:
        made = await sandboxes.create(wanted, image=image)
    except KNOWN as error:
        status, message = told(error)
        return {"error": {"code": status, "message": message}}
    return {"sandbox": bodies.created(made, port)}
