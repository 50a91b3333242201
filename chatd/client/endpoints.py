"""Client endpoints, from strings or from Twisted, checked before the first attempt to connect."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import stat
from contextlib import suppress
from typing import Any, cast

from OpenSSL import SSL
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    SSL4ClientEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
    clientFromString,
    quoteStringArgument,
)
from twisted.internet.error import ConnectError, ConnectionRefusedError, TimeoutError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.arguments import wrong_type
from chatd.config.ownfile import read_regular_file, why
from chatd.errors import ConfigurationError
from chatd.transport.endpoints import MAX_PORT, bad_endpoint, check_socket_path
from chatd.transport.endpointstrings import CLIENT_KINDS, example_of, read_arguments

__all__ = ["Destination", "cannot_connect", "client_endpoint"]

_AUTHORITIES = ("trustRoots", "caCertsDir")
_IPV6 = re.compile(r"(tcp|ssl|tls):([\[\]\\0-9a-f:.]+(?:%\w+)?[\]\\]*):(\d+)", re.IGNORECASE)
_WEB = re.compile("wss?://", re.IGNORECASE)
_WEB_EXAMPLE = "wss://chat.example.org/ws"
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
"""Errors that no network causes: each attempt to connect fails in the same way."""


@implementer(IStreamClientEndpoint)
class Destination:
    """Connects to an endpoint; an attempt that cannot succeed fails with a `ConfigurationError`.

    Args:
        endpoint: The endpoint.
        name: The endpoint's name in error messages.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, name: str) -> None:
        self._endpoint = endpoint
        self._name = name

    def explain(self, error: object) -> str:
        """Return a line that says why an attempt failed."""
        return cannot_connect(self._name, str(error))

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect.

        Returns:
            A Deferred that fires with the protocol. It fails with a `ConfigurationError` if no
            attempt can succeed, and otherwise with the endpoint's own error.
        """
        connecting: Deferred[IProtocol] = maybeDeferred(self._endpoint.connect, protocolFactory)
        return connecting.addErrback(self._failed)

    def _failed(self, failure: Failure) -> Failure:
        error = failure.value
        if isinstance(error, _FAULTS):
            what = " ".join(str(error).split())
            told = cannot_connect(self._name, f"{type(error).__name__}: {what}")
            raise ConfigurationError(told) from error
        if isinstance(error, ConnectError):
            error.args = (self._why_unconnected(error),)  # keeps its class and its `osError`
        return failure

    def _why_unconnected(self, error: ConnectError) -> str:
        """Return why a server cannot be reached, with the name of the endpoint."""
        told = str(error.args[0]) if error.args and error.args[0] else ""
        if self._name in told:  # an endpoint that fails again with the same error
            return told
        number = error.osError
        if isinstance(error, ConnectionRefusedError) or number == errno.ECONNREFUSED:
            return f"nothing listens at {self._name}"
        if number == errno.ENOENT:
            return f"nothing listens at {self._name}: there is no such socket"
        timeout_s = getattr(_innermost(self._endpoint), "_timeout", None)
        if type(error) is TimeoutError and timeout_s is not None:
            return f"{self._name} did not answer within {timeout_s:g} s"
        return f"cannot connect to {self._name}" + (f": {told}" if told else "")


def client_endpoint(
    reactor: Any,  # noqa: ANN401
    endpoint: str | IStreamClientEndpoint,
) -> Destination:
    """Return an endpoint that a client can connect to, with clear errors if it cannot.

    Args:
        reactor: The reactor, for an endpoint string.
        endpoint: An endpoint, or a string such as `tcp:localhost:9999`, `unix:/run/chat.sock` or
            `wss://chat.example.org/ws`.

    Raises:
        ConfigurationError: It is not an endpoint, or connecting to it can never succeed: its host
            name, path or port is impossible, or the file at its path is not a socket.
    """
    if isinstance(endpoint, Destination):
        return endpoint
    if not isinstance(endpoint, str) and (
        isinstance(endpoint, type) or not callable(getattr(endpoint, "connect", None))
    ):
        wrong = wrong_type("the endpoint", endpoint, "text or an endpoint")
        raise ConfigurationError(f"{wrong}; text looks like {example_of('', CLIENT_KINDS)}")
    name = endpoint if isinstance(endpoint, str) else type(endpoint).__name__
    fault: Exception | None = None
    try:
        if isinstance(endpoint, str):
            fault = _fault_of(endpoint)
        there: Any = _from_string(reactor, endpoint) if isinstance(endpoint, str) else endpoint
        _check(_innermost(there))
    except Exception as error:  # the parsers are plugins, which raise anything
        hint = _how_to_write_ipv6(name)
        told = ValueError(hint) if hint else fault or error
        example = _WEB_EXAMPLE if _WEB.match(name) else example_of(name, CLIENT_KINDS)
        raise bad_endpoint(name, told, example) from error
    return Destination(there, name if isinstance(endpoint, str) else _place_of(there))


def _from_string(reactor: Any, endpoint: str) -> IStreamClientEndpoint:  # noqa: ANN401
    """Return the endpoint of a string; any exception may come out for a faulty string."""
    if _WEB.match(endpoint) is None:
        return cast(IStreamClientEndpoint, clientFromString(reactor, endpoint))
    try:
        from chatd.client.websocket import WebSocketEndpoint  # noqa: PLC0415  (needs the extra)
    except ImportError as error:
        raise ConfigurationError(
            "it needs websockets: install chatd with its extra, web"
        ) from error
    made = WebSocketEndpoint(reactor, endpoint)
    _check_host(made.host)
    return made


def cannot_connect(name: str, why: str) -> str:
    """Return the line that says why an attempt failed, with the name of the endpoint once."""
    return f"cannot connect: {why}" if name in why else f"cannot connect to {name}: {why}"


def _place_of(endpoint: Any) -> str:  # noqa: ANN401
    """Return the path, or the host and port, of an endpoint of Twisted; else its class."""
    inner = _innermost(endpoint)
    host = getattr(inner, "_hostText", None) or getattr(inner, "_host", None)
    if isinstance(inner, UNIXClientEndpoint) and hasattr(inner, "_path"):
        return f"unix:{os.fsdecode(inner._path)}"
    if isinstance(inner, (*_HAS_HOST, HostnameEndpoint)) and host:
        return f"{os.fsdecode(host)}:{getattr(inner, '_port', '?')}"
    return type(endpoint).__name__


def _fault_of(description: str) -> ValueError | None:
    """Return why Twisted will probably refuse a string, in better words; None if it is right.

    Raises:
        ConfigurationError: Its authorities cannot be used: Twisted would trust nobody.
    """
    kind = description.partition(":")[0].lower()
    if kind not in CLIENT_KINDS:
        return None
    try:
        arguments = read_arguments(kind + description[len(kind) :], CLIENT_KINDS)
    except ValueError as error:
        return error
    for argument in _AUTHORITIES:
        if argument in arguments:
            _check_authorities(argument, arguments[argument])
    return None


def _check_authorities(argument: str, directory: str) -> None:
    """Check that each file `*.pem` in a directory has a certificate, and that there is one.

    Twisted ignores other files, and files that it cannot read.
    """
    takes = f"{argument}={directory}: it takes a directory of certificates, files *.pem"
    try:
        paths = [os.path.join(directory, name) for name in os.listdir(directory)]
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{takes}: {why(error)}") from error
    found = False
    for path in paths:
        if path.lower().endswith(".pem"):
            with suppress(OSError):
                if b"CERTIFICATE-----" not in read_regular_file(path)[0]:
                    raise ConfigurationError(f"{takes}, and {path} has no certificate")
                found = True
    if not found:
        raise ConfigurationError(f"{takes}, and there is none in {directory}")


def _innermost(endpoint: Any) -> Any:  # noqa: ANN401
    """Return the innermost endpoint: endpoints for TLS, for example, wrap another."""
    while (wrapped := getattr(endpoint, "_wrappedEndpoint", None)) is not None:
        endpoint = wrapped
    return endpoint


def _check(endpoint: Any) -> None:  # noqa: ANN401
    """Find faults that Twisted finds only when it connects, and mostly does not report.

    Endpoints have no public attributes for their path, host, port or timeout. With a Twisted that
    renames the private ones, only this check is lost.

    Raises:
        ValueError: Connecting to the endpoint can never succeed.
    """
    path, host, port, timeout_s = (
        getattr(endpoint, name, None) for name in ("_path", "_host", "_port", "_timeout")
    )
    if isinstance(endpoint, UNIXClientEndpoint) and path is not None:
        _check_path(os.fsencode(path))
    elif isinstance(endpoint, _HAS_HOST) and host is not None:
        _check_host(host)
    if isinstance(port, int) and not 1 <= port <= MAX_PORT:
        raise ValueError(f"{port} is not a port to connect to")
    if isinstance(timeout_s, (int, float)) and timeout_s < 0:
        raise ValueError("its timeout is negative")


def _check_path(path: bytes) -> None:
    check_socket_path(path)
    if path.startswith(b"\0"):  # a name in Linux's abstract namespace, not a file
        return
    try:
        mode = os.stat(path).st_mode
    except OSError:  # the socket may be there later
        return
    if not stat.S_ISSOCK(mode):
        what = "a directory" if stat.S_ISDIR(mode) else "not a socket"
        raise ValueError(f"{os.fsdecode(path)} is {what}")


def _check_host(host: str | bytes) -> None:
    name = host.decode("ascii", "backslashreplace") if isinstance(host, bytes) else host
    if not name:
        raise ValueError("its host is empty")
    if isIPAddress(name) or isIPv6Address(name):
        return
    if ":" in name or "[" in name:
        raise ValueError(f"{name} is not a host")
    try:
        name.encode("idna")  # as the system's resolver will
    except UnicodeError as error:
        raise ValueError(f"{name} is not a host name: {_idna_fault(error)}") from error


def _idna_fault(error: UnicodeError) -> str:
    """Return the codec's innermost description of a fault in a host name."""
    while isinstance(error.__cause__, UnicodeError):
        error = error.__cause__
    return str(error)


def _how_to_write_ipv6(description: str) -> str | None:
    """Return how to write an endpoint string that has an unescaped IPv6 address, or None."""
    match = _IPV6.fullmatch(description)
    if match is None:
        return None
    kind, host, port = match[1], re.sub(r"[\[\]\\]", "", match[2]), match[3]
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return None
    if kind.lower() == "tls":  # its parser uses the host as the name in a certificate
        return "tls: takes a host name, not an IPv6 address"
    escaped = f"{kind}:{quoteStringArgument(host)}:{port}"
    if escaped == description or not 1 <= int(port) <= MAX_PORT:
        return None
    return f"write an IPv6 address with a backslash before each colon: '{escaped}'"
