"""The internet as a sandbox may have it: names resolved and dialled out here, and never an address close to us.

A name on a sandbox's list is only a name: whoever rules its zone could point it at this machine or at the network
around it. So every dial resolves anew, keeps the public addresses alone, and connects to one of those, not to the
name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable

from localcloud.e2b.isolation.pump import Stream

RESOLVE_WITHIN = 5.0  # seconds
CONNECT_WITHIN = 15.0
ADDRESS_WITHIN = 5.0
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Lookup = Callable[[str], Awaitable[list[str]]]
Dial = Callable[[str, int], Awaitable[Stream]]


class UnknownNameError(OSError):
    """There is no such name."""


class PrivateAddressError(OSError):
    """The name leads to this machine or its network only."""


class Outside:
    """`lookup` gives a name's addresses, raising `UnknownNameError` or OSError; `dial` connects to an address."""

    def __init__(self, lookup: Lookup | None = None, dial: Dial | None = None) -> None:
        self._lookup = lookup or _lookup
        self._dial = dial or _dial

    async def addresses(self, host: str) -> list[str]:
        """The public addresses of `host`. Raises `UnknownNameError`, `PrivateAddressError`, OSError, TimeoutError."""
        async with asyncio.timeout(RESOLVE_WITHIN):
            found = await self._lookup(host)
        public = [address for address in found if is_public(address)]
        if not public:
            where = ", ".join(found[:4]) or "nowhere"
            raise PrivateAddressError(f"{host} leads to {where}, which no sandbox may reach")
        return public

    async def connect(self, host: str, port: int) -> Stream:
        """A stream to `host`. Raises OSError or TimeoutError."""
        async with asyncio.timeout(CONNECT_WITHIN):
            problem: Exception = OSError("no address")
            for address in (await self.addresses(host))[:4]:
                try:
                    async with asyncio.timeout(ADDRESS_WITHIN):
                        return await self._dial(address, port)
                except (OSError, TimeoutError) as error:
                    problem = error
            raise problem


def is_public(text: str) -> bool:
    """Whether an address belongs to the internet at large, and to nobody on this machine."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and not _embedded_is_public(address):
        return False
    return address.is_global and not address.is_multicast and not _is_ours(str(address))


def _embedded_is_public(address: ipaddress.IPv6Address) -> bool:
    """For an IPv6 address that carries an IPv4 one, whether that one is public."""
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
    if inner is None and address in _NAT64:
        inner = ipaddress.IPv4Address(address.packed[-4:])
    return inner is None or is_public(str(inner))


def _is_ours(address: str) -> bool:
    """Whether this machine itself has the address: then it would speak to itself from that very address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))  # sends nothing
            return bool(probe.getsockname()[0] == address)
    except OSError:
        return False


async def _lookup(host: str) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise
        raise UnknownNameError(f"there is no {host}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def _dial(address: str, port: int) -> Stream:
    return await asyncio.open_connection(address, port)
