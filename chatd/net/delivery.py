"""`TurnDelivery`: carries what the chat decides to the sessions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from chatd.chat.members import Audience
from chatd.errors import RequestError
from chatd.net.turn import Turn
from chatd.wire.codec import Codec
from chatd.wire.messages import Message

if TYPE_CHECKING:
    from chatd.net.session import Session

__all__ = ["TurnDelivery"]


class TurnDelivery:
    """Implements `chatd.chat.members.Delivery`: each message is encoded and signed once.

    Args:
        codec: What encodes.
        turn: What gathers the frames of a turn.
    """

    def __init__(self, codec: Codec, turn: Turn) -> None:
        self._encode = codec.encode
        self._turn = turn
        self.begin = turn.begin
        self.hand_over = turn.hand_over

    def broadcast(self, audience: Audience[Session], message: Message) -> None:
        """Send a message to an audience at the end of the turn."""
        self._turn.broadcast(audience, self._encode(message))

    def tell(self, member: Session, messages: Iterable[Message]) -> None:
        """Send messages to one session, after all that was broadcast before."""
        frames = b"".join(map(self._encode, messages))
        if frames:
            self._turn.hand_over(member)
            member.deliver(frames)

    def tell_all(self, members: Iterable[Session], message: Message) -> None:
        """Send a message to some sessions."""
        frame = self._encode(message)
        for member in members:
            self._turn.hand_over(member)
            member.deliver(frame)

    def refuse(self, member: Session, error: RequestError) -> None:
        """Send an ERROR."""
        member.protocol.send_error(error)

    def end(self, member: Session, code: str, reason: str, *, retry: bool = False) -> None:
        """End a session."""
        member.end(code, reason, retry=retry)

    def drained(self, member: Session) -> Deferred[None]:
        """Wait until a session has nothing to write."""
        return member.protocol.when_drained()
