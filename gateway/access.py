"""Who knocks: the session behind a token, looked up without blocking the event loop."""

from __future__ import annotations

import base64
import binascii

from django.http import HttpRequest

from provisioning import clock
from sessions_app.database import in_database
from sessions_app.models import Session
from sessions_app.tokens import resolve_gateway_token, resolve_session_key

_MAX_TOKEN = 4096


def bearer(request: HttpRequest) -> str:
    """The token of `Authorization: Bearer`, or the empty string."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and len(token) <= _MAX_TOKEN else ""


def basic_password(request: HttpRequest) -> str:
    """The password of `Authorization: Basic`, or the empty string."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic" or len(encoded) > _MAX_TOKEN:
        return ""
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


@in_database
def session_of_token(token: str) -> Session | None:
    """The open session whose gateway token this is."""
    return resolve_gateway_token(token) if token and "\0" not in token else None


@in_database
def session_of_owner(token: str) -> Session | None:
    """The open session whose gateway token or API key this is: its sandbox, or its owner."""
    if not token or "\0" in token:
        return None
    session = resolve_gateway_token(token) or resolve_session_key(token)
    if session is None or session.state != Session.State.OPEN or session.expires_at <= clock.now():
        return None
    return session
