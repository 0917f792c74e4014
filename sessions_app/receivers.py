"""Turns what provisioning announces into events, in the transaction that changed the row.

Lock order holds by itself: the announcement comes from a transaction that already holds the resource's row. A fresh
sandbox is given the app's files.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.dispatch import receiver

from provisioning import signals
from sessions_app import events, jobs

ENV_UNWRITTEN = "The sandbox did not take the app's .env; it keeps the one it had. Your next prompt tries again."


@receiver(signals.resource_changed, dispatch_uid="sessions.resource_changed")
def _resource_changed(session_id: UUID, **change: Any) -> None:
    told = ("provider", "kind", "name", "state", "elapsed_ms", "starts_in_ms", "error")
    data = {name: change.get(name) for name in told}
    events.append(session_id, "resource.changed", data | {"url": change.get("url") or None})


@receiver(signals.env_written, dispatch_uid="sessions.env_written")
def _env_written(session_id: UUID, names: list[str], **_: Any) -> None:
    events.append(session_id, "env.written", {"names": list(names)})


@receiver(signals.env_unwritten, dispatch_uid="sessions.env_unwritten")
def _env_unwritten(session_id: UUID, **_: Any) -> None:
    events.append(session_id, "notice", {"level": "warning", "text": ENV_UNWRITTEN})


@receiver(signals.sandbox_changed, dispatch_uid="sessions.sandbox_changed")
def _sandbox_changed(session_id: UUID, state: str, **_: Any) -> None:
    events.append(session_id, "sandbox.changed", {"state": state})


@receiver(signals.preview_ready, dispatch_uid="sessions.preview_ready")
def _preview_ready(session_id: UUID, url: str, **_: Any) -> None:
    events.append(session_id, "preview.ready", {"url": url})


@receiver(signals.work_wanted, dispatch_uid="sessions.work_wanted")
def _work_wanted(session_id: UUID, **_: Any) -> None:
    jobs.converge_soon(session_id)


@receiver(signals.sandbox_fresh, dispatch_uid="sessions.sandbox_fresh")
async def _sandbox_fresh(session_id: UUID, **_: Any) -> None:
    from sessions_app.agent import workspace

    await workspace.refill(session_id)
