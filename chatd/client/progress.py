"""`Progress`: what a client remembers from one connection to the next.

It knows how far the client has read in each room and in each exchange of direct messages, and what
the client said that has no receipt. With that, a new connection goes on where the old one ended:
nothing is missed, told twice or lost.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.defer import Deferred

from chatd.chat.names import fold
from chatd.client.inbox import Inbox
from chatd.errors import LocalProtocolError, SessionEnded
from chatd.wire.messages import Message

__all__ = ["MAX_DIRECT", "MAX_UNCONFIRMED", "Position", "Progress", "Unconfirmed"]

MAX_DIRECT = 10_000
"""Of the direct messages with how many others it is known how far they were read."""
MAX_UNCONFIRMED = 10_000
"""How many messages may wait for a connection or a receipt."""


class Position:
    """How far a client has read.

    Attributes:
        name: The room, or the name of who the direct messages are with.
        epoch: The epoch of `seq`; None as long as it is not known.
        seq: The `seq` of the last message that the client has; None while it takes any.
        id: The id of that message; None where the client does not know it.
        is_filling: Whether what is missing here is being fetched.
    """

    __slots__ = ("epoch", "id", "is_filling", "name", "seq")

    def __init__(
        self,
        name: str,
        epoch: str | None = None,
        seq: int | None = None,
        id: str | None = None,
    ) -> None:
        self.name = name
        self.epoch = epoch
        self.seq = seq
        self.id = id
        self.is_filling = False

    def move_to(self, seq: int, id: str | None) -> None:
        """Take note of the last message that the client has."""
        self.seq = seq
        self.id = id

    def is_at(self, epoch: str, seq: int, id: str | None) -> bool:
        """Say whether the client has all up to a message."""
        has_id = None in (self.id, id) or self.id == id
        return (self.epoch, self.seq) == (epoch, seq) and has_id


class Unconfirmed:
    """A message that has no receipt.

    Attributes:
        message: The message.
        answer: Fires when the receipt comes.
    """

    __slots__ = ("answer", "message")

    def __init__(self, message: Message, answer: Deferred[Message]) -> None:
        self.message = message
        self.answer = answer


class Progress:
    """What a client remembers from one connection to the next.

    Args:
        rooms: The rooms to be in; None for those that the server chooses.

    Attributes:
        is_kept: Whether there will be another connection: then what has no receipt when one ends
            waits for the next.
        rooms: How far the client has read in the rooms it is in, by their folded names.
        direct: How far it has read of direct messages, by the folded names of the others.
        unconfirmed: What it said that has no receipt, and who waits for it, by ids.
        inbox: What has arrived for the program and was not taken yet; None where each connection
            has its own.
        was_connected: Whether there was a session.
    """

    def __init__(self, rooms: Iterable[str] | None = None) -> None:
        self._chosen = None if rooms is None else list(rooms)
        self.is_kept = False
        self.rooms = {fold(room): Position(room) for room in self._chosen or ()}
        self.direct: dict[str, Position] = {}
        self.unconfirmed: dict[str, Unconfirmed] = {}
        self.inbox: Inbox | None = None
        self.was_connected = False

    def be_kept(self) -> None:
        """Take note that there will be further connections."""
        self.is_kept = True
        if self.inbox is None or self.inbox.is_closed:
            self.inbox = Inbox()

    def first_rooms(self, limit: int) -> list[str] | None:
        """Return which rooms to ask for in the greeting; None for the server's choice.

        Args:
            limit: How many at most; the rest is joined later.
        """
        if self.was_connected:  # rooms are joined with what was missed
            return []
        return None if self._chosen is None else self._chosen[:limit]

    def take(self, message: Message, own_name: str) -> tuple[bool, Position | None]:
        """Take note of a message that has arrived.

        Returns:
            Whether it follows what the client has: one that it has already does not, nor does a
            direct message that comes before others. And the direct messages of which something is
            to be fetched, if so.
        """
        seq = message.seq
        if seq is None:  # from the server to this session alone
            return True, None
        if message.room is not None:
            position = self.rooms.get(fold(message.room))
            is_next = position is None or position.seq is None or seq > position.seq
            if is_next and position is not None:
                position.move_to(seq, message.id)
            return is_next, None
        return self._take_direct(message, seq, own_name) if self.is_kept else (True, None)

    def _take_direct(
        self, message: Message, seq: int, own_name: str
    ) -> tuple[bool, Position | None]:
        is_own = fold(message.sender or "") == fold(own_name)
        other = (message.to if is_own else message.sender) or ""
        position = self.direct.get(fold(other))
        if position is None:  # whose epoch is learnt by fetching
            if len(self.direct) >= MAX_DIRECT:
                del self.direct[next(iter(self.direct))]
            position = self.direct[fold(other)] = Position(other, None, seq, message.id)
            return True, position
        has = position.seq or 0
        if seq == has + 1:
            position.move_to(seq, message.id)
            return True, None
        # What comes before others waits for them; what was there before begins anew, perhaps.
        return False, None if position.is_filling else position

    def joined(self, room: str, epoch: str | None, seq: int | None, id: str | None = None) -> None:
        """Take note of being in a room: what follows the place `seq` is news there.

        Args:
            room: The room's name.
            epoch: The name of its order, or None.
            seq: The last place before the news; None where whatever comes is news.
            id: The id of the message at that place, or None.
        """
        self.rooms[fold(room)] = Position(room, epoch, seq, id)

    def left(self, room: str) -> None:
        """Take note that the client is not in a room any more."""
        self.rooms.pop(fold(room), None)

    def keep(self, message: Message) -> Deferred[Message]:
        """Keep a message until its receipt comes.

        Returns:
            A Deferred that fires with the receipt; cancelling it forgets the message.

        Raises:
            LocalProtocolError: Too many are kept, or this id is one of them.
        """
        id = message.id
        assert id is not None
        if id in self.unconfirmed:
            raise LocalProtocolError(f"the message {id} was sent and waits for its receipt")
        if len(self.unconfirmed) >= MAX_UNCONFIRMED:
            raise LocalProtocolError(f"{MAX_UNCONFIRMED} messages wait for their receipts already")

        def forget(_: object) -> None:
            self.unconfirmed.pop(id, None)

        kept = self.unconfirmed[id] = Unconfirmed(message, Deferred(forget))
        return kept.answer

    def close(self, end: SessionEnded) -> None:
        """Fail all that waits: there will be no further connection."""
        waiting, self.unconfirmed = self.unconfirmed, {}
        for kept in waiting.values():
            if not kept.answer.called:  # called: it was cancelled because another failed
                kept.answer.errback(end.again())
        if self.inbox is not None:
            self.inbox.close(end)
