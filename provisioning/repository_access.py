"""What opens a session's repository to git: mk0r's own token, or, where mk0r is an App, one for this repository alone.

The latter is minted when it is first needed, by one of all processes, kept encrypted beside the repository's row, given
out until shortly before its end, replaced when GitHub takes it no more, and revoked when the repository's time is over.
A token whose reply was lost cannot be found again; it ends by itself within the hour.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from django.conf import settings

from provisioning import admission, clock, leases, ledger, minted, standing
from provisioning.exceptions import NotAdmitted, VendorError
from provisioning.models import Provider, RepositoryToken, Resource
from provisioning.outcome import Outcome, Verb
from provisioning.providers.registry import (
    RepositoryAccess,
    github_is_app,
    mint_repository_token,
    revoke_repository_token,
    step_for,
)
from provisioning.secrets import Secret, Unreadable
from provisioning.work import write

log = logging.getLogger(__name__)
State = Resource.State


async def credential(row: Resource) -> Secret:
    """What git shows GitHub for this repository.

    Raises:
        NotAdmitted: GitHub is not to be asked for a token now.
        VendorError: GitHub gives none.
    """
    if not github_is_app():
        return Secret(settings.GITHUB_TOKEN)
    if held := await write(_fresh, row):
        return held
    async with leases.hold(f"repository-token/{row.pk}"):
        if held := await write(_fresh, row):
            return held
        return await _mint(row)


def refused(row: Resource, token: Secret) -> bool:
    """GitHub takes this token no more: it is not given out again. False where there is no other to be had."""
    if not github_is_app():
        return False
    for kept in RepositoryToken.objects.filter(resource=row):
        if _value(kept) in {None, token}:
            kept.fresh_until = clock.now()
            kept.save(update_fields=["fresh_until"])
    return True


async def end(row: Resource) -> None:
    """Revoke every token of a repository whose time is over.

    Raises:
        VendorError: GitHub does not confirm it.
    """
    if row.provider != Provider.GITHUB:
        return
    for kept in await write(_all, row):
        token = _value(kept)
        if token is not None:
            await revoke_repository_token(token)
        await write(kept.delete)


async def end_quietly(row: Resource) -> None:
    """Revoke what can be revoked now; what is not, ends by itself within the hour."""
    try:
        await end(row)
    except VendorError as error:
        log.warning("token_unrevoked session=%s %s", row.session.slug, error)


def secrets_of(session_id: UUID) -> list[str]:
    """Tokens of the session's repository that may still open it, and what is wider than it. Synchronous."""
    if not github_is_app():
        return []
    living = RepositoryToken.objects.filter(resource__session_id=session_id, expires_at__gt=clock.now())
    return [*minted.wide(), *(value.expose() for kept in living if (value := _value(kept)))]


async def _mint(row: Resource) -> Secret:
    step = step_for(row.provider, row.kind)
    vendor = await write(standing.of, row.provider)
    if vendor.deletes_paused_for > 0:
        raise NotAdmitted("queue", retry_in=vendor.deletes_paused_for)
    if vendor.refusing and not vendor.probe_due:
        raise NotAdmitted("refused")
    try:
        made = await mint_repository_token(row.external_id)
    except VendorError as error:
        await write(admission.heard, step, vendor, error)
        raise
    if vendor.troubled:
        await write(admission.heard, step, vendor, None)
    if not await write(_keep, row, made):
        await revoke_repository_token(made.value)  # the session ended meanwhile
        raise VendorError("create_installation_token", Outcome.REJECTED, verb=Verb.READ, detail="not wanted any more")
    return made.value


def _fresh(row: Resource) -> Secret | None:
    held = RepositoryToken.objects.filter(resource=row, fresh_until__gt=clock.now()).order_by("-fresh_until").first()
    return _value(held) if held else None


def _keep(row: Resource, made: RepositoryAccess) -> bool:
    """Write the token down, unless the repository's time is over; those whose hour is over go."""
    now = clock.now()
    with ledger.fenced(row, None, frozenset({State.READY})) as current:
        if current is None or current.external_id != row.external_id:
            return False
        RepositoryToken.objects.filter(expires_at__lte=now).delete()
        fresh, good = timedelta(seconds=made.fresh), timedelta(seconds=made.seconds)
        kept = RepositoryToken(resource=current, fresh_until=now + fresh, expires_at=now + good)
        kept.seal(made.value)
        kept.save(force_insert=True)
    return True


def _all(row: Resource) -> list[RepositoryToken]:
    return list(RepositoryToken.objects.filter(resource=row))


def _value(kept: RepositoryToken) -> Secret | None:
    try:
        return kept.reveal()
    except Unreadable:
        log.error("token_unreadable resource=%s", kept.resource_id)
        return None
