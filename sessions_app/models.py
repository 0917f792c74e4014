"""What a visitor's session is made of: the session itself, its event log, its turns and its versions."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.utils import timezone

from provisioning import clock


def _default_expiry() -> datetime:
    return clock.now() + timedelta(seconds=settings.MK0R_SESSION_TTL)  # leases are judged by the database's clock


class Session(models.Model):
    """One visitor's app and all it owns. The slug is public; authority is the visitor cookie or the session's key."""

    class State(models.TextChoices):
        OPEN = "open"
        CLOSING = "closing"
        CLOSED = "closed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.CharField(max_length=12, unique=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    visitor_hash = models.CharField(max_length=64, blank=True, db_index=True)  # SHA-256 of the cookie's secret
    network_hash = models.CharField(max_length=64, blank=True, default="", db_default="")  # keyed; where it was begun
    key_generation = models.PositiveIntegerField(default=1)  # raised to revoke the session's API key and gateway token
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 (unique where given)
    title = models.CharField(max_length=200, blank=True)
    last_seq = models.PositiveIntegerField(default=0)
    head = models.PositiveIntegerField(default=0)  # number of the version whose tree /app holds; 0: the starter
    agent_session_id = models.UUIDField(null=True, blank=True)  # Claude Code's own session, for --resume
    spent_usd = models.DecimalField(max_digits=12, decimal_places=6, default=0)
    created_at = models.DateTimeField(default=timezone.now)
    prompted_at = models.DateTimeField(null=True, blank=True)
    last_active_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(default=_default_expiry)
    kept_until = models.DateTimeField(null=True, blank=True)  # staff gave it time: not abandoned before then
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["visitor_hash", "idempotency_key"],
                condition=models.Q(idempotency_key__isnull=False),
                name="session_idempotency_key_once",
            ),
        ]
        indexes: ClassVar = [  # what staff's lists are read and searched by; so are the others below
            models.Index(fields=["created_at", "id"], name="session_newest"),
            models.Index(fields=["state", "created_at", "id"], name="session_state_newest"),
            models.Index(
                fields=["network_hash", "created_at"], condition=~models.Q(network_hash=""), name="session_network"
            ),
            GinIndex(SearchVector("title", config="simple"), name="session_title_words"),
        ]

    def __str__(self) -> str:
        return self.slug


class Event(models.Model):
    """One line of the session's append-only log. `seq` is gapless per session (I-20, I-21)."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="events")
    seq = models.PositiveIntegerField()
    type = models.CharField(max_length=40)
    data = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["session", "seq"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["session", "seq"], name="event_seq_once")]
        indexes: ClassVar = [models.Index(fields=["type", "id"], name="event_type_newest")]

    def __str__(self) -> str:
        return f"{self.seq} {self.type}"


class Turn(models.Model):
    """One prompt and what the agent did with it."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="turns")
    number = models.PositiveIntegerField()
    prompt = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    cancel_requested = models.BooleanField(default=False)
    pid = models.PositiveIntegerField(null=True, blank=True)  # the agent's process group in the sandbox
    sandbox_id = models.CharField(max_length=64, blank=True)  # the sandbox that process runs in
    base_tree = models.CharField(max_length=64, blank=True)  # git tree of the files when the agent began
    log_lines = models.PositiveIntegerField(default=0)  # complete lines of the agent's log already turned into events
    summary = models.TextField(blank=True)
    cost_usd = models.DecimalField(max_digits=12, decimal_places=6, default=0)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["session", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["session", "number"], name="turn_number_once"),
            models.UniqueConstraint(
                fields=["session"], condition=models.Q(state__in=["queued", "running"]), name="turn_one_at_a_time"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["state", "id"], name="turn_state_newest"),
            models.Index(fields=["created_at"], name="turn_created"),
        ]

    def __str__(self) -> str:
        return f"{self.session.slug} turn {self.number}"


class Version(models.Model):
    """One commit of the app: what a turn made, or a forward commit that restores an older tree."""

    class Kind(models.TextChoices):
        TURN = "turn"
        RESTORE = "restore"

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.TURN)
    sha = models.CharField(max_length=64)
    tree = models.CharField(max_length=64)
    message = models.CharField(max_length=200)
    turn = models.ForeignKey(Turn, on_delete=models.PROTECT, null=True, blank=True, related_name="versions")
    restores = models.PositiveIntegerField(null=True, blank=True)  # number of the version whose tree this one repeats
    pushed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["session", "number"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["session", "number"], name="version_number_once")]
        indexes: ClassVar = [models.Index(fields=["sha"], opclasses=["varchar_pattern_ops"], name="version_by_sha")]

    def __str__(self) -> str:
        return f"{self.session.slug} version {self.number}"
