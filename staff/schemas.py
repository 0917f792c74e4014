"""Shapes of the staff endpoints, for their documentation and for checking what comes in.

Answers may carry more than is named here.
"""

from __future__ import annotations

from typing import Any, Literal

from ninja import Schema
from pydantic import BaseModel, ConfigDict, Field

from sessions_app.schemas import ProviderName, TurnOut, VersionOut

SessionState = Literal["open", "closing", "closed"]


class _In(Schema):
    model_config = ConfigDict(extra="forbid")


class _Out(BaseModel):
    model_config = ConfigDict(extra="allow")


class OrderIn(_In):
    """Why something is ordered. Some powers need it, all keep it in the audit log."""

    reason: str = Field(default="", max_length=500)


class ExtendIn(OrderIn):
    """How much longer, counted from now."""

    hours: float = Field(gt=0)


class SweepIn(OrderIn):
    """Whether the sweep only looks."""

    dry: bool = Field(default=False, description="look and remember, but delete and repair nothing")


class RevealIn(_In):
    """Why a value is looked at."""

    reason: str = Field(min_length=1, max_length=500)


class LeakIn(_In):
    """A value that was found where it should not be."""

    value: str = Field(
        min_length=8, max_length=4000, description="the credential, or a connection string that holds it"
    )
    where: str = Field(default="", max_length=400, description="where it was found; kept in the audit log")


class SessionLineOut(_Out):
    """One session of the list."""

    slug: str
    state: SessionState
    title: str
    legs: dict[str, str] = Field(description="state of each provider")
    turns: int
    turn_running: bool
    spent_usd: float
    created_at: str
    expires_at: str
    last_active_at: str
    ended_at: str | None


class SessionPageOut(_Out):
    """Sessions, newest first."""

    sessions: list[SessionLineOut]
    next: str | None = Field(description="give it as `before` for the next page; null: that was all")


class ResourceRowOut(_Out):
    """One thing at one vendor, as the ledger has it."""

    id: int
    provider: ProviderName
    kind: str
    name: str
    state: str
    attempt: int
    external_id: str
    url: str
    error: dict[str, Any] | None


class CredentialOut(_Out):
    """A credential, masked."""

    id: str
    name: str
    provider: ProviderName
    kind: str
    value: str | None = Field(description="dots; null once it is wiped")
    lapsed: bool
    created_at: str
    expires_at: str
    revoked_at: str | None


class EntryOut(_Out):
    """One entry of the audit log."""

    id: int
    at: str
    who: str
    where: str
    action: str
    subject: str
    session: str | None
    reason: str
    detail: dict[str, Any]


class EntryPageOut(_Out):
    """Entries, newest first."""

    entries: list[EntryOut]
    next: int | None = Field(description="give it as `before` for the next page; null: that was all")


class SessionWholeOut(_Out):
    """Everything about one session."""

    slug: str
    state: SessionState
    title: str
    created_at: str
    expires_at: str
    ended_at: str | None
    last_active_at: str
    spent_usd: float
    sandbox: str | None
    preview_url: str | None
    resources: list[ResourceRowOut]
    credentials: list[CredentialOut]
    turns: list[TurnOut]
    versions: list[VersionOut]
    events: list[dict[str, Any]] = Field(description="the last ones, oldest first")
    audit: list[EntryOut] = Field(description="what staff did with it, the last entries, oldest first")


class ErrandOut(_Out):
    """One thing of an order, and what came of it."""

    number: int
    label: str
    state: Literal["waiting", "working", "done", "nothing", "failed"]
    words: str
    link: str | None
    settled_at: str | None


class OrderOut(_Out):
    """An order and how far it is. It has ended once `finished_at` is set."""

    id: str
    power: str
    by: str
    where: str
    reason: str
    options: dict[str, Any]
    begun_at: str
    finished_at: str | None
    tally: dict[str, int]
    errands: list[ErrandOut]


class VendorOut(_Out):
    """How a vendor treats us now."""

    provider: ProviderName
    vendor: str
    local: bool
    state: str = Field(description="ok, paused (it asked to be left alone), key refused, or stopped (by staff)")
    stopped: bool
    key_refused: bool
    paused_until: str | None
    resources: dict[str, int] = Field(description="how many are on their way or stuck, by state")


class VendorsOut(_Out):
    """Every vendor of a session."""

    vendors: list[VendorOut]


class ValueOut(_Out):
    """The value of a credential. Keep it nowhere."""

    name: str
    value: str
