"""`Progress`: the state that a client keeps from one connection to the next.

It knows the client's position in each room and in each exchange of direct messages, and the sent
messages that have no receipt. With this state, a new connection continues where the old connection
ended: no message is missed, delivered twice or lost.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.defer import Deferred

from chatd.chat.names import fold
from chatd.client.backlog import MAX_UNCONFIRMED, Backlog
from chatd.client.inbox import Inbox
from chatd.client.outage import PATIENCE_S
from chatd.errors import LocalProtocolError, SessionEnded
from chatd.transport.promise import Promise, fail_ended
from chatd.wire.messages import Message

__all__ = ["MAX_DIRECT", "MAX_UNCONFIRMED", "Position", "Progress", "Unconfirmed"]

MAX_DIRECT = 10_000
"""Limit on the exchanges of direct messages whose position is known."""


class Position:
    """A client's position in a room or in an exchange of direct messages.

    Attributes:
        name: The name of the room, or of the other person.
        epoch: The epoch of `seq`; None while it is unknown.
        seq: The `seq` of the last message that the client has; None while it takes any message.
        id: The id of that message; None if the client does not know it.
        is_filling: Whether missing messages are being fetched.
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
        """Set the last message that the client has."""
        self.seq = seq
        self.id = id

    def is_at(self, epoch: str, seq: int, id: str | None) -> bool:
        """Return whether a message is the last that the client has."""
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
    """The state that a client keeps from one connection to the next.

    Args:
        rooms: The rooms to join; None for the server's choice.

    Attributes:
        patience_s: How long messages wait while the server cannot store, in seconds.
        is_kept: Whether there will be another connection. Then messages without a receipt wait for
            it when a connection ends.
        rooms: The positions in the rooms that the client is in, by the rooms' folded names.
        direct: The positions in direct messages, by the folded names of the other people.
        unconfirmed: The sent messages without a receipt, by id.
        backlog: The senders that wait until fewer messages are without a receipt.
        inbox: The messages that the program has not taken yet; None if each connection has its own
            inbox.
        knows_direct: Whether the client knows which direct messages came before it took its
            present name.
        was_connected: Whether there was a session before.
        gaps: How often messages were missed.
    """

    def __init__(self, rooms: Iterable[str] | None = None) -> None:
        self._chosen = None if rooms is None else list(rooms)
        self.patience_s = PATIENCE_S
        self.is_kept = False
        self.rooms = {fold(room): Position(room) for room in self._chosen or ()}
        self.direct: dict[str, Position] = {}
        self.unconfirmed: dict[str, Unconfirmed] = {}
        self.backlog = Backlog(self.unconfirmed)
        self.inbox: Inbox | None = None
        self.knows_direct = False
        self.was_connected = False
        self.gaps = 0

    def be_kept(self) -> None:
        """Note that there will be further connections."""
        self.is_kept = True
        if self.inbox is None:
            self.inbox = Inbox()
            self.backlog = Backlog(self.unconfirmed)
        elif self.inbox.is_closed:
            self.inbox.reopen()
            self.backlog = Backlog(self.unconfirmed)

    def join_later(self) -> None:
        """Ask for no rooms in the greeting, and join them after it.

        The server refuses a greeting with a room that the client may not enter; a `join` is refused
        alone.
        """
        self._chosen = []

    def first_rooms(self, limit: int) -> list[str] | None:
        """Return the rooms to ask for in the greeting; None for the server's choice.

        Args:
            limit: Limit on their number; the client joins the other rooms later.
        """
        if self.was_connected:  # `join` asks for the missed messages, the greeting cannot
            return []
        return None if self._chosen is None else self._chosen[:limit]

    def take(self, message: Message, own_name: str) -> tuple[bool, Position | None]:
        """Note a received message.

        Returns:
            First, whether the message is new and in order: a message that the client already has is
            not new, and a direct message after a gap is not in order. Second, the position from
            which to fetch missing direct messages, or None.
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
        if position is None:  # a later fetch brings its epoch
            if len(self.direct) >= MAX_DIRECT:
                del self.direct[next(iter(self.direct))]
            position = self.direct[fold(other)] = Position(other, None, seq, message.id)
            return True, position
        has = position.seq or 0
        if seq == has + 1:
            position.move_to(seq, message.id)
            return True, None
        # The fetch brings the message after the missing ones, or finds that a new epoch began.
        return False, None if position.is_filling else position

    def joined(self, room: str, epoch: str | None, seq: int | None, id: str | None = None) -> None:
        """Note that the client has joined a room; messages after `seq` are new there.

        Args:
            room: The room's name.
            epoch: The room's epoch, or None.
            seq: The place before the first new message; None if every message is new.
            id: The id of the message at that place, or None.
        """
        self.rooms[fold(room)] = Position(room, epoch, seq, id)

    def left(self, room: str) -> None:
        """Note that the client has left a room."""
        self.rooms.pop(fold(room), None)

    def keep(self, message: Message) -> Deferred[Message]:
        """Keep a message until its receipt comes, whatever becomes of the Deferred.

        A program that cancelled the Deferred may send the same message again under its id, and gets
        the receipt of the kept message.

        Returns:
            A Deferred that fires with the receipt.

        Raises:
            LocalProtocolError: Too many messages are kept, or another message with this id is.
        """
        id = message.id
        assert id is not None
        kept = self.unconfirmed.get(id)
        if kept is not None:
            if not kept.answer.called or not _is_again(message, kept.message):
                raise LocalProtocolError(
                    f"message {id} was sent already, and waits for its receipt"
                )
            kept.answer = Promise()  # the caller had cancelled the first
            return kept.answer
        if len(self.unconfirmed) >= MAX_UNCONFIRMED:
            raise LocalProtocolError(
                f"{MAX_UNCONFIRMED} messages wait for their receipts already; await "
                "when_ready_to_send() before each send"
            )
        kept = self.unconfirmed[id] = Unconfirmed(message, Promise())
        return kept.answer

    def close(self, reason: SessionEnded) -> None:
        """Fail all waiting messages: there will be no further connection.

        After a clean end, a message that nobody waits for is no unhandled error.
        """
        waiting = list(self.unconfirmed.values())
        self.unconfirmed.clear()
        for kept in waiting:
            if not kept.answer.called:  # called: it was cancelled
                fail_ended(kept.answer, reason.again())
        self.backlog.fail(reason)
        if self.inbox is not None:
            self.inbox.close(reason)


def _is_again(message: Message, kept: Message) -> bool:
    """Return whether a message is a kept one; only the session knows a room without a name."""
    has_same_room = message.room == kept.room or None in (message.room, kept.room)
    return has_same_room and (message.to, message.content_type, message.content) == (
        kept.to,
        kept.content_type,
        kept.content,
    )
