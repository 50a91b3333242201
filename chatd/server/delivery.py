"""`TurnDelivery`: delivers messages, errors and ends from the chat to the sessions."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from twisted.internet.defer import Deferred

from chatd.errors import RequestError
from chatd.server.served import ServedMember
from chatd.transport.flush import Turn, join_frames
from chatd.wire.codec import Codec
from chatd.wire.large import Frame
from chatd.wire.messages import ChatHeader, Message

__all__ = ["TOO_LARGE_TYPE", "TurnDelivery"]

TOO_LARGE_TYPE = "application/x-chatd-too-large"
"""The content type of a stored message that exceeds the present limit. The server sends it without
its content, but with its place."""


class TurnDelivery:
    """Implements `chatd.chat.interfaces.Delivery`; it encodes a message once for each key.

    Args:
        turn: Gathers the messages of a turn.
    """

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self.broadcast = turn.broadcast
        self.begin = turn.begin
        self.deliver_early = turn.deliver_early

    def tell(self, member: ServedMember, messages: Iterable[Message]) -> None:
        """Send messages to one session, after all earlier broadcasts."""
        frames = [_encode_kept(member.encoder, message) for message in messages]
        if frames:
            self._turn.deliver_early(member)
        for joined in join_frames(frames):
            member.deliver(joined)

    def tell_all(self, members: Iterable[ServedMember], message: Message) -> None:
        """Send a message to some sessions."""
        frames: dict[Codec, Frame] = {}
        for member in members:
            encoder = member.encoder
            if encoder not in frames:
                frames[encoder] = encoder.encode_in_steps(message)
            self._turn.deliver_early(member)
            member.deliver(frames[encoder])

    def refuse(self, member: ServedMember, error: RequestError) -> None:
        """Send an ERROR."""
        member.send_error(error)

    def end(self, member: ServedMember, code: str, reason: str, *, retry: bool = False) -> None:
        """End a session."""
        member.end_now(code, reason, retry=retry)

    def drained(self, member: ServedMember) -> Deferred[None]:
        """Return a Deferred that fires when a session has nothing left to write."""
        return member.when_drained()


def _encode_kept(encoder: Codec, message: Message) -> Frame:
    """Encode a stored message, which may exceed the present limit of content."""
    if len(message.content) <= encoder.max_content:
        return encoder.encode_in_steps(message)
    assert isinstance(message.header, ChatHeader)
    header = msgspec.structs.replace(message.header, content_type=TOO_LARGE_TYPE)
    return encoder.encode_parts(message.type, header)
