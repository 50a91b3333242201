"""`Proxies`: the proxies in front of the server, and the clients that they name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from chatd.chat.addresses import plain_ip
from chatd.errors import ConfigurationError
from chatd.transport.streams import NoAddress

__all__ = ["ON_UNIX", "Client", "Proxies"]

ON_UNIX = "unix"
"""The word for all proxies that connect to a UNIX socket."""
_SECURE = "https"
# An IPv4 address with a port, or an IPv6 address in brackets, perhaps with a port.
_WITH_PORT = re.compile(r"(?:([0-9.]+)|\[([0-9A-Fa-f:.]+)\])(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Client:
    """The client of a request.

    Attributes:
        address: Its address; `NoAddress` if nobody knows it.
        is_tls: Whether a proxy said that the client uses TLS.
        is_private: Whether, moreover, nobody can listen between the proxy and this machine.
    """

    address: IAddress
    is_tls: bool = False
    is_private: bool = False


class Proxies:
    """Believes what some proxies say about their clients, and nobody else.

    Args:
        addresses: The proxies: IP addresses, networks such as `10.0.0.0/8`, or `unix` for whoever
            connects to a UNIX socket.

    Raises:
        ConfigurationError: One of them is none of these.
    """

    def __init__(self, addresses: Iterable[str] = ()) -> None:
        words = list(addresses)
        self._on_unix = ON_UNIX in words
        self._networks = [_network(word) for word in words if word != ON_UNIX]

    def is_proxy(self, peer: object) -> bool:
        """Return whether the peer of a connection is one of the proxies."""
        if isinstance(peer, UNIXAddress):
            return self._on_unix
        return isinstance(peer, (IPv4Address, IPv6Address)) and self._has(plain_ip(peer.host))

    def client(self, peer: IAddress, forwarded: Sequence[str], schemes: Sequence[str]) -> Client:
        """Return the client of a request.

        Each proxy appends the address that it got the request from. So the rightmost address that
        is no proxy of ours is the client; others could have written everything to the left of it.

        Args:
            peer: The peer of the connection.
            forwarded: The values of the request's `X-Forwarded-For` fields.
            schemes: The values of its `X-Forwarded-Proto` fields.
        """
        if not self.is_proxy(peer):
            return Client(NoAddress() if isinstance(peer, UNIXAddress) else peer)
        found = None
        for word in reversed(",".join(forwarded).split(",")):
            address = _told_ip(word.strip())
            if address is None:
                break
            found = address
            if not self._has(address):
                break
        is_tls = [each.strip().lower() for each in schemes] == [_SECURE]
        return Client(_address(found, peer), is_tls, is_tls and _is_near(peer))

    def _has(self, address: str | None) -> bool:
        if address is None:
            return False
        ip = ip_address(address)
        return any(ip in network for network in self._networks)


def _told_ip(word: str) -> str | None:
    """Return the address that a proxy told; some proxies add its port."""
    match = _WITH_PORT.fullmatch(word)
    return plain_ip(word if match is None else match[1] or match[2])


def _network(word: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(word)
    except ValueError as error:
        raise ConfigurationError(
            f"--web-proxy {word!r}: it takes an IP address, a network such as 10.0.0.0/8, or "
            f"{ON_UNIX} for proxies on a UNIX socket"
        ) from error


def _is_near(peer: IAddress) -> bool:
    """Return whether a proxy is on this machine, so that nobody listens in between."""
    if isinstance(peer, UNIXAddress):
        return True
    host = plain_ip(getattr(peer, "host", ""))
    return host is not None and ip_address(host).is_loopback


def _address(found: str | None, peer: IAddress) -> IAddress:
    if found is None:
        return NoAddress() if isinstance(peer, UNIXAddress) else peer
    kind = IPv6Address if ":" in found else IPv4Address
    return kind("TCP", found, 0)
