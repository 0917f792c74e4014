"""Routes of the PostHog stand-in under `/posthog`: capture, and what clients ask at their start."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from localcloud.cloud import Cloud, Handler
from localcloud.faults import operation
from localcloud.keys import token
from localcloud.operator import same
from localcloud.posthog import answers, parsing, private
from localcloud.posthog.events import Events
from localcloud.posthog.parsing import BadPayloadError

EVENTS: web.AppKey[Events] = web.AppKey("posthog_events", Events)
CAPTURE = ("/i/v0/e", "/e", "/capture", "/track", "/engage", "/batch")
SINGLE_BYTES = 2 * 1024 * 1024


def setup(app: web.Application, cloud: Cloud) -> None:
    """Add the routes."""
    cloud.error_bodies["posthog"] = _error
    cloud.limit_forms["posthog"] = private.LIMIT_FORM
    personal = cloud.store.meta("posthog_personal_key") or f"phx_{token(47)}"
    cloud.store.set_meta("posthog_personal_key", personal)
    cloud.extra["posthog_personal_key"] = personal
    events = app[EVENTS] = Events(cloud.store)
    posthog = PostHog(cloud, events, personal)
    private.setup(app, cloud, events, personal)
    cloud.notes["posthog"] = "Events are kept here. There are no feature flags, surveys or recordings."

    def add(path: str, handler: Handler, *methods: str) -> None:
        for method in methods:
            app.router.add_route(method, f"/posthog{path}", _open(handler))
        app.router.add_route("OPTIONS", f"/posthog{path}", _open(posthog.preflight))

    for path in CAPTURE:
        add(path, posthog.capture, "POST", "GET")
        add(f"{path}/", posthog.capture, "POST", "GET")
    add("/i/v1/analytics/events", posthog.capture_v1, "POST")
    for path in ("/s", "/s/"):
        add(path, posthog.recording, "POST", "GET")
    for path in ("/flags", "/flags/"):
        add(path, posthog.flags, "POST", "GET")
    for path in ("/decide", "/decide/"):
        add(path, posthog.decide, "POST", "GET")
    add("/array/{key}/config", posthog.config, "GET")
    add("/array/{key}/config.js", posthog.config_script, "GET")
    add("/static/{rest:.*}", posthog.static, "GET")
    for path in ("/flags/definitions", "/flags/definitions/", "/api/feature_flag/local_evaluation"):
        add(path, posthog.definitions, "GET")


def _open(handler: Handler) -> Handler:
    """Let any page call this, as the capture service does: Origin and wanted headers are mirrored."""

    async def check(request: web.Request) -> web.StreamResponse:
        try:
            answer = await handler(request)
        except BadPayloadError as refused:
            answer = web.Response(status=refused.status, text=str(refused))
        except web.HTTPRequestEntityTooLarge:
            answer = web.Response(status=413, text="event is too big")
        answer.headers.update(_cors(request))
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer

    check.operation = handler.operation  # type: ignore[attr-defined]
    return check


def _cors(request: web.Request) -> dict[str, str]:
    origin = request.headers.get("Origin")
    if origin is None:
        return {}
    headers = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
        "Vary": "Origin",
    }
    if wanted := request.headers.get("Access-Control-Request-Headers"):
        headers["Access-Control-Allow-Headers"] = wanted
    if request.headers.get("Access-Control-Request-Private-Network"):
        headers["Access-Control-Allow-Private-Network"] = "true"
    return headers


def _error(status: int, message: str) -> web.Response:
    """Capture answers errors in plain text."""
    return web.Response(status=status, text=message)


class PostHog:
    """The handlers; each names its operation for faults."""

    def __init__(self, cloud: Cloud, events: Events, personal: str) -> None:
        self._key, self._personal = cloud.keys.posthog, personal
        self._events = events

    async def _payload(self, request: web.Request) -> Any:
        body = await request.read()
        if len(body) > parsing.MOST_BYTES:
            raise BadPayloadError("event is too big", 413)
        return parsing.decode(body, request.content_type, dict(request.query))

    def _keep(self, key: str, events: list[parsing.Event]) -> None:
        """Keep events of our project. Others get the same answer and are dropped, as in the real service."""
        if same(key, self._key):
            self._events.add(events)

    # Capture

    @operation("posthog", "preflight")
    async def preflight(self, _request: web.Request) -> web.Response:
        return web.Response(status=200)

    @operation("posthog", "capture")
    async def capture(self, request: web.Request) -> web.Response:
        batch = request.path.rstrip("/").endswith("/batch")
        payload = await self._payload(request)
        if isinstance(payload, dict) and "batch" not in payload and not batch:
            payload = {"api_key": request.query.get("api_key")} | payload
            if len(json.dumps(payload)) > SINGLE_BYTES:
                raise BadPayloadError("event is too big", 413)
        self._keep(*parsing.read(payload))
        if request.query.get("beacon") == "1":
            return web.Response(status=204)
        return web.json_response({"status": "Ok"})

    @operation("posthog", "capture")
    async def capture_v1(self, request: web.Request) -> web.Response:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise BadPayloadError("missing bearer token", 401)
        parsing.check_key(key.strip())
        payload = await self._payload(request)
        if not isinstance(payload, dict) or not isinstance(payload.get("batch"), list):
            raise BadPayloadError("failed to parse request: no batch")
        results: dict[str, dict[str, str]] = {}
        for item in payload["batch"]:
            try:
                _, found = parsing.read({"api_key": key.strip(), "batch": [item]})
            except BadPayloadError as refused:
                if isinstance(item, dict) and isinstance(item.get("uuid"), str):
                    results[item["uuid"]] = {"result": "drop", "details": str(refused)}
                continue
            self._keep(key.strip(), found)
            results[found[0].uuid] = {"result": "ok"}
        headers = {"PostHog-Request-Id": request.headers.get("PostHog-Request-Id", "")}
        return web.json_response({"results": results}, headers=headers)

    @operation("posthog", "record")
    async def recording(self, request: web.Request) -> web.Response:
        """Recordings are never asked for here; what comes all the same is read and dropped."""
        await request.read()
        return web.json_response({"status": "Ok"})

    # What clients ask at their start

    @operation("posthog", "get_flags")
    async def flags(self, request: web.Request) -> web.Response:
        key = await self._asking(request)
        return web.json_response(answers.flags(key, with_config=request.query.get("config") == "true"))

    @operation("posthog", "get_flags")
    async def decide(self, request: web.Request) -> web.Response:
        return web.json_response(answers.decide(await self._asking(request)))

    @operation("posthog", "get_flag_definitions")
    async def definitions(self, request: web.Request) -> web.Response:
        """What server clients poll with a personal key to decide flags themselves."""
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not same(key.strip(), self._personal):
            return private.RefusedError(
                401, "authentication_failed", "Personal API key found in request is invalid."
            ).answer()
        return web.json_response(answers.definitions(self._events.group_types()))

    async def _asking(self, request: web.Request) -> str:
        payload: Any = {} if request.method == "GET" else await self._payload(request)
        found = payload if isinstance(payload, dict) else {}
        key = found.get("token") or found.get("api_key") or request.query.get("token")
        if not key:
            raise BadPayloadError("missing token", 401)
        parsing.check_key(key)
        return str(key)

    @operation("posthog", "get_config")
    async def config(self, request: web.Request) -> web.Response:
        parsing.check_key(request.match_info["key"])
        return web.json_response(answers.config(request.match_info["key"]))

    @operation("posthog", "get_config")
    async def config_script(self, request: web.Request) -> web.Response:
        parsing.check_key(request.match_info["key"])
        return web.Response(
            text=answers.config_script(request.match_info["key"]), content_type="application/javascript"
        )

    @operation("posthog", "get_static")
    async def static(self, _request: web.Request) -> web.Response:
        """The client's optional parts (surveys, recorder) are not here; it does without them."""
        return web.Response(status=404, text="Not found")
