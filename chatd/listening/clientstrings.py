"""`client_string`: the endpoint string with which a client reaches a listening port."""

from __future__ import annotations

import os

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.endpoints import quoteStringArgument

__all__ = ["client_string"]


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
        is_tls = description.removeprefix("haproxy:").startswith(("ssl:", "tls:"))
        host = "HOST" if is_tls else quoteStringArgument(address.host)
        return f"{'tls' if is_tls else 'tcp'}:{host}:{address.port}"
    if isinstance(address, UNIXAddress) and address.name and not address.name.startswith(b"\0"):
        path = os.fsdecode(address.name)
        return f"unix:{quoteStringArgument(path)}" if path.isprintable() else None
    return None
