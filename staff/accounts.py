"""How the first account of staff comes to be, and how a one-time password is used up. Synchronous database code."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from staff import onetime
from staff.access_models import OneTime

LIFE = timedelta(days=7)  # of a one-time password that nobody uses
FIRST = "admin"  # what the first account is called


def mark_of(user: User) -> OneTime | None:
    """The mark of an account whose password was handed out, until its owner has chosen one of their own."""
    return OneTime.objects.filter(user=user).first()


def use_up(user: User) -> bool:
    """Make the account's one-time password worth nothing; False when somebody else came in with it, or it is too old.

    Its owner has no password until they choose one.
    """
    now = timezone.now()
    with transaction.atomic():
        unused = OneTime.objects.select_for_update().filter(user=user, used_at=None).first()
        if unused is None:
            return False
        unused.used_at = now
        unused.save(update_fields=["used_at"])
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return unused.given_at > now - LIFE


def chosen(user: User) -> None:
    """The account has a password of its owner's."""
    OneTime.objects.filter(user=user).delete()


def first() -> tuple[User, str] | None:
    """Let somebody in where nobody can come in: the account and its one-time password.

    None where an active member of staff has a password of their own. An account made here before is used again.
    """
    staff = User.objects.filter(is_active=True, is_staff=True)
    if any(user.password and user.has_usable_password() for user in staff.filter(one_time=None)):
        return None
    user = staff.filter(is_superuser=True).order_by("pk").first() or _new_superuser()
    return user, onetime.give(user)


def _new_superuser() -> User:
    taken = set(User.objects.filter(username__startswith=FIRST).values_list("username", flat=True))
    names = (FIRST, *(f"{FIRST}-{number}" for number in range(2, len(taken) + 3)))
    return User.objects.create_superuser(next(name for name in names if name not in taken))
