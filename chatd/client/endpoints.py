"""Where a client connects to: strings and endpoints, checked before anything is connected."""

from __future__ import annotations

import ipaddress
import os
import re
import stat
from typing import Any, cast

from OpenSSL import SSL
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import (
    SSL4ClientEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
    clientFromString,
    quoteStringArgument,
)
from twisted.internet.error import TimeoutError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.errors import ConfigurationError
from chatd.transport.endpoints import MAX_PORT, MAX_SOCKET_PATH, bad_endpoint

__all__ = ["client_endpoint"]

_EXAMPLE = "tcp:localhost:9999 or unix:/tmp/chat.sock"
_IPV6 = re.compile(r"(tcp|ssl|tls):([\[\]\\0-9a-f:.]+(?:%\w+)?[\]\\]*):(\d+)", re.IGNORECASE)
_HAS_HOST = (TCP4ClientEndpoint, TCP6ClientEndpoint, SSL4ClientEndpoint)
_FAULTS = (
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    NotImplementedError,
    SSL.Error,
)
"""What no network raises: such an attempt to connect fails in the same way each time."""


@implementer(IStreamClientEndpoint)
class _Destination:
    """Connects to an endpoint; an attempt that cannot succeed fails with a `ConfigurationError`.

    Args:
        endpoint: What connects.
        name: What errors call it.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, name: str) -> None:
        self._endpoint = endpoint
        self._name = name

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect.

        Returns:
            A Deferred that fires with the protocol, and fails as the endpoint's own does.
        """
        connecting: Deferred[IProtocol] = maybeDeferred(self._endpoint.connect, protocolFactory)
        return connecting.addErrback(self._failed)

    def _failed(self, failure: Failure) -> Failure:
        error = failure.value
        if isinstance(error, _FAULTS):
            what = " ".join(str(error).split())
            told = f"cannot connect to {self._name}: {type(error).__name__}: {what}"
            raise ConfigurationError(told) from error
        timeout_s = getattr(_innermost(self._endpoint), "_timeout", None)
        if type(error) is TimeoutError and timeout_s is not None:
            raise TimeoutError(string=f"it did not answer within {timeout_s:g} s") from error
        return failure


def client_endpoint(
    reactor: Any,  # noqa: ANN401
    endpoint: str | IStreamClientEndpoint,
) -> IStreamClientEndpoint:
    """Return an endpoint that a client can connect to, and that tells what is wrong with it.

    Args:
        reactor: The reactor, for an endpoint string.
        endpoint: An endpoint, or a string such as `tcp:localhost:9999` or `unix:/run/chat.sock`.

    Raises:
        ConfigurationError: It is no endpoint, or one that nobody could ever connect to: a host
            name, a path or a port is impossible, or something else than a socket is at the path.
    """
    if isinstance(endpoint, _Destination):
        return endpoint
    name = endpoint if isinstance(endpoint, str) else type(endpoint).__name__
    try:
        there: Any = clientFromString(reactor, endpoint) if isinstance(endpoint, str) else endpoint
        if not callable(getattr(there, "connect", None)):
            raise ValueError("it does not connect to anything")
        _check(_innermost(there))
    except Exception as error:  # the parsers are plugins, and raise what they like
        hint = _how_to_write_ipv6(name)
        raise bad_endpoint(name, ValueError(hint) if hint else error, _EXAMPLE) from error
    return cast(IStreamClientEndpoint, _Destination(there, name))


def _innermost(endpoint: Any) -> Any:  # noqa: ANN401
    """Return what connects within endpoints that wrap another, as those for TLS do."""
    while (wrapped := getattr(endpoint, "_wrappedEndpoint", None)) is not None:
        endpoint = wrapped
    return endpoint


def _check(endpoint: Any) -> None:  # noqa: ANN401
    """Find what Twisted would stumble over only once it connects, and mostly tell nobody.

    Endpoints have no public way to ask for their path, host, port or time: a Twisted that calls
    these attributes something else only loses this check.

    Raises:
        ValueError: Nobody could ever connect to it.
    """
    path, host, port, timeout_s = (
        getattr(endpoint, name, None) for name in ("_path", "_host", "_port", "_timeout")
    )
    if isinstance(endpoint, UNIXClientEndpoint) and path is not None:
        _check_path(os.fsencode(path))
    elif isinstance(endpoint, _HAS_HOST) and host is not None:
        _check_host(host)
    if isinstance(port, int) and not 1 <= port <= MAX_PORT:
        raise ValueError(f"{port} is no port to connect to")
    if isinstance(timeout_s, (int, float)) and timeout_s < 0:
        raise ValueError("its timeout is negative")


def _check_path(path: bytes) -> None:
    if not path:
        raise ValueError("its path is empty")
    if len(path) > MAX_SOCKET_PATH:
        raise ValueError(
            f"its path has {len(path)} bytes, and that of a UNIX socket {MAX_SOCKET_PATH} at most"
        )
    if path.startswith(b"\0"):  # a name in Linux's abstract namespace, and no file
        return
    if b"\0" in path:
        raise ValueError("there is a NUL in its path")
    try:
        mode = os.stat(path).st_mode
    except OSError:  # it may be there later
        return
    if not stat.S_ISSOCK(mode):
        what = "a directory" if stat.S_ISDIR(mode) else "no socket"
        raise ValueError(f"{os.fsdecode(path)} is {what}")


def _check_host(host: str | bytes) -> None:
    name = host.decode("ascii", "backslashreplace") if isinstance(host, bytes) else host
    if not name:
        raise ValueError("its host is empty")
    if isIPAddress(name) or isIPv6Address(name):
        return
    if ":" in name or "[" in name:
        raise ValueError(f"{name} is no host")
    try:
        name.encode("idna")  # as the system's resolver will
    except UnicodeError as error:
        raise ValueError(f"{name} is no host name: {_idna_fault(error)}") from error


def _idna_fault(error: UnicodeError) -> str:
    """Return what is wrong with a host name, in the codec's innermost words."""
    while isinstance(error.__cause__, UnicodeError):
        error = error.__cause__
    return str(error)


def _how_to_write_ipv6(description: str) -> str | None:
    """Say how an IPv6 address is written in an endpoint string, where one holds it unescaped."""
    match = _IPV6.fullmatch(description)
    if match is None:
        return None
    kind, host, port = match[1], re.sub(r"[\[\]\\]", "", match[2]), match[3]
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return None
    if kind.lower() == "tls":  # whose parser takes the host for the name in a certificate
        return "tls: takes a host name, and no IPv6 address"
    escaped = f"{kind}:{quoteStringArgument(host)}:{port}"
    if escaped == description or not 1 <= int(port) <= MAX_PORT:
        return None
    return f"write an IPv6 address with a backslash before each colon: '{escaped}'"
