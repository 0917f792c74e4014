"""The two forms of an answer of the Messages API: one JSON object, or the same as a stream of server-sent events.

Event order and fields follow Anthropic's published streaming protocol: `message_start`, then for each block
`content_block_start`, deltas, `content_block_stop`, then `message_delta` with the stop reason and usage, then
`message_stop`; a `ping` may come in between.
"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from localcloud.anthropic.plan import Step

_ALPHABET = string.ascii_letters + string.digits
_TEXT_PIECE = 24
_JSON_PIECE = 320


def _identifier(prefix: str) -> str:
    return prefix + "01" + "".join(secrets.choice(_ALPHABET) for _ in range(22))


@dataclass(frozen=True, slots=True)
class Message:
    """A finished answer: its blocks, and the counts a client may show. Tokens are four characters, roughly.

    Whoever asked with `?beta=true` is told of some more things that there are none of here.
    """

    id: str
    model: str
    blocks: list[dict[str, Any]]
    stop_reason: str
    input_tokens: int
    output_tokens: int
    beta: bool = False

    def body(self) -> dict[str, Any]:
        """The non-streaming form."""
        return {
            "id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": self.blocks,
            "usage": self.usage(self.output_tokens), "diagnostics": None, **self.ending(), **self.editing(),
        }  # fmt: skip

    def ending(self) -> dict[str, Any]:
        """Why it ended."""
        return {"stop_reason": self.stop_reason, "stop_sequence": None, "stop_details": None, "container": None}

    def editing(self) -> dict[str, Any]:
        """What was cut from the conversation."""
        return {"context_management": None} if self.beta else {}

    def usage(self, output_tokens: int) -> dict[str, Any]:
        """The usage object of a message."""
        more = dict.fromkeys(("cache_creation", "inference_geo", "speed"))
        return self.spent(output_tokens) | {"service_tier": "standard"} | more

    def spent(self, output_tokens: int) -> dict[str, Any]:
        """The part of it that is told again at the end of a stream."""
        beta = {"iterations": None, "fallback_credit": None} if self.beta else {}
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": output_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens_details": None,
            "server_tool_use": None,
            **beta,
        }


def message(step: Step, model: str, input_tokens: int, *, beta: bool = False) -> Message:
    """An answer that says and calls what `step` does."""
    blocks: list[dict[str, Any]] = []
    if step.text or not step.calls:
        blocks.append({"type": "text", "text": step.text or "Done.", "citations": None})
    blocks += [
        {
            "type": "tool_use", "id": _identifier("toolu_"), "name": call.name, "input": call.input,
            "caller": {"type": "direct"},
        }
        for call in step.calls
    ]  # fmt: skip
    size = sum(len(json.dumps(block)) for block in blocks)
    return Message(
        _identifier("msg_"),
        model,
        blocks,
        "tool_use" if step.calls else "end_turn",
        input_tokens,
        max(1, size // 4),
        beta,
    )


def events(answer: Message) -> Iterator[tuple[str, dict[str, Any], float]]:
    """The events of an answer: name, data, and how long to pause before it, in seconds."""
    start = answer.body() | {"content": [], "stop_reason": None, "usage": answer.usage(1)}
    yield "message_start", {"message": start}, 0.12
    yield "ping", {}, 0.0
    for index, block in enumerate(answer.blocks):
        text = block["type"] == "text"
        empty = {**block, "text": ""} if text else {**block, "input": {}}
        yield "content_block_start", {"index": index, "content_block": empty}, 0.0
        whole = block["text"] if text else json.dumps(block["input"], ensure_ascii=False)
        piece = _TEXT_PIECE if text else _JSON_PIECE
        for at in range(0, len(whole), piece):
            part = whole[at : at + piece]
            delta = {"type": "text_delta", "text": part} if text else {"type": "input_json_delta", "partial_json": part}
            yield "content_block_delta", {"index": index, "delta": delta}, 0.03 if text else 0.012
        yield "content_block_stop", {"index": index}, 0.0
    ending = {"delta": answer.ending(), "usage": answer.spent(answer.output_tokens), **answer.editing()}
    yield "message_delta", ending, 0.0
    yield "message_stop", {}, 0.0


def encode(name: str, data: dict[str, Any]) -> bytes:
    """One event on the wire."""
    return f"event: {name}\ndata: {json.dumps({'type': name, **data}, ensure_ascii=False)}\n\n".encode()
