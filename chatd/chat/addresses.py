"""Addresses: the form in which limits and bans compare the addresses of clients."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address

__all__ = ["plain_address", "plain_ip", "site_of"]

_SITE_BITS = 64  # RFC 6177: a site gets at least a /64, so it has more than one address
_LOOPBACK = "127.0.0.0/8"  # RFC 1122, section 3.2.1.3; it stands for ::1 too
_UID = re.compile(r"uid:0*(\d{1,10})", re.ASCII)


_CACHED = 1024
"""How many addresses are kept: each login parses the client's address several times."""


@lru_cache(maxsize=_CACHED)
def plain_ip(host: str) -> str | None:
    """Return an IP address without its zone; an IPv4-mapped IPv6 address as an IPv4 address.

    Returns:
        The address, or None if the text is not an IP address.
    """
    try:
        ip = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ip)


def plain_address(address: str) -> str | None:
    """Return an address that a person wrote, in the form that members have.

    Args:
        address: An IP address, or `uid:` and the number of a user of the server's machine.

    Returns:
        The address, or None if the text is not an address.
    """
    uid = _UID.fullmatch(address)
    return plain_ip(address) if uid is None else f"uid:{uid[1]}"


@lru_cache(maxsize=_CACHED)
def site_of(address: str) -> str:
    """Return the site that limits count: an IPv6 address's /64 prefix, or else the address itself.

    All loopback addresses are one site, because any user of the machine may take any of them.

    Args:
        address: As members have it; an IPv4-mapped IPv6 address counts as its IPv4 address.
    """
    if ":" not in address or address.startswith("uid:"):
        return _LOOPBACK if address.startswith("127.") else address
    try:
        ip = IPv6Address(address)
    except ValueError:
        return address
    if ip.ipv4_mapped is not None:
        return site_of(str(ip.ipv4_mapped))
    return _LOOPBACK if ip.is_loopback else str(IPv6Network((int(ip), _SITE_BITS), strict=False))
