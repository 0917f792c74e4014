"""One-time passwords: random, printed once where they are made, kept as a hash like any other.

What the mark means at the door is decided there.
"""

from __future__ import annotations

import secrets

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from staff.access_models import OneTime

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # read aloud or off a screen: no l, i, o, 0, 1
_GROUPS, _GROUP = 5, 5  # 25 characters of 31, near 124 bits


def give(user: User) -> str:
    """Give the account a new random password and mark it as one to be used once. The old password is worth nothing
    from here on, and who was signed in with it is signed out.
    """
    password = "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        OneTime.objects.update_or_create(user=user, defaults={"given_at": timezone.now(), "used_at": None})
    return password
