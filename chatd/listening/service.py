"""`ListeningService`: listens on one endpoint."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, cast

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.tcp import Port
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.errors import StartupError
from chatd.listening.accepting import Acceptor
from chatd.listening.clientstrings import client_string, page_address
from chatd.listening.stdio import StdioTransport
from chatd.server.factory import ChatFactory

__all__ = ["ListeningService"]


class ListeningService(Service):
    """Listens on one endpoint; a port that cannot be bound ends the daemon.

    Args:
        clock: The reactor, or a test's clock.
        description: The operator's endpoint string.
        endpoint: The endpoint.
        factory: Serves the connections.
        ended: Called when the client on `stdio:` has left, so that clients can no longer connect;
            not called if the service itself was stopped.
        front: Builds the protocols of connections of browsers, which the factory does not know
            yet; None if the factory builds those of the connections.
        make_room: See `Acceptor`; None for that of the factory.

    Attributes:
        has_ended: Whether `ended` was called.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        description: str,
        endpoint: IStreamServerEndpoint,
        factory: ChatFactory[Any],
        ended: Callable[[], None] = lambda: None,
        *,
        front: IProtocolFactory | None = None,
        make_room: Callable[[], bool] | None = None,
    ) -> None:
        self.has_ended = False
        self._ended = ended
        self._clock = clock
        # A path may have a line break, and each line of the log has to stay one.
        self._description = description if description.isprintable() else repr(description)
        self._endpoint = endpoint
        self._factory = factory
        self._front = front
        self._make_room = factory.engine.shedder.make_room if make_room is None else make_room
        self._port: IListeningPort | None = None
        self._listening: Deferred[None] | None = None

    @property
    def port(self) -> IListeningPort:
        """The port, when the service listens."""
        assert self._port is not None, "the service is not listening"
        return self._port

    def privilegedStartService(self) -> None:
        """Listen, before the daemon gives up its privileges.

        Raises:
            StartupError: The port cannot be bound.
        """
        super().privilegedStartService()
        self._listen()

    def startService(self) -> None:
        """Listen, unless `privilegedStartService` did; log that only now, when clients are served.

        Raises:
            StartupError: The port cannot be bound.
        """
        super().startService()
        if self._listening is None:
            self._listen()
        elif self._port is not None:
            self._tell(self._port)

    def stopService(self) -> Deferred[None]:
        """Stop listening.

        Returns:
            A Deferred that fires with None when the port is closed.
        """
        super().stopService()
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.cancel()
        port, self._port = self._port, None
        # `stdio:` has no port but a session's transport; the session's goodbye closes it.
        stop = getattr(port, "stopListening", None)
        stopped: Deferred[None] | None = None if stop is None else stop()
        return succeed(None) if stopped is None else stopped

    def abandon(self) -> None:
        """Close the port now: the reactor will not run to close it later."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.cancel()
        port, self._port = self._port, None
        lose = getattr(port, "connectionLost", None)  # the reactor would call this later
        if lose is not None:
            lose(Failure(ConnectionDone()))

    def _listen(self) -> None:
        failures: list[Failure] = []
        is_starting = True

        def failed(failure: Failure) -> None:
            if is_starting:
                failures.append(failure)
            elif not failure.check(CancelledError):
                self.log.failure("cannot listen on {where}", failure, where=self._description)

        served = cast(IProtocolFactory, self._factory if self._front is None else self._front)
        self._listening = self._endpoint.listen(served).addCallbacks(self._listens, failed)
        is_starting = False
        if failures:
            reason = failures[0].value
            assert reason is not None
            port = _port_of(reason, self._description)
            raise StartupError(
                f"chatd: cannot listen on {self._description}{port}: {_why(reason)}"
            ) from reason

    def _listens(self, port: IListeningPort) -> None:
        self._port = port
        self.has_ended = False
        if isinstance(port, StdioTransport):
            port.ended.addCallback(lambda _: self._note_end(port))
        if isinstance(port, Port):
            Acceptor(self._clock, port, self._make_room)
        if self.running:
            self._tell(port)

    def _tell(self, port: IListeningPort) -> None:
        """Log the address of the port, and probable mistakes of the operator."""
        host = port.getHost() if hasattr(port, "getHost") else None
        address_of = client_string if self._front is None else page_address
        clients = address_of(self._description, host)
        other = "" if clients in (None, self._description) else f" ({clients})"
        self.log.info("listening on {endpoint}{other}", endpoint=self._description, other=other)
        if not self._factory.has_key:
            self._warn_of(host)

    def _note_end(self, port: IListeningPort) -> None:
        """Report that the peer has left, unless this side closed the connection."""
        if self._port is port:
            self._port = None
            self.has_ended = True
            self.log.info("the peer on {endpoint} has gone", endpoint=self._description)
            self._ended()

    def _warn_of(self, host: object) -> None:
        """Warn of probable mistakes of the operator if there is no key."""
        is_tls = self._description.removeprefix("haproxy:").startswith(("ssl:", "tls:"))
        asks_passwords = self._factory.engine.admission.asks_passwords
        may_be_private = is_tls or self._front is not None  # a proxy may end TLS before a page
        is_ip = isinstance(host, (IPv4Address, IPv6Address))
        if asks_passwords and is_ip and not may_be_private:
            self.log.warn(
                "{endpoint}: nobody can log in there: chatd takes no passwords in the clear; give "
                "--key-file, or an endpoint with TLS",
                endpoint=self._description,
            )
        elif not asks_passwords and _is_beyond_the_machine(getattr(host, "host", None)):
            threat, more = ("connect", "") if is_tls else ("connect and listen in", ", over TLS")
            self.log.warn(
                "{endpoint} is open beyond this machine and there is no key: anyone can {threat}; "
                "make a key with 'chatd keygen PATH' and give it with --key-file, or require "
                "accounts with --password-file{more}",
                endpoint=self._description,
                threat=threat,
                more=more,
            )


def _is_beyond_the_machine(host: str | None) -> bool:
    """Return whether other machines can reach a listening address."""
    if not host:
        return False
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _port_of(reason: BaseException, description: str) -> str:
    """Return the port that is in use or not allowed, if the description does not have it."""
    port = getattr(reason, "port", None)
    is_told = not isinstance(port, int) or str(port) in description
    return "" if is_told else f", port {port}"


def _why(reason: BaseException) -> str:
    """Return the reason of a failure in a few words."""
    cause = getattr(reason, "socketError", reason)
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
