"""The session's event log: one vocabulary for WebSocket, REST, pages and tests, and the one way to write to it.

An event is validated by the model of its type, cleared of known secrets, cut to size, and only then written. The row is
committed before anybody is told (I-20); the channel layer is a doorbell that carries no data, so losing a ring costs
time and nothing else. `seq` is gapless per session (I-21): it comes from the session's own row, whose lock is held
until the transaction ends, so a reader that asks for "after N" never meets a hole that fills up later.

Lock order is resource, then session: call `append` last in a transaction, after every other row is written.

Who writes what: `sessions_app.services` writes `session.*` and `turn.started` (when the prompt is taken, so a queued
turn is visible at once) and the `turn.finished` of a turn cancelled before it began; `sessions_app.receivers` writes
what provisioning announces; the agent writes `agent.*`, `version.created`, `notice` and every other `turn.finished`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated, Any, Literal
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import connection, transaction
from pydantic import BaseModel, ConfigDict, Field

from provisioning import services as provisioning
from sessions_app import tokens
from sessions_app.clipping import clip_data, weight
from sessions_app.models import Event, Session
from sessions_app.redaction import redact_data, spellings

log = logging.getLogger(__name__)

ProviderName = Literal["neon", "resend", "github", "posthog", "e2b"]
Number = Annotated[int, Field(ge=0)]
MAX_TEXT = 20_000  # characters of one string of an event; longer ones are cut with a note
MAX_INPUT = 4_000  # characters of one string of a tool's input
MAX_OUTPUT = 12_000  # characters of a tool's answer
MAX_SUMMARY = 160  # characters of the line that says what a tool does
MAX_NOTICE = 1_000
MAX_EVENT = 60_000  # characters of a whole event as JSON
_LIMITS = {"agent.tool": MAX_INPUT, "agent.result": MAX_OUTPUT, "notice": MAX_NOTICE}
_RING_SECONDS = 1.0


class _Data(BaseModel):
    """Payload of one event type. Unknown fields are a programming error."""

    model_config = ConfigDict(extra="forbid")


class _FromLog(_Data):
    """Payload of an event made from lines of the agent's own log; `uuids` are those lines' names."""

    uuids: list[str] | None = None


class Problem(BaseModel):
    """Why something failed, in words a person understands."""

    reason: str = Field(max_length=40)
    message: str
    retryable: bool = False
    next: str | None = None
    reference: str | None = None


class SessionOpened(_Data):
    """The session exists and its resources are planned."""


class SessionClosing(_Data):
    """The session takes no more prompts; what it owns is being destroyed."""


class SessionClosed(_Data):
    """Everything the session owned is proven gone."""


class ResourceChanged(_Data):
    """A resource of the session changed state."""

    provider: ProviderName
    kind: str
    name: str
    state: Literal["planned", "creating", "ready", "failed", "unknown", "deleting", "gone", "stuck"]
    elapsed_ms: Number | None = None
    starts_in_ms: Number | None = None  # while planned: when its place in the vendor's queue comes
    url: str | None = None
    error: Problem | None = None


class EnvWritten(_Data):
    """`/app/.env` now holds these names."""

    names: list[str]


class SandboxChanged(_Data):
    """The sandbox changed state."""

    state: Literal["booting", "running", "paused", "lost", "gone"]


class PreviewReady(_Data):
    """The dev server answers at this address."""

    url: str


class TurnStarted(_Data):
    """A prompt was taken. It may still wait for the backend."""

    turn: Number
    prompt: str


class AgentText(_FromLog):
    """Words of the agent, coalesced by their writer to at most ten events a second."""

    turn: Number
    text: str


class AgentTool(_FromLog):
    """The agent uses a tool."""

    turn: Number
    id: str
    name: str
    summary: str
    input: dict[str, Any] = Field(default_factory=dict)


class AgentResult(_FromLog):
    """What a tool answered."""

    turn: Number
    id: str
    ok: bool
    output: str


class VersionCreated(_Data):
    """A commit of the app exists."""

    number: Number
    sha: str
    message: str
    title: str = ""  # what the app calls itself, where it has a name


class TurnFinished(_FromLog):
    """A turn came to its end."""

    turn: Number
    state: Literal["done", "failed", "cancelled"]
    duration_ms: Number
    cost_usd: float
    summary: str


class Notice(_FromLog):
    """Something the visitor should know."""

    level: Literal["info", "warning", "error"]
    text: str


TYPES: dict[str, type[_Data]] = {
    "session.opened": SessionOpened,
    "resource.changed": ResourceChanged,
    "env.written": EnvWritten,
    "sandbox.changed": SandboxChanged,
    "preview.ready": PreviewReady,
    "turn.started": TurnStarted,
    "agent.text": AgentText,
    "agent.tool": AgentTool,
    "agent.result": AgentResult,
    "version.created": VersionCreated,
    "turn.finished": TurnFinished,
    "notice": Notice,
    "session.closing": SessionClosing,
    "session.closed": SessionClosed,
}


def group_of(slug: str) -> str:
    """Name of the session's doorbell group in the channel layer."""
    return f"session.{slug}"


def secrets_of(session: Session) -> list[str]:
    """Every secret value known of the session: its credentials and its two tokens."""
    return [*provisioning.secret_values(session), tokens.gateway_token(session), tokens.session_key(session)]


def append(session_id: UUID, event_type: str, data: dict[str, Any]) -> Event:
    """Write one event and ring the doorbell once the caller's transaction has committed.

    Raises:
        KeyError: the type is unknown.
        pydantic.ValidationError: the data does not fit the type.
        Session.DoesNotExist: there is no such session.
    """
    payload = TYPES[event_type](**data).model_dump(exclude_none=True)
    session = Session.objects.get(pk=session_id)
    # Redact first: a secret that a cut goes through would keep its first half.
    stored = _cut(event_type, redact_data(payload, spellings(secrets_of(session))))
    with transaction.atomic():
        seq = _next_seq(session_id)
        event = Event.objects.create(session_id=session_id, seq=seq, type=event_type, data=stored)
        transaction.on_commit(lambda: ring(session.slug), robust=True)
    return event


def after(session_id: UUID, seq: int, limit: int = 500) -> list[Event]:
    """At most `limit` events with a number above `seq`, in order."""
    return list(Event.objects.filter(session_id=session_id, seq__gt=seq).order_by("seq")[:limit])


def frame(event: Event) -> dict[str, Any]:
    """The event as it goes out, over WebSocket and REST alike."""
    return {"seq": event.seq, "type": event.type, "at": event.at.isoformat(), "data": event.data}


def ring(slug: str) -> None:
    """Tell every consumer of the session that the log has news. Never raises and never takes longer than a second."""
    try:
        async_to_sync(_ring)(slug)
    except Exception as error:  # noqa: BLE001 (a layer that is down costs latency only: consumers look by themselves)
        log.warning("events.doorbell_failed session=%s error=%s", slug, type(error).__name__)


async def _ring(slug: str) -> None:
    layer = get_channel_layer()
    if layer is not None:
        async with asyncio.timeout(_RING_SECONDS):
            await layer.group_send(group_of(slug), {"type": "bell"})


def _next_seq(session_id: UUID) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sessions_app_session SET last_seq = last_seq + 1 WHERE id = %s RETURNING last_seq", [session_id]
        )
        row = cursor.fetchone()
    if row is None:
        raise Session.DoesNotExist(session_id)
    return int(row[0])


def _cut(event_type: str, payload: object) -> dict[str, Any]:
    """Bound every string of a payload, and the payload as a whole."""
    if not isinstance(payload, dict):
        raise TypeError("an event's payload is a mapping")
    if len(summary := str(payload.get("summary", ""))) > MAX_SUMMARY and event_type == "agent.tool":
        payload = payload | {"summary": summary[: MAX_SUMMARY - 1] + "…"}
    stored = clip_data(payload, _LIMITS.get(event_type, MAX_TEXT))
    if not isinstance(stored, dict):
        raise TypeError("a mapping stays one")
    if (size := weight(stored)) > MAX_EVENT and "input" in stored:
        stored["input"] = {"…": f"{size} characters, too long to show"}
    return stored
