"""What an envelope says: the message types, their headers, and `Message`.

A header is one JSON object. Those whose fields are all known are `msgspec` structs, which check
the fields' types while they decode; unknown fields are ignored. COMMAND, RESULT and EVENT are open
to new fields, so their headers stay dictionaries.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any
from uuid import uuid4

import msgspec

from chatd.errors import LocalProtocolError

__all__ = [
    "DEFAULT_CONTENT_TYPE",
    "MAX_CONTENT_TYPE",
    "MAX_FIRST_ROOMS",
    "MAX_HEARTBEAT_S",
    "MAX_ID",
    "MAX_MAX_CONTENT",
    "MAX_PLACE",
    "MESSAGE_TYPE",
    "MIN_HEARTBEAT_S",
    "MIN_MAX_CONTENT",
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
MAX_ID = 64
"""Longest id of a message or command, in characters."""
MAX_PLACE = 64
"""Longest name of a room or of who a message is to, in characters."""
MAX_FIRST_ROOMS = 20
"""How many rooms a session may begin in: the welcome that tells of them is a short frame."""
MAX_CONTENT_TYPE = 255
"""Longest content type, in characters (RFC 6838 section 4.2 allows 127 for each half)."""

MIN_MAX_CONTENT = 4
"""Smallest limit on contents that a server may set, in bytes: what a heartbeat needs."""
MAX_MAX_CONTENT = 2**32 - 1 - 2**20
"""Largest limit: frames have 32-bit lengths, and hold more than the content."""
MIN_HEARTBEAT_S = 0.01
"""Shortest interval between two pings, in seconds."""
MAX_HEARTBEAT_S = 86_400.0
"""Longest interval between two pings, in seconds."""

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID)]
Place = Annotated[str, msgspec.Meta(max_length=MAX_PLACE)]
ContentType = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_CONTENT_TYPE)]


class MessageType(IntEnum):
    """The type of an envelope."""

    SESSION_INIT = 1
    SESSION_ACK = 2
    HEARTBEAT = 3
    MESSAGE = 4
    ERROR = 5
    DISCONNECT = 6
    CHUNK = 7
    """Reserved: has no meaning in version 1."""
    COMMAND = 8
    RESULT = 9
    EVENT = 10


MESSAGE_TYPE = int(MessageType.MESSAGE)
"""The type of MESSAGE as a plain number, which is cheaper to look up, once for each message."""


class SessionInit(msgspec.Struct, frozen=True, kw_only=True):
    """Server to client, first of all: who the server is and what it allows.

    Attributes:
        session_id: The session's UUID.
        server: The server's name and version.
        heartbeat: Seconds between two pings.
        max_content: Longest content that the server accepts, in bytes.
        auth: Whether a password is asked for.
    """

    session_id: str
    server: str = ""
    heartbeat: Annotated[float, msgspec.Meta(ge=MIN_HEARTBEAT_S, le=MAX_HEARTBEAT_S)] = 5.0
    max_content: Annotated[int, msgspec.Meta(ge=MIN_MAX_CONTENT, le=MAX_MAX_CONTENT)] = (
        10 * 1024 * 1024
    )
    auth: bool = False


class SessionAck(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Client to server, in answer to SESSION_INIT: who the client would be.

    Attributes:
        session_id: The UUID that SESSION_INIT gave.
        name: The name asked for; the server gives one where there is none.
        password: Proves the right to the name, where the server asks for one.
        rooms: The rooms to be let into, up to `MAX_FIRST_ROOMS`; None for the server's choice.
    """

    session_id: str
    name: str | None = None
    password: str | None = None
    rooms: Annotated[list[str], msgspec.Meta(max_length=MAX_FIRST_ROOMS)] | None = None

    def __repr__(self) -> str:
        """Show all but the password."""
        return f"SessionAck(session_id={self.session_id!r}, name={self.name!r}, rooms={self.rooms})"


class Heartbeat(msgspec.Struct, frozen=True):
    """A ping or a pong; which of them, the content says.

    Attributes:
        n: A number that a pong repeats from its ping.
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
        id: The sender's name for the message, up to `MAX_ID` characters.
        room: The room it is said in, up to `MAX_PLACE` characters.
        to: The name it is said to, instead of a room.
        sender: Who said it (`from` on the wire); set by the server.
        seq: Its place in the room's order, rising by one; set by the server.
        time: When the server took it, in Unix seconds.
        content_type: What the content is; `DEFAULT_CONTENT_TYPE` where there is none.
        ref: The id of the command that it answers, `history` or `join`; set by the server.
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
    """Something was wrong.

    Attributes:
        code: Lower-case words joined by hyphens; see `chatd.errors.ErrorCode`.
        message: The same for a person.
        ref: The id of the frame at fault, where it has one.
    """

    code: str
    message: str = ""
    ref: str | None = None


class Disconnect(msgspec.Struct, frozen=True, kw_only=True):
    """The session ends here.

    Attributes:
        code: Why; see `chatd.errors.ErrorCode`.
        reason: The same for a person.
        retry: Whether the other side may come back.
    """

    code: str = "goodbye"
    reason: str = ""
    retry: bool = False


Header = SessionInit | SessionAck | Heartbeat | ChatHeader | Error | Disconnect | dict[str, Any]
"""What a header is decoded to."""


class Message(msgspec.Struct, frozen=True, gc=False):
    """One envelope's meaning: its type, its header and its content.

    It is a value, which the garbage collector does not look at: put no message into its own header.

    Attributes:
        type: A `MessageType`, or the bare number of a type that is not known.
        header: The header, typed where its type is known.
        content: The content, any bytes.

    The further properties read the header of a MESSAGE, and are None for other types.
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
        """Make a MESSAGE that a client could send.

        Args:
            content: Text, sent as UTF-8, or bytes.
            id: Up to `MAX_ID` characters; a new UUID where there is none.
            room: The room to say it in; the session's own where there is none.
            to: The name to say it to, instead of a room.
            content_type: What the content is, up to `MAX_CONTENT_TYPE` characters.
        """
        header = ChatHeader(
            id=uuid4().hex if id is None else id, room=room, to=to, content_type=content_type
        )
        return cls(MessageType.MESSAGE, header, as_content(content))

    @property
    def text(self) -> str:
        """The content as text; bytes that are not UTF-8 are shown as U+FFFD."""
        return self.content.decode("utf-8", "replace")

    @property
    def id(self) -> str | None:
        """The sender's name for the message."""
        return self.header.id if isinstance(self.header, ChatHeader) else None

    @property
    def room(self) -> str | None:
        """The room it was said in."""
        return self.header.room if isinstance(self.header, ChatHeader) else None

    @property
    def to(self) -> str | None:
        """The name it was said to."""
        return self.header.to if isinstance(self.header, ChatHeader) else None

    @property
    def sender(self) -> str | None:
        """The name of who said it."""
        return self.header.sender if isinstance(self.header, ChatHeader) else None

    @property
    def seq(self) -> int | None:
        """Its place in the room's order."""
        return self.header.seq if isinstance(self.header, ChatHeader) else None

    @property
    def time(self) -> float | None:
        """When the server took it, in Unix seconds."""
        return self.header.time if isinstance(self.header, ChatHeader) else None

    @property
    def content_type(self) -> str:
        """What the content is."""
        header = self.header
        given = header.content_type if isinstance(header, ChatHeader) else None
        return given or DEFAULT_CONTENT_TYPE

    @property
    def ref(self) -> str | None:
        """The id of the command that it answers."""
        return self.header.ref if isinstance(self.header, ChatHeader) else None

    def with_ref(self, ref: str | None) -> Message:
        """Return the same MESSAGE as the answer to a command, or as no answer."""
        assert isinstance(self.header, ChatHeader)
        return Message(self.type, msgspec.structs.replace(self.header, ref=ref), self.content)


def as_content(content: str | bytes) -> bytes:
    """Return `content` as the bytes that go on the wire: text as UTF-8, bytes as they are.

    Raises:
        LocalProtocolError: The text has lone surrogates, which UTF-8 cannot hold.
    """
    try:
        return content.encode() if isinstance(content, str) else content
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"the text cannot be sent: {error}") from error
