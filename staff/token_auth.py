"""Who speaks over the staff endpoints: whoever shows a live token, and nobody by a cookie."""

from __future__ import annotations

from django.http import HttpRequest
from ninja.security.base import AuthBase

from sessions_app.addresses import client_address
from sessions_app.database import db
from staff import tokens
from staff.actors import Actor
from staff.refusals import NotAllowed


class StaffToken(AuthBase):
    """`Authorization: Bearer mk0rs_…`."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    async def __call__(self, request: HttpRequest) -> Actor | None:
        """The member of staff the token speaks for, or None: 401.

        Raises:
            TooMany: too many wrong ones came from that address.
        """
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        address = client_address(request)
        token = await db(tokens.resolve, text.strip(), address)
        return tokens.actor_of(token, address) if token else None


def actor_of(request: HttpRequest) -> Actor:
    """Who `StaffToken` found.

    Raises:
        NotAllowed: it found nobody. An actor without an account would be the shell.
    """
    actor = getattr(request, "auth", None)
    if not isinstance(actor, Actor) or actor.user is None:
        raise NotAllowed("This takes a token of a member of staff.")
    return actor
