"""Anthropic as its Python client sees it: messages, streams, tools, counts, models, and what is refused."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import pytest

from tests.conformance.conftest import Exercised
from tests.fixtures.cloud import CloudUnderTest

pytestmark = pytest.mark.client("anthropic", "anthropic (Python)")
MODEL = "claude-sonnet-5-5"
WEATHER: Any = {
    "name": "weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture
def client(well: CloudUnderTest) -> Iterator[anthropic.Anthropic]:
    address = f"{well.base_url}/anthropic"
    with anthropic.Anthropic(api_key=well.keys["anthropic"], base_url=address, max_retries=0, timeout=30) as made:
        yield made


def ask(client: anthropic.Anthropic, text: str, **more: Any) -> anthropic.types.Message:
    wishes: dict[str, Any] = {"model": MODEL, "max_tokens": 100} | more
    return client.messages.create(messages=[{"role": "user", "content": text}], **wishes)


def test_a_message_is_answered(client: anthropic.Anthropic, exercised: Exercised) -> None:
    answer = ask(client, "Hello")
    assert (answer.type, answer.role, answer.model, answer.stop_reason) == ("message", "assistant", MODEL, "end_turn")
    assert answer.content[0].type == "text"
    assert answer.usage.input_tokens > 0
    assert answer._request_id
    exercised("messages.create")


def test_a_stream_adds_up_to_its_message(client: anthropic.Anthropic, exercised: Exercised) -> None:
    with client.messages.stream(
        model=MODEL, max_tokens=100, messages=[{"role": "user", "content": "Hello"}]
    ) as stream:  # fmt: skip
        said = "".join(stream.text_stream)
        whole = stream.get_final_message()
    assert said
    assert [block.text for block in whole.content if block.type == "text"] == [said]
    assert whole.stop_reason == "end_turn"
    exercised("messages.stream")


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called_and_its_result_is_used(
    client: anthropic.Anthropic, exercised: Exercised, streamed: bool
) -> None:
    prompt = 'call weather {"city": "Zürich"}'
    given: dict[str, Any] = {"model": MODEL, "max_tokens": 100, "tools": [WEATHER]}
    messages: list[Any] = [{"role": "user", "content": prompt}]
    if streamed:
        with client.messages.stream(messages=messages, **given) as stream:
            asked = stream.get_final_message()
    else:
        asked = client.messages.create(messages=messages, **given)
    assert asked.stop_reason == "tool_use"
    (call,) = [block for block in asked.content if block.type == "tool_use"]
    assert (call.name, call.input) == ("weather", {"city": "Zürich"})
    messages += [
        {"role": "assistant", "content": asked.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "rain"}]},
    ]
    ended = client.messages.create(messages=messages, **given)
    assert ended.stop_reason == "end_turn"
    assert [block.text for block in ended.content if block.type == "text"] == ["weather answered: rain"]
    exercised("tools, streamed" if streamed else "tools")


def test_tokens_are_counted(client: anthropic.Anthropic, exercised: Exercised) -> None:
    def count(text: str) -> int:
        return client.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": text}]).input_tokens

    assert 0 < count("Hello") < count("Hello " * 100)
    exercised("messages.count_tokens")


def test_models_are_listed_page_by_page_both_ways(client: anthropic.Anthropic, exercised: Exercised) -> None:
    every = [model.id for model in client.models.list(limit=2)]
    assert len(every) > 2
    assert every == [model.id for model in client.models.list(limit=1000).data]
    assert MODEL in every
    first = client.models.list(limit=2)
    assert first.has_more
    assert [model.id for model in client.models.list(limit=1, after_id=every[1]).data] == every[2:3]
    assert [model.id for model in client.models.list(limit=1, before_id=every[1]).data] == every[:1]
    assert client.models.retrieve(MODEL).id == MODEL
    exercised("models.list")
    exercised("models.retrieve")


REFUSED: list[tuple[str, Callable[[anthropic.Anthropic], object], type[anthropic.APIStatusError], str, str]] = [
    (
        "bad model",
        lambda client: ask(client, "x", model="gpt-none"),
        anthropic.NotFoundError, "not_found_error", "model: gpt-none",
    ),
    (
        "unknown model read",
        lambda client: client.models.retrieve("claude-none"),
        anthropic.NotFoundError, "not_found_error", "model: claude-none",
    ),
    (
        "body over 32 MB",
        lambda client: ask(client, "x" * (32 * 1024 * 1024)),
        anthropic.RequestTooLargeError, "request_too_large", "Request exceeds the maximum size",
    ),
    (
        "prompt over the window",
        lambda client: ask(client, "words " * 200_000),
        anthropic.BadRequestError, "invalid_request_error", "prompt is too long: ",
    ),
    (
        "no messages",
        lambda client: client.messages.create(model=MODEL, max_tokens=1, messages=[]),
        anthropic.BadRequestError, "invalid_request_error", "messages: at least one message is required",
    ),
    (
        "limit of no page",
        lambda client: client.models.list(limit=0),
        anthropic.BadRequestError, "invalid_request_error", "limit: ",
    ),
    (
        "after nobody",
        lambda client: client.models.list(after_id="nobody"),
        anthropic.BadRequestError, "invalid_request_error", "model: nobody",
    ),
    (
        "wrong key",
        lambda client: ask(client.with_options(api_key="wrong"), "x"),
        anthropic.AuthenticationError, "authentication_error", "invalid x-api-key",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "call", "error", "kind", "said"), REFUSED, ids=[one[0] for one in REFUSED])
def test_what_is_refused_has_the_vendors_own_body(
    client: anthropic.Anthropic, exercised: Exercised, name: str,
    call: Callable[[anthropic.Anthropic], object], error: type[anthropic.APIStatusError], kind: str, said: str,
) -> None:  # fmt: skip
    with pytest.raises(error) as caught:
        call(client)
    body: Any = caught.value.body
    assert body["type"] == "error"
    assert body["error"]["type"] == kind
    assert body["error"]["message"].startswith(said)
    assert body["request_id"] == caught.value.request_id
    exercised(f"refused: {name}")


@pytest.mark.parametrize(
    ("status", "kind"), [(429, "rate_limit_error"), (529, "overloaded_error"), (500, "api_error")]
)  # fmt: skip
def test_what_passes_is_told_and_tried_again_when_the_vendor_says(
    client: anthropic.Anthropic, well: CloudUnderTest, exercised: Exercised, status: int, kind: str
) -> None:
    fault = {"vendor": "anthropic", "operation": "create_message", "fault": f"status:{status}", "seconds": 1}
    well.set_faults([fault])
    with pytest.raises(anthropic.APIStatusError) as caught:
        ask(client, "x")
    body: Any = caught.value.body
    assert (caught.value.status_code, body["error"]["type"]) == (status, kind)
    assert caught.value.response.headers["retry-after"] == "1"
    began = time.monotonic()
    with pytest.raises(anthropic.APIStatusError):
        ask(client.with_options(max_retries=1), "x")
    assert time.monotonic() - began >= 0.9  # it waited as long as it was told to
    exercised(f"{status} with Retry-After")
