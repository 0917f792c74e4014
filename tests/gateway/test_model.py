"""The model door: who gets in, what passes, what is metered, and what a bad upstream can do."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway import model_door, prices
from gateway.models import ModelCall
from gateway.prices import Usage
from sessions_app.models import Session, Turn
from tests.gateway.conftest import PLATFORM_KEY, Upstream, in_db

ASK = {"model": "claude-sonnet-5-5", "max_tokens": 10, "stream": True, "messages": [{"role": "user", "content": "hi"}]}


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events)


ANSWER = sse(
    {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 1000, "output_tokens": 1,
     "cache_read_input_tokens": 2000, "cache_creation_input_tokens": 300}}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 500}},
    {"type": "message_stop"},
)  # fmt: skip


async def stream(request: web.Request, *pieces: bytes, kind: str = "text/event-stream") -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": kind, "x-secret-limit": "1", "request-id": "req_1"})
    await response.prepare(request)
    for piece in pieces:
        await response.write(piece)
    return response


@pytest.fixture
def door(site: str, upstream: Upstream, settings: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of the door, with an upstream that counts as the vendor's, so that calls cost money."""
    settings.ANTHROPIC_BASE_URL, settings.MK0R_MODEL = upstream.url, ""
    monkeypatch.setattr(prices, "is_stand_in", lambda: False)
    upstream.answer = lambda request: stream(request, ANSWER)
    return f"{site}/gateway/model/v1"


async def calls(count: int = 1) -> list[ModelCall]:
    """The calls on record once there are `count`."""
    for _ in range(1500):
        found: list[ModelCall] = await in_db(lambda: list(ModelCall.objects.all()))
        if len(found) >= count:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("the call was not recorded")


async def test_a_stream_passes_through_and_is_metered_by_the_upstreams_own_usage(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, token: Any
) -> None:
    turn = await in_db(lambda: Turn.objects.create(session=ada, number=1, prompt="x", state="running"))
    async with http.post(
        f"{door}/messages?beta=true",
        json=ASK,
        headers={"x-api-key": token(ada), "anthropic-beta": "b1", "cookie": "c=1"},
    ) as response:
        assert response.status == 200
        assert await response.read() == ANSWER
        assert response.headers["request-id"] == "req_1"
        assert "x-secret-limit" not in response.headers
    method, path, headers, body = upstream.seen[0]
    assert (method, path) == ("POST", "/v1/messages?beta=true")
    assert headers["x-api-key"] == PLATFORM_KEY
    assert headers["anthropic-beta"] == "b1"
    assert "cookie" not in headers
    assert "authorization" not in headers
    assert json.loads(body) == ASK
    [call] = await calls()
    assert (call.input_tokens, call.output_tokens, call.cache_read_tokens, call.cache_write_tokens) == (
        1000, 500, 2000, 300,
    )  # fmt: skip
    assert call.complete
    assert call.turn_id == turn.pk
    expected = Decimal(1000 * 2 + 300 * 2 * 5 // 4 + 500 * 10) / 1_000_000 + Decimal("0.0002")
    assert call.cost_usd == expected
    await in_db(ada.refresh_from_db)
    await in_db(turn.refresh_from_db)
    assert ada.spent_usd == turn.cost_usd == expected


async def test_an_answer_that_does_not_stream_is_metered_too(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, token: Any
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"id": "m", "content": [], "usage": {"input_tokens": 10, "output_tokens": 5}})

    upstream.answer = answer
    ask = ASK | {"stream": False}
    async with http.post(f"{door}/messages", json=ask, headers={"authorization": f"Bearer {token(ada)}"}) as response:
        assert (await response.json())["id"] == "m"
    [call] = await calls()
    assert (call.input_tokens, call.output_tokens, call.complete) == (10, 5, True)


@pytest.mark.parametrize("shown", ["", "nonsense", "mk0rgw_aaaaaaaaaaaa_" + "0" * 48, "\u00e9"])
async def test_nobody_gets_in_without_a_sessions_token(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, shown: str
) -> None:
    async with http.post(f"{door}/messages", json=ASK, headers={"x-api-key": shown}) as response:
        assert response.status == 401
        assert (await response.json())["error"]["type"] == "authentication_error"
    assert not upstream.seen


async def test_the_token_is_dead_when_the_session_is_not_open(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, token: Any
) -> None:
    shown = token(ada)
    await in_db(lambda: Session.objects.filter(pk=ada.pk).update(state="closing"))
    async with http.post(f"{door}/messages", json=ASK, headers={"x-api-key": shown}) as response:
        assert response.status == 401
    assert not upstream.seen


async def test_the_cap_stops_the_next_call_and_says_so(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, token: Any, settings: Any
) -> None:
    settings.MK0R_BUDGET_USD = 0.005
    headers = {"x-api-key": token(ada)}
    async with http.post(f"{door}/messages", json=ASK, headers=headers) as response:
        assert response.status == 200
        await response.read()
    await calls()
    async with http.post(f"{door}/messages", json=ASK, headers=headers) as response:
        assert response.status == 403
        error = (await response.json())["error"]
    assert "$0.01 of $0.01" in error["message"] or "budget" in error["message"]
    assert len(upstream.seen) == 1


@pytest.mark.parametrize(
    ("configured", "asked", "sent"),
    [
        ("", "claude-sonnet-5-5", "claude-sonnet-5-5"),
        ("", "claude-sonnet-5-5[1m]", "claude-sonnet-5-5"),
        ("", "claude-haiku-4-5", "claude-haiku-4-5"),
        ("", "claude-opus-5-5", None),
        ("", "../../v1/other", None),
        ("qwen3-coder", "claude-haiku-4-5", "qwen3-coder"),
        ("qwen3-coder", "claude-opus-5-5", "qwen3-coder"),
    ],
)
async def test_only_admitted_models_are_called(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, token: Any, settings: Any,
    configured: str, asked: str, sent: str | None,
) -> None:  # fmt: skip
    settings.MK0R_MODEL = configured
    raw = json.dumps(ASK).replace('"claude-sonnet-5-5"', json.dumps(asked))
    raw = '{"model": "claude-opus-4-1", "speed": "fast", ' + raw[1:]  # the last of two wins here and is what is sent
    async with http.post(f"{door}/messages", data=raw, headers={"x-api-key": token(ada)}) as response:
        assert response.status == (200 if sent else 403)
        await response.read()
    assert [json.loads(body)["model"] for *_, body in upstream.seen] == ([sent] if sent else [])
    assert all("speed" not in json.loads(body) and body.count(b'"model"') == 1 for *_, body in upstream.seen)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"model": 5}', b"\xff\xfe", b"[" * 100_000])
async def test_a_request_that_is_none_is_refused_in_words(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, token: Any, raw: bytes
) -> None:
    async with http.post(f"{door}/messages", data=raw, headers={"x-api-key": token(ada)}) as response:
        assert response.status == 400
        assert (await response.json())["type"] == "error"
    assert not upstream.seen


async def test_a_client_that_leaves_cancels_the_upstream_and_pays_for_what_it_heard(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, token: Any
) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = await stream(request, ANSWER[:200] + b"\n")
        while True:
            await response.write(
                sse({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "word " * 60}})
            )
            await asyncio.sleep(0.01)

    upstream.answer = endless
    async with http.post(f"{door}/messages", json=ASK, headers={"x-api-key": token(ada)}) as response:
        await response.content.readexactly(6000)
    await asyncio.wait_for(upstream.cancelled.wait(), 30)
    [call] = await calls()
    assert not call.complete
    assert call.output_tokens >= 500


@pytest.mark.parametrize("fault", ["garbage", "html", "reset", "huge", "drip", "bomb", "redirect", "key"])
async def test_a_hostile_upstream_ends_in_an_error_body(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, token: Any,
    monkeypatch: pytest.MonkeyPatch, settings: Any, fault: str,
) -> None:  # fmt: skip
    async def answer(request: web.Request) -> web.StreamResponse:
        match fault:
            case "garbage":
                return web.Response(body=b"\x00\xff" * 500, content_type="application/json")
            case "html":
                return web.Response(text="<h1>hello", content_type="text/html")
            case "reset":
                response = await stream(request, ANSWER[:100])
                assert request.transport is not None
                request.transport.abort()
                return response
            case "huge":
                return await stream(request, *[b"data: " + b"x" * 60_000 + b"\n"] * 40)
            case "drip":
                await asyncio.sleep(120)
                return web.Response()
            case "bomb":
                return web.Response(
                    body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"}, content_type="application/json"
                )
            case "redirect":
                raise web.HTTPFound("http://127.0.0.1:1/")
        return web.json_response({"error": {"message": f"bad key {PLATFORM_KEY}"}}, status=401)

    upstream.answer = answer
    monkeypatch.setattr(model_door, "MAX_ANSWER", 1_000_000)
    settings.MK0R_MODEL_SILENCE = 0.5
    async with http.post(f"{door}/messages", json=ASK, headers={"x-api-key": token(ada)}) as response:
        text = (await response.read()).decode()
    assert '"type": "error"' in text
    assert PLATFORM_KEY not in text
    assert len(text) < 1_100_000
    await calls()


async def test_the_platforms_key_is_taken_out_of_a_stream_that_echoes_it(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, token: Any
) -> None:
    half = len(PLATFORM_KEY) // 2
    pieces = [f"data: {PLATFORM_KEY[:half]}".encode(), PLATFORM_KEY[half:].encode() + b"\n\n"]
    upstream.answer = lambda request: stream(request, *pieces)
    async with http.post(f"{door}/messages", json=ASK, headers={"x-api-key": token(ada)}) as response:
        assert await response.read() == b"data: [removed]\n\n"


async def test_models_and_token_counts_are_served(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, token: Any
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"input_tokens": 7})

    upstream.answer = answer
    headers = {"x-api-key": token(ada)}
    async with http.get(f"{door}/models", headers=headers) as response:
        assert "claude-sonnet-5-5" in [model["id"] for model in (await response.json())["data"]]
    async with http.post(f"{door}/messages/count_tokens", json=ASK, headers=headers) as response:
        assert await response.json() == {"input_tokens": 7}
    assert not await in_db(ModelCall.objects.count)


def test_a_stand_in_upstream_costs_nothing(settings: Any) -> None:
    settings.ANTHROPIC_BASE_URL = "http://127.0.0.1:8001/anthropic"
    assert prices.cost_usd("claude-opus-5-5", Usage(input=10_000, output=10_000)) == 0
    settings.ANTHROPIC_BASE_URL = "https://api.anthropic.com"
    assert prices.cost_usd("claude-opus-5-5", Usage(input=1_000_000, output=1_000_000)) == 24
    assert prices.cost_usd("somebody-elses-model", Usage(output=1_000_000)) == 75


def test_a_usage_of_the_wrong_shape_counts_nothing() -> None:
    for reported in (
        None,
        [],
        "x",
        {"input_tokens": -5, "output_tokens": "9", "cache_creation": 3},
        {"input_tokens": True},
    ):
        assert Usage().updated(reported) == Usage()
