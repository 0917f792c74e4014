"""The one way to the value of a credential for staff: for a reason, and written down first.

Browser, shell and API come through here. What else the browser asks for, such as the password once more, is asked for
before it calls.
"""

from __future__ import annotations

from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from provisioning import clock
from provisioning.models import Credential
from provisioning.secrets import Lapsed as LeaseOver
from provisioning.secrets import Secret
from provisioning.secrets import Unreadable as DoesNotOpen
from staff import audit
from staff.actors import Actor
from staff.refusals import NotAllowed, NotFound, NotShown, Refused

POWER = "reveal"


class Unknown(NotFound):
    """There is no such credential."""


class Wiped(NotShown):
    """It was revoked, and its value is kept no more."""


class Lapsed(NotShown):
    """Its lease is over: nobody is given the value any more (I-14)."""


class Unreadable(NotShown):
    """What is stored does not open with the keys of this installation."""


def reveal(actor: Actor, credential_id: UUID | str, reason: str) -> Secret:
    """The value of a credential, once the audit log says who looked at it and why: the entry is committed by then.

    Where the value cannot be had nothing is written, for nothing was seen.

    Raises:
        NotAllowed: they may not see values.
        Refused: no reason is given.
        Unknown, Wiped, Lapsed, Unreadable: there is no value to show, and why.
    """
    if not actor.may(POWER):
        raise NotAllowed(f"{actor.name} may not see values: it takes the permission staff.{POWER}.")
    reason = audit.reason_of(reason)
    if not reason:
        raise Refused("Say why: the reason is kept in the audit log.")
    with transaction.atomic(durable=True):
        credential = _held(credential_id)
        audit.record(
            actor, POWER, str(credential), session=credential.resource.session.slug, reason=reason,
            credential=str(credential.pk),
        )  # fmt: skip
        return _opened(credential)


def refused(actor: Actor, credential_id: UUID, reason: str, cause: str) -> None:
    """Write down that a value was asked for and not given; for doors through which strangers to it may ask."""
    held = Credential.objects.select_related("resource__session").filter(pk=credential_id).first()
    audit.record(
        actor, "reveal_refused", str(held or "a credential that does not exist"),
        session=held.resource.session.slug if held else "", reason=reason, credential=str(credential_id),
        cause=cause,
    )  # fmt: skip


def name_of(credential_id: UUID | str) -> str:
    """What a credential that exists is called."""
    return str(Credential.objects.values_list("name", flat=True).get(pk=credential_id))


def _held(credential_id: UUID | str) -> Credential:
    """The row, locked, so that what is being revoked is not shown a moment later."""
    rows = Credential.objects.select_related("resource__session").select_for_update(of=("self",), no_key=True)
    try:
        return rows.get(pk=credential_id)
    except (Credential.DoesNotExist, ValidationError):  # the latter: no UUID
        raise Unknown("There is no such credential.") from None


def _opened(credential: Credential) -> Secret:
    if credential.revoked_at is not None:
        when = f"{credential.revoked_at:%Y-%m-%d %H:%M} UTC"
        raise Wiped(f"{credential.name} was revoked {when}; its value is kept no more.")
    try:
        return credential.reveal()
    except LeaseOver:
        over = f"{min(credential.expires_at, clock.now()):%Y-%m-%d %H:%M} UTC"
        raise Lapsed(f"The lease of {credential.name} ended {over}: its value is given to nobody any more.") from None
    except DoesNotOpen:
        raise Unreadable(
            f"{credential.name} does not open: it was altered, or its key is missing from MK0R_ENCRYPTION_KEYS."
        ) from None
