"""Which addresses a webhook may call: this machine, and hosts that `MK0R_WEBHOOK_HOSTS` names. No other ever."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

LONGEST = 2000


class EndpointError(ValueError):
    """A URL that no webhook may have; the message says why."""


def check(url: str, allowed: Collection[str]) -> None:
    """Raise `EndpointError` unless *url* leads to this machine or to a host in *allowed*."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        _ = parts.port
    except ValueError as error:
        raise EndpointError("The `endpoint` field must be a valid URL.") from error
    if parts.scheme not in ("http", "https") or not host or len(url) > LONGEST or any(ord(it) <= 32 for it in url):
        raise EndpointError("The `endpoint` field must be a valid URL.")
    if parts.username is not None or parts.password is not None:
        raise EndpointError("The `endpoint` field must not hold a user name or a password.")
    if not (on_this_machine(host) or host in allowed):
        raise EndpointError(
            f"localcloud calls webhooks on this machine only. Name {host} in MK0R_WEBHOOK_HOSTS to let it call that."
        )


def on_this_machine(host: str) -> bool:
    """Whether a host name or address means the loopback interface, whatever a name server says."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Resolver(AbstractResolver):
    """Finds every name below `localhost` on this machine without asking; other names as the machine does."""

    def __init__(self) -> None:
        self._others = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if not on_this_machine(host):
            return await self._others.resolve(host, port, family)
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=socket.AI_NUMERICHOST
            )
        ]

    async def close(self) -> None:
        await self._others.close()
