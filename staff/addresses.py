"""Where a request came from, as far as the proxies in front of us can be believed."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Address of the client.

    Each of the `MK0R_PROXIES` proxies in front of this process appends the address it was called from to
    X-Forwarded-For, so the one that counts is that many from the right; what stands before it anybody can write. With
    no proxy, or when the header is shorter than it must be, it is the address of the connection.
    """
    direct = _printable(str(request.META.get("REMOTE_ADDR") or "unknown"))
    count = int(settings.MK0R_PROXIES)
    if count < 1:
        return direct
    hops = [hop.strip() for hop in str(request.META.get("HTTP_X_FORWARDED_FOR", "")).split(",") if hop.strip()]
    return _printable(hops[-count]) if len(hops) >= count else direct


def _printable(text: str) -> str:
    """What can be stored and shown of it."""
    return "".join(character for character in text if character.isprintable())[:64]
