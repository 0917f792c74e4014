"""Who may act on a session over REST: the visitor whose cookie began it, or whoever holds its key.

A request with neither, with a wrong key, or for somebody else's slug gets the same 404 as one for a slug that does
not exist, so that asking tells a stranger nothing (I-23).
"""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.security.base import AuthBase
from ninja.utils import check_csrf

from sessions_app import services, tokens, visitors
from sessions_app.errors import NotFound
from sessions_app.models import Session

_SAFE = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True)
class Authority:
    """What a request shows: a key, a visitor, or nothing."""

    key: str | None = None
    visitor: visitors.Visitor | None = None

    def session(self, slug: str) -> Session:
        """The session of that slug, if this authority reaches it. Synchronous database code.

        Raises:
            NotFound: it does not exist, or not for this caller.
        """
        if self.key is not None:
            found = tokens.resolve_session_key(self.key)
            session = found if found and found.slug == slug else None
        else:
            session = services.session_for(self.visitor, slug)
        if session is None:
            raise NotFound("There is no such session.")
        return session


class KeyAuth(AuthBase):
    """`Authorization: Bearer mk0r_…`. Whether the key is good shows when the session is looked up."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    async def __call__(self, request: HttpRequest) -> Authority | None:
        """The authority of a key, or None without one."""
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        return Authority(key=key.strip()) if scheme.lower() == "bearer" else None


class CookieAuth(AuthBase):
    """The visitor cookie. A call that changes something needs the CSRF token with it."""

    openapi_type = "apiKey"
    openapi_in = "cookie"
    openapi_name = "mk0r_visitor"

    async def __call__(self, request: HttpRequest) -> Authority | None:
        """The authority of the cookie; an empty one, which reaches no session, without a valid cookie.

        Raises:
            HttpError: 403, the CSRF token is missing or wrong.
        """
        visitor = visitors.from_request(request)
        if visitor is not None and request.method not in _SAFE and check_csrf(request):
            raise HttpError(
                403, "The CSRF token is missing or wrong. Send the csrftoken cookie's value as X-CSRFToken."
            )
        return Authority(visitor=visitor)


AUTH = [KeyAuth(), CookieAuth()]


def authority_of(request: HttpRequest) -> Authority:
    """What `AUTH` found out about the request."""
    authority = getattr(request, "auth", None)
    return authority if isinstance(authority, Authority) else Authority()
