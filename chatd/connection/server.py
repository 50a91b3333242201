"""The server's side of a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chatd.connection.connection import Connection
from chatd.connection.events import AdmissionAsked, Event
from chatd.connection.limits import HandshakeLimits
from chatd.connection.states import State, Trigger, advance
from chatd.errors import ErrorCode, RequestError
from chatd.wire.channel import Channel
from chatd.wire.codec import Codec
from chatd.wire.messages import Message, MessageType, SessionAck, SessionInit

__all__ = ["ServerConnection"]


class ServerConnection(Connection):
    """The server's side of a session: it greets, admits or refuses, and pings.

    Args:
        codec: The codec of the shared key.
        channel: The initiator's channel of the shared key, or the clear channel.
        init: The greeting: the session's id, the heartbeat interval, the limits.
        now: See `Connection`.
        handshake: See `Connection`.
    """

    __slots__ = ("_init",)

    _READING = frozenset({State.CONNECTING, State.GREETING, State.ESTABLISHED})
    _OPEN_TYPES = frozenset({MessageType.MESSAGE, MessageType.COMMAND, MessageType.ERROR})
    _SENDS_PINGS = True

    def __init__(
        self,
        codec: Codec,
        channel: Channel,
        init: SessionInit,
        now: float,
        handshake: HandshakeLimits = HandshakeLimits(),  # noqa: B008  (frozen)
    ) -> None:
        self._init = init
        super().__init__(codec, channel, init.heartbeat, now, handshake)

    @property
    def session_id(self) -> str:
        """The session's UUID."""
        return self._init.session_id

    def admit(self, name: str, rooms: Sequence[Mapping[str, object]] = ()) -> None:
        """Answer `AdmissionAsked`: welcome the client.

        Do nothing if the session is already over.

        Args:
            name: The client's name.
            rooms: The client's rooms, each with its `room` (the name) and any other fields for the
                client. Messages that name no room go to the first.
        """
        if self.is_over:
            return
        self._establish()
        welcome = {
            "event": "welcome",
            "session_id": self.session_id,
            "name": name,
            "room": rooms[0]["room"] if rooms else None,
            "rooms": rooms,
        }
        self.send(MessageType.EVENT, welcome)

    def refuse(self, code: str, message: str, *, retry: bool = False) -> None:
        """Answer `AdmissionAsked` with ERROR and DISCONNECT; do nothing if the session is over."""
        if self.is_over:
            return
        if self._channel.is_open:
            self.send_error(RequestError(code, message))
        self.end(code, message, retry=retry)

    def _channel_opened(self) -> None:
        self.send(MessageType.SESSION_INIT, self._init)

    def _receive_handshake(self, message: Message) -> Event | None:
        ack = message.header
        if self.state is not State.GREETING or not isinstance(ack, SessionAck):
            return message if message.type == MessageType.ERROR else self._unexpected(message)
        if ack.session_id != self.session_id:
            self.refuse(ErrorCode.BAD_SESSION, "the session_id is not the one in SESSION_INIT")
            return None
        self.state = advance(self.state, Trigger.GREETED)
        return AdmissionAsked(ack)
