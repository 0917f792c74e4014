"""Who is asking: an anonymous visitor, known again by a signed cookie that only this installation can make.

The cookie holds 256 random bits. The database keeps their SHA-256 alone, so a copy of it lets nobody in. Nothing is
stored for a visitor who begins nothing. Where the site is served over https the cookie carries the `__Host-` prefix,
which keeps other hosts of the same domain from setting it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponseBase, parse_cookie

_MAX_AGE = 90 * 24 * 3600
_SALT = "mk0r.visitor"


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser that shows a valid cookie. Its `hash` is what sessions are owned by."""

    hash: str


def _secure() -> bool:
    return str(settings.PUBLIC_URL).startswith("https://")


def cookie_name() -> str:
    """Name of the visitor cookie for the way this site is served."""
    return "__Host-mk0r_visitor" if _secure() else "mk0r_visitor"


def _visitor(secret: str) -> Visitor:
    return Visitor(hashlib.sha256(f"mk0r.visitor|{secret}".encode()).hexdigest())


def _read(value: str | None) -> Visitor | None:
    if not value or len(value) > 200:
        return None
    try:
        return _visitor(Signer(salt=_SALT).unsign(value))
    except BadSignature:
        return None


def from_request(request: HttpRequest) -> Visitor | None:
    """The visitor behind an HTTP request, or None when the cookie is missing, forged or of another installation."""
    return _read(request.COOKIES.get(cookie_name()))


def from_headers(headers: Iterable[tuple[bytes, bytes]]) -> Visitor | None:
    """The visitor behind the headers of an ASGI scope (HTTP or WebSocket), or None."""
    cookies = "; ".join(value.decode("latin-1") for name, value in headers if name == b"cookie")
    return _read(parse_cookie(cookies).get(cookie_name()))


def ensure(request: HttpRequest, response: HttpResponseBase) -> Visitor:
    """The visitor behind the request; a new one gets a cookie with `response`. Nothing is stored."""
    if (known := from_request(request)) is not None:
        return known
    secret = secrets.token_urlsafe(32)
    response.set_cookie(
        cookie_name(),
        Signer(salt=_SALT).sign(secret),
        max_age=_MAX_AGE,
        secure=_secure(),
        httponly=True,
        samesite="Lax",
    )
    return _visitor(secret)
