"""What the session tests share: a backend whose legs settle when a test says so, visitors, and sockets.

Provisioning has tests of its own; here its facade is played by rows that change as the real ones do, signals included.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.core.signing import Signer
from django.db import transaction
from django.test import AsyncClient
from django.utils import timezone

from mk0r.asgi import application
from provisioning import services as provisioning
from provisioning import signals
from provisioning.models import Resource
from provisioning.secrets import Secret
from sessions_app import services, visitors
from sessions_app.models import Session, Turn, Version
from sessions_app.process import sessions
from sessions_app.visitors import Visitor

KINDS = {"posthog": "group", "github": "repository", "resend": "api_key", "e2b": "sandbox", "neon": "project"}
PASSWORD = 'pw-0123456789abcdef/+"x'


class Backend:
    """Legs that come up on `converge`, unless a test fails or holds them."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.gate: asyncio.Event | None = None
        self.converged = 0

    def change(self, resource: Resource, state: str, error: dict[str, Any] | None = None) -> None:
        with transaction.atomic():
            resource.state, resource.error, resource.external_id = state, error, resource.name
            if state == "gone":
                resource.deleted_at = resource.verified_at = timezone.now()
            resource.save()
            signals.resource_changed.send(
                Resource, session_id=resource.session_id, provider=resource.provider, kind=resource.kind,
                name=resource.name, state=state, elapsed_ms=12, url="", error=error,
            )  # fmt: skip

    def plan(self, session: Session) -> None:
        for provider, kind in KINDS.items():
            Resource.objects.create(session=session, provider=provider, kind=kind, name=f"mk0r-{session.slug}")

    async def converge(self, session_id: uuid.UUID) -> None:
        self.converged += 1
        if self.gate is not None:
            await self.gate.wait()
        await database_sync_to_async(self._step)(session_id)

    def _step(self, session_id: uuid.UUID) -> None:
        for resource in Resource.objects.filter(session_id=session_id, state__in=["planned", "deleting"]):
            if resource.state == "deleting":
                self.change(resource, "gone")
            elif resource.provider in self.failing:
                problem = {"reason": "unavailable", "message": "Resend does not answer.", "retryable": True}
                self.change(resource, "failed", problem)
            else:
                self.change(resource, "ready")

    def retry(self, session: Session, provider: str) -> bool:
        rows = list(session.resources.filter(provider=provider, state="failed"))
        for row in rows:
            self.change(row, "planned")
        return bool(rows)

    def request_teardown(self, session: Session) -> None:
        for row in session.resources.select_for_update().order_by("id"):
            self.change(row, "deleting")

    def env_entries(self, session: Session) -> dict[str, Secret]:
        ready = session.resources.filter(provider="neon", state="ready").exists()
        return {"NEON_ROLE_PASSWORD": Secret(PASSWORD)} if ready else {}

    def resources_state(self, session: Session) -> list[dict[str, Any]]:
        return [
            {"provider": r.provider, "kind": r.kind, "name": r.name, "state": r.state, "attempt": 1, "elapsed_ms": 12,
             "started_at": None, "settled_at": None, "starts_at": None, "starts_in_ms": None,
             "url": "", "local": True, "error": r.error}
            for r in session.resources.order_by("id")
        ]  # fmt: skip


@pytest.fixture(autouse=True)
def backend(monkeypatch: pytest.MonkeyPatch) -> Backend:
    """The played backend, in the place of provisioning's facade."""
    played = Backend()
    for name in ("plan", "converge", "retry", "request_teardown", "env_entries", "resources_state"):
        monkeypatch.setattr(provisioning, name, getattr(played, name))
    monkeypatch.setattr(provisioning, "env_text", lambda session: f'NEON_ROLE_PASSWORD="{PASSWORD}"\n')
    monkeypatch.setattr(provisioning, "secret_values", lambda session: [PASSWORD])
    monkeypatch.setattr(provisioning, "preview_url", lambda session: None)
    return played


class Browser:
    """One browser: a visitor cookie, REST calls and sockets with it."""

    def __init__(self) -> None:
        self.secret = uuid.uuid4().hex
        self.visitor: Visitor = visitors._visitor(self.secret)
        self.cookie = f"{visitors.cookie_name()}={Signer(salt='mk0r.visitor').sign(self.secret)}"

    def client(self, *, csrf: bool = False) -> AsyncClient:
        client = AsyncClient(enforce_csrf_checks=csrf)
        name, value = self.cookie.split("=", 1)
        client.cookies[name] = value
        return client

    @asynccontextmanager
    async def socket(self, query: str = "", **headers: str) -> AsyncIterator[Socket]:
        async with open_socket(query, cookie=self.cookie, **headers) as socket:
            yield socket


class Socket:
    """A connected WebSocket that speaks JSON."""

    def __init__(self, communicator: WebsocketCommunicator) -> None:
        self.raw = communicator

    async def say(self, kind: str, **fields: Any) -> None:
        await self.raw.send_to(text_data=json.dumps({"type": kind, **fields}))

    async def hear(self, timeout: float = 60) -> dict[str, Any]:
        heard: dict[str, Any] = json.loads(await self.raw.receive_from(timeout))
        return heard

    async def until(self, kind: str, check: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """The next frame of this type that passes the check; others are passed over."""
        for _ in range(300):
            frame = await self.hear()
            if frame["type"] == kind and check(frame):
                return frame
        raise AssertionError(f"no {kind} in 300 frames")

    async def log(self, last: int) -> list[dict[str, Any]]:
        """Every event heard up to and with number `last`."""
        heard = []
        while not heard or heard[-1]["seq"] < last:
            frame = await self.hear()
            if "at" in frame:
                heard.append(frame)
        return heard


@asynccontextmanager
async def open_socket(query: str = "", **headers: str) -> AsyncIterator[Socket]:
    """A socket as a browser on this very site, or a program, would open it."""
    sent = {"host": "localhost:8000"} | headers
    communicator = WebsocketCommunicator(
        application, f"/ws/session/{query}", [(name.encode(), value.encode()) for name, value in sent.items()]
    )
    accepted, _ = await communicator.connect(timeout=60)
    assert accepted, "the handshake was refused"
    try:
        yield Socket(communicator)
    finally:
        await communicator.disconnect(timeout=60)


@pytest.fixture
def ada() -> Browser:
    """The visitor whose sessions these are."""
    return Browser()


@pytest.fixture
def ben() -> Browser:
    """Somebody in another browser."""
    return Browser()


@pytest.fixture
def session(ada: Browser, transactional_db: None) -> Session:
    """A session of Ada's with nothing made yet."""
    return services.session_begin(ada.visitor)


@pytest.fixture(autouse=True)
async def _no_task_left() -> AsyncIterator[None]:
    yield
    await sessions.close()


@pytest.fixture
def finish() -> Callable[..., Turn]:
    """Ends the turn under way as the agent would, with a version when the tree changed."""

    def do(session: Session, state: str = "done", *, tree: str | None = None) -> Turn:
        turn = session.turns.get(state__in=["queued", "running"])
        turn.state, turn.finished_at = state, timezone.now()
        turn.save()
        if tree:
            add_version(session, tree, turn=turn)
        return turn

    return do


def add_version(session: Session, tree: str, *, turn: Turn | None = None, restores: int | None = None) -> Version:
    """The next version, made current, as the agent makes it."""
    number = session.versions.count() + 1
    kind = Version.Kind.TURN if restores is None else Version.Kind.RESTORE
    version = Version.objects.create(
        session=session, number=number, kind=kind, sha=f"{number:040x}", tree=tree, message=tree, turn=turn,
        restores=restores,
    )  # fmt: skip
    Session.objects.filter(pk=session.pk).update(head=number)
    return version


@pytest.fixture
def versions() -> Callable[..., Version]:
    """Adds versions to a session."""
    return add_version
