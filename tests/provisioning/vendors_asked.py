"""What the tests of budgets, queues and pauses share."""

from __future__ import annotations

from typing import Any

from django.db import connection

from provisioning import services
from provisioning.providers.registry import step_for
from sessions_app.models import Session

REPOSITORY = step_for("github", "repository")
LONG = 100_000.0


def fault(vendor: str, operation: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"vendor": vendor, "operation": operation, "fault": kind, "probability": 1} | more


def with_own_connection(call: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return call(*args, **kwargs)
    finally:
        connection.close()


def chip(session: Session, provider: str) -> dict[str, Any]:
    return next(each for each in services.resources_state(session) if each["provider"] == provider)


async def provision(begin: Any) -> Session:
    """A session whose legs have come to rest."""
    session: Session = await begin()
    await services.converge(session.pk)
    return session
