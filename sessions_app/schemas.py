"""Shapes of the REST API, for its documentation and for checking what comes in.

Answers may carry more than is named here.
"""

from __future__ import annotations

from typing import Any, Literal

from ninja import Schema
from pydantic import BaseModel, ConfigDict, Field

ProviderName = Literal["neon", "resend", "github", "posthog", "e2b"]


class PromptIn(Schema):
    """A prompt for the agent."""

    model_config = ConfigDict(extra="forbid", strict=True)

    prompt: str = Field(description="What to build or change, at most 20 000 characters")


class _Out(BaseModel):
    model_config = ConfigDict(extra="allow")


class ErrorOut(_Out):
    """Every refusal looks like this; some codes carry more (`limit` and `until` with `limit`)."""

    code: str
    message: str


class ResourceOut(_Out):
    """One of the five services of a session."""

    provider: ProviderName
    kind: str
    name: str
    state: str = Field(description="planned, creating, ready, failed, unknown, deleting, gone or stuck")
    elapsed_ms: int | None
    starts_in_ms: int | None = Field(default=None, description="while it waits for its place in the vendor's queue")
    starts_at: str | None = None
    error: dict[str, Any] | None


class TurnOut(_Out):
    """One prompt and what came of it."""

    number: int
    prompt: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    started_at: str | None
    finished_at: str | None
    duration_ms: int | None
    cost_usd: float
    summary: str


class VersionOut(_Out):
    """One commit of the app."""

    number: int
    sha: str
    message: str
    turn: int | None
    kind: Literal["turn", "restore"]
    restores: int | None
    at: str
    current: bool


class VersionsOut(_Out):
    """All versions, and whether undo and redo have somewhere to go."""

    versions: list[VersionOut]
    can_undo: bool
    can_redo: bool


class SessionOut(_Out):
    """A session as it is now: the same object the WebSocket's snapshot carries."""

    slug: str
    state: Literal["open", "closing", "closed"]
    title: str
    created_at: str
    expires_at: str
    last_seq: int
    resources: list[ResourceOut]
    errors: list[dict[str, Any]]
    sandbox: dict[str, str] | None
    preview_url: str | None
    env: list[str] = Field(description="names in the .env file, never values")
    turns: list[TurnOut]
    versions: list[VersionOut]
    can_undo: bool
    can_redo: bool
    limits: dict[str, Any]


class SessionBegunOut(SessionOut):
    """A new session with its key."""

    key: str = Field(description="authority over this session: send it as `Authorization: Bearer`")


class EventOut(_Out):
    """One line of the session's log."""

    seq: int
    type: str
    at: str
    data: dict[str, Any]


class TurnAcceptedOut(_Out):
    """The prompt was taken."""

    turn: int


class AcceptedOut(_Out):
    """It will be done; the log tells when."""

    state: str = "accepted"


class RestoreAcceptedOut(_Out):
    """The tree of this version is being restored as a new commit."""

    restores: int


class CloneOut(_Out):
    """How the owner clones and pushes the repository. `command` holds the password."""

    url: str
    user: str
    password: str
    command: str


class ReceiptLineOut(_Out):
    """One resource, and what proves that it is gone."""

    provider: ProviderName
    kind: str
    name: str
    state: str
    created_at: str
    deleted_at: str | None
    verified_at: str | None
    forgotten_at: str | None = Field(description="when staff gave up proving that it is gone")
    forgotten_reason: str | None
    next_try_at: str | None = Field(description="when its deletion is tried again")
    error: dict[str, Any] | None = Field(description="why its deletion is not proved yet")


class ReceiptOut(_Out):
    """What the session owned and what became of it."""

    slug: str
    state: Literal["closing", "closed"]
    ended_at: str | None
    resources: list[ReceiptLineOut]
