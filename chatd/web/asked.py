"""`Asked`: a request, as the front sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from twisted.internet.interfaces import IAddress
from twisted.web.http_headers import Headers

__all__ = ["Asked"]

_ABSOLUTE = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE)
"""A target with a host, which takes the place of the Host field; RFC 9112, section 3.2.2."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request without a body.

    Attributes:
        method: The method, such as `GET`.
        target: The path and the query.
        version: The version of HTTP, such as `HTTP/1.1`.
        headers: The header fields.
        peer: The peer of the connection.
        host: The address to which the connection was made.
        is_tls: Whether the connection has TLS.
    """

    method: bytes
    target: bytes
    version: bytes
    headers: Headers
    peer: IAddress
    host: IAddress
    is_tls: bool

    @property
    def path(self) -> bytes:
        """The path, without the query."""
        absolute = _ABSOLUTE.fullmatch(self.target)
        target = self.target if absolute is None else absolute[2]
        path = target.partition(b"?")[0]
        return path or b"/" if absolute else path

    @property
    def hosts(self) -> list[str]:
        """The hosts that the request names: that of its target, or else its `Host` fields."""
        hosts = self.values("Host")
        absolute = _ABSOLUTE.fullmatch(self.target)
        return hosts if absolute is None or len(hosts) != 1 else [absolute[1].decode("latin-1")]

    def values(self, name: str) -> list[str]:
        """Return the values of the header fields with a name."""
        found = self.headers.getRawHeaders(name.encode(), [])
        return [value.decode("latin-1") for value in found]

    def fields(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the value of each header field."""
        for name, values in self.headers.getAllRawHeaders():
            for value in values:
                yield name.decode("latin-1"), value.decode("latin-1")
