"""E2B's control plane, v1 and v2: sandboxes made, listed, timed, paused, resumed and killed.

Paths and shapes: the API description published at https://e2b.dev/docs/api-reference and the Python SDK 2.63.0, which
calls `/v2/sandboxes` and `/v2/sandboxes/{id}/connect` beside v1 paths. Errors are `{"code", "message"}`. Forks are in
`fork`, snapshots and templates in `templates.routes`. Not covered: volumes, secrets and network updates (501).
"""

from __future__ import annotations

import asyncio
import re

from aiohttp import web

from localcloud.cloud import cloud_of
from localcloud.e2b import bodies, listing, requests
from localcloud.e2b.bodies import failure
from localcloud.e2b.calls import route
from localcloud.e2b.requests import BadRequestError
from localcloud.e2b.sandbox import GoneError, Sandbox, StateError
from localcloud.e2b.sandboxes import Sandboxes

IDEMPOTENCY_KEY = re.compile(r"[a-z0-9-]{1,255}")
V1_DEFAULT_SECONDS, V2_DEFAULT_SECONDS = 15, 300


def routes() -> list[web.RouteDef]:
    """Every path of the control plane below `/e2b`."""
    one = "/e2b/sandboxes/{sandbox_id}"
    return [
        web.post("/e2b/sandboxes", route("create_sandbox", create_v1)),
        web.post("/e2b/v2/sandboxes", route("create_sandbox", create_v2)),
        web.get("/e2b/sandboxes", route("list_sandboxes", list_v1)),
        web.get("/e2b/v2/sandboxes", route("list_sandboxes", list_v2)),
        web.get("/e2b/sandboxes/metrics", route("metrics", all_metrics)),
        web.get(one, route("get_sandbox", get)),
        web.delete(one, route("kill_sandbox", kill)),
        web.post(f"{one}/timeout", route("set_timeout", set_timeout)),
        web.post(f"{one}/refreshes", route("refresh_sandbox", refresh)),
        web.post(f"{one}/pause", route("pause_sandbox", pause)),
        web.post(f"{one}/resume", route("resume_sandbox", resume)),
        web.post(f"{one}/connect", route("connect_sandbox", connect_v1)),
        web.post("/e2b/v2/sandboxes/{sandbox_id}/connect", route("connect_sandbox", connect_v2)),
        web.get(f"{one}/metrics", route("metrics", metrics)),
        web.get(f"{one}/logs", route("logs", logs)),
        web.get("/e2b/v2/sandboxes/{sandbox_id}/logs", route("logs", logs)),
    ]


def _sandbox(request: web.Request, sandboxes: Sandboxes) -> Sandbox:
    return sandboxes.get(request.match_info["sandbox_id"])


async def create_v1(request: web.Request, sandboxes: Sandboxes) -> web.Response:
    """`POST /sandboxes`: as v2, with a default timeout of 15 s and no Idempotency-Key."""
    return await _create(request, sandboxes, V1_DEFAULT_SECONDS, None)


async def create_v2(request: web.Request, sandboxes: Sandboxes) -> web.Response:
    """`POST /v2/sandboxes`: default timeout 300 s; the same Idempotency-Key gives the same sandbox while it lives."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not IDEMPOTENCY_KEY.fullmatch(key):
        raise BadRequestError("Idempotency-Key must be 1-255 lowercase letters, digits and hyphens")
    return await _create(request, sandboxes, V2_DEFAULT_SECONDS, key)


async def _create(request: web.Request, sandboxes: Sandboxes, seconds: int, key: str | None) -> web.Response:
    wanted = requests.wanted(await requests.body(request), default_seconds=seconds, key=key)
    try:
        sandbox = await sandboxes.create(wanted, key)
    except StateError as error:
        return failure(422, str(error))
    return web.json_response(bodies.created(sandbox, cloud_of(request).config.port), status=201)


async def connect_v1(request: web.Request, sandboxes: Sandboxes) -> web.Response:
    """`POST /sandboxes/{id}/connect`."""
    return await _connect(request, sandboxes, V1_DEFAULT_SECONDS)


async def connect_v2(request: web.Request, sandboxes: Sandboxes) -> web.Response:
    """`POST /v2/sandboxes/{id}/connect`."""
    return await _connect(request, sandboxes, V2_DEFAULT_SECONDS)


async def _connect(request: web.Request, sandboxes: Sandboxes, default_seconds: int) -> web.Response:
    """200 for one that runs, whose time is only ever extended; 201 for one that had to be resumed."""
    sandbox = _sandbox(request, sandboxes)
    body = await requests.body(request)
    seconds = requests.seconds(body, "timeout", default_seconds)
    resumed = await sandboxes.resume(sandbox, seconds, memory=body.get("memory") is not False)
    if not resumed:
        sandboxes.extend(sandbox, seconds)
    return web.json_response(bodies.created(sandbox, cloud_of(request).config.port), status=201 if resumed else 200)


async def resume(request: web.Request, sandboxes: Sandboxes) -> web.Response:
    """`POST /sandboxes/{id}/resume`: 201, or 409 when it runs."""
    sandbox = _sandbox(request, sandboxes)
    body = await requests.body(request)
    seconds = requests.seconds(body, "timeout", V1_DEFAULT_SECONDS)
    if not await sandboxes.resume(sandbox, seconds, memory=body.get("memory") is not False):
        raise StateError(f"Sandbox {sandbox.id} is already running")
    return web.json_response(bodies.created(sandbox, cloud_of(request).config.port), status=201)


async def pause(request: web.Request, sandboxes: Sandboxes) -> web.Response:
    """`POST /sandboxes/{id}/pause`: 204, or 409 when it is paused already."""
    sandbox = _sandbox(request, sandboxes)
    body = await requests.body(request)
    healthy = body.get("requireHealthyGuest") is True
    await sandboxes.pause(sandbox, memory=body.get("memory") is not False, healthy=healthy)
    return web.Response(status=204)


async def get(request: web.Request, sandboxes: Sandboxes) -> web.Response:
    """`GET /sandboxes/{id}`."""
    return web.json_response(bodies.detail(_sandbox(request, sandboxes), cloud_of(request).config.port))


async def kill(request: web.Request, sandboxes: Sandboxes) -> web.Response:
    """`DELETE /sandboxes/{id}`: 204 once nothing of it is left."""
    await sandboxes.kill(request.match_info["sandbox_id"])
    return web.Response(status=204)


async def set_timeout(request: web.Request, sandboxes: Sandboxes) -> web.Response:
    """`POST /sandboxes/{id}/timeout`: counted from now; may shorten."""
    sandbox = _sandbox(request, sandboxes)
    seconds = requests.seconds(await requests.body(request), "timeout", None)
    if sandbox.paused:
        raise GoneError(sandbox.id)
    sandboxes.set_timeout(sandbox, seconds)
    return web.Response(status=204)


async def refresh(request: web.Request, sandboxes: Sandboxes) -> web.Response:
    """`POST /sandboxes/{id}/refreshes`: only ever extends."""
    sandbox = _sandbox(request, sandboxes)
    sandboxes.extend(sandbox, requests.seconds(await requests.body(request), "duration", V1_DEFAULT_SECONDS))
    return web.Response(status=204)


async def list_v1(request: web.Request, sandboxes: Sandboxes) -> web.Response:
    """`GET /sandboxes`: those that run, in one answer."""
    wanted = listing.metadata_filter(request.query.get("metadata", ""))
    found = [one for one in sandboxes.all() if not one.paused and listing.matches(one, wanted)]
    return web.json_response([bodies.listed(sandbox) for sandbox in found])


async def list_v2(request: web.Request, sandboxes: Sandboxes) -> web.Response:
    """`GET /v2/sandboxes`: filtered and in pages; the next page's token is in `x-next-token`."""
    page = listing.page(request.query, sandboxes.all())
    headers = {"X-Total-Running": str(page.running)}
    if page.next_token:
        headers["x-next-token"] = page.next_token
    return web.json_response([bodies.listed(sandbox) for sandbox in page.sandboxes], headers=headers)


async def metrics(request: web.Request, sandboxes: Sandboxes) -> web.Response:
    """`GET /sandboxes/{id}/metrics`: no samples are taken here."""
    _sandbox(request, sandboxes)
    return web.json_response([])


async def all_metrics(_request: web.Request, _sandboxes: Sandboxes) -> web.Response:
    """`GET /sandboxes/metrics`: no samples are taken here."""
    return web.json_response({"sandboxes": {}})


async def logs(request: web.Request, sandboxes: Sandboxes) -> web.Response:
    """`GET /sandboxes/{id}/logs`: the last lines of envd's own log."""
    sandbox = _sandbox(request, sandboxes)
    lines = await asyncio.to_thread(bodies.log_lines, sandbox)
    return web.json_response(lines)
