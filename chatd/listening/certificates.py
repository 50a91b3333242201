"""TLS endpoints that can read their certificates again while they listen.

Twisted reads the files of `ssl:` and `tls:` when it parses the string. To read them again, chatd
parses the same string with a recorder in place of the reactor. The recorded contexts or factory
then replace those of the port. So every argument keeps Twisted's meaning, and existing connections
keep the certificate that they began with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509
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

from chatd.errors import ConfigurationError
from chatd.listening.certificatefiles import PemDirectory, check_files, read_tls_string
from chatd.transport.endpoints import why_refused

__all__ = ["Certificates", "RenewableEndpoint"]


@dataclass(frozen=True, slots=True)
class _Listening:
    """The arguments of a `listenSSL` or `listenTCP` call.

    Attributes:
        port: The number of the port.
        factory: Serves the connections; for `listenTCP`, it contains the TLS layer.
        contexts: The context factory of TLS, for `listenSSL`; None for `listenTCP`.
        options: The other arguments.
    """

    port: int
    factory: IProtocolFactory
    contexts: IOpenSSLContextFactory | None
    options: dict[str, object]


class _Recorder:
    """Stands in for a reactor: it records the arguments of a listen call, and does not listen."""

    listening: _Listening

    def listenSSL(
        self,
        port: int,
        factory: IProtocolFactory,
        contextFactory: IOpenSSLContextFactory,
        **options: object,
    ) -> None:
        """Record the arguments of `ssl:`."""
        self.listening = _Listening(port, factory, contextFactory, options)

    def listenTCP(self, port: int, factory: IProtocolFactory, **options: object) -> None:
        """Record the arguments of `tls:`."""
        self.listening = _Listening(port, factory, None, options)


@implementer(IOpenSSLContextFactory)
class _Contexts:
    """Makes the contexts of the current context factory."""

    def __init__(self, current: Any) -> None:  # noqa: ANN401
        self.current = current

    def getContext(self) -> SSL.Context:
        """Return the current context."""
        context: SSL.Context = self.current.getContext()
        return context


@implementer(IProtocolFactory, ILoggingContext)
class _Factory:
    """Builds the protocols of the current factory; starts and stops the first factory."""

    def __init__(self, first: Any) -> None:  # noqa: ANN401
        self.current = self._first = first

    def doStart(self) -> None:
        """Start the first factory, and the factory that it wraps."""
        self._first.doStart()

    def doStop(self) -> None:
        """Stop the first factory."""
        self._first.doStop()

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:
        """Build the protocol of a connection."""
        protocol: IProtocol | None = self.current.buildProtocol(addr)
        return protocol

    def logPrefix(self) -> str:
        """Return the first factory's name in the log."""
        prefix: str = self._first.logPrefix()
        return prefix


@implementer(IStreamServerEndpoint)
class RenewableEndpoint:
    """A TLS endpoint that can read its certificates again.

    Args:
        reactor: The reactor.
        description: An `ssl:` or `tls:` server endpoint string; Twisted must accept it.

    Attributes:
        certificates: The certificates that are served, by the paths of their files.

    Raises:
        ConfigurationError: The certificates cannot be served.
    """

    certificates: Mapping[str, x509.Certificate]

    def __init__(self, reactor: Any, description: str) -> None:  # noqa: ANN401
        self._reactor = reactor
        self._string = read_tls_string(description)
        self._factory: IProtocolFactory | None = None
        self._served: _Contexts | _Factory | None = None
        self._directory, self.certificates = self._check()
        if self._directory is None:
            self._read(None)

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen with the present certificates."""
        self._factory = protocolFactory
        self._directory, self.certificates = self._check()
        now = self._read(protocolFactory)
        if now.contexts is None:
            factory = self._served = _Factory(now.factory)
            return execute(self._reactor.listenTCP, now.port, factory, **now.options)
        contexts = self._served = _Contexts(now.contexts)
        return execute(self._reactor.listenSSL, now.port, now.factory, contexts, **now.options)

    def renew(self) -> None:
        """Read the certificates again, for new connections.

        Raises:
            ConfigurationError: They cannot be served; the earlier certificates stay in use.
        """
        try:
            directory, certificates = self._check()
            if self._directory is not None and directory is not None:
                self._directory.check_successor(directory)
            now = self._read(self._factory)
        except ConfigurationError:
            raise
        except Exception as error:  # the parsers are plugins, and may raise anything
            raise ConfigurationError(why_refused(error)) from error
        self._directory, self.certificates = directory, certificates
        if self._served is not None:  # if None, `listen` will read them
            self._served.current = now.factory if now.contexts is None else now.contexts

    def _read(self, factory: IProtocolFactory | None) -> _Listening:
        recorder = _Recorder()
        endpoint = serverFromString(recorder, self._string.text)
        if getattr(endpoint, "clock", self) is None:  # if None, TLS imports the global reactor
            endpoint.clock = self._reactor
        endpoint.listen(factory)
        listening = recorder.listening
        if listening.contexts is not None:
            listening.contexts.getContext()  # Twisted would make it at the first connection only
        return listening

    def _check(self) -> tuple[PemDirectory | None, Mapping[str, x509.Certificate]]:
        """Check the files; return the directory of `tls:`, and the certificates to serve."""
        if self._string.directory is None:
            return None, check_files(self._string.files)
        directory = PemDirectory.read(self._string.directory)
        return directory, directory.certificates


class Certificates:
    """The certificates of a server's TLS endpoints."""

    def __init__(self) -> None:
        self._endpoints: list[tuple[str, RenewableEndpoint]] = []

    def endpoint(self, reactor: Any, description: str, called: str) -> IStreamServerEndpoint:  # noqa: ANN401
        """Make a TLS endpoint.

        Args:
            reactor: The reactor.
            description: Its string; see `RenewableEndpoint`.
            called: Its name in the log.
        """
        endpoint = RenewableEndpoint(reactor, description)
        self._endpoints.append((called, endpoint))
        return endpoint

    def served(self) -> set[tuple[str, x509.Certificate]]:
        """Return the certificates that are served now, each with the path of its file."""
        return {pair for _, endpoint in self._endpoints for pair in endpoint.certificates.items()}

    def __iter__(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Return an iterator of the endpoints' names and their `renew` methods."""
        return iter([(called, endpoint.renew) for called, endpoint in self._endpoints])
