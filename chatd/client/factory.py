"""`ChatClientFactory`: builds a client's session for each connection."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic

from twisted.internet.interfaces import (
    IAddress,
    IReactorTime,
)
from twisted.internet.protocol import Factory

from chatd.arguments import check_initialised, check_names, check_reactor, check_type, wrong_type
from chatd.client.client import ChatClient, ClientT
from chatd.client.progress import Progress
from chatd.client.session import ClientSession
from chatd.connection.client import ClientConnection
from chatd.transport.flush import Turn
from chatd.transport.heartbeat import HeartbeatWheel
from chatd.wire.bounds import MAX_FIRST_ROOMS
from chatd.wire.channel import Channel, ClearChannel, SecureChannel
from chatd.wire.codec import Codec
from chatd.wire.keys import noise_psk

__all__ = ["DEFAULT_MAX_CONTENT", "ChatClientFactory"]

DEFAULT_MAX_CONTENT = 64 * 1024 * 1024
"""Longest content that a client receives and sends by default, in bytes."""


class ChatClientFactory(Factory, Generic[ClientT]):
    """Builds a `ChatClient`, or one of a subclass, for each connection.

    Args:
        clock: The reactor, or a test's clock.
        key: The shared key, 32 bytes, or None for none.
        name: The name to ask for; None for the server's choice.
        password: The password of the name, for servers with accounts. It is never sent in the clear
            over TCP: use a key, TLS or a UNIX socket.
        rooms: The rooms to join; None for the server's choice.
        protocol: The class to build; `ChatClient` or a subclass.
        max_content: Longest content to receive and to send, in bytes, even if the server allows
            more; 4 to 4,293,918,719. A longer message of the server ends the session with
            `too-large`.

    Attributes:
        progress: The state that this factory's clients keep from one connection to the next.

    Raises:
        ConfigurationError: The key does not have 32 bytes, or `max_content` is out of range.
    """

    noisy = False

    def __init__(
        self,
        clock: IReactorTime,
        *,
        key: bytes | None = None,
        name: str | None = None,
        password: str | None = None,
        rooms: Iterable[str] | None = None,
        protocol: type[ClientT] = ChatClient,  # type: ignore[assignment]  # the type's default
        max_content: int = DEFAULT_MAX_CONTENT,
    ) -> None:
        check_reactor("the clock", clock, "the reactor or a Clock")
        check_names("rooms", rooms)
        check_type("the name", name, (str, type(None)), "text")
        check_type("the password", password, (str, type(None)), "text")
        if not callable(protocol):
            kind = type(protocol).__name__
            raise TypeError(f"protocol must be a class such as ChatClient, not an object of {kind}")
        if isinstance(protocol, type) and not issubclass(protocol, ChatClient):
            raise wrong_type("protocol", protocol, "ChatClient or a subclass")
        self.clock = clock
        self.key = key
        self.progress = Progress(rooms)
        self.turn = Turn(clock)
        self.name = name
        self._password = password
        self._client_class = protocol
        self._codec = Codec(key, max_content=max_content)
        self._psk = None if key is None else noise_psk(key)
        self._wheel: HeartbeatWheel | None = None

    def buildProtocol(  # type: ignore[override]  # older Twisteds have no Factory[ChatClient]
        self, addr: IAddress | None
    ) -> ClientT:
        """Build the protocol of a new connection.

        Raises:
            TypeError: The `__init__` of a subclass does not call that of its base.
        """
        self.check_initialised()
        channel: Channel = (
            ClearChannel(expects_server=True)
            if self._psk is None
            else SecureChannel(self._psk, initiator=False)
        )
        connection = ClientConnection(
            self._codec,
            channel,
            self.clock.seconds(),
            name=self.name,
            password=self._password,
            rooms=self.progress.first_rooms(MAX_FIRST_ROOMS),
        )
        client = self._client_class(connection, self)
        check_initialised(client, "_goodbye_timer", "connection, factory")
        return client

    def check_initialised(self) -> None:
        """Check that the `__init__` of a subclass calls that of its base.

        Raises:
            TypeError: It does not.
        """
        check_initialised(self, "_wheel", "clock, ...")

    def keep_name(self, name: str) -> None:
        """Ask for a name in the next connections."""
        self.name = name

    def keep_password(self, password: str) -> None:
        """Log in with a password in the next connections."""
        self._password = password

    def add(self, session: ClientSession) -> None:
        """Watch for silence of a session's server; all sessions of a factory share one interval."""
        init = session.connection.init
        assert init is not None
        if self._wheel is None or not self._wheel.is_running:
            self._wheel = HeartbeatWheel(self.clock, init.heartbeat)
        self._wheel.add(session)

    def remove(self, session: ClientSession) -> None:
        """Stop watching a session's server."""
        if self._wheel is not None:
            self._wheel.discard(session)
