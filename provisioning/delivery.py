"""What a session gets to see of its backend: `.env` in the sandbox, and the preview once it answers."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from datetime import datetime
from uuid import UUID

import e2b
import httpx
from channels.db import database_sync_to_async
from django.conf import settings
from django.utils import timezone

from provisioning import envfile, leases, ledger
from provisioning.exceptions import ProvisioningError, Unquotable
from provisioning.models import Resource
from provisioning.providers.registry import allow_database, connect_sandbox, preview_answers, step_for
from provisioning.secrets import Secret, Unreadable
from provisioning.shielding import to_the_end
from provisioning.signals import env_unwritten, env_written, preview_ready, sandbox_fresh

log = logging.getLogger(__name__)
State = Resource.State

_TRIES = 3
_SANDBOX_TROUBLE = (ProvisioningError, e2b.SandboxException, httpx.HTTPError, TimeoutError, OSError, ValueError)


def entries_of(session_id: UUID) -> dict[str, Secret]:
    """What the ready legs bring, in the order of the file. A provider one of whose steps is missing brings nothing."""
    legs: dict[str, list[Resource]] = {}
    found = Resource.objects.filter(session_id=session_id).select_related("session").prefetch_related("credentials")
    for row in found.order_by("id"):
        legs.setdefault(row.provider, []).append(row)
    entries: dict[str, Secret] = {}
    for rows in legs.values():
        if all(row.state == State.READY for row in rows):
            entries |= _entries_of_leg(rows)
    return envfile.in_order(entries)


def _entries_of_leg(rows: list[Resource]) -> dict[str, Secret]:
    """The names of one provider, all or none: an expired or unreadable secret takes the others with it (I-14)."""
    entries: dict[str, Secret] = {}
    for row in rows:
        if any(one.lapsed for one in row.credentials.all()):
            return {}
        try:
            entries |= step_for(row.provider, row.kind).env(ledger.made_of(row))
            envfile.render(entries)
        except (Unreadable, KeyError, Unquotable) as error:
            log.error("env_left_out session=%s provider=%s cause=%s", row.session.slug, row.provider, error)
            return {}
    return entries


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _sandbox_row(session_id: UUID) -> Resource | None:
    return Resource.objects.select_related("session").filter(session_id=session_id, provider="e2b").first()


def env_is_due(session_id: UUID) -> bool:
    """Whether the sandbox holds another `.env` than the ready legs make."""
    row = _sandbox_row(session_id)
    if row is None or row.state != State.READY:
        return False
    return bool(row.meta.get("env") != _digest(envfile.render(entries_of(session_id))))


async def deliver_env(session_id: UUID) -> bool:
    """Write `.env` and announce it; False when the sandbox did not take it, which is announced as well.

    One writer at a time, in all processes. What the file held before stays whole until then. However often the same
    file is tried again, that it was not taken is announced once.
    """
    async with leases.hold(f"env/{session_id}"):
        for tries in range(1, _TRIES + 1):
            try:
                await _deliver_env(session_id)
            except _SANDBOX_TROUBLE as error:
                log.warning("env_not_written session=%s try=%s cause=%s", session_id, tries, type(error).__name__)
                await asyncio.sleep(0.3 * tries)
            else:
                return True
        await to_the_end(database_sync_to_async(_env_undelivered)(session_id))
    return False


async def _deliver_env(session_id: UUID) -> None:
    row, entries, database = await database_sync_to_async(_to_deliver)(session_id)
    text = envfile.render(entries)
    if row is None or row.meta.get("env") == _digest(text):
        return
    async with asyncio.timeout(30):
        sandbox = await connect_sandbox(row.external_id, _seconds_left(row.session.expires_at))
        if database and row.meta.get("egress") != database:
            await allow_database(sandbox, database)
        await envfile.deliver(sandbox, text)
    await to_the_end(database_sync_to_async(_env_delivered)(row, _digest(text), list(entries), database))


def _to_deliver(session_id: UUID) -> tuple[Resource | None, dict[str, Secret], str]:
    row = _sandbox_row(session_id)
    if row is None or row.state != State.READY:
        return None, {}, ""
    database = Resource.objects.filter(session_id=session_id, provider="neon", state=State.READY).first()
    return row, entries_of(session_id), database.meta["host"] if database else ""


def _env_undelivered(session_id: UUID) -> None:
    with ledger.changing(session_id, "e2b") as rows:
        missed = _digest(envfile.render(entries_of(session_id)))
        for row in rows.values():
            if row.state != State.READY or row.meta.get("missed") == missed:  # one that is gone misses nothing
                continue
            row.meta = {**row.meta, "missed": missed}
            row.save(update_fields=["meta"])
            env_unwritten.send(Resource, session_id=session_id)


def _env_delivered(row: Resource, digest: str, names: list[str], database: str) -> None:
    with ledger.changing(row.session_id, row.provider) as rows:
        current = rows.get(row.pk)
        if current is None or current.external_id != row.external_id or current.state != State.READY:
            return
        current.meta = {**current.meta, "env": digest, "egress": database}
        current.meta.pop("missed", None)
        if current.meta.get("paused"):  # to be written to, it was woken
            current.meta["paused"] = False
        current.save(update_fields=["meta"])
        env_written.send(Resource, session_id=row.session_id, names=names)


async def await_preview(session_id: UUID) -> None:
    """Let the files be laid down, ask the app's page until it answers, then announce it, once.

    Gives up after `MK0R_PREVIEW_PATIENCE`, or with the sandbox.
    """
    await sandbox_fresh.asend_robust(Resource, session_id=session_id)
    until = time.monotonic() + settings.MK0R_PREVIEW_PATIENCE
    pause = 0.1
    while time.monotonic() < until:
        row = await database_sync_to_async(_sandbox_row)(session_id)
        if row is None or row.state != State.READY or "answered" in row.meta:
            return
        for _ in range(5):
            if await preview_answers(row.meta):
                await to_the_end(database_sync_to_async(_preview_answered)(row))
                return
            await asyncio.sleep(pause)
            pause = min(pause * 1.2, 0.5)
    log.warning("preview_silent session=%s", session_id)


def _preview_answered(row: Resource) -> None:
    with ledger.changing(row.session_id, row.provider) as rows:
        current = rows.get(row.pk)
        if current is None or current.external_id != row.external_id or current.state != State.READY:
            return
        if "answered" in current.meta:
            return
        current.meta = {**current.meta, "answered": timezone.now().isoformat()}
        current.save(update_fields=["meta"])
        preview_ready.send(Resource, session_id=row.session_id, url=current.meta["preview"])


def _seconds_left(expires_at: datetime) -> float:
    return (expires_at - timezone.now()).total_seconds()
