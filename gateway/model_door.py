"""The model door: the Messages API for one session, with the platform's key added, metered and capped.

A sandbox shows its gateway token as `x-api-key` or Bearer. What it may say is allow-listed (two headers, the `beta`
flag, models with a price); what the upstream answers is bounded in size and time, cleared of our key, and read for
its `usage`, which is what a session is charged by. Errors are Anthropic's error bodies, so any client of that API shows
them. Protocol: https://docs.anthropic.com/en/api/messages-streaming and …/api/errors.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import aiohttp
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from gateway import meter, prices
from gateway.access import bearer, session_of_token
from gateway.clients import client
from gateway.meter import Call
from gateway.model_stream import Stream, redacted
from sessions_app.agent.model import main_model
from sessions_app.models import Session

log = logging.getLogger(__name__)

MAX_REQUEST = 32_000_000  # bytes; the vendor's own limit
MAX_ANSWER = 20_000_000  # bytes relayed of one answer: the server in front has no back-pressure
DEADLINE = 900.0  # seconds for a whole call
_PASSED_ON = ("anthropic-version", "anthropic-beta")
_PASSED_BACK = ("content-type", "request-id", "retry-after")
# Knobs that multiply the list price, which is all the meter knows; what is billed by the hour; and a way out to servers
# that no allow-list knows.
_UNCOUNTED = ("speed", "service_tier", "inference_geo", "container", "mcp_servers")
_MOST = 128_000  # tokens a model may put out


class _Refused(Exception):
    """The door answers by itself."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.response = JsonResponse({"type": "error", "error": {"type": kind, "message": message}}, status=status)


class _Unsent(_Refused):
    """The upstream was not reached, so the call cannot have cost anything."""


@csrf_exempt
async def messages(request: HttpRequest) -> HttpResponseBase:
    """`POST /v1/messages`, streaming or not."""
    try:
        session = await _admit(request)
        body, call = _read(request, session)
        if not meter.enter(session.pk):
            raise _Refused(
                429, "rate_limit_error", f"This session has {meter.CALLS_AT_ONCE} calls to the model under way."
            )
    except _Refused as refused:
        return refused.response
    return await _call(request, call, body)


@csrf_exempt
async def count_tokens(request: HttpRequest) -> HttpResponseBase:
    """`POST /v1/messages/count_tokens`; costs nothing and is not metered."""
    try:
        body, _ = _read(request, await _admit(request))
        upstream = await _open(request, "/v1/messages/count_tokens", body)
    except _Refused as refused:
        return refused.response
    try:
        return await _whole(upstream)
    finally:
        upstream.close()


@csrf_exempt
async def models(request: HttpRequest) -> HttpResponseBase:
    """`GET /v1/models`: the models this door lets through."""
    try:
        await _admit(request, method="GET")
    except _Refused as refused:
        return refused.response
    names = [main_model(), *sorted(prices.SIDE_MODELS - {main_model()})]
    data = [
        {"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"}
        for name in names
        if prices.admitted(name) == name
    ]
    return JsonResponse({"data": data, "has_more": False, "first_id": data[0]["id"], "last_id": data[-1]["id"]})


async def _admit(request: HttpRequest, method: str = "POST") -> Session:
    if request.method != method:
        raise _Refused(405, "invalid_request_error", f"This address takes {method} only.")
    session = await session_of_token(request.headers.get("x-api-key", "")[:4096] or bearer(request))
    if session is None:
        raise _Refused(401, "authentication_error", "The gateway token is not valid, or its session has ended.")
    return session


def _read(request: HttpRequest, session: Session) -> tuple[dict[str, Any], Call]:
    """The request's body as it is sent on, and the call that it makes."""
    # Not `request.body`: Django caps that at the size of a form. The server has already capped and spooled this one.
    raw = request.read(MAX_REQUEST + 1)
    if len(raw) > MAX_REQUEST:
        raise _Refused(413, "request_too_large", f"The request is larger than {MAX_REQUEST // 1_000_000} MB.")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise _Refused(400, "invalid_request_error", "The request is not JSON.") from None
    asked = body.get("model") if isinstance(body, dict) else None
    if not isinstance(asked, str) or not 0 < len(asked) <= 200:
        raise _Refused(400, "invalid_request_error", "The request names no model.")
    model = prices.admitted(asked)
    if model is None:
        raise _Refused(403, "permission_error", f"This session may not use the model {asked}.")
    _require_countable(body)
    most = body.get("max_tokens")
    most = min(max(most, 0), _MOST) if isinstance(most, int) and not isinstance(most, bool) else _MOST
    call = Call(session.pk, model, prompt=len(raw) // 4, most=most)
    return {k: v for k, v in body.items() if k not in _UNCOUNTED} | {"model": model}, call


def _require_countable(body: dict[str, Any]) -> None:
    """Refuse tools of the vendor's that are billed by something else than tokens and searches."""
    tools = body.get("tools")
    for tool in tools if isinstance(tools, list) else []:
        kind = tool.get("type") if isinstance(tool, dict) else None
        if isinstance(kind, str) and kind.startswith("code_execution"):
            raise _Refused(403, "permission_error", "This session may not use the tool code_execution.")


async def _open(request: HttpRequest, path: str, body: dict[str, Any]) -> aiohttp.ClientResponse:
    """Call the upstream; its answer's body is not read yet."""
    headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
    headers |= {
        "content-type": "application/json",
        "accept-encoding": "identity",
        "x-api-key": settings.ANTHROPIC_API_KEY,
    }
    url = settings.ANTHROPIC_BASE_URL + path + ("?beta=true" if request.GET.get("beta") == "true" else "")
    # Serialised anew, so that what was checked is what is sent (a name given twice reads differently to two parsers).
    sending = client().post(url, data=json.dumps(body).encode(), headers=headers, allow_redirects=False)
    try:
        async with asyncio.timeout(settings.MK0R_MODEL_SILENCE):
            upstream = await sending
    except TimeoutError:
        raise _Refused(504, "timeout_error", "The model service did not answer in time.") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        log.warning("gateway.model_unreachable error=%s", type(error).__name__)
        refusal = _Unsent if isinstance(error, aiohttp.ClientConnectorError | ValueError) else _Refused
        raise refusal(502, "api_error", "The model service could not be reached.") from None
    if upstream.status in {401, 403}:
        upstream.close()
        log.error("gateway.model_key_refused status=%d", upstream.status)
        raise _Refused(502, "api_error", "The model service refuses this installation's key.")
    if 300 <= upstream.status < 400 or upstream.headers.get("content-encoding", "identity") != "identity":
        upstream.close()
        raise _Refused(502, "api_error", "The model service answered with something that is not its protocol.")
    return upstream


async def _call(request: HttpRequest, call: Call, body: dict[str, Any]) -> HttpResponseBase:
    """One metered call. Whoever holds the upstream last settles the call: the stream's owner, or this function."""
    streaming = False
    upstream: aiohttp.ClientResponse | None = None
    try:
        await meter.hold(call)
        upstream = await _open(request, "/v1/messages", body)
        call.status = upstream.status
        asked = upstream.status == 200 and body.get("stream") is True
        streaming = asked and upstream.content_type == "text/event-stream"
        if streaming:
            stream = Stream(upstream, call, limit=MAX_ANSWER, seconds=DEADLINE)
            return StreamingHttpResponse(stream.pieces(), status=200, headers=_answer_headers(upstream))
        return await _whole(upstream, call)
    except meter.OverBudget as spent:
        return _Refused(403, "permission_error", str(spent)).response
    except meter.Held as held:
        return _Refused(429, "rate_limit_error", str(held)).response
    except _Refused as refused:
        call.sent = not isinstance(refused, _Unsent)
        return refused.response
    finally:
        if not streaming:
            if upstream is not None:
                upstream.close()
            await meter.end(call)


async def _whole(upstream: aiohttp.ClientResponse, call: Call | None = None) -> HttpResponse:
    """An answer that does not stream, read whole within the deadline."""
    try:
        async with asyncio.timeout(DEADLINE):
            raw = await upstream.content.read(MAX_ANSWER + 1)
            while not upstream.content.at_eof() and len(raw) <= MAX_ANSWER:
                raw += await upstream.content.read(MAX_ANSWER + 1 - len(raw))
    except TimeoutError:
        return _Refused(504, "timeout_error", "The model service did not finish its answer in time.").response
    except (aiohttp.ClientError, OSError):
        return _Refused(502, "api_error", "The model service broke off its answer.").response
    try:
        answer = json.loads(raw) if len(raw) <= MAX_ANSWER else None
    except (ValueError, RecursionError):
        answer = None
    if upstream.status >= 500:  # its words are for whoever owns the key; a visitor reads ours
        kind = "overloaded_error" if upstream.status in {503, 529} else "api_error"
        message = f"The model service failed with status {upstream.status}."
        return _Refused(upstream.status, kind, message).response
    if not isinstance(answer, dict):
        return _Refused(502, "api_error", "The model service answered in another protocol.").response
    if call is not None and upstream.status == 200:
        call.usage = call.usage.updated(answer.get("usage"))
        call.complete = True
    return HttpResponse(redacted(raw), status=upstream.status, headers=_answer_headers(upstream))


def _answer_headers(upstream: aiohttp.ClientResponse) -> dict[str, str]:
    passed = {name: upstream.headers[name] for name in _PASSED_BACK if name in upstream.headers}
    return passed | {"cache-control": "no-store"}
