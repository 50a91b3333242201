"""TLS endpoints whose certificates can be read anew while they listen.

Twisted reads the files of `ssl:` and `tls:` when it parses the string. To read them anew, the same
string is parsed again, with a recorder in the reactor's place: what Twisted would listen with now
takes the place of what the port has. So every argument means what Twisted says, and connections
that are there keep the certificate that they began with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred, execute
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    ILoggingContext,
    IOpenSSLContextFactory,
    IProtocol,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from zope.interface import implementer

from chatd.config.ownfile import read_regular_file, why
from chatd.errors import ConfigurationError
from chatd.listening.certificatefiles import PemDirectory, read_tls_string
from chatd.transport.endpoints import why_refused

__all__ = ["Certificates", "RenewableEndpoint"]


@dataclass(frozen=True, slots=True)
class _Listening:
    """What an endpoint listens with.

    Attributes:
        port: The number of the port.
        factory: What serves its connections; where there are no contexts, within TLS.
        contexts: What makes the contexts of TLS, for `listenSSL`; None for `listenTCP`.
        options: The other arguments.
    """

    port: int
    factory: IProtocolFactory
    contexts: IOpenSSLContextFactory | None
    options: dict[str, object]


class _Recorder:
    """Stands in for a reactor: it keeps what it is asked to listen with, and does not listen."""

    listening: _Listening

    def listenSSL(
        self,
        port: int,
        factory: IProtocolFactory,
        contextFactory: IOpenSSLContextFactory,
        **options: object,
    ) -> None:
        """Keep what `ssl:` listens with."""
        self.listening = _Listening(port, factory, contextFactory, options)

    def listenTCP(self, port: int, factory: IProtocolFactory, **options: object) -> None:
        """Keep what `tls:` listens with."""
        self.listening = _Listening(port, factory, None, options)


@implementer(IOpenSSLContextFactory)
class _Contexts:
    """Makes the contexts of those that are current."""

    def __init__(self, current: Any) -> None:  # noqa: ANN401
        self.current = current

    def getContext(self) -> SSL.Context:
        """Return the current context."""
        context: SSL.Context = self.current.getContext()
        return context


@implementer(IProtocolFactory, ILoggingContext)
class _Factory:
    """Builds the protocols of the factory that is current; it is started as the first one is."""

    def __init__(self, first: Any) -> None:  # noqa: ANN401
        self.current = self._first = first

    def doStart(self) -> None:
        """Start the first one, and what it wraps."""
        self._first.doStart()

    def doStop(self) -> None:
        """Stop it."""
        self._first.doStop()

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:
        """Build the protocol of a connection."""
        protocol: IProtocol | None = self.current.buildProtocol(addr)
        return protocol

    def logPrefix(self) -> str:
        """Be called in the log what the first one is."""
        prefix: str = self._first.logPrefix()
        return prefix


@implementer(IStreamServerEndpoint)
class RenewableEndpoint:
    """A TLS endpoint whose certificates can be read anew.

    Args:
        reactor: The reactor.
        description: An `ssl:` or `tls:` server endpoint string, one that Twisted takes.

    Raises:
        ConfigurationError: There is nothing to serve with.
    """

    def __init__(self, reactor: Any, description: str) -> None:  # noqa: ANN401
        self._reactor = reactor
        self._string = read_tls_string(description)
        self._factory: IProtocolFactory | None = None
        self._served: _Contexts | _Factory | None = None
        self._directory = self._read_directory()
        if self._directory is None:
            self._read(None)

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen, with the certificates as they are now."""
        self._factory = protocolFactory
        now = self._read(protocolFactory)
        if now.contexts is None:
            factory = self._served = _Factory(now.factory)
            return execute(self._reactor.listenTCP, now.port, factory, **now.options)
        contexts = self._served = _Contexts(now.contexts)
        return execute(self._reactor.listenSSL, now.port, now.factory, contexts, **now.options)

    def renew(self) -> None:
        """Read the certificates anew, for the connections that come from then on.

        Raises:
            ConfigurationError: They cannot be served; those that were read before are, still.
        """
        try:
            directory = self._read_directory()
            if self._directory is not None and directory is not None:
                self._directory.check_successor(directory)
            now = self._read(self._factory)
        except ConfigurationError:
            raise
        except Exception as error:  # the parsers are plugins, and raise what they like
            raise ConfigurationError(why_refused(error)) from error
        self._directory = directory
        if self._served is not None:  # else it does not listen yet, and will read them then
            self._served.current = now.factory if now.contexts is None else now.contexts

    def _read(self, factory: IProtocolFactory | None) -> _Listening:
        for path in self._string.files:
            try:
                data = read_regular_file(path)[0]  # Twisted would wait for a pipe
            except OSError as error:
                raise ConfigurationError(f"{path}: {why(error)}") from error
            if b"ENCRYPTED" in data:  # OpenSSL would ask at the terminal, and wait for the answer
                raise ConfigurationError(f"{path}: the key has a passphrase; take one without")
        recorder = _Recorder()
        endpoint = serverFromString(recorder, self._string.text)
        if getattr(endpoint, "clock", self) is None:  # TLS would import the global reactor
            endpoint.clock = self._reactor
        endpoint.listen(factory)
        listening = recorder.listening
        if listening.contexts is not None:
            listening.contexts.getContext()  # which Twisted would make at the first connection
        return listening

    def _read_directory(self) -> PemDirectory | None:
        directory = self._string.directory
        return None if directory is None else PemDirectory.read(directory)


class Certificates:
    """The certificates of a server's TLS endpoints."""

    def __init__(self) -> None:
        self._endpoints: list[tuple[str, RenewableEndpoint]] = []

    def endpoint(self, reactor: Any, description: str, called: str) -> IStreamServerEndpoint:  # noqa: ANN401
        """Make a TLS endpoint.

        Args:
            reactor: The reactor.
            description: Its string, as in `RenewableEndpoint`.
            called: What its operator calls it.
        """
        endpoint = RenewableEndpoint(reactor, description)
        self._endpoints.append((called, endpoint))
        return endpoint

    def __iter__(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Go through the endpoints: what each is called, and what reads its certificates anew."""
        return iter([(called, endpoint.renew) for called, endpoint in self._endpoints])
