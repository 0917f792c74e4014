"""E2B's control plane, v1 and v2: sandboxes made, listed, timed, paused, resumed and killed; template names.

Paths and shapes: the API description published at https://e2b.dev/docs/api-reference and the Python SDK 2.63.0, which
calls `/v2/sandboxes` and `/v2/sandboxes/{id}/connect` beside v1 paths. Errors are `{"code", "message"}`. Not covered:
snapshots, forks, volumes, secrets, network updates and template builds (501).
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from localcloud.cloud import cloud_of
from localcloud.e2b import bodies, listing, requests
from localcloud.e2b.bodies import failure
from localcloud.e2b.keys import SANDBOXES
from localcloud.e2b.requests import BadRequestError
from localcloud.e2b.runtime import LaunchError
from localcloud.e2b.sandbox import FullError, GoneError, Sandbox, StateError
from localcloud.e2b.sandboxes import Sandboxes
from localcloud.faults import operation

KEY = re.compile(r"e2b_[0-9a-f]{40}")
IDEMPOTENCY_KEY = re.compile(r"[a-z0-9-]{1,255}")
V1_DEFAULT_SECONDS, V2_DEFAULT_SECONDS = 15, 300

Handler = Callable[[web.Request, Sandboxes], Awaitable[web.Response]]


def route(name: str, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The handler behind the API key check, with the registry's exceptions put into the vendor's words."""

    @operation("e2b", name)
    async def handle(request: web.Request) -> web.Response:
        refused = _refusal(request)
        if refused is not None:
            return refused
        try:
            return await handler(request, request.app[SANDBOXES])
        except BadRequestError as error:
            return failure(400, str(error))
        except GoneError as error:
            return failure(404, f"Sandbox \"{error}\" doesn't exist or you don't have access to it")
        except StateError as error:
            return failure(409, str(error))
        except FullError:
            return failure(
                429, "You have reached the maximum number of concurrent E2B sandboxes of this machine (100)."
            )
        except LaunchError as error:
            return failure(500, f"Failed to place sandbox: {error}")

    return handle


def _refusal(request: web.Request) -> web.Response | None:
    given = request.headers.get("X-API-KEY", "")
    if not KEY.fullmatch(given):
        return failure(401, "Invalid API key format")
    if not hmac.compare_digest(given.encode(), cloud_of(request).keys.e2b.encode()):
        return failure(401, "Cannot get the team for the given API key")
    return None


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
        web.get("/e2b/templates/aliases/{alias}", route("get_alias", alias)),
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
    if not requests.known_template(wanted.template):
        return failure(404, f"template '{wanted.template}' not found")
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
    seconds = requests.seconds(await requests.body(request), "timeout", default_seconds)
    resumed = await sandboxes.resume(sandbox, seconds)
    if not resumed:
        sandboxes.extend(sandbox, seconds)
    return web.json_response(bodies.created(sandbox, cloud_of(request).config.port), status=201 if resumed else 200)


async def resume(request: web.Request, sandboxes: Sandboxes) -> web.Response:
    """`POST /sandboxes/{id}/resume`: 201, or 409 when it runs."""
    sandbox = _sandbox(request, sandboxes)
    seconds = requests.seconds(await requests.body(request), "timeout", V1_DEFAULT_SECONDS)
    if not await sandboxes.resume(sandbox, seconds):
        raise StateError(f"Sandbox {sandbox.id} is already running")
    return web.json_response(bodies.created(sandbox, cloud_of(request).config.port), status=201)


async def pause(request: web.Request, sandboxes: Sandboxes) -> web.Response:
    """`POST /sandboxes/{id}/pause`: 204, or 409 when it is paused already."""
    sandbox = _sandbox(request, sandboxes)
    memory = (await requests.body(request)).get("memory")
    await sandboxes.pause(sandbox, memory=memory is not False)
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


async def alias(request: web.Request, _sandboxes: Sandboxes) -> web.Response:
    """`GET /templates/aliases/{alias}`."""
    name = request.match_info["alias"]
    if not requests.known_template(name):
        return failure(404, f"template alias '{name}' not found")
    answer: dict[str, Any] = {"templateID": name, "public": True}
    return web.json_response(answer)
