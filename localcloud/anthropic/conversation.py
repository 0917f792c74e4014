"""A request of the Messages API read as the turn it belongs to: the prompt, and the results of its tool calls so far.

Everything the builder knows comes from here, so any request can be answered by any process at any time. What the
coding agent adds of its own (reminders in tags, notes about an interruption, system messages between turns) is not
the person's sentence and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_OWN_TAGS = re.compile(
    r"<(system-reminder|command-name|command-message|command-args|local-command-stdout|task-notification)>.*?</\1>",
    re.DOTALL,
)
_INTERRUPTED = re.compile(r"^\[Request interrupted[^\]]*\]\s*")
_CONTEXT = re.compile(r"\n\s*\nFor context, what was built in this project before:\n.*\Z", re.DOTALL)
_SUMMARY = re.compile(
    r"create a detailed summary of (?:the|our|this) conversation|summar(?:y|ize|ise) (?:of )?(?:the|this) conversation",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered: its text, and whether the tool called it an error."""

    text: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """The turn a request is part of. `tools` are the names the agent offers; none means it wants words only."""

    prompt: str
    results: tuple[ToolResult, ...] = ()
    tools: frozenset[str] = frozenset()
    wants_summary: bool = False
    schema: dict[str, Any] = field(default_factory=dict)


def read_turn(body: dict[str, Any]) -> Turn:
    """Read the turn out of a checked request body (`messages` is a list of objects)."""
    messages = [message for message in body["messages"] if isinstance(message, dict)]
    start, prompt = _prompt(messages)
    names = [tool.get("name") for tool in body.get("tools") or [] if isinstance(tool, dict)]
    output = body.get("output_config")
    form = output.get("format") if isinstance(output, dict) else None
    schema = form.get("schema") if isinstance(form, dict) else None
    return Turn(
        prompt=prompt,
        results=tuple(_results(messages[start + 1 :])),
        tools=frozenset(str(name) for name in names if name),
        wants_summary=bool(_SUMMARY.search(prompt)),
        schema=schema if isinstance(schema, dict) else {},
    )


def _prompt(messages: list[dict[str, Any]]) -> tuple[int, str]:
    """The last thing a person said, and where. A message that carries tool results is the agent's, not a person's."""
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        blocks = list(_blocks(message))
        if message.get("role") != "user" or any(block.get("type") == "tool_result" for block in blocks):
            continue
        words = "\n".join(said for block in blocks if (said := _said(block)))
        if words:
            return index, words
    return -1, ""


def _said(block: dict[str, Any]) -> str:
    if block.get("type") != "text":
        return ""
    text = _OWN_TAGS.sub("", str(block.get("text", "")))
    text = _INTERRUPTED.sub("", text.strip())
    return _CONTEXT.sub("", text).removeprefix("The request: ").strip()


def _blocks(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        yield {"type": "text", "text": content}
    elif isinstance(content, list):
        yield from (block for block in content if isinstance(block, dict))


def _results(messages: list[dict[str, Any]]) -> Iterator[ToolResult]:
    """Results in the order of the calls, whatever order they came back in. A call without one ends the sequence."""
    calls = [
        str(block.get("id"))
        for message in messages
        if message.get("role") == "assistant"
        for block in _blocks(message)
        if block.get("type") == "tool_use"
    ]
    found = {
        str(block.get("tool_use_id")): ToolResult(_text(block.get("content")), bool(block.get("is_error")))
        for message in messages
        for block in _blocks(message)
        if block.get("type") == "tool_result"
    }
    for call in calls:
        if call not in found:
            return
        yield found[call]


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(
            str(block.get("text", "")) for block in content if isinstance(block, dict) and block.get("type") == "text"
        )
    return ""
