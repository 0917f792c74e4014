"""A session's log on its page: newest first, a hundred lines at a time, each in a sentence and with all it holds.

Events were redacted before they were written, so what stands in one may be shown.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from provisioning.models import Provider
from sessions_app.models import Event
from staff import glyphs, phrases

PAGE = 100
_SHOWN = 4_000  # characters of one event; its own page has the rest
_GIST = 160
_VENDORS = {provider.value: str(provider.label) for provider in Provider}
_ENDED = {"True": "ok", "False": "failed"}
_TROUBLE = {"failed": "failed", "stuck": "stuck", "lost": "failed", "error": "failed", "warning": "stuck"}


@dataclass(frozen=True, slots=True)
class Line:
    """One event. `state` is drawn as a glyph where the line is one to look at."""

    pk: int
    seq: int
    at: datetime
    type: str
    gist: str
    state: str
    body: str
    cut: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """One page of the log; `before` is where the page of older lines begins, None on the last."""

    lines: list[Line]
    before: int | None
    newest: bool


def timeline(session_id: UUID, before: int | None) -> Timeline:
    """The lines below number `before`, or the newest."""
    log = Event.objects.filter(session_id=session_id).order_by("-seq")
    found = list((log.filter(seq__lt=before) if before is not None else log)[: PAGE + 1])
    lines = [_line(event) for event in found[:PAGE]]
    return Timeline(lines, lines[-1].seq if len(found) > PAGE else None, before is None)


def _line(event: Event) -> Line:
    body = json.dumps(event.data, indent=2, ensure_ascii=False) if event.data else ""
    state = str(event.data.get("state") or event.data.get("level") or "")
    return Line(
        pk=event.pk,
        seq=event.seq,
        at=event.at,
        type=event.type,
        gist=gist(event.type, event.data),
        state=_TROUBLE.get(state, "failed" if event.data.get("ok") is False else ""),
        body=body[:_SHOWN],
        cut=len(body) > _SHOWN,
    )


def gist(event_type: str, data: dict[str, Any]) -> str:
    """The event in a line. Fields that are missing leave gaps, no errors: old lines keep their shape for ever."""
    said = " ".join(_said(event_type, {name: value for name, value in data.items() if value is not None}).split())
    return said if len(said) <= _GIST else said[: _GIST - 1] + "…"


def _said(event_type: str, data: dict[str, Any]) -> str:
    text = {name: str(value) for name, value in data.items()}
    match event_type:
        case "resource.changed":
            return _resource(data, text)
        case "env.written":
            return ", ".join(map(str, data.get("names", [])))
        case "sandbox.changed":
            return text.get("state", "")
        case "preview.ready":
            return text.get("url", "")
        case "turn.started":
            return f"{text.get('turn', '')}: {text.get('prompt', '')}"
        case "agent.tool":
            return f"{text.get('name', '')} {text.get('summary', '')}"
        case "agent.result":
            return f"{_ENDED.get(text.get('ok', ''), '')} {text.get('output', '')}"
        case "version.created":
            return f"{text.get('number', '')} {text.get('sha', '')[:7]} {text.get('message', '')}"
        case "turn.finished":
            took = phrases.duration(float(data.get("duration_ms") or 0))
            cost = phrases.money(float(data.get("cost_usd") or 0))
            return f"{text.get('turn', '')} {text.get('state', '')} in {took}, {cost}. {text.get('summary', '')}"
        case _:
            return text.get("text", "")


def _resource(data: dict[str, Any], text: dict[str, str]) -> str:
    vendor = _VENDORS.get(text.get("provider", ""), "")
    took = f" after {phrases.duration(float(data['elapsed_ms']))}" if data.get("elapsed_ms") else ""
    error = data.get("error")
    why = f": {error.get('message', '')}" if isinstance(error, dict) else ""
    return f"{vendor} {text.get('kind', '').replace('_', ' ')} {glyphs.word(text.get('state', ''))}{took}{why}"
