"""`identify`: the address and user of a transport's peer, as far as the system knows them."""

from __future__ import annotations

import pwd
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import ISSLTransport, IUNIXTransport
from twisted.internet.unix import Server
from twisted.protocols.policies import ProtocolWrapper

from chatd.chat.addresses import plain_ip
from chatd.transport.streams import carrier_of, peer_of

__all__ = ["LOCAL", "Identity", "identify"]

LOCAL = "local"
"""The address of a peer without an IP address and without a user id."""

_IP = (IPv4Address, IPv6Address)
_UCRED = struct.Struct("iII")  # pid, uid, gid; unix(7)
_NO_UID = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Identity:
    """The peer of a transport.

    Attributes:
        address: The address for limits and bans: an IP address without a zone; `uid:` and a number
            for a process on this machine whose user the system knows; otherwise `local`.
        login: The login name of that user, if there is one.
        is_clear_tcp: Whether the bytes come over TCP without TLS, which others on the network can
            read. Behind a proxy, both connections count: to the proxy, and from it to chatd. True
            also behind a proxy that terminates TLS itself, because nothing tells chatd that it
            does.
    """

    address: str
    login: str | None
    is_clear_tcp: bool


def identify(transport: Any) -> Identity:  # noqa: ANN401
    """Return the identity of a transport's peer.

    Behind `haproxy:`, the peer is the client that the PROXY header names. It is known when the
    first bytes after the header arrive, not when the connection is made. The login name comes from
    the system's user database.

    Args:
        transport: Any transport of Twisted, or a wrapper of a transport.
    """
    peer = peer_of(transport)
    is_clear = not ISSLTransport.providedBy(transport)
    if isinstance(peer, _IP):
        # Twisted does not check the address in a PROXY header.
        return Identity(plain_ip(peer.host) or LOCAL, None, is_clear_tcp=is_clear)
    carrier = carrier_of(transport)
    if isinstance(peer_of(carrier), _IP):
        return Identity(LOCAL, None, is_clear_tcp=is_clear)
    # Behind haproxy:, the socket's peer is the proxy, not the client.
    uid = None if _is_told_later(transport) else _uid_of_peer(carrier)
    if uid is None:
        return Identity(LOCAL, None, is_clear_tcp=False)
    return Identity(f"uid:{uid}", _login_name(uid), is_clear_tcp=False)


def _is_told_later(transport: Any) -> bool:  # noqa: ANN401
    """Return whether the first bytes name the peer, as a PROXY header does."""
    return any(type(each).getPeer is not ProtocolWrapper.getPeer for each in _wrappers(transport))


def _wrappers(transport: Any) -> Iterator[ProtocolWrapper]:  # noqa: ANN401
    while isinstance(transport, ProtocolWrapper):
        yield transport
        transport = transport.transport


def _uid_of_peer(transport: Any) -> int | None:  # noqa: ANN401
    """Return the user id of the peer of a UNIX socket, or None if the system does not know it."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None or not IUNIXTransport.providedBy(transport):
        return None
    connection = cast(Server, transport)
    try:
        credentials = connection.getHandle().getsockopt(socket.SOL_SOCKET, option, _UCRED.size)
    except (OSError, AttributeError):  # the connection is closed, perhaps without a socket
        return None
    uid: int = _UCRED.unpack(credentials)[1]
    return None if uid == _NO_UID else uid


def _login_name(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None
