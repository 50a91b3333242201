"""The message types, their headers, and `Message`.

A header is one JSON object. Headers with a fixed set of fields are `msgspec` structs, which check
the types of the fields while they decode, and ignore unknown fields. COMMAND, RESULT and EVENT are
open to new fields, so their headers stay dictionaries.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Annotated, Any
from uuid import uuid4

import msgspec

from chatd.arguments import check_type
from chatd.errors import LocalProtocolError
from chatd.wire import bounds

__all__ = [
    "DEFAULT_CONTENT_TYPE",
    "MESSAGE_TYPE",
    "ChatHeader",
    "Disconnect",
    "Error",
    "Header",
    "Heartbeat",
    "Message",
    "MessageType",
    "SessionAck",
    "SessionInit",
]

DEFAULT_CONTENT_TYPE = "text/plain; charset=utf-8"

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=bounds.MAX_ID)]
Place = Annotated[str, msgspec.Meta(max_length=bounds.MAX_PLACE)]
NO_CONTROLS = r"\A[^\x00-\x1f\x7f-\x9f]*\Z"
"""What the whole of a text without control characters matches."""
ContentType = Annotated[
    str, msgspec.Meta(min_length=1, max_length=bounds.MAX_CONTENT_TYPE, pattern=NO_CONTROLS)
]


class MessageType(IntEnum):
    """The type of an envelope."""

    SESSION_INIT = 1
    SESSION_ACK = 2
    HEARTBEAT = 3
    MESSAGE = 4
    ERROR = 5
    DISCONNECT = 6
    CHUNK = 7
    """Reserved, without a meaning in version 1."""
    COMMAND = 8
    RESULT = 9
    EVENT = 10


MESSAGE_TYPE = int(MessageType.MESSAGE)
"""The type of MESSAGE as a plain number: the lookup, once for each message, is cheaper."""


class SessionInit(msgspec.Struct, frozen=True, kw_only=True):
    """The greeting, server to client: the server's name and limits.

    Attributes:
        session_id: The session's UUID.
        server: The server's name and version.
        heartbeat: Seconds between two pings.
        max_content: Longest content that the server accepts, in bytes.
        auth: Whether the server asks for a password.
    """

    session_id: str
    server: str = ""
    heartbeat: Annotated[
        float, msgspec.Meta(ge=bounds.MIN_HEARTBEAT_S, le=bounds.MAX_HEARTBEAT_S)
    ] = 5.0
    max_content: Annotated[
        int, msgspec.Meta(ge=bounds.MIN_MAX_CONTENT, le=bounds.MAX_MAX_CONTENT)
    ] = 10 * 1024 * 1024
    auth: bool = False


class SessionAck(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to SESSION_INIT, client to server: the name and rooms that the client asks for.

    Attributes:
        session_id: The UUID from SESSION_INIT.
        name: The name that the client asks for; None lets the server choose.
        password: The password of the account, if the server asks for it.
        rooms: The rooms to join, at most `MAX_FIRST_ROOMS`; None lets the server choose.
    """

    session_id: str
    name: str | None = None
    password: str | None = None
    rooms: Annotated[list[str], msgspec.Meta(max_length=bounds.MAX_FIRST_ROOMS)] | None = None

    def __repr__(self) -> str:
        """Return the fields without the password."""
        return f"SessionAck(session_id={self.session_id!r}, name={self.name!r}, rooms={self.rooms})"


class Heartbeat(msgspec.Struct, frozen=True):
    """A ping or a pong, depending on the content.

    Attributes:
        n: The number of the ping; a pong repeats it.
    """

    n: int


class ChatHeader(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={"sender": "from"},
    gc=False,
):
    """The header of MESSAGE, in both directions.

    Attributes:
        id: The id that the sender chose for the message, up to `MAX_ID` characters.
        room: The room of the message, up to `MAX_PLACE` characters.
        to: The name of the recipient, instead of a room.
        sender: The name of the sender (`from` on the wire); set by the server.
        seq: The place in the room's order, rising by one; set by the server.
        time: The time at which the server accepted the message, in Unix seconds.
        content_type: The media type of the content; None means `DEFAULT_CONTENT_TYPE`.
        ref: The id of the `history` or `join` command that the message answers; set by the server.
    """

    id: Id
    room: Place | None = None
    to: Place | None = None
    sender: str | None = None
    seq: int | None = None
    time: float | None = None
    content_type: ContentType | None = None
    ref: str | None = None


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that the other side reports.

    Attributes:
        code: Lower-case words joined by hyphens; see `chatd.errors.ErrorCode`.
        message: A text for people.
        ref: The id of the faulty frame, if it has an id.
    """

    code: str
    message: str = ""
    ref: str | None = None


class Disconnect(msgspec.Struct, frozen=True, kw_only=True):
    """The end of the session.

    Attributes:
        code: The reason; see `chatd.errors.ErrorCode`.
        reason: A text for people.
        retry: Whether the other side may connect again.
    """

    code: str = "goodbye"
    reason: str = ""
    retry: bool = False


Header = SessionInit | SessionAck | Heartbeat | ChatHeader | Error | Disconnect | dict[str, Any]
"""A decoded header."""


class Message(msgspec.Struct, frozen=True, gc=False):
    """The type, header and content of an envelope.

    The garbage collector does not track messages: never put a message into its own header.

    Attributes:
        type: A `MessageType`, or the number of an unknown type.
        header: The header: a struct for the types with fixed fields, else a dictionary.
        content: The content, any bytes.

    The properties from `id` to `ref` read the header of a MESSAGE. For other types they are None,
    and `content_type` is `DEFAULT_CONTENT_TYPE`. `command` and `fields` read that of a COMMAND.
    """

    type: int
    header: Header
    content: bytes = b""

    @classmethod
    def chat(
        cls,
        content: str | bytes,
        *,
        id: str | None = None,
        room: str | None = None,
        to: str | None = None,
        content_type: str | None = None,
    ) -> Message:
        """Return a MESSAGE for a client to send.

        Args:
            content: Text, sent as UTF-8, or bytes.
            id: Up to `MAX_ID` characters; None makes a new UUID.
            room: The room to send it to; None is the session's own room.
            to: The name of the recipient, instead of a room.
            content_type: The media type of the content, up to `MAX_CONTENT_TYPE` characters, none
                of which is a control character.

        Raises:
            LocalProtocolError: The content type has a control character, or the text of the content
                cannot be encoded.
            TypeError: An argument has a wrong type.
        """
        for argument, given in (("room", room), ("to", to), ("content_type", content_type)):
            if given is not None:
                check_type(argument, given, str, "text")
        if content_type is not None and not re.match(NO_CONTROLS, content_type):
            raise LocalProtocolError("a content type has no control characters")
        header = ChatHeader(
            id=uuid4().hex if id is None else id, room=room, to=to, content_type=content_type
        )
        return cls(MessageType.MESSAGE, header, as_content(content))

    @property
    def text(self) -> str:
        """The content as text, with U+FFFD for bytes that are not UTF-8."""
        return self.content.decode("utf-8", "replace")

    @property
    def id(self) -> str | None:
        """The id that the sender chose for the message."""
        return self.header.id if isinstance(self.header, ChatHeader) else None

    @property
    def room(self) -> str | None:
        """The room of the message."""
        return self.header.room if isinstance(self.header, ChatHeader) else None

    @property
    def to(self) -> str | None:
        """The name of the recipient."""
        return self.header.to if isinstance(self.header, ChatHeader) else None

    @property
    def sender(self) -> str | None:
        """The name of the sender."""
        return self.header.sender if isinstance(self.header, ChatHeader) else None

    @property
    def seq(self) -> int | None:
        """The place in the room's order."""
        return self.header.seq if isinstance(self.header, ChatHeader) else None

    @property
    def time(self) -> float | None:
        """The time at which the server accepted the message, in Unix seconds."""
        return self.header.time if isinstance(self.header, ChatHeader) else None

    @property
    def content_type(self) -> str:
        """The media type of the content."""
        header = self.header
        given = header.content_type if isinstance(header, ChatHeader) else None
        return given or DEFAULT_CONTENT_TYPE

    @property
    def ref(self) -> str | None:
        """The id of the command that the message answers."""
        return self.header.ref if isinstance(self.header, ChatHeader) else None

    @property
    def command(self) -> str | None:
        """The name of a COMMAND; None for other types."""
        header = self.header
        if self.type != MessageType.COMMAND or not isinstance(header, dict):
            return None
        return str(header["command"])

    @property
    def fields(self) -> dict[str, Any]:
        """The arguments of a COMMAND, by name; empty for other types."""
        header = self.header
        if self.type != MessageType.COMMAND or not isinstance(header, dict):
            return {}
        return {name: value for name, value in header.items() if name not in ("id", "command")}

    def with_ref(self, ref: str | None) -> Message:
        """Return a copy of this MESSAGE that answers a command, or no command if `ref` is None."""
        assert isinstance(self.header, ChatHeader)
        return Message(self.type, msgspec.structs.replace(self.header, ref=ref), self.content)


def as_content(content: str | bytes) -> bytes:
    """Return `content` as the bytes that go on the wire: text as UTF-8, bytes as they are.

    Raises:
        LocalProtocolError: The text has lone surrogates, which UTF-8 cannot hold.
        TypeError: The content is neither text nor bytes.
    """
    if not isinstance(content, str):
        check_type("the content", content, bytes, "text or bytes")
        return content
    try:
        return content.encode()
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"the text cannot be sent: {error}") from error
