"""`ServedMember`: a member of the chat that a connection of this server carries."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred

from chatd.chat.rooms import Member
from chatd.connection.server import ServerConnection
from chatd.errors import RequestError
from chatd.server.connections import Closable
from chatd.transport.heartbeat import Ticking
from chatd.wire.large import Frame

__all__ = ["Carrier", "S", "ServedMember"]


class Carrier(Closable, Ticking, Protocol):
    """The protocol of a member's connection."""

    connection: ServerConnection

    @property
    def stream(self) -> Any:  # noqa: ANN401
        """The transport of the connection."""

    def deliver(self, frames: Frame) -> None:
        """Queue whole frames, unless the session is over."""

    def send_error(self, error: RequestError) -> None:
        """Queue an ERROR, unless the session is over."""

    def all_answered(self) -> None:
        """Act on the last answer that was owed."""

    def room_joined(self, room: str) -> None:
        """Tell the service that the member has joined a room."""

    def room_left(self, room: str) -> None:
        """Tell the service that the member has left a room."""

    def when_drained(self) -> Deferred[None]:
        """Return a Deferred that fires when nothing is held back."""


class ServedMember(Member):
    """The half of a session that the server's parts use; `Session` has the other.

    Attributes:
        protocol: The protocol of its connection.
        encoder: The encoder of its frames: the codec of the key with which it connected.
    """

    __slots__ = ("__weakref__", "encoder", "protocol")

    protocol: Carrier

    def __init__(self, protocol: Carrier, id: str, name: str) -> None:
        super().__init__(id, name)
        self.protocol = protocol
        self.encoder = protocol.connection.codec

    def deliver(self, frames: Frame) -> None:
        """Queue whole frames, made by its `encoder`, unless the session is over."""
        self.protocol.deliver(frames)

    def all_answered(self) -> None:
        """Act on the last answer that was owed."""
        self.protocol.all_answered()

    def entered(self, room: str) -> None:
        """Tell the service that the member has joined a room."""
        self.protocol.room_joined(room)

    def departed(self, room: str) -> None:
        """Tell the service that the member has left a room."""
        self.protocol.room_left(room)

    def send_error(self, error: RequestError) -> None:
        """Queue an ERROR, unless the session is over."""
        self.protocol.send_error(error)

    def end_now(self, code: str, reason: str, *, retry: bool = False) -> None:
        """End the session, even if answers are missing."""
        self.protocol.end_session(code, reason, retry=retry)

    def when_drained(self) -> Deferred[None]:
        """Return a Deferred that fires when nothing is held back; see `ChatProtocol`."""
        return self.protocol.when_drained()


S = TypeVar("S", bound=ServedMember)
"""The class of a server's sessions."""
