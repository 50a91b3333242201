"""How to connect a `ChatClient`, and how to keep one connected."""

from __future__ import annotations

from typing import Any, cast

from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory

from chatd.errors import ErrorCode
from chatd.net.client import ChatClient
from chatd.net.endpoints import client_endpoint
from chatd.net.heartbeat import HeartbeatWheel
from chatd.net.turn import Turn
from chatd.session.client import ClientConnection
from chatd.wire.channel import Channel, ClearChannel, SecureChannel
from chatd.wire.codec import Codec
from chatd.wire.keys import noise_psk

__all__ = ["ChatClientFactory", "ChatClientService", "connect"]


class ChatClientFactory(Factory):
    """Builds a `ChatClient` for each connection.

    Args:
        clock: What tells the time and calls later: the reactor, or a test's clock.
        key: The shared key, 32 bytes, or None for none.
        name: The name to ask for; the server gives one where there is none.
        password: Proves the right to the name, where the server asks for one.
        protocol: What to build; `ChatClient` or a subclass.

    Raises:
        ConfigurationError: The key is not of 32 bytes.
    """

    noisy = False

    def __init__(
        self,
        clock: IReactorTime,
        *,
        key: bytes | None = None,
        name: str | None = None,
        password: str | None = None,
        protocol: type[ChatClient] = ChatClient,
    ) -> None:
        self.clock = clock
        self.turn = Turn(clock)
        self.name = name
        self._password = password
        self._client_class = protocol
        self._codec = Codec(key)
        self._psk = None if key is None else noise_psk(key)
        self._wheel: HeartbeatWheel | None = None

    def buildProtocol(self, addr: IAddress | None) -> ChatClient:
        """Build the protocol of a new connection."""
        channel: Channel = (
            ClearChannel(expects_server=True)
            if self._psk is None
            else SecureChannel(self._psk, initiator=False)
        )
        connection = ClientConnection(
            self._codec, channel, self.clock.seconds(), name=self.name, password=self._password
        )
        return self._client_class(connection, self)

    def add(self, client: ChatClient) -> None:
        """Watch over a client's server; all clients of a factory are held to one interval."""
        init = client.connection.init
        assert init is not None
        if self._wheel is None or not self._wheel.is_running:
            self._wheel = HeartbeatWheel(self.clock, init.heartbeat)
        self._wheel.add(client)

    def remove(self, client: ChatClient) -> None:
        """Watch no more."""
        if self._wheel is not None:
            self._wheel.discard(client)


async def connect(
    reactor: Any,  # noqa: ANN401
    endpoint: str | IStreamClientEndpoint,
    *,
    key: bytes | None = None,
    name: str | None = None,
    password: str | None = None,
    protocol: type[ChatClient] = ChatClient,
) -> ChatClient:
    """Connect to a server and wait for its welcome.

    Args:
        reactor: The reactor.
        endpoint: An endpoint, or a string such as `tcp:localhost:9999` or `unix:/run/chat.sock`.
        key: The shared key, 32 bytes, or None for none; see `chatd.load_key`.
        name: The name to ask for; the server gives one where there is none.
        password: Proves the right to the name, where the server asks for one.
        protocol: What to build; `ChatClient` or a subclass.

    Returns:
        The client, its session active.

    Raises:
        ConfigurationError: The endpoint string or the key is not one.
        twisted.internet.error.ConnectError: Nobody listens there.
        SessionRefused: The server does not let this client in; its `code` says why.
        SessionEnded: The session ended before it was established.
    """
    there = client_endpoint(reactor, endpoint) if isinstance(endpoint, str) else endpoint
    factory = ChatClientFactory(reactor, key=key, name=name, password=password, protocol=protocol)
    client = cast(ChatClient, await there.connect(factory))
    try:
        return await client.when_established()
    except BaseException:
        client.disconnect()
        raise


class ChatClientService(ClientService):
    """Keeps a client connected: a service that connects again, with backoff, whenever it is lost.

    `whenConnected` fires with a `ChatClient` whose session is active; see
    `twisted.application.internet.ClientService` for its arguments.

    Args:
        reactor: The reactor.
        endpoint: An endpoint, or a string such as `tcp:localhost:9999`.
        factory: What builds the clients.
        retry_policy: Gives the seconds to wait before attempt n; Twisted's backoff if None.

    Attributes:
        client: The client of the latest attempt, if there was one; see its `is_active`.
    """

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        endpoint: str | IStreamClientEndpoint,
        factory: ChatClientFactory,
        retry_policy: Any = None,  # noqa: ANN401
    ) -> None:
        there = client_endpoint(reactor, endpoint) if isinstance(endpoint, str) else endpoint
        self.client: ChatClient | None = None
        super().__init__(
            there,
            factory,
            retryPolicy=retry_policy,
            clock=reactor,
            prepareConnection=cast(Any, self._prepare),
        )

    def stopService(self) -> Deferred[None]:
        """Say goodbye, and connect no more."""
        if self.client is not None and self.client.is_active:
            self.client.end_session(ErrorCode.GOODBYE, "the client is leaving")
            self.client.flush()
        return super().stopService()

    def _prepare(self, client: ChatClient) -> Deferred[ChatClient]:
        self.client = client
        return client.when_established()
