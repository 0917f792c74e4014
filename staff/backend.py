"""Who a name and a password belong to: Django's own accounts; a one-time password is used up by being right."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.http import HttpRequest

from staff import accounts

BY_ONE_TIME = "by_one_time_password"  # attribute of a user who came in by one


class StaffBackend(ModelBackend):
    """Django's, with one-time passwords that are good for one caller, once."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """The account, or None."""
        found = super().authenticate(request, username=username, password=password, **kwargs)
        mark = accounts.mark_of(found) if found is not None else None
        if found is None or mark is None:
            return found
        if mark.used_at is not None or not accounts.use_up(found):
            return None
        setattr(found, BY_ONE_TIME, True)
        return found
