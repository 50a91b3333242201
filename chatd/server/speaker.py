"""`Speaker`: sends messages in the server's own name."""

from __future__ import annotations

from typing import Generic
from uuid import uuid4

from twisted.internet.defer import Deferred

from chatd.chat.hub import Hub
from chatd.chat.rooms import Member
from chatd.errors import ErrorCode, RequestError, StoreError
from chatd.server.served import S
from chatd.storage.values import Outcome
from chatd.transport.flush import Turn
from chatd.wire.messages import (
    DEFAULT_CONTENT_TYPE,
    ChatHeader,
    Message,
    MessageType,
    as_content,
)

__all__ = ["Speaker"]


class Speaker(Generic[S]):
    """Sends messages from the server.

    Args:
        hub: The chat.
        turn: Flushes the messages.
        name: The server's name; clients cannot take it.
    """

    def __init__(self, hub: Hub[S], turn: Turn, name: str) -> None:
        self._hub = hub
        self._turn = turn
        self._member = Member("", hub.roster.names.reserve(name))

    def compose(self, content: str | bytes, id: str | None, content_type: str | None) -> Message:
        """Make a message to a single session."""
        header = ChatHeader(
            id=uuid4().hex if id is None else id,
            sender=self._member.name,
            time=self._hub.unix_time(),
            content_type=content_type or DEFAULT_CONTENT_TYPE,
        )
        return Message(MessageType.MESSAGE, header, as_content(content))

    async def say(self, name: str, message: Message) -> Message:
        """Send a message to everyone in a room, and return the delivered message.

        Raises:
            RequestError: `bad-room`, `not-stored` or `id-reused`.
        """
        try:
            room = await self._hub.roster.open(name)
        except StoreError as error:
            raise RequestError(ErrorCode.NOT_STORED, "the store does not work now") from error
        told: Deferred[Outcome] = Deferred()
        self._hub.say_as(self._member, room, message, told.callback)
        self._hub.roster.close(room)
        self._turn.schedule()
        outcome = await told
        if isinstance(outcome, RequestError):
            raise outcome
        return outcome.message
