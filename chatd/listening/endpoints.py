"""Server endpoint strings: Twisted's strings, with errors of one line that name the remedy."""

from __future__ import annotations

import os
import re
import socket
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    serverFromString,
)
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
    IStreamServerEndpointStringParser,
)
from twisted.plugin import getPlugins
from twisted.protocols.haproxy import proxyEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.listening.activation import adopted_endpoint
from chatd.listening.certificates import Certificates
from chatd.listening.stdio import StdioEndpoint
from chatd.listening.unix import UnixPort, adopt_unix, listen_unix
from chatd.transport.endpoints import MAX_SOCKET_PATH, bad_endpoint
from chatd.transport.endpointstrings import SERVER_KINDS, example_of, read_arguments

__all__ = [
    "BACKLOG",
    "SOCKET_MODE",
    "is_stdio",
    "server_endpoint",
    "takes_socket_mode",
]

BACKLOG = 4096
"""How many connections may wait to be accepted; Twisted's default of 50 fails in a storm."""

SOCKET_MODE = 0o666
"""The mode of a UNIX socket: all users of the machine may connect, as over TCP on loopback."""

_HAPROXY = "haproxy:"
_OF_STDIO = re.compile(r"(haproxy:)?stdio(:|$)")
# The text before a relative path: the path is the first argument without a name, or `address=`.
_BEFORE_RELATIVE_PATH = re.compile(
    r"(?:haproxy:)?unix:(?:[^:\\=]+=(?:[^:\\]|\\.)*:)*?"
    r"(?:address=|(?!(?:[^:\\=]|\\.)*=))(?![/:\0]|$)"
)
_PATH = re.compile(r"(?:[^:\\]|\\.)*")


# Version 1 of the PROXY protocol allows both; Twisted takes the second alone.
# https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt, section 2.1
_UNKNOWN = b"PROXY UNKNOWN\r\n"
_UNKNOWN_OF_TWISTED = b"PROXY UNKNOWN \r\n"


class _NoHeaderError(Exception):
    """A connection does not begin with a valid PROXY header."""

    def __str__(self) -> str:
        return "it does not begin with a valid PROXY header, which a haproxy: endpoint needs"


@implementer(IStreamServerEndpoint)
class _EndpointBehindProxy:
    """Reports a PROXY header to its connection; closes it if the header is malformed.

    Twisted does not tell the connection, raises an error for some malformed headers, and refuses
    the header of a proxy that does not know the client's address.

    Args:
        endpoint: The endpoint for the proxy.
    """

    def __init__(self, endpoint: IStreamServerEndpoint) -> None:
        self._endpoint = endpoint

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen with a factory that reads the headers."""
        wrapper: Any = protocolFactory
        wrapper.noisy = False  # the daemon logs where it listens

        class Reader(wrapper.protocol):  # type: ignore[misc]
            is_refused = False
            held = b""

            def dataReceived(self, data: bytes) -> None:
                was_told = self._proxyInfo is not None
                if self._parser is None:  # the connection has only just begun
                    data = self.held + data
                    self.held = data if len(data) < len(_UNKNOWN) else b""
                    if self.held and _UNKNOWN.startswith(data):
                        return
                    if data.startswith(_UNKNOWN):
                        data = data.replace(_UNKNOWN, _UNKNOWN_OF_TWISTED, 1)
                try:
                    super().dataReceived(data)
                except ValueError:
                    if self._proxyInfo is not None:  # the header was read: this is another error
                        raise
                    self.loseConnection()
                if self._proxyInfo is None:  # Twisted has closed the connection if it has no header
                    self.is_refused = bool(self.disconnecting)
                elif not was_told:
                    self.wrappedProtocol.peer_told()

            def connectionLost(self, reason: Failure) -> None:
                super().connectionLost(Failure(_NoHeaderError()) if self.is_refused else reason)

        wrapper.protocol = Reader
        return self._endpoint.listen(protocolFactory)


class _UnixReactor:
    """A reactor that listens on UNIX sockets in the daemon's way, and delegates everything else.

    Args:
        reactor: The reactor for everything else.
    """

    def __init__(self, reactor: Any) -> None:  # noqa: ANN401
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._reactor, name)

    def listenUNIX(
        self,
        address: str,
        factory: IProtocolFactory,
        backlog: int,
        mode: int,
        wantPID: bool,
    ) -> UnixPort:
        """Make a socket. `wantPID` is ignored: there is never a lock file."""
        return listen_unix(self._reactor, address, factory, backlog=backlog, mode=mode)

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory
    ) -> IListeningPort:
        """Listen on a socket that was handed over."""
        if addressFamily == socket.AF_UNIX:
            return cast(IListeningPort, adopt_unix(self._reactor, fileDescriptor, factory))
        port = self._reactor.adoptStreamPort(fileDescriptor, addressFamily, factory)
        return cast(IListeningPort, port)


def server_endpoint(
    reactor: Any,  # noqa: ANN401
    description: str,
    socket_mode: int | None = None,
    certificates: Certificates | None = None,
) -> IStreamServerEndpoint:
    """Make a server endpoint from a string such as `tcp:9999` or `unix:/run/chat.sock`.

    A relative path of a UNIX socket starts at the current directory, even if the daemon changes its
    directory before it listens; the exception is a path whose absolute form is too long for the
    system. `lockfile=` has no effect: there is no lock file.

    Args:
        reactor: The reactor.
        description: The string.
        socket_mode: The mode of a UNIX socket whose string gives none; None for `SOCKET_MODE`. It
            must be None for a UNIX socket that was handed over, whose mode systemd sets.
        certificates: The collection to which a TLS endpoint is added.

    Raises:
        ConfigurationError: The string is not a server endpoint string, no matching socket was
            handed over, or `socket_mode` is given for a UNIX socket that was handed over.
    """
    try:
        made = _made_endpoint(
            reactor, description.removeprefix(_HAPROXY), socket_mode, certificates, description
        )
    except Exception as error:  # the parsers are plugins, and may raise anything
        example = example_of(description.removeprefix(_HAPROXY), SERVER_KINDS)
        raise bad_endpoint(description, error, example) from error
    if description.startswith(_HAPROXY):
        return cast(IStreamServerEndpoint, proxyEndpoint(_EndpointBehindProxy(made)))
    return made


def is_stdio(description: str) -> bool:
    """Return whether a server endpoint is standard input and output."""
    return _OF_STDIO.match(description) is not None


def takes_socket_mode(description: str) -> bool:
    """Return whether `server_endpoint` makes something of a socket mode, be it an error.

    Args:
        description: The string. `server_endpoint` reports a wrong one.
    """
    text = description.removeprefix(_HAPROXY)
    kind = text.partition(":")[0]
    if kind not in ("unix", "systemd"):
        return False
    try:
        arguments = read_arguments(text, SERVER_KINDS)
    except ValueError:
        return True
    return "mode" not in arguments if kind == "unix" else arguments["domain"] == "UNIX"


def _made_endpoint(
    reactor: Any,  # noqa: ANN401
    description: str,
    socket_mode: int | None,
    certificates: Certificates | None,
    called: str,
) -> IStreamServerEndpoint:
    """Make an endpoint; any exception may come out for a faulty string.

    Args:
        reactor: The reactor.
        description: The string, without `haproxy:`.
        socket_mode: See `server_endpoint`.
        certificates: See `server_endpoint`.
        called: The operator's string.
    """
    kind = description.partition(":")[0]
    arguments = _checked(kind, description)
    if kind == "systemd":
        return adopted_endpoint(_UnixReactor(reactor), description, socket_mode)
    description = _from_here(description)
    mode = SOCKET_MODE if socket_mode is None else socket_mode
    for argument, ours in (("mode", f"{mode:o}"), ("backlog", str(BACKLOG))):
        if argument in arguments and arguments[argument] is None:
            description = f"{description}:{argument}={ours}"
    if kind in ("ssl", "tls"):
        certificates = Certificates() if certificates is None else certificates
        return certificates.endpoint(reactor, description, called)
    if kind == "stdio":
        return StdioEndpoint(reactor)
    listener = _UnixReactor(reactor) if kind == "unix" else reactor
    return cast(IStreamServerEndpoint, serverFromString(listener, description))


def _checked(kind: str, description: str) -> dict[str, str | None]:
    """Return all arguments of a string, None for each that is not given; none for plugins' kinds.

    Raises:
        ValueError: The kind or an argument is wrong.
    """
    if kind in SERVER_KINDS:
        return {
            **dict.fromkeys(SERVER_KINDS[kind].arguments),
            **read_arguments(description, SERVER_KINDS),
        }
    if kind == "haproxy":
        raise ValueError("haproxy: takes one other endpoint after it, as in haproxy:tcp:9999")
    if kind not in map(str.lower, _kinds_of_plugins()):
        kinds = ", ".join((*SERVER_KINDS, "haproxy"))
        raise ValueError(f"{kind!r} is not a kind of endpoint; the kinds are {kinds}")
    return {}


def _kinds_of_plugins() -> list[str]:
    """Return the kinds that plugins of Twisted add."""
    return [str(plugin.prefix) for plugin in getPlugins(IStreamServerEndpointStringParser)]


def _from_here(description: str) -> str:
    """Return the string of a UNIX socket with an absolute path, unless that is too long."""
    before = _BEFORE_RELATIVE_PATH.match(description)
    if before is None:
        return description
    directory = os.path.join(os.getcwd(), "")
    path = _PATH.match(description, before.end())
    assert path is not None
    size = len(os.fsencode(directory)) + len(os.fsencode(re.sub(r"\\(.)", r"\1", path[0])))
    if size > MAX_SOCKET_PATH:
        return description
    quoted = re.sub(r"[\\:=]", r"\\\g<0>", directory)
    return f"{before[0]}{quoted}{description[before.end() :]}"
