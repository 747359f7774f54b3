"""Where a message may go: to the open internet, and to hosts of one's own only where the file names them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

__all__ = ["Blocked", "checked_address", "is_private"]


class Blocked(Exception):
    """The host stands on this machine or network and is not listed."""


async def checked_address(host: str, port: int, listed: Iterable[str]) -> str:
    """The address to connect to.

    It was looked up once and is the one that is used: a name that changes its address between the look and
    the connection gains nothing.

    Raises
    ------
    Blocked
        One of its addresses is private and the host is not `listed`.
    OSError
        There is no such host.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    if host not in set(listed) and any(is_private(one) for one in addresses):
        raise Blocked
    return addresses[0]


def is_private(text: str) -> bool:
    """Whether an address is anything but one of the open internet."""
    address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None or address in _NAT64:
            return is_private(str(IPv4Address(int(address) & 0xFFFFFFFF)))
        if address not in _UNICAST or (address.sixtofour and is_private(str(address.sixtofour))):
            return True
    return not address.is_global or address.is_multicast


_NAT64: Final = IPv6Network("64:ff9b::/96")
"""Addresses that carry one of the old kind within."""
_UNICAST: Final = IPv6Network("2000::/3")
"""All that is given out for the open internet (IANA, IPv6 Global Unicast Address Assignments).

`is_global` alone takes what is not on a list of exceptions: site-local and IPv4-compatible addresses, too.
"""
