"""The client's side of a session."""

from __future__ import annotations

from chatd.connection.connection import LOST, Connection
from chatd.connection.events import Event, RequestFaulted, Welcomed
from chatd.connection.keepalive import Liveness
from chatd.connection.states import State, Trigger, advance
from chatd.errors import ErrorCode, RequestError, SessionEnded, SessionRefused
from chatd.wire.channel import Channel
from chatd.wire.codec import Codec
from chatd.wire.messages import (
    Disconnect,
    Error,
    Message,
    MessageType,
    SessionAck,
    SessionInit,
)

__all__ = ["ClientConnection"]

_NO_GREETING = (
    "no chatd server has greeted this client; if that is a port of --web, the endpoint is "
    "ws://HOST:PORT/ws"
)
_HEARTBEAT_S = 5.0
"""The heartbeat interval until SESSION_INIT gives the server's, in seconds."""


class ClientConnection(Connection):
    """The client's side of a session: it answers the greeting and the pings.

    Args:
        codec: The codec of the shared key. The server may lower its limit of content, not raise it.
        channel: The responder's channel of the shared key, or the clear channel.
        now: See `Connection`.
        name: The name to ask for; None lets the server choose.
        password: The password of the account, for a server that asks for it.
        rooms: The rooms to join; None lets the server choose.

    Attributes:
        init: The server's greeting; None until it arrives.
    """

    __slots__ = ("_name", "_now", "_password", "_refusal", "_rooms", "init")

    _READING = frozenset({State.CONNECTING, State.GREETING, State.ADMISSION, State.ESTABLISHED})
    _OPEN_TYPES = frozenset(
        {MessageType.MESSAGE, MessageType.RESULT, MessageType.ERROR, MessageType.EVENT}
    )
    _SENDS_PINGS = False

    def __init__(
        self,
        codec: Codec,
        channel: Channel,
        now: float,
        *,
        name: str | None = None,
        password: str | None = None,
        rooms: list[str] | None = None,
    ) -> None:
        codec.encode_parts(  # raises now if the values cannot be sent
            MessageType.SESSION_ACK,
            SessionAck(session_id="", name=name, password=password, rooms=rooms),
        )
        self._name = name
        self._password = password
        self._rooms = rooms
        self._now = now
        self._refusal: Error | None = None
        self.init: SessionInit | None = None
        super().__init__(codec.with_max_content(codec.max_content), channel, _HEARTBEAT_S, now)

    def withhold_password(self) -> None:
        """Send no password, even if the server asks: the transport is not encrypted."""
        self._password = None

    @property
    def max_content(self) -> int:
        """Longest content in either direction, in bytes: the lower limit of the two sides."""
        return self.codec.max_content

    def _receive_handshake(self, message: Message) -> Event | None:
        header = message.header
        if isinstance(header, SessionInit) and self.state is State.GREETING:
            self._answer_greeting(header)
        elif isinstance(header, Error):
            self._refusal = header
        elif (
            message.type == MessageType.EVENT
            and isinstance(header, dict)
            and self.state is State.ADMISSION
            and header.get("event") == "welcome"
        ):
            return self._receive_welcome(header)
        else:
            return self._unexpected(message)
        return None

    def _answer_greeting(self, init: SessionInit) -> None:
        self.init = init
        # A lying server must not decide how much memory this side takes.
        self.codec.max_content = min(init.max_content, self.codec.max_content)
        self._liveness = Liveness(init.heartbeat, self._now)
        self.state = advance(self.state, Trigger.GREETED)
        self.send(
            MessageType.SESSION_ACK,
            SessionAck(
                session_id=init.session_id,
                name=self._name,
                password=self._password if init.auth else None,  # sent only if it is asked for
                rooms=self._rooms,
            ),
        )

    def _receive_welcome(self, header: dict[str, object]) -> Event | None:
        name, room = header.get("name"), header.get("room")
        if not isinstance(name, str) or not isinstance(room, str | None):
            error = RequestError(ErrorCode.BAD_REQUEST, "a welcome must have name and room")
            return RequestFaulted(error)
        self._establish()
        rooms = header.get("rooms")
        if not isinstance(rooms, list) or not all(map(_is_room, rooms)):
            rooms = [] if room is None else [{"room": room}]
        return Welcomed(name, room, rooms)

    def _ended_by_peer(self, header: Disconnect) -> SessionEnded:
        end = super()._ended_by_peer(header)
        if self.is_established:
            return end
        return SessionRefused(end.code, end.reason, retry=end.retry)

    def _lost_reason(self, reason: str) -> SessionEnded:
        if self._refusal is not None and not self.is_established:
            return SessionRefused(self._refusal.code, self._refusal.message)
        if self.init is None and reason == LOST:  # closed on purpose, without a fault below
            reason = f"{reason}; {_NO_GREETING}"
        return super()._lost_reason(reason)


def _is_room(told: object) -> bool:
    return isinstance(told, dict) and isinstance(told.get("room"), str)
