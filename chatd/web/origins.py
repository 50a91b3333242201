"""`Origins`: the pages whose browsers may talk to the server, and the names of the server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv6Address
from typing import NamedTuple

import idna

from chatd.chat.addresses import plain_ip
from chatd.errors import ConfigurationError

__all__ = ["Host", "Origin", "Origins", "read_host", "read_origin"]

# A name or an IPv4 address, or an IPv6 address in brackets; and perhaps a port, which may be empty;
# RFC 3986, section 3.2.
_HOST = re.compile(r"(?:([A-Za-z0-9._-]{1,253})|\[([0-9A-Fa-f:.]{2,45})\])(?::([0-9]{0,5}))?")
_ORIGIN = re.compile(r"(https?)://(.*)", re.IGNORECASE | re.DOTALL)
_USUAL_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65_535
_LOCAL = "localhost"
# The URL standard takes a name whose last label is a number for an IPv4 address; section 3.5.
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?")
_FAULTS = {
    "/": "it has a path",
    "?": "it has a query",
    "#": "it has a fragment",
    "@": "it has a user",
    "*": "it has a wildcard, and each origin takes an option of its own",
}
"""The faults that a character in place of a host and a port tells of."""
_DIGITS = re.compile(r"[0-9]{1,5}")
_LABELS = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")


class Host(NamedTuple):
    """A host and its port.

    Attributes:
        name: The name in lower case, or the address; an IPv6 address has no brackets.
        port: The port; None for the usual port of the scheme.
    """

    name: str
    port: int | None


class Origin(NamedTuple):
    """The origin of a page; RFC 6454, section 4.

    Attributes:
        scheme: `http` or `https`.
        name: See `Host`.
        port: The port.
    """

    scheme: str
    name: str
    port: int


def read_host(value: str) -> Host | None:
    """Read the value of a `Host` field; return None if it is not a host."""
    match = _HOST.fullmatch(value)
    if match is None:
        return None
    name, address, digits = match.groups()
    port = int(digits) if digits else None
    if port is not None and port > _MAX_PORT:
        return None
    if address is None:
        return Host(name.lower(), port)
    try:
        return Host(str(IPv6Address(address)), port)
    except ValueError:
        return None


def read_origin(value: str) -> Origin | None:
    """Read an origin; return None if it is not that of a page which was loaded over HTTP."""
    match = _ORIGIN.fullmatch(value)
    host = None if match is None else read_host(match[2])
    if match is None or host is None:
        return None
    scheme = match[1].lower()
    return Origin(scheme, host.name, _USUAL_PORTS[scheme] if host.port is None else host.port)


class Origins:
    """Decides which pages may open a WebSocket.

    A browser names the origin of the page in each handshake. The server's own page has the host
    and the port that the `Host` field names. Its scheme is that of the request, which may be
    unknown: a proxy that ends TLS need not tell.

    Args:
        allowed: More origins, such as `https://chat.example.org`.

    Raises:
        ConfigurationError: One of them is not an origin.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = frozenset(map(_given, allowed))
        self._names = frozenset(origin.name for origin in self._allowed)

    def admits(self, origins: Sequence[str], host: Host, *, is_tls: bool = False) -> bool:
        """Return whether a page may open a WebSocket.

        Args:
            origins: The values of the request's `Origin` fields. Programs that are no browsers send
                none.
            host: What its `Host` field names.
            is_tls: Whether the browser is known to use TLS. Then a page that came without TLS is
                foreign: anyone on the way could have written it.
        """
        if not origins:
            return True
        origin = read_origin(origins[0]) if len(origins) == 1 else None
        if origin is None:
            return False
        if origin in self._allowed:
            return True
        if is_tls and origin.scheme != "https":
            return False
        port = _USUAL_PORTS[origin.scheme] if host.port is None else host.port
        return (origin.name, origin.port) == (host.name, port)

    def is_own_name(self, name: str) -> bool:
        """Return whether a name can be that of a server on loopback.

        Nobody owns `localhost` and the names below it; RFC 6761, section 6.3. Another name has been
        pointed at loopback by its owner, whose page would pass for the server's own.

        Args:
            name: The name of a `Host`.
        """
        local = name.removesuffix(".")
        if local == _LOCAL or local.endswith(f".{_LOCAL}"):
            return True
        return plain_ip(name) is not None or name in self._names


def _given(value: str) -> Origin:
    """Return the origin that an operator gave.

    As in the URL standard, the scheme and the host may have capitals, a host that is not ASCII
    becomes what browsers send, and a slash at the end changes nothing.
    """
    match = _ORIGIN.fullmatch(value)
    try:
        if match is None:
            raise ValueError("it does not begin with https:// or http://")
        return _checked(match[1], _as_ascii(match[2].removesuffix("/")))
    except ValueError as error:
        raise ConfigurationError(
            f"--web-origin {value!r}: {error}; it takes an origin such as https://chat.example.org"
        ) from error


def _checked(scheme: str, authority: str) -> Origin:
    """Return the origin with a scheme and an authority in ASCII.

    Raises:
        ValueError: There is none; with the reason.
    """
    for mark, fault in _FAULTS.items():
        if mark in authority:
            raise ValueError(fault)
    has_port = "]:" in authority or authority.count(":") == 1
    name, _, port = authority.rpartition(":") if has_port else (authority, "", "")
    if not name:
        raise ValueError("it has no host")
    if has_port and not port:
        raise ValueError("it has a colon and no port")
    if has_port and not (_DIGITS.fullmatch(port) and 0 < int(port) <= _MAX_PORT):
        raise ValueError(f"{port!r} is not a port")
    origin = read_origin(f"{scheme}://{authority}")
    if origin is None or not _is_host(origin.name):
        raise ValueError(f"{authority!r} is not a host")
    return origin


def _is_host(name: str) -> bool:
    """Return whether a name can be that of a host which browsers connect to."""
    if _NUMBER.fullmatch(name):
        return plain_ip(name) is not None
    return ":" in name or _LABELS.fullmatch(name) is not None


def _as_ascii(authority: str) -> str:
    """Return a host and its port as browsers send them: a name in IDNA's ASCII form.

    Raises:
        ValueError: The host has no such form; with the reason.
    """
    if authority.isascii():
        return authority
    name, colon, port = authority.partition(":")
    try:
        return idna.encode(name, uts46=True).decode() + colon + port
    except UnicodeError as error:
        raise ValueError(f"{name!r} is not a host; try its form with xn--") from error
