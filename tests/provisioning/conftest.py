"""What the provisioning tests share: sessions of Ada, a record of what was announced, and clients that get closed."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db import transaction

from provisioning import http, rates, services, signals
from provisioning.models import Resource
from sessions_app.models import Session
from sessions_app.slugs import slug_for


@pytest.fixture(autouse=True)
async def _clients() -> AsyncIterator[None]:
    """Close the vendors' clients with the test's loop."""
    yield
    await http.close_clients()


@dataclass
class Heard:
    """Every signal of provisioning, in the order it was sent."""

    all: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def states(self, session: Session, provider: str) -> list[str]:
        """The states a provider's chip went through."""
        return [
            told["state"]
            for name, told in self.all
            if name == "resource_changed" and told["session_id"] == session.pk and told["provider"] == provider
        ]

    def of(self, name: str, session: Session) -> list[dict[str, Any]]:
        """What was told under that name."""
        return [told for which, told in self.all if which == name and told["session_id"] == session.pk]


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Listen to provisioning."""
    record = Heard()
    receivers = []
    for name in ("resource_changed", "env_written", "env_unwritten", "sandbox_changed", "preview_ready"):

        def receive(sender: object, _which: str = name, **told: Any) -> None:
            assert not transaction.get_autocommit(), "announced outside the transaction that changed the row"
            record.all.append((_which, {key: value for key, value in told.items() if key != "signal"}))

        getattr(signals, name).connect(receive)
        receivers.append((getattr(signals, name), receive))
    yield record
    for signal, receive in receivers:
        signal.disconnect(receive)


def _begin(**fields: Any) -> Session:
    session_id = uuid.uuid4()
    with transaction.atomic():
        session = Session.objects.create(id=session_id, slug=slug_for(session_id), **fields)
        services.plan(session)
    return session


@pytest.fixture
def begin(transactional_db: None) -> Callable[..., Any]:
    """Begin a session of Ada's: its row and its plan."""
    return database_sync_to_async(_begin)


@pytest.fixture
def rows() -> Callable[[Session], Any]:
    """The session's rows by (provider, kind)."""

    def read(session: Session) -> dict[tuple[str, str], Resource]:
        return {(row.provider, row.kind): row for row in Resource.objects.filter(session_id=session.pk)}

    return database_sync_to_async(read)


@pytest.fixture
def without_sandbox(vendor_settings: object, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Leave the sandbox out: its key is not set, so its leg fails at once and costs no time."""
    settings.E2B_API_KEY = ""
    monkeypatch.delenv("E2B_API_KEY", raising=False)


@pytest.fixture
def budget(settings: Any) -> Callable[[str, str], None]:
    """Set one vendor's budget for this test."""

    def put(provider: str, text: str) -> None:
        settings.VENDOR_BUDGETS = {**settings.VENDOR_BUDGETS, provider: rates.parse(text)}

    return put
