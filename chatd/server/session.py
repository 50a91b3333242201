"""`Session`: what a server knows of one client, and how it talks to it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from chatd.errors import ErrorCode, SessionEnded
from chatd.server.served import ServedMember
from chatd.transport.streams import peer_of
from chatd.wire.messages import Message, MessageType

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress

    from chatd.server.factory import ChatFactory
    from chatd.server.sessionprotocol import SessionProtocol

__all__ = ["Session"]


class Session(ServedMember):
    """A client's session, as the server sees it; one lives from the welcome to the end.

    Subclass it, and name the subclass as the `session_class` of your factory, to keep more with a
    session or to act on its beginning and end.

    Attributes:
        id: The session's UUID.
        name: What the client is called.
        key: The same folded, as names are compared.
        address: Where the client comes from: an IP address, `uid:` and a number, or `local`.
        has_account: Whether the name is an account's, and proven.
        rooms: The rooms that the session is in, by their folded names.
        extra: Yours to keep whatever belongs to the session.
        protocol: The protocol that carries it.
        encoder: What makes its frames: the codec of the key that it came with.
    """

    __slots__ = ("extra",)

    protocol: SessionProtocol

    def __init__(self, protocol: SessionProtocol, id: str, name: str) -> None:
        super().__init__(protocol, id, name)
        self.extra: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.id}>"

    # Yours to override

    def established(self) -> Awaitable[None] | None:
        """Act on the session's being established: it was welcomed. May be `async`."""
        return None

    def ended(self, reason: SessionEnded) -> Awaitable[None] | None:
        """Act on the session's end, whatever the reason; called exactly once. May be `async`.

        Args:
            reason: Why, with its `code`; `connection-lost` where nobody said.
        """
        return None

    # Yours to call

    @property
    def is_active(self) -> bool:
        """Whether the session is established and not over."""
        return self.protocol.connection.is_established

    @property
    def factory(self) -> ChatFactory:
        """The factory whose session it is."""
        return self.protocol.factory

    @property
    def peer(self) -> IAddress:
        """The address of the other side."""
        return peer_of(self.protocol.stream)

    def send(
        self, content: str | bytes, *, id: str | None = None, content_type: str | None = None
    ) -> None:
        """Send a MESSAGE to this session alone, from the server.

        Args:
            content: Text, sent as UTF-8, or bytes.
            id: Up to 64 characters; a new UUID where there is none.
            content_type: What the content is; plain text in UTF-8 where there is none.

        Raises:
            SessionEnded: The session is over.
            LocalProtocolError: The content is over the limit.
        """
        self._send(
            self.encoder.encode(self.factory.engine.speaker.compose(content, id, content_type))
        )

    def reply(
        self, message: Message, content: str | bytes, *, content_type: str | None = None
    ) -> None:
        """Answer a message to its sender alone: the answer is what its `send` gives it back.

        Args:
            message: What `message_received` was given.
            content: See `send`.
            content_type: See `send`.

        Raises:
            SessionEnded: The session is over.
            LocalProtocolError: The content is over the limit.
        """
        self.send(content, id=message.id, content_type=content_type)

    def send_result(self, command: Message, /, **fields: object) -> None:
        """Answer a command: the fields are what the client's `command` gives it back.

        Args:
            command: What `command_received` was given.
            fields: JSON values.

        Raises:
            SessionEnded: The session is over.
            LocalProtocolError: The fields cannot be sent as a header.
        """
        assert isinstance(command.header, dict), "only a command has a result"
        header = {**fields, "id": command.header["id"]}
        self._send(self.encoder.encode_parts(MessageType.RESULT, header))

    def end(
        self, code: str = ErrorCode.GOODBYE, reason: str = "goodbye", *, retry: bool = False
    ) -> None:
        """End the session: say why, after what was said before; do nothing where it is over.

        Args:
            code: Lower-case words joined by hyphens.
            reason: The same for a person.
            retry: Whether the client is invited to come back.
        """
        self.answers.then(lambda: self.protocol.end_session(code, reason, retry=retry))

    def _send(self, frame: bytes) -> None:
        end = self.protocol.connection.end_reason
        if end is not None:
            raise end.again()
        self.answers.then(lambda: self.protocol.send_frame(frame))
