"""Claude Code's `stream-json` output, line by line, turned into what the event log keeps.

Shape of the lines as version 2.1.330 writes them with `--verbose --include-partial-messages`: every line is a JSON
object with a `uuid`; `stream_event` lines carry pieces of a message as they arrive (`api_message_id` says of which); an
`assistant` line then repeats one whole content block, so its text is taken only as far as the pieces did not bring it;
`user` lines carry tool results; `result` is the last word. Lines that are not JSON, and kinds not known here, are
counted and passed over: a new kind of line must never end a turn. Nothing is cut to size here: the event log does that
once secrets are out, since half a secret would not be found.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sessions_app.agent.summaries import tool_summary


@dataclass(frozen=True, slots=True)
class Result:
    """The agent's last word. `failed` is its own judgement, `text` its final words or what went wrong."""

    failed: bool
    text: str
    reason: str  # subtype and terminal reason, for the log


@dataclass(slots=True)
class Step:
    """What one line amounts to.

    `text` continues the running text; `ends_text` says that nothing more will be added to it. `events` are (type, data)
    without the turn's number. `uuid` names the line, except for pieces, whose whole comes later under its own name.
    """

    text: str = ""
    ends_text: bool = False
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    uuid: str | None = None


class Parser:
    """Reads the lines of one log in order. Its state depends on the lines alone, so reading them again rebuilds it."""

    def __init__(self) -> None:
        self.result: Result | None = None
        self.unknown = 0
        self.last_text = ""
        self._cwd = ""
        self._streamed: dict[str, str] = {}
        self._gap = False

    def feed(self, line: str) -> Step:
        """What `line` amounts to. Never raises."""
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            self.unknown += bool(line.strip())
            return Step()
        kind = data.get("type")
        if kind == "stream_event":
            return self._piece(data)
        step = Step(uuid=_string(data, "uuid")[:64] or None)
        match kind:
            case "assistant":
                self._assistant(data, step)
            case "user":
                self._user(data, step)
            case "system":
                self._system(data, step)
            case "result":
                self.result = _result(data)
                step.ends_text = True
            case _:
                self.unknown += 1
        return step

    def _piece(self, data: dict[str, Any]) -> Step:
        """A `text_delta` is text at once; every other piece waits for its whole."""
        event = _mapping(data, "event")
        delta = _mapping(event, "delta")
        if data.get("parent_tool_use_id") or delta.get("type") != "text_delta":
            return Step()
        text = _string(delta, "text")
        if not text:
            return Step()
        message = _string(data, "api_message_id")
        begun = self._streamed.get(message, "")
        self._streamed[message] = begun + text
        return Step(text=text if begun else self._spaced(text))

    def _assistant(self, data: dict[str, Any], step: Step) -> None:
        message = _mapping(data, "message")
        inner = bool(data.get("parent_tool_use_id"))
        for block in _mappings(message.get("content")):
            match block.get("type"):
                case "text" if not inner:
                    self._whole_text(_string(message, "id"), _string(block, "text"), step)
                case "tool_use" | "server_tool_use" | "mcp_tool_use":
                    self._tool(block, step)

    def _whole_text(self, message: str, text: str, step: Step) -> None:
        streamed = self._streamed.pop(message, "")
        if not streamed:
            step.text = self._spaced(text)
        elif text.startswith(streamed):
            step.text = text[len(streamed) :]
        step.ends_text = True
        self._gap = bool(text.strip())
        if text.strip():
            self.last_text = text

    def _spaced(self, text: str) -> str:
        """The first words of a block, a paragraph away from the block before unless a tool came between."""
        gap, self._gap = self._gap, False
        return "\n\n" + text if gap else text

    def _tool(self, block: dict[str, Any], step: Step) -> None:
        name, arguments = _string(block, "name") or "tool", _mapping(block, "input")
        self._gap, step.ends_text = False, True
        step.events.append(
            (
                "agent.tool",
                {
                    "id": _string(block, "id")[:200],
                    "name": name[:100],
                    "summary": tool_summary(name, arguments, self._cwd),
                    "input": arguments,
                },
            )
        )

    def _user(self, data: dict[str, Any], step: Step) -> None:
        step.ends_text = True
        for block in _mappings(_mapping(data, "message").get("content")):
            if block.get("type") == "tool_result":
                self._gap = False
                output = "\n".join(_texts(block.get("content")))
                ok = not block.get("is_error")
                step.events.append(
                    ("agent.result", {"id": _string(block, "tool_use_id")[:200], "ok": ok, "output": output})
                )

    def _system(self, data: dict[str, Any], step: Step) -> None:
        match data.get("subtype"):
            case "init":
                self._cwd = _string(data, "cwd")
            case "api_retry":
                tried, most = data.get("attempt"), data.get("max_retries")
                step.ends_text = True
                text = f"The model did not answer ({_retry_cause(data)}). Trying again, {tried} of {most}."
                step.events.append(("notice", {"level": "warning", "text": text}))


def _result(data: dict[str, Any]) -> Result:
    errors = data.get("errors")
    said = [each for each in errors if isinstance(each, str)] if isinstance(errors, list) else []
    subtype = _string(data, "subtype")
    failed = bool(data.get("is_error")) or subtype != "success"
    text = _string(data, "result") or "; ".join(said)
    return Result(failed, text.strip(), f"{subtype}/{_string(data, 'terminal_reason')}")


def _retry_cause(data: dict[str, Any]) -> str:
    status = data.get("error_status")
    return f"status {status}" if isinstance(status, int) else _string(data, "error") or "no connection"


def _mapping(data: dict[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> Iterator[dict[str, Any]]:
    """The objects in a list; a message's content may also be a plain string, which holds none."""
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, dict))


def _string(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""


def _texts(content: object) -> Iterator[str]:
    """The readable parts of a tool's answer."""
    if isinstance(content, str):
        yield content
    for block in _mappings(content):
        yield _string(block, "text") if block.get("type") == "text" else f"[{_string(block, 'type') or 'data'}]"
