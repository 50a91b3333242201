"""`TurnDelivery`: carries what the chat decides to the sessions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec
from twisted.internet.defer import Deferred

from chatd.chat.members import Audience
from chatd.errors import RequestError
from chatd.net.turn import Turn
from chatd.wire.codec import Codec
from chatd.wire.messages import ChatHeader, Message

if TYPE_CHECKING:
    from chatd.net.session import Session

__all__ = ["TOO_LARGE_TYPE", "TurnDelivery"]

TOO_LARGE_TYPE = "application/x-chatd-too-large"
"""The content type of a message that is kept, and larger than the server sends now; it has no
content then, but its place."""


class TurnDelivery:
    """Implements `chatd.chat.members.Delivery`: each message is encoded and signed once.

    Args:
        codec: See the attribute.
        turn: What gathers the frames of a turn.

    Attributes:
        codec: What encodes.
    """

    def __init__(self, codec: Codec, turn: Turn) -> None:
        self.codec = codec
        self._turn = turn
        self.begin = turn.begin
        self.hand_over = turn.hand_over

    def _encode_kept(self, message: Message) -> bytes:
        """Encode what may have been stored when the limit was another."""
        if len(message.content) <= self.codec.max_content:
            return self.codec.encode(message)
        assert isinstance(message.header, ChatHeader)
        header = msgspec.structs.replace(message.header, content_type=TOO_LARGE_TYPE)
        return self.codec.encode_parts(message.type, header)

    def broadcast(self, audience: Audience[Session], message: Message) -> None:
        """Send a message to an audience at the end of the turn."""
        self._turn.broadcast(audience, self.codec.encode(message))

    def tell(self, member: Session, messages: Iterable[Message]) -> None:
        """Send messages to one session, after all that was broadcast before."""
        frames = b"".join(map(self._encode_kept, messages))
        if frames:
            self._turn.hand_over(member)
            member.deliver(frames)

    def tell_all(self, members: Iterable[Session], message: Message) -> None:
        """Send a message to some sessions."""
        frame = self.codec.encode(message)
        for member in members:
            self._turn.hand_over(member)
            member.deliver(frame)

    def refuse(self, member: Session, error: RequestError) -> None:
        """Send an ERROR."""
        member.protocol.send_error(error)

    def end(self, member: Session, code: str, reason: str, *, retry: bool = False) -> None:
        """End a session."""
        member.protocol.end_session(code, reason, retry=retry)

    def drained(self, member: Session) -> Deferred[None]:
        """Wait until a session has nothing to write."""
        return member.protocol.when_drained()
