"""`ListeningService`: listens on one endpoint."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IListeningPort, IReactorTime, IStreamServerEndpoint
from twisted.internet.tcp import Port
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.errors import StartupError
from chatd.listening.accepting import Acceptor
from chatd.listening.stdio import StdioTransport
from chatd.server.factory import ChatFactory

__all__ = ["ListeningService"]


class ListeningService(Service):
    """Listens on one endpoint; a port that cannot be bound ends the daemon.

    Args:
        clock: What tells the time.
        description: The endpoint as the operator gave it.
        endpoint: The endpoint.
        factory: What serves its connections.
        ended: Called when nobody can come any more, as the peer on `stdio:` has gone: not where the
            service itself was stopped.

    Attributes:
        has_ended: Whether that is so.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        description: str,
        endpoint: IStreamServerEndpoint,
        factory: ChatFactory,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self.has_ended = False
        self._ended = ended
        self._clock = clock
        self._description = description
        self._endpoint = endpoint
        self._factory = factory
        self._port: IListeningPort | None = None
        self._listening: Deferred[None] | None = None

    @property
    def port(self) -> IListeningPort:
        """The port that is listened on, once it is."""
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
        """Listen, if that was not done with privileges.

        Raises:
            StartupError: The port cannot be bound.
        """
        super().startService()
        if self._listening is None:
            self._listen()

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
        # What `stdio:` gives is no port but a session's transport: its goodbye closes it.
        stop = getattr(port, "stopListening", None)
        stopped: Deferred[None] | None = None if stop is None else stop()
        return succeed(None) if stopped is None else stopped

    def abandon(self) -> None:
        """Let go of the port now: the reactor will not run to close it in its own time."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.cancel()
        port, self._port = self._port, None
        lose = getattr(port, "connectionLost", None)  # what the reactor would call in a moment
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

        self._listening = self._endpoint.listen(self._factory).addCallbacks(self._listens, failed)
        is_starting = False
        if failures:
            reason = failures[0].value
            assert reason is not None
            raise StartupError(
                f"chatd: cannot listen on {self._description}: {_why(reason)}"
            ) from reason

    def _listens(self, port: IListeningPort) -> None:
        self._port = port
        self.has_ended = False
        if isinstance(port, StdioTransport):
            port.ended.addCallback(lambda _: self._note_end(port))
        if isinstance(port, Port):
            Acceptor(self._clock, port, self._factory.engine.shedder.make_room)
        host = port.getHost() if hasattr(port, "getHost") else None
        self.log.info("listening on {endpoint} ({host})", endpoint=self._description, host=host)
        if not self._factory.has_key:
            self._warn_of(host)

    def _note_end(self, port: IListeningPort) -> None:
        """Tell that the peer has gone, where it was not this side that closed."""
        if self._port is port:
            self._port = None
            self.has_ended = True
            self.log.info("the peer on {endpoint} has gone", endpoint=self._description)
            self._ended()

    def _warn_of(self, host: object) -> None:
        """Say what an operator may not have meant, where there is no key."""
        is_tls = self._description.removeprefix("haproxy:").startswith(("ssl:", "tls:"))
        asks_passwords = self._factory.engine.admission.asks_passwords
        if asks_passwords and not is_tls and isinstance(host, (IPv4Address, IPv6Address)):
            self.log.warn(
                "{endpoint}: nobody can log in there: passwords are not taken in the clear; give "
                "--key-file, or an endpoint with TLS",
                endpoint=self._description,
            )
        elif not asks_passwords and _is_beyond_the_machine(getattr(host, "host", None)):
            self.log.warn(
                "{endpoint} is open beyond this machine and there is no key: anyone can connect "
                "and listen in; make a key with 'chatd keygen PATH' and give it with --key-file",
                endpoint=self._description,
            )


def _is_beyond_the_machine(host: str | None) -> bool:
    """Whether an address that is listened on can be reached from elsewhere."""
    if not host:
        return False
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _why(reason: BaseException) -> str:
    """Say in a few words why something failed."""
    cause = getattr(reason, "socketError", reason)
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
