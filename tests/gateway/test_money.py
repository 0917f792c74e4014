"""The session's money cap against a caller who tries to spend past it."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from django.db import OperationalError

from gateway import meter, prices
from gateway.models import ModelCall, ModelHold
from sessions_app.models import Session, Turn
from tests.gateway.conftest import Upstream, in_db

# At $10 a million tokens out: half a cent each at most.
ASK = {"model": "claude-sonnet-5-5", "max_tokens": 500, "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def door(site: str, upstream: Upstream, settings: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    settings.ANTHROPIC_BASE_URL, settings.MK0R_MODEL, settings.MK0R_BUDGET_USD = upstream.url, "", 0.02
    monkeypatch.setattr(prices, "is_stand_in", lambda: False)
    return f"{site}/gateway/model/v1"


async def ask(http: aiohttp.ClientSession, door: str, token: str, **more: Any) -> tuple[int, str]:
    async with http.post(f"{door}/messages", json=ASK | more, headers={"x-api-key": token}) as response:
        return response.status, (await response.json()).get("error", {}).get("message", "")


async def settled(count: int) -> list[ModelCall]:
    for _ in range(1500):
        found: list[ModelCall] = await in_db(lambda: list(ModelCall.objects.all()))
        if len(found) >= count and not await in_db(ModelHold.objects.count):
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("the calls were not settled")


async def test_calls_at_once_cannot_overrun_the_cap_by_more_than_one_of_them(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, token: Any
) -> None:
    """Each is held at the most it can cost until it is settled, also across processes: the rows are the meter."""
    gate = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        await gate.wait()
        return web.json_response({"id": "m", "content": [], "usage": {"input_tokens": 10, "output_tokens": 500}})

    upstream.answer = answer
    asked = [asyncio.create_task(ask(http, door, token(ada))) for _ in range(8)]
    async with asyncio.timeout(60):
        while sum(task.done() for task in asked) + len(upstream.seen) < 8:
            await asyncio.sleep(0.05)
    gate.set()
    answers = [await task for task in asked]
    statuses = sorted(status for status, _ in answers)
    assert statuses == [200] * 4 + [429] * 4
    assert all("budget" in text for status, text in answers if status == 429)
    await settled(4)
    await in_db(ada.refresh_from_db)
    assert float(ada.spent_usd) < 0.02 + 0.006
    assert (await ask(http, door, token(ada)))[0] == 403


async def test_a_call_left_before_its_answer_is_not_free(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, token: Any
) -> None:
    asked = asyncio.Event()

    async def never(request: web.Request) -> web.Response:
        asked.set()
        await asyncio.sleep(120)
        return web.Response()

    upstream.answer = never
    body = ASK | {"messages": [{"role": "user", "content": "word " * 2000}]}
    headers = {"x-api-key": token(ada)}
    left = asyncio.create_task(http.post(f"{door}/messages", json=body, headers=headers).__aenter__())
    await asyncio.wait_for(asked.wait(), 30)
    left.cancel()
    await asyncio.wait_for(upstream.cancelled.wait(), 30)
    [call] = await settled(1)
    assert not call.complete
    assert call.input_tokens >= 2000
    await in_db(ada.refresh_from_db)
    assert ada.spent_usd > 0


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_database_that_is_away_for_a_moment_loses_and_doubles_no_cost(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, token: Any,
    monkeypatch: pytest.MonkeyPatch, when: str,
) -> None:  # fmt: skip
    real, tries = meter.settle, 0

    async def failing(*args: Any, **kwargs: Any) -> None:
        nonlocal tries
        tries += 1
        if tries > 1 or when == "after":
            await real(*args, **kwargs)
        if tries == 1:
            raise OperationalError("server closed the connection unexpectedly")

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"id": "m", "content": [], "usage": {"input_tokens": 10, "output_tokens": 500}})

    upstream.answer = answer
    monkeypatch.setattr(meter, "settle", failing)
    assert (await ask(http, door, token(ada)))[0] == 200
    assert len(await settled(1)) == 1
    await in_db(ada.refresh_from_db)
    assert float(ada.spent_usd) == pytest.approx(0.00502)


async def test_a_call_is_paid_by_the_turn_that_made_it(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, token: Any
) -> None:
    gate, asked = asyncio.Event(), asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        asked.set()
        await gate.wait()
        return web.json_response({"id": "m", "content": [], "usage": {"input_tokens": 10, "output_tokens": 500}})

    def turns() -> list[float]:
        return [float(turn.cost_usd) for turn in Turn.objects.filter(session=ada).order_by("number")]

    upstream.answer = answer
    first = await in_db(lambda: Turn.objects.create(session=ada, number=1, prompt="one", state="running"))
    asking = asyncio.create_task(ask(http, door, token(ada)))
    await asyncio.wait_for(asked.wait(), 10)
    await in_db(lambda: Turn.objects.filter(pk=first.pk).update(state="cancelled"))
    await in_db(lambda: Turn.objects.create(session=ada, number=2, prompt="two", state="running"))
    gate.set()
    await asking
    [call] = await settled(1)
    assert call.turn_id == first.pk
    assert await in_db(turns) == [pytest.approx(0.00502), 0]


@pytest.mark.parametrize("status", [400, 429, 529])
async def test_what_the_vendor_refuses_costs_nothing(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, token: Any, status: int
) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"type": "error", "error": {"type": "x", "message": "no"}}, status=status)

    upstream.answer = refuse
    assert (await ask(http, door, token(ada)))[0] == status
    [call] = await settled(1)
    assert call.cost_usd == 0


async def test_what_the_meter_cannot_count_is_not_asked_for(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, token: Any
) -> None:
    """Containers are billed by the hour, and a remote tool server would be a way out that no allow-list knows."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"id": "m", "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}})

    upstream.answer = answer
    more = {"mcp_servers": [{"type": "url", "url": "https://evil.example"}], "container": "c_1"}
    assert (await ask(http, door, token(ada), **more))[0] == 200
    sent = json.loads(upstream.seen[0][3])
    assert "mcp_servers" not in sent
    assert "container" not in sent
    tools = [{"type": "code_execution_20250825", "name": "code_execution"}]
    assert (await ask(http, door, token(ada), tools=tools))[0] == 403


async def test_the_days_cap_holds_for_all_sessions_together_and_only_for_its_day(
    door: str,
    http: aiohttp.ClientSession,
    upstream: Upstream,
    ada: Session,
    mallory: Session,
    token: Any,
    settings: Any,
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"id": "m", "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}})

    upstream.answer = answer
    settings.MK0R_BUDGET_USD, settings.MK0R_DAILY_USD = 0.0, 1.0
    spent = ModelCall(session=ada, model="m", status=200, complete=True, cost_usd="1.00")
    spent.started_at = meter.today() - timedelta(seconds=1)
    await in_db(spent.save)
    assert (await ask(http, door, token(mallory)))[0] == 200
    spent.started_at = meter.today()
    await in_db(spent.save)
    status, text = await ask(http, door, token(mallory))
    assert status == 403
    assert "$1.00" in text
