"""HTTP of the Anthropic stand-in: `/v1/messages` streaming and not, `/v1/messages/count_tokens`, `/v1/models`.

Status codes, error types and headers follow Anthropic's API reference. The key may come as `x-api-key` or as a bearer
token, as in the real API. Every model of the vendor's family is answered, under the name it was asked by, by the one
scripted builder.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import secrets
from typing import Any

from aiohttp import web

from localcloud.anthropic import models
from localcloud.anthropic.conversation import read_turn
from localcloud.anthropic.planner import answer
from localcloud.anthropic.sse import Message, encode, events, message
from localcloud.cloud import Cloud, cloud_of
from localcloud.faults import operation
from localcloud.traffic import STREAMED

BASE = "/anthropic/v1"
_MAX_BODY = 32 * 1024 * 1024
_MAX_PROMPT = 200_000  # tokens
_TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 529: "overloaded_error",
}  # fmt: skip


class BadRequest(Exception):
    """The request is refused; the message is Anthropic's, `status` its HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def setup(app: web.Application, cloud: Cloud) -> None:
    """Add the routes to `app`."""
    cloud.error_bodies["anthropic"] = error_reply
    cloud.notes["anthropic"] = (
        "A scripted builder answers in place of the model: it works from the words of a sentence, by fixed rules."
    )
    app.router.add_post(f"{BASE}/messages", create_message)
    app.router.add_post(f"{BASE}/messages/count_tokens", count_tokens)
    app.router.add_get(f"{BASE}/models", list_models)
    app.router.add_get(f"{BASE}/models/{{model}}", get_model)


def error_reply(status: int, text: str) -> web.Response:
    """An error body as the API sends it."""
    kind = _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    request_id = "req_" + secrets.token_hex(12)
    body = {"type": "error", "error": {"type": kind, "message": text}, "request_id": request_id}
    return web.json_response(body, status=status, headers={"request-id": request_id})


def _authorise(request: web.Request) -> None:
    bearer = request.headers.get("Authorization", "")
    given = request.headers.get("x-api-key") or (bearer[7:] if bearer.startswith("Bearer ") else "")
    if not given:
        raise BadRequest(401, "x-api-key header is required")
    if not hmac.compare_digest(given.encode(), cloud_of(request).keys.anthropic.encode()):
        raise BadRequest(401, "invalid x-api-key")


async def _body(request: web.Request) -> dict[str, Any]:
    _authorise(request)
    try:
        raw = await request.read()
        if len(raw) > _MAX_BODY:
            raise BadRequest(413, "Request exceeds the maximum size")
        body = json.loads(raw)
    except web.HTTPRequestEntityTooLarge as error:
        raise BadRequest(413, "Request exceeds the maximum size") from error
    except (ValueError, RecursionError) as error:
        raise BadRequest(400, "The request body is not valid JSON") from error
    if not isinstance(body, dict):
        raise BadRequest(400, "The request body must be an object")
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise BadRequest(400, "model: Field required")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequest(400, "messages: at least one message is required")
    if not all(isinstance(item, dict) and item.get("role") in ("user", "assistant", "system") for item in messages):
        raise BadRequest(400, "messages: each needs a role and content")
    return body


def _known_model(body: dict[str, Any]) -> None:
    if not models.is_known(body["model"]):
        raise BadRequest(404, f"model: {body['model'][:200]}")


@operation("anthropic", "create_message")
async def create_message(request: web.Request) -> web.StreamResponse:
    """`POST /v1/messages`."""
    try:
        body = await _body(request)
        most = body.get("max_tokens")
        if not isinstance(most, int) or isinstance(most, bool) or most < 1:
            raise BadRequest(400, "max_tokens: Field required")
        _known_model(body)
        tokens = _tokens(body)
        if tokens > _MAX_PROMPT:
            raise BadRequest(400, f"prompt is too long: {tokens} tokens > {_MAX_PROMPT} maximum")
    except BadRequest as refused:
        return error_reply(refused.status, str(refused))
    # Reading a sentence is pure work of some milliseconds; it must not hold up the other stand-ins.
    step = await asyncio.to_thread(lambda: answer(read_turn(body)))
    reply = message(step, body["model"], tokens, beta=_beta(request))
    if not body.get("stream"):
        return web.json_response(reply.body(), headers=_headers())
    return await _stream(request, reply)


async def _stream(request: web.Request, reply: Message) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={**_headers(), "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
    )
    await response.prepare(request)
    pace, written_down = _pace(), request.get(STREAMED, [])
    for name, data, pause in events(reply):
        if pause and pace:
            await asyncio.sleep(pause * pace)
        await response.write(encode(name, data))
        written_down.append({"type": name, **data})
    await response.write_eof()
    return response


def _beta(request: web.Request) -> bool:
    return request.query.get("beta") == "true"


def _headers() -> dict[str, str]:
    return {"request-id": "req_" + secrets.token_hex(12), "anthropic-organization-id": "localcloud"}


def _pace() -> float:
    """`MK0R_SCRIPTED_PACE`: 1 streams at a reading pace, 0 at once."""
    try:
        return max(0.0, min(float(os.environ.get("MK0R_SCRIPTED_PACE", "1")), 20.0))
    except ValueError:
        return 1.0


def _tokens(body: dict[str, Any]) -> int:
    """A rough count, four characters each; the real count needs the real tokenizer."""
    parts = {key: body.get(key) for key in ("system", "messages", "tools")}
    return max(1, len(json.dumps(parts, ensure_ascii=False)) // 4)


@operation("anthropic", "count_tokens")
async def count_tokens(request: web.Request) -> web.StreamResponse:
    """`POST /v1/messages/count_tokens`."""
    try:
        body = await _body(request)
        _known_model(body)
    except BadRequest as refused:
        return error_reply(refused.status, str(refused))
    counted: dict[str, Any] = {"input_tokens": _tokens(body)}
    if _beta(request):
        counted["context_management"] = None
    return web.json_response(counted, headers=_headers())


@operation("anthropic", "list_models")
async def list_models(request: web.Request) -> web.StreamResponse:
    """`GET /v1/models`."""
    try:
        _authorise(request)
        return web.json_response(models.page(request.query), headers=_headers())
    except BadRequest as refused:
        return error_reply(refused.status, str(refused))
    except models.BadPageError as wrong:
        return error_reply(400, str(wrong))


@operation("anthropic", "get_model")
async def get_model(request: web.Request) -> web.StreamResponse:
    """`GET /v1/models/{model}`."""
    try:
        _authorise(request)
    except BadRequest as refused:
        return error_reply(refused.status, str(refused))
    name = request.match_info["model"]
    if name not in models.MODELS:
        return error_reply(404, f"model: {name}")
    return web.json_response(models.described(name), headers=_headers())
