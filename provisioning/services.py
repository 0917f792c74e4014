"""What the rest of mk0r asks of provisioning. Functions are synchronous database code unless they are marked async."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote
from uuid import UUID

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from provisioning import chips, clock, delivery, envfile, lapses, ledger, repository_access, standing, words, work
from provisioning.converge import PATIENCE, converge
from provisioning.exceptions import NotConfigured, SandboxLost, VendorError
from provisioning.models import Credential, Resource
from provisioning.outcome import Outcome, Verb
from provisioning.providers.base import Made
from provisioning.providers.registry import (
    PROVIDERS,
    STEPS,
    connect_sandbox,
    pause_sandbox,
    prolong_sandbox,
    step_for,
)
from provisioning.secrets import Secret, Unreadable
from provisioning.shielding import to_the_end

if TYPE_CHECKING:
    import e2b

__all__ = [
    "PATIENCE",
    "SandboxLost",
    "converge",
    "env_entries",
    "env_text",
    "leases_extend",
    "nothing_comes_soon",
    "plan",
    "preview_url",
    "renew",
    "request_teardown",
    "resources_lock",
    "resources_state",
    "retry",
    "revoke",
    "sandbox",
    "sandbox_note",
    "sandbox_noted",
    "sandbox_pause",
    "sandbox_prolong",
    "secret_values",
]

State = Resource.State
_SHORTEST_SECRET = 8  # characters; anything shorter would be redacted out of ordinary words
_PATIENCE = 330.0  # seconds a caller is made to wait for a sandbox that is still being made
_CONNECTS = 3
_MOOT = {"sandbox_lost", "lost", "revoked"}  # what the row knew of the thing is of no use any more: look for it by name
_RENEWALS, _RENEWALS_WITHIN = 5, timedelta(minutes=10)


class Owner(Protocol):
    """A session, as far as provisioning cares: it depends on nothing of the app that keeps sessions."""

    @property
    def pk(self) -> UUID: ...

    @property
    def slug(self) -> str: ...


def plan(session: Owner) -> None:
    """Write the intent row of every resource; PostHog's is ready at once. Runs in the caller's transaction."""
    now = clock.now()
    name = f"mk0r-{session.slug}"
    rows: dict[str, list[Resource]] = {provider: [] for provider in PROVIDERS}
    for step in STEPS:
        row = Resource(session_id=session.pk, provider=step.provider, kind=step.kind, name=name, created_at=now)
        if not step.remote:
            row.started_at = row.settled_at = now
            try:
                step.check()
            except NotConfigured as error:
                row.state, row.error = State.FAILED, words.explain(error, step, tries=0, seconds=0.0)
            else:
                row.state, row.attempt, row.external_id = State.READY, 1, name
        rows[step.provider].append(row)
    with transaction.atomic():
        Resource.objects.bulk_create([row for its in rows.values() for row in its])
        for its in rows.values():
            ledger.announce(its)


def retry(session: Owner, provider: str) -> bool:
    """Put the failed resources of `provider` back to planned; False when there are none. Then call `converge`."""
    changed = False
    with ledger.changing(session.pk, provider) as rows:
        for row in rows.values():
            if row.state != State.FAILED:
                continue
            moot = (row.error or {}).get("reason") in _MOOT
            ledger.replan_failed(row, {} if moot else None)
            changed = True
    if changed:
        standing.invite_probe(provider)
    return changed


def renew(session: Owner) -> bool:
    """Put a sandbox that was found lost back to planned, so that it is made anew. Then call `converge`.

    False when there is none, or when five were lost within ten minutes.
    """
    return ledger.renew(session.pk, "e2b", most=_RENEWALS, within=_RENEWALS_WITHIN)


def revoke(session: Owner, provider: str) -> bool:
    """End the leases of a provider's credentials now; False when it has none. Then call `converge`, which revokes them
    at the vendor. Nobody can read them from here on.
    """
    return lapses.lapse(session.pk, provider)


def leases_extend(session_id: UUID, until: datetime, *, before: datetime) -> None:
    """Let the session's leases end at `until` where they would end sooner; part of the caller's transaction.

    Those that run, and those that ended with the session itself, which had until `before`. Call it once the session
    itself lives that long, with its resources locked from before that.
    """
    going_on = Q(expires_at__gt=clock.now()) | Q(expires_at__gte=before)
    held = Credential.objects.filter(going_on, resource__session_id=session_id, revoked_at=None)
    held.filter(expires_at__lt=until).update(expires_at=until)


def resources_lock(session_id: UUID) -> None:
    """Lock all that a session owns until the caller's transaction ends; before its own row, as everybody does."""
    list(Resource.objects.select_for_update().filter(session_id=session_id).order_by("id"))


def request_teardown(session: Owner) -> None:
    """Mark everything the session owns as deleting. Then call `converge`, which destroys and verifies.

    Call it before the session's own row is locked: the order of locks is resource, then session.
    """
    with transaction.atomic():
        resources_lock(session.pk)
        for provider in PROVIDERS:
            with ledger.changing(session.pk, provider) as rows:
                for row in rows.values():
                    if row.state in chips.WINDING_DOWN:
                        continue
                    row.state, row.error, row.next_at = State.DELETING, None, None
                    row.save(update_fields=["state", "error", "next_at"])


def env_entries(session: Owner) -> dict[str, Secret]:
    """Names and values of `.env`, of ready legs only, in the order they are written."""
    return delivery.entries_of(session.pk)


def env_text(session: Owner) -> str:
    """The `.env` file as it is written into the sandbox."""
    return envfile.render(env_entries(session))


def secret_values(session: Owner) -> list[str]:
    """Every known secret value that must not leave the session's `.env`, longest first, for redaction.

    Values of eight characters or more: the session's own, in the spellings they travel in, and the vendors' keys.
    """
    values = {settings.NEON_API_KEY, settings.RESEND_API_KEY, settings.GITHUB_TOKEN, settings.E2B_API_KEY}
    values |= {settings.ANTHROPIC_API_KEY, settings.GITHUB_APP_PRIVATE_KEY, *repository_access.secrets_of(session.pk)}
    for credential in Credential.objects.filter(resource__session_id=session.pk, revoked_at=None):
        try:
            value = credential.reveal_to_redact().expose()
        except Unreadable:
            continue
        values |= {value, quote(value, safe="")}
    return sorted((value for value in values if len(value) >= _SHORTEST_SECRET), key=len, reverse=True)


def resources_state(session: Owner) -> list[dict[str, Any]]:
    """State of each provider, in the order every list shows them."""
    rows: dict[str, list[Resource]] = {provider: [] for provider in PROVIDERS}
    for row in Resource.objects.filter(session_id=session.pk).order_by("id"):
        rows[row.provider].append(row)
    return [chips.fold(its) for its in rows.values() if its]


def nothing_comes_soon(session: Owner) -> bool:
    """Whether all that is missing are legs whose place in their vendor's queue comes after their deadline.

    The sandbox is worth any wait, and `.env` has to hold what there is.
    """
    rows: dict[str, list[Resource]] = {provider: [] for provider in PROVIDERS}
    for row in Resource.objects.filter(session_id=session.pk).order_by("id"):
        rows[row.provider].append(row)
    waits = {provider: ledger.queued_for(its) for provider, its in rows.items()}
    far = {provider for provider, wait in waits.items() if wait > work.deadline_of(provider)}
    others = any(ledger.needs_work(its) or waits[provider] > 0 for provider, its in rows.items() if provider not in far)
    return bool(far) and "e2b" not in far and not others and not delivery.env_is_due(session.pk)


def preview_url(session: Owner) -> str | None:
    """Address of the preview once it has answered, else None."""
    row = Resource.objects.filter(session_id=session.pk, provider="e2b", state=State.READY).first()
    return str(row.meta["preview"]) if row is not None and "answered" in row.meta else None


async def sandbox(session_id: UUID) -> e2b.AsyncSandbox:
    """The session's sandbox, connected, resumed when it was paused, its time extended.

    Waits while the sandbox is still being made.

    Raises:
        SandboxLost: it no longer exists, or could not be made.
        VendorError: E2B does not answer as it should.
    """
    row = await _settled_sandbox(session_id)
    for tries in range(1, _CONNECTS + 1):
        try:
            left = (row.session.expires_at - timezone.now()).total_seconds()
            connected = await connect_sandbox(row.external_id, left)
        except SandboxLost:
            await _lose(row)
            raise
        except VendorError as error:
            if tries == _CONNECTS or error.outcome in {Outcome.CONFIG, Outcome.REJECTED}:
                raise
            await asyncio.sleep(work.backoff(tries))
        else:
            if row.meta.get("paused"):
                await to_the_end(database_sync_to_async(_mark_paused)(row, paused=False))
            return connected
    raise AssertionError("unreachable: the last try returns or raises")


def sandbox_note(session_id: UUID, sandbox_id: str, note: dict[str, Any]) -> None:
    """Keep what the caller wants to be reminded of about this sandbox, in place of what was kept before.

    It goes with the sandbox; does nothing when the session has another one by now, or none.
    """
    with ledger.changing(session_id, "e2b") as rows:
        for row in rows.values():
            if row.state == State.READY and row.external_id == sandbox_id and row.meta.get("note", {}) != note:
                row.meta = {**row.meta, "note": note}
                row.save(update_fields=["meta"])


def sandbox_noted(session_id: UUID, sandbox_id: str | None = None) -> dict[str, Any]:
    """What was last noted about the session's sandbox, empty without a note and when it is another than that one."""
    row = _sandbox_row(session_id)
    return dict(row.meta.get("note", {})) if row is not None and sandbox_id in {None, row.external_id} else {}


async def sandbox_pause(session_id: UUID, note: dict[str, Any] | None = None) -> bool:
    """Put a running sandbox to sleep, files and processes included; False when there is none to put to sleep.

    `note` is kept as by `sandbox_note`, once it sleeps.
    """
    row = await database_sync_to_async(_sandbox_row)(session_id)
    if row is None or row.state != State.READY:
        return False
    if not await pause_sandbox(row.external_id):
        await _lose(row)
        return False
    await to_the_end(database_sync_to_async(_mark_paused)(row, paused=True, note=note))
    return True


async def sandbox_prolong(session_id: UUID) -> bool:
    """Have a running sandbox's vendor keep it for what the session has left, as far as its plan goes.

    False when none runs: one that sleeps gets its time when it wakes.
    """
    row = await database_sync_to_async(_sandbox_row)(session_id)
    if row is None or row.state != State.READY or row.meta.get("paused"):
        return False
    return await prolong_sandbox(row.external_id, (row.session.expires_at - timezone.now()).total_seconds())


async def _settled_sandbox(session_id: UUID) -> Resource:
    until = timezone.now() + timedelta(seconds=_PATIENCE)
    while True:
        row: Resource | None = await database_sync_to_async(_sandbox_row)(session_id)
        if row is not None and row.state == State.READY:
            return row
        if row is None or row.state not in ledger.IN_FLIGHT | {State.PLANNED} or timezone.now() > until:
            raise SandboxLost("There is no sandbox for this session.")
        await asyncio.sleep(0.3)


def _sandbox_row(session_id: UUID) -> Resource | None:
    return Resource.objects.select_related("session").filter(session_id=session_id, provider="e2b").first()


async def _lose(row: Resource) -> None:
    """Write down that the sandbox is gone, once a second read says the same: another will be made in its place.

    Raises:
        VendorError: E2B says now that it is there, or does not say.
    """
    step = step_for(row.provider, row.kind)
    if await step.exists(Made(row.external_id)):
        raise VendorError("connect_sandbox", Outcome.AMBIGUOUS, verb=Verb.READ, status=404, detail="there after all")
    await to_the_end(database_sync_to_async(_mark_lost)(row))


def _mark_lost(row: Resource) -> None:
    told = words.lost(step_for(row.provider, row.kind))
    ledger.fail(row, told, states=frozenset({State.READY}))


def _mark_paused(row: Resource, *, paused: bool, note: dict[str, Any] | None = None) -> None:
    with ledger.changing(row.session_id, row.provider) as rows:
        current = rows.get(row.pk)
        if current is None or current.state != State.READY or current.external_id != row.external_id:
            return
        current.meta = {**current.meta, "paused": paused} | ({"note": note} if note is not None else {})
        current.save(update_fields=["meta"])
