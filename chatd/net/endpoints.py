"""Endpoint strings: Twisted's, with errors of one line that say what to do."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.protocols.haproxy import proxyEndpoint
from zope.interface import implementer

from chatd.errors import ConfigurationError
from chatd.net.certificates import Certificates, why_refused

__all__ = ["BACKLOG", "client_endpoint", "server_endpoint"]

BACKLOG = 4096
"""How many connections may wait to be accepted; Twisted's own 50 lets a storm of them starve."""

SOCKET_MODE = 0o666
"""The mode of a UNIX socket: everyone on the machine may connect, as over TCP on loopback."""

_HAPROXY = "haproxy:"
_TAKES_BACKLOG = re.compile(r"(haproxy:)?(tcp|tcp6|ssl|tls|unix):")
_TAKES_MODE = re.compile(r"(haproxy:)?unix:")
_HAS_MODE = re.compile(r"(?<!\\)(?:\\\\)*:mode=")
_HAS_BACKLOG = re.compile(r"(?<!\\)(?:\\\\)*:backlog=")
_SERVER_PORT = re.compile(r"(?:tcp6?|ssl):(?:port=)?(-?\d+)(?::|$)")
_CLIENT_PORT = re.compile(r"(?:tcp|ssl|tls):[^:]*:(?:port=)?(-?\d+)(?::|$)", re.IGNORECASE)
_IS_TLS = re.compile(r"(ssl|tls):")
# Up to a path that is relative: the first argument without a name, or the one that is called so.
_BEFORE_RELATIVE_PATH = re.compile(
    r"(?:haproxy:)?unix:(?:[^:\\=]+=(?:[^:\\]|\\.)*:)*?"
    r"(?:address=|(?!(?:[^:\\=]|\\.)*=))(?![/:\0]|$)"
)
_PATH = re.compile(r"(?:[^:\\]|\\.)*")
_MAX_SOCKET_PATH = 107
"""Bytes of a UNIX socket's path, which the system gives 108 with the NUL at its end (unix(7))."""
_MAX_PORT = 65_535
_WRONG_ARGUMENTS = (IndexError, TypeError, KeyError, AttributeError, RuntimeError)


@implementer(IStreamServerEndpoint)
class _EndpointBehindProxy:
    """Tells a connection that its PROXY header was read; closes it where that is nonsense.

    Twisted tells nobody, and lets an error out of some headers.

    Args:
        endpoint: What the proxy connects to.
    """

    def __init__(self, endpoint: IStreamServerEndpoint) -> None:
        self._endpoint = endpoint

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen with the factory that reads the headers."""
        wrapper: Any = protocolFactory

        class Reader(wrapper.protocol):  # type: ignore[misc]
            def dataReceived(self, data: bytes) -> None:
                was_told = self._proxyInfo is not None
                try:
                    super().dataReceived(data)
                except ValueError:
                    if self._proxyInfo is not None:  # the header was read: it is not of that
                        raise
                    self.loseConnection()
                if self._proxyInfo is not None and not was_told:
                    self.wrappedProtocol.peer_told()

        wrapper.protocol = Reader
        return self._endpoint.listen(protocolFactory)


def server_endpoint(
    reactor: Any,  # noqa: ANN401
    description: str,
    socket_mode: int = SOCKET_MODE,
    certificates: Certificates | None = None,
) -> IStreamServerEndpoint:
    """Make a server endpoint from a string such as `tcp:9999` or `unix:/run/chat.sock`.

    The path of a UNIX socket is that of the current directory, also where a daemon goes to another
    one before it listens; but for one that would be longer than the system allows then.

    Args:
        reactor: The reactor.
        description: The string.
        socket_mode: The mode of a UNIX socket whose string says none.
        certificates: Is to have the endpoint's certificates, where it serves with any.

    Raises:
        ConfigurationError: It is no server endpoint string.
    """
    called = description
    try:
        _check_port(_SERVER_PORT, description)
        description = _from_here(description)
        endpoint = serverFromString(reactor, description)
        for takes, has, argument in (
            (_TAKES_MODE, _HAS_MODE, f"mode={socket_mode:o}"),
            (_TAKES_BACKLOG, _HAS_BACKLOG, f"backlog={BACKLOG}"),
        ):
            if takes.match(description) and not has.search(description):
                with suppress(TypeError):  # it has it already, by its place
                    endpoint = serverFromString(reactor, f"{description}:{argument}")
                    description = f"{description}:{argument}"
        is_behind_proxy = description.startswith(_HAPROXY)
        inner = description.removeprefix(_HAPROXY)
        if certificates is not None and _IS_TLS.match(inner):
            endpoint = certificates.endpoint(reactor, inner, called)
        elif is_behind_proxy:
            endpoint = serverFromString(reactor, inner)
        if is_behind_proxy:
            endpoint = proxyEndpoint(_EndpointBehindProxy(endpoint))
        return cast(IStreamServerEndpoint, endpoint)
    except Exception as error:  # the parsers are plugins, and raise what they like
        raise _bad_endpoint(called, error, "tcp:9999 or unix:/tmp/chat.sock") from error


def client_endpoint(reactor: Any, description: str) -> IStreamClientEndpoint:  # noqa: ANN401
    """Make a client endpoint from a string such as `tcp:localhost:9999` or `unix:/run/chat.sock`.

    Raises:
        ConfigurationError: It is no client endpoint string.
    """
    try:
        _check_port(_CLIENT_PORT, description)
        return cast(IStreamClientEndpoint, clientFromString(reactor, description))
    except Exception as error:  # as above
        raise _bad_endpoint(
            description, error, "tcp:localhost:9999 or unix:/tmp/chat.sock"
        ) from error


def _bad_endpoint(description: str, error: Exception, example: str) -> ConfigurationError:
    is_of_arguments = isinstance(error, _WRONG_ARGUMENTS)
    why = "its arguments do not fit" if is_of_arguments else why_refused(error)
    return ConfigurationError(f"bad endpoint {description!r}: {why}; one looks like {example}")


def _from_here(description: str) -> str:
    """Return the string of a UNIX socket with an absolute path, where that is not too long."""
    before = _BEFORE_RELATIVE_PATH.match(description)
    if before is None:
        return description
    directory = os.path.join(os.getcwd(), "")
    path = _PATH.match(description, before.end())
    assert path is not None
    size = len(os.fsencode(directory)) + len(os.fsencode(re.sub(r"\\(.)", r"\1", path[0])))
    if size > _MAX_SOCKET_PATH:
        return description
    quoted = re.sub(r"[\\:=]", r"\\\g<0>", directory)
    return f"{before[0]}{quoted}{description[before.end() :]}"


def _check_port(pattern: re.Pattern[str], description: str) -> None:
    port = pattern.match(description)
    if port is not None and not 0 <= int(port[1]) <= _MAX_PORT:
        raise ValueError(f"{port[1]} is no port")
