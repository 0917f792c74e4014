"""Tokens of staff for the API: `mk0rs_` and 256 random bits, shown once, kept as a hash, found by it.

A token speaks for an account and can do at most what that account may at that moment; it is worth nothing once the
account is out of use, is no staff's any more, or is gone. To see values of credentials it has to be made for that.
Synchronous database code.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from provisioning import clock
from staff import audit, guessing
from staff.access_models import Token
from staff.actors import Actor
from staff.refusals import Refused, TooMany

PREFIX = "mk0rs_"
MOST_DAYS = 366
_SHAPE = re.compile(re.escape(PREFIX) + r"[0-9a-f]{64}\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}\Z")
_REVEAL = frozenset({"reveal"})
_FRESH = timedelta(minutes=1)  # the time of its last use is written at most so often


def make(by: Actor, user: User, name: str, *, days: float, may_reveal: bool = False) -> str:
    """Make a token for an account; the text that is returned is nowhere kept.

    Raises:
        Refused: the account is no staff's, the name or the time will not do, or the account has a live one so named.
    """
    if not (user.is_active and user.is_staff):
        raise Refused(f"{user.get_username()} is not a member of staff, or their account is out of use.")
    if not _NAME.match(name):
        raise Refused("A token's name is 1 to 40 letters, digits, dots, dashes and underscores.")
    if not 0 < days <= MOST_DAYS:
        raise Refused(f"A token lives for a number of days above 0 and up to {MOST_DAYS}.")
    text = PREFIX + secrets.token_hex(32)
    try:
        with transaction.atomic():
            made = Token.objects.create(
                user=user, name=name, digest=_digest(text), may_reveal=may_reveal,
                expires_at=clock.now() + timedelta(days=days),
            )  # fmt: skip
            until = made.expires_at.isoformat()
            audit.record(by, "token", str(made), expires_at=until, may_reveal=may_reveal)
    except IntegrityError:
        raise Refused(f"{user.get_username()} has a live token called {name}: revoke it first.") from None
    return text


def revoke(by: Actor, token: Token) -> bool:
    """Have it be worth nothing from here on; False when it was revoked before."""
    with transaction.atomic():
        if not Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
            return False
        audit.record(by, "token_revoked", str(token))
    return True


def resolve(text: str, address: str) -> Token | None:
    """The live token of that text, or None. The row is found by the text's hash, so nothing is compared bit by bit.

    An address from which many came that do not exist is not answered for a while, but for the tokens that were last
    used from there: a stranger behind the same proxy cannot lock staff out.

    Raises:
        TooMany: so it is now.
    """
    found = Token.objects.select_related("user").filter(digest=_digest(text)).first() if _SHAPE.match(text) else None
    alive = found is not None and _lives(found)
    if not (found and alive and found.last_used_from == address):
        if left := guessing.seconds_left(address):
            raise TooMany("Too many wrong tokens came from your address. Wait a little.", retry_after=left)
        if found is None:
            guessing.missed(address)
    if found is None or not alive:
        return None
    _note_use(found, address)
    return found


def actor_of(token: Token, address: str) -> Actor:
    """The member of staff a token speaks for, named with the token."""
    name = f"{token.user.get_username()[:100]} (token {token.name})"
    return Actor(name, address, token.user, withheld=frozenset() if token.may_reveal else _REVEAL)


def _lives(token: Token) -> bool:
    user = token.user
    return token.revoked_at is None and token.expires_at > clock.now() and user.is_active and user.is_staff


def _note_use(token: Token, address: str) -> None:
    now = timezone.now()
    if token.last_used_at and token.last_used_at > now - _FRESH and token.last_used_from == address:
        return
    Token.objects.filter(pk=token.pk).update(last_used_at=now, last_used_from=address)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
