"""`Origins`: the pages whose browsers may talk to the server, and the names of the server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from chatd.chat.addresses import plain_ip
from chatd.errors import ConfigurationError

__all__ = ["Origins", "host_name"]

# A host name, an IPv4 address or an IPv6 address in brackets, and perhaps a port; RFC 9110, 7.2.
_HOST = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
_ORIGIN = re.compile(r"(https?)://(.+)", re.IGNORECASE)
_LOCAL = "localhost"


def host_name(host: str) -> str | None:
    """Return the name or address in a `Host` field, in lower case without brackets and port.

    Args:
        host: The field's value.

    Returns:
        The name, or None if the value is not a host.
    """
    match = _HOST.fullmatch(host)
    return None if match is None else match[1].strip("[]").lower()


class Origins:
    """Decides which pages may open a WebSocket.

    A browser names the origin of the page in each handshake. The server's own page has the origin
    that the `Host` field names. The scheme is not compared: a proxy may have ended TLS.

    Args:
        allowed: More origins, such as `https://chat.example.org`.

    Raises:
        ConfigurationError: One of them is not an origin.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = frozenset(map(_checked, allowed))
        self._hosts = frozenset(
            name for each in self._allowed if (name := host_name(each.partition("://")[2]))
        )

    def admits(self, origins: Sequence[str], host: str) -> bool:
        """Return whether a page may open a WebSocket.

        Args:
            origins: The values of the request's `Origin` fields. Programs that are no browsers send
                none.
            host: The value of its `Host` field.
        """
        if not origins:
            return True
        if len(origins) > 1:
            return False
        origin = origins[0].lower()
        match = _ORIGIN.fullmatch(origin)
        return origin in self._allowed or (match is not None and match[2] == host.lower())

    def is_own_name(self, name: str) -> bool:
        """Return whether a name can be that of a server on loopback.

        Another name has been pointed at loopback by its owner, whose page would pass for the
        server's own.

        Args:
            name: The name in a `Host` field, from `host_name`.
        """
        return name == _LOCAL or plain_ip(name) is not None or name in self._hosts


def _checked(origin: str) -> str:
    match = _ORIGIN.fullmatch(origin)
    if match is None or host_name(match[2]) is None:
        raise ConfigurationError(
            f"--web-origin {origin!r}: it takes an origin such as https://chat.example.org, "
            "without a path"
        )
    return origin.lower()
