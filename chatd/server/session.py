"""`Session`: the server's view of one client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatd.arguments import check_type, wrong_type
from chatd.errors import ErrorCode, SessionEnded
from chatd.server.served import ServedMember
from chatd.transport.hooks import DONE, HookResult
from chatd.transport.streams import peer_of
from chatd.wire.jsonfields import check_fields
from chatd.wire.large import Frame
from chatd.wire.messages import Message, MessageType

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress
    from typing_extensions import TypeVar  # no dependency: type checkers know it

    from chatd.server.factory import ChatFactory
    from chatd.server.sessionprotocol import SessionProtocol

else:
    from typing import TypeVar

__all__ = ["Session", "SessionT"]


class Session(ServedMember):
    """A client's session on the server, from the welcome to the end.

    Subclass it to keep more data with a session, or to act on its beginning and end. A subclass of
    `ChatFactory[YourSession]` makes sessions of that class.

    A session belongs to one daemon. If several daemons are one chat, chatd calls its methods only
    on the daemon to which its client is connected.

    To use your factory's own attributes in the subclass, annotate its `factory`::

        class YourSession(chatd.Session):
            factory: YourFactory

    Attributes:
        id: The session's UUID.
        name: The client's name.
        key: The folded name, for comparisons.
        address: The client's address: an IP address, `uid:` and a number, or `local`.
        has_account: Whether the client logged in to an account of that name.
        rooms: The rooms that the session is in, by their folded names.
        extra: A dictionary for your own data of the session.
        protocol: The protocol that carries the session.
        encoder: The codec of its frames, with the key that the client connected with.
    """

    __slots__ = ("extra",)

    protocol: SessionProtocol

    def __init__(self, protocol: SessionProtocol, id: str, name: str) -> None:
        super().__init__(protocol, id, name)
        self.extra: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.id}>"

    # Override these

    def established(self) -> HookResult:
        """Act on the beginning of the session, after the welcome. May be `async`."""
        return DONE

    def ended(self, reason: SessionEnded) -> HookResult:
        """Act on the end of the session, for any reason; called exactly once. May be `async`.

        Args:
            reason: The reason, with its `code`; `connection-lost` if neither side sent a reason.
        """
        return DONE

    def room_joined(self, room: str) -> HookResult:
        """Act on joining a room, also a room in which the session begins. May be `async`.

        For such rooms it is called before `established`. You cannot refuse the client here any
        more: raise `RequestError` in `ChatFactory.command_received` for the command `join`.

        Args:
            room: The room's name, in the room's own spelling.
        """
        return DONE

    def room_left(self, room: str) -> HookResult:
        """Act on leaving a room: by a command, a removal, or the end. May be `async`.

        At the end of the session it is called for each of its rooms, before `ended`.

        Args:
            room: The room's name, in the room's own spelling.
        """
        return DONE

    # Call these

    @property
    def is_active(self) -> bool:
        """Whether the session has begun and is not over."""
        return self.protocol.connection.is_established

    @property
    def factory(self) -> ChatFactory[Any]:
        """The session's factory."""
        return self.protocol.factory

    @property
    def peer(self) -> IAddress:
        """The address of the client's end of the connection."""
        return peer_of(self.protocol.stream)

    def send(
        self, content: str | bytes, *, id: str | None = None, content_type: str | None = None
    ) -> None:
        """Send a MESSAGE from the server to this session alone.

        Args:
            content: Text, sent as UTF-8, or bytes.
            id: Up to 64 characters; None for a new UUID.
            content_type: The content's media type; None for plain text in UTF-8.

        Raises:
            SessionEnded: The session is over.
            LocalProtocolError: The content exceeds the limit.
        """
        unanswered = self.protocol.unanswered
        if unanswered is not None and id is not None and unanswered.id == id:
            self.protocol.unanswered = None
        self._send(
            self.encoder.encode_in_steps(
                self.factory.engine.speaker.compose(content, id, content_type)
            )
        )

    def reply(
        self, message: Message, content: str | bytes, *, content_type: str | None = None
    ) -> None:
        """Answer a message to its sender alone; the client's `send` returns the answer.

        Args:
            message: The argument of `message_received`.
            content: See `send`.
            content_type: See `send`.

        Raises:
            SessionEnded: The session is over.
            LocalProtocolError: The content exceeds the limit.
        """
        check_type("the message", message, Message, "the Message that the session sent")
        if self.protocol.unanswered is not message and not self.protocol.answers_late:
            self.factory.engine.unanswered.note_second_answer(self.factory.message_received)
        self.send(content, id=message.id, content_type=content_type)

    def send_result(self, command: Message, /, **fields: object) -> None:
        """Answer a command; the client's `command` returns the fields.

        Args:
            command: The argument of `command_received`.
            fields: JSON values, and lists and dictionaries of these.

        Raises:
            SessionEnded: The session is over.
            LocalProtocolError: A field is named `id`, which chatd uses itself, or is no JSON value;
                or the fields are too large for a header.
        """
        wanted = "the COMMAND that the session sent"
        check_type("the command", command, Message, wanted)
        if not isinstance(command.header, dict):
            raise wrong_type("the command", command.header, wanted)
        check_fields(fields, ("id",))
        if self.protocol.unanswered is command:
            self.protocol.unanswered = None
        header = {**fields, "id": command.header["id"]}
        self._send(self.encoder.encode_parts(MessageType.RESULT, header))

    def end(
        self, code: str = ErrorCode.GOODBYE, reason: str = "goodbye", *, retry: bool = False
    ) -> None:
        """End the session after the answers to earlier messages; do nothing if it is over.

        Args:
            code: The reason for programs: lower-case words joined by hyphens.
            reason: The reason for people.
            retry: Whether the client is invited to come back.
        """
        self.answers.then(lambda: self.protocol.end_session(code, reason, retry=retry))

    def _send(self, frame: Frame) -> None:
        end = self.protocol.connection.end_reason
        if end is not None:
            raise end.again()
        self.answers.then(lambda: self.protocol.send_frame(frame), len(frame))


if TYPE_CHECKING:
    SessionT = TypeVar("SessionT", bound=Session, default=Session)
else:  # Python 3.10 to 3.12 have no defaults
    SessionT = TypeVar("SessionT", bound=Session)
