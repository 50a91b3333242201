"""The addresses with which clients and browsers reach a listening port."""

from __future__ import annotations

import os

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.endpoints import quoteStringArgument

__all__ = ["client_string", "page_address"]

_TLS = ("ssl:", "tls:")
_EVERYWHERE = ("0.0.0.0", "::")


def client_string(description: str, address: object) -> str | None:
    """Return the string that `chatd connect` takes for a port, with the port's real number.

    Behind `haproxy:`, it is the address to which the proxy connects. With TLS, `HOST` stands for a
    name in the certificate.

    Args:
        description: The server endpoint string of the port.
        address: The address to which the port is bound.

    Returns:
        The string in one line; None for an address that has none.
    """
    if isinstance(address, (IPv4Address, IPv6Address)):
        is_tls = _is_tls(description)
        host = "HOST" if is_tls else quoteStringArgument(address.host)
        return f"{'tls' if is_tls else 'tcp'}:{host}:{address.port}"
    if isinstance(address, UNIXAddress) and address.name and not address.name.startswith(b"\0"):
        path = os.fsdecode(address.name)
        return f"unix:{quoteStringArgument(path)}" if path.isprintable() else None
    return None


def page_address(description: str, address: object) -> str | None:
    """Return the address of the page on a port, with the port's real number.

    With TLS, or on all addresses of the machine, `HOST` stands for a name of the machine.

    Args:
        description: The server endpoint string of the port.
        address: The address to which the port is bound.

    Returns:
        The address; None for a UNIX socket, which browsers do not reach.
    """
    if not isinstance(address, (IPv4Address, IPv6Address)):
        return None
    is_tls = _is_tls(description)
    host = f"[{address.host}]" if ":" in address.host else address.host
    if is_tls or address.host in _EVERYWHERE:
        host = "HOST"
    return f"{'https' if is_tls else 'http'}://{host}:{address.port}/"


def _is_tls(description: str) -> bool:
    return description.removeprefix("haproxy:").startswith(_TLS)
