"""Where a request came from, as far as the proxies in front of us can be believed, and what counts as one place."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest

_OF_IPV6 = 64  # bits of an address that one household or machine has in common


def client_address(request: HttpRequest) -> str:
    """Address of the client.

    Each of the `MK0R_PROXIES` proxies in front of this process appends the address it was called from to
    X-Forwarded-For, so the one that counts is that many from the right; what stands before it anybody can write. With
    no proxy, or when the header is shorter than it must be, it is the address of the connection.
    """
    return _believed(str(request.META.get("REMOTE_ADDR") or ""), str(request.META.get("HTTP_X_FORWARDED_FOR", "")))


def socket_address(scope: Mapping[str, Any]) -> str:
    """The same for the ASGI scope of a WebSocket."""
    told = ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for")
    direct, _ = scope.get("client") or ("", 0)
    return _believed(str(direct), told)


def network_of(address: str, of_ipv4: int = 24) -> str:
    """The network that stands for an address where strangers are counted, of so many bits of an IPv4 address and 64 of
    an IPv6 one. Empty for what is no address.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return str(ipaddress.ip_network((found, _OF_IPV6), strict=False))
        found = found.ipv4_mapped
    return str(ipaddress.ip_network((found, of_ipv4), strict=False))


def _believed(direct: str, forwarded: str) -> str:
    count = int(settings.MK0R_PROXIES)
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    return _printable(hops[-count] if 0 < count <= len(hops) else direct) or "unknown"


def _printable(text: str) -> str:
    """What can be stored and shown of it."""
    return "".join(character for character in text if character.isprintable())[:64]
