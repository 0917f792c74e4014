"""The Messages API as its clients see it: streaming and not, errors, keys, counts."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from embedded.ports import free_port
from localcloud import anthropic
from localcloud.cloud import CLOUD, open_cloud
from localcloud.config import Config


class Api:
    """The stand-in on a port of its own."""

    def __init__(self, url: str, key: str, http: aiohttp.ClientSession) -> None:
        self.url, self.key, self.http = url, key, http

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        given = headers or {"x-api-key": self.key}
        data = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
        async with self.http.post(f"{self.url}/v1/{path}", data=data, headers=given) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.setenv("MK0R_SCRIPTED_PACE", "0")
    cloud = open_cloud(Config(tmp_path, free_port(0), "http://127.0.0.1:9", None, "plain"))
    app = web.Application(client_max_size=1024 * 1024)
    app[CLOUD] = cloud
    anthropic.setup(app, cloud)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", cloud.config.port).start()
    async with aiohttp.ClientSession() as http:
        yield Api(f"{cloud.base_url}/anthropic", cloud.keys.anthropic, http)
    await runner.cleanup()
    cloud.close()


def asking(prompt: str, **more: Any) -> dict[str, Any]:
    tools = [{"name": name, "input_schema": {}} for name in ("Bash", "Read", "Write", "Edit")]
    return {
        "model": "claude-opus-5-5", "max_tokens": 1000, "tools": tools,
        "messages": [{"role": "user", "content": prompt}], **more,
    }  # fmt: skip


async def test_an_answer_without_streaming_is_one_message(api: Api) -> None:
    status, body = await api.post("messages", asking("A list of wugs with name"))
    assert status == 200
    assert (body["type"], body["role"], body["model"], body["stop_reason"]) == (
        "message", "assistant", "claude-opus-5-5", "tool_use",
    )  # fmt: skip
    assert [block["type"] for block in body["content"]] == ["text", "tool_use"]
    assert body["content"][1]["name"] == "Bash"
    assert body["usage"]["input_tokens"] > 0
    assert body["usage"]["output_tokens"] > 0


async def test_a_stream_has_the_events_of_the_protocol_in_their_order(api: Api) -> None:
    events: list[dict[str, Any]] = []
    headers = {"Authorization": f"Bearer {api.key}"}
    async with api.http.post(
        f"{api.url}/v1/messages", json=asking("A list of wugs", stream=True), headers=headers
    ) as answer:
        assert answer.content_type == "text/event-stream"
        for part in (await answer.text()).split("\n\n")[:-1]:
            name, data = part.split("\n")
            event = json.loads(data.removeprefix("data: "))
            assert name == f"event: {event['type']}"
            events.append(event)
    kinds = [event["type"] for event in events if event["type"] not in ("ping", "content_block_delta")]
    assert kinds == [
        "message_start",
        *["content_block_start", "content_block_stop"] * 2,
        "message_delta",
        "message_stop",
    ]
    start = events[0]["message"]
    assert (start["content"], start["stop_reason"]) == ([], None)
    text = "".join(event["delta"]["text"] for event in events if event.get("delta", {}).get("type") == "text_delta")
    tool = "".join(
        event["delta"]["partial_json"] for event in events if event.get("delta", {}).get("type") == "input_json_delta"
    )
    assert text
    assert "command" in json.loads(tool)
    assert events[-2]["delta"]["stop_reason"] == "tool_use"
    assert events[-2]["usage"]["output_tokens"] > 0


async def test_every_answer_has_ids_of_its_own(api: Api) -> None:
    answers = [(await api.post("messages", asking("A list of wugs")))[1] for _ in range(3)]
    assert len({answer["id"] for answer in answers}) == 3
    assert len({answer["content"][1]["id"] for answer in answers}) == 3


@pytest.mark.parametrize(
    ("headers", "text"),
    [({"x-api-key": "wrong"}, "invalid x-api-key"), ({"x-other": "1"}, "x-api-key header is required")],
)
async def test_a_wrong_key_is_refused_as_the_vendor_does(api: Api, headers: dict[str, str], text: str) -> None:
    status, body = await api.post("messages", asking("hello"), **headers)
    assert status == 401
    assert (body["type"], body["error"]) == ("error", {"type": "authentication_error", "message": text})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"[" * 20000,
        b'{"model":"m","max_tokens":1}',
        b'{"model":"m","max_tokens":1,"messages":[]}',
        b'{"model":"m","max_tokens":1,"messages":[1]}',
        b'{"max_tokens":1,"messages":[{"role":"user","content":"x"}]}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}]}',
        b'{"model":"m","max_tokens":true,"messages":[{"role":"user","content":"x"}]}',
        b'{"model":"m","max_tokens":1,"messages":[{"role":"root","content":"x"}]}',
        b"\xff\xfe",
    ],
)
async def test_a_malformed_request_is_refused_and_says_why(api: Api, body: bytes) -> None:
    status, answer = await api.post("messages", body)
    assert status == 400
    assert answer["error"]["type"] == "invalid_request_error"
    assert answer["error"]["message"]


async def test_a_body_over_the_cap_is_refused(api: Api) -> None:
    status, answer = await api.post("messages", b" " * (1024 * 1024 + 1))
    assert (status, answer["error"]["type"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    "content",
    [
        "",
        None,
        5,
        [],
        [1, {"type": "text"}],
        [{"type": "image"}],
        [{"type": "tool_result", "tool_use_id": 4, "content": {}}],
    ],
)
async def test_odd_content_gets_an_answer_all_the_same(api: Api, content: object) -> None:
    status, body = await api.post("messages", asking("") | {"messages": [{"role": "user", "content": content}]})
    assert status == 200
    assert body["content"]


async def test_tokens_are_counted_and_models_listed(api: Api) -> None:
    short = (await api.post("messages/count_tokens", asking("a")))[1]["input_tokens"]
    long = (await api.post("messages/count_tokens", asking("a" * 4000)))[1]["input_tokens"]
    assert 900 < long - short < 1100
    async with api.http.get(f"{api.url}/v1/models", headers={"x-api-key": api.key}) as answer:
        models = await answer.json()
    assert models["data"]
    assert all("stand-in" in model["display_name"] for model in models["data"])
    async with api.http.get(f"{api.url}/v1/models/none", headers={"x-api-key": api.key}) as answer:
        assert answer.status == 404


async def test_a_client_that_goes_away_disturbs_nobody(api: Api) -> None:
    for _ in range(5):
        answer = await api.http.post(
            f"{api.url}/v1/messages", json=asking("A list of wugs", stream=True), headers={"x-api-key": api.key}
        )
        answer.close()
    await asyncio.sleep(0.05)
    assert (await api.post("messages", asking("A list of wugs")))[0] == 200
