"""Reading a server-sent event stream without trusting it: whole lines, bounded, and what the lines say of usage."""

from __future__ import annotations

import json
from typing import Any

from gateway.meter import Call

MAX_LINE = 2_000_000  # bytes; the largest line a model sends is one delta


class LineTooLong(Exception):
    """The upstream sent more than `MAX_LINE` bytes without a line break."""


class Lines:
    """Cuts a byte stream into whole lines, so that a value to be removed never straddles two pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """The complete lines that `data` brought; the rest is kept for the next call.

        Raises:
            LineTooLong: what is kept has grown past `MAX_LINE`.
        """
        head, newline, tail = data.rpartition(b"\n")
        if not newline:
            self._rest += data
            if len(self._rest) > MAX_LINE:
                raise LineTooLong
            return b""
        lines, self._rest = self._rest + head + newline, tail
        return lines

    def end(self) -> bytes:
        """What came after the last line break."""
        rest, self._rest = self._rest, b""
        return rest


def observe(lines: bytes, call: Call) -> None:
    """Note in `call` what these lines of a Messages API stream say of usage and completion. Never raises."""
    for line in lines.split(b"\n"):
        if line.startswith(b"data:"):
            try:
                event = json.loads(line[5:])
            except (ValueError, RecursionError):
                continue
            if isinstance(event, dict):
                _observe_event(event, call)


def _observe_event(event: dict[str, Any], call: Call) -> None:
    match event.get("type"):
        case "message_start":
            message = event.get("message")
            call.usage = call.usage.updated(message.get("usage") if isinstance(message, dict) else None)
        case "content_block_delta":
            delta = event.get("delta")
            if isinstance(delta, dict):
                call.streamed += sum(len(value) for value in delta.values() if isinstance(value, str))
        case "message_delta":
            call.usage = call.usage.updated(event.get("usage"))
        case "message_stop":
            call.complete = True
