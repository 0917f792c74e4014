"""Who is acting: a member of staff at a browser or with a token, or whoever has a shell on the machine."""

from __future__ import annotations

import getpass
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.http import HttpRequest

from sessions_app.addresses import client_address


@dataclass(frozen=True, slots=True)
class Actor:
    """One person for the length of one request or command. Without an account it is the shell's, which may everything:
    it holds the database's own key.
    """

    name: str
    where: str
    user: User | None = None
    withheld: frozenset[str] = frozenset()  # powers that their token does not carry, whatever the account may

    def may(self, power: str) -> bool:
        """Whether this person has that power."""
        return power not in self.withheld and self._has(f"staff.{power}")

    def sees(self, *permissions: str) -> bool:
        """Whether this person may look at what all these permissions are for."""
        return all(self._has(permission) for permission in permissions)

    def _has(self, permission: str) -> bool:
        return self.user is None or bool(self.user.is_active and self.user.has_perm(permission))


def of_request(request: HttpRequest, user: AbstractBaseUser | AnonymousUser | None = None) -> Actor:
    """The member of staff behind a request, or `user` where a token speaks for one.

    Raises:
        PermissionError: nobody is signed in. An actor without an account would be the shell.
    """
    found = user or request.user
    if not isinstance(found, User):
        raise PermissionError("nobody is signed in")
    return Actor(name=found.get_username(), where=client_address(request), user=found)


def of_shell() -> Actor:
    """Whoever runs this command."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        name = "unknown"
    return Actor(name=f"{name} (shell)", where="shell")
