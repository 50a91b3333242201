"""`Hub`: the chat of one server: who is here, which rooms there are, and what is said in them.

The hub decides; a `Delivery` carries, a store keeps. It is synchronous but for what it asks the
store, and knows nothing of bytes and sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chatd.chat import presence
from chatd.chat.commits import GroupCommit, Pending, Start
from chatd.chat.interfaces import Delivery, M, Member
from chatd.chat.names import check_name, fold
from chatd.chat.rooms import MAX_ROOMS, PRESENCE_LIMIT, Room
from chatd.chat.roster import Roster
from chatd.errors import ErrorCode, RequestError
from chatd.storage.interface import Entry, IMessageStore, Outcome, Stored, direct_log
from chatd.wire.messages import DEFAULT_CONTENT_TYPE, ChatHeader, Message

__all__ = ["Hub"]


class Hub(Roster[M]):
    """The chat of one server.

    Args:
        store: Where what is said is kept.
        delivery: What carries it to members.
        start: Runs a coroutine; see `chatd.chat.commits.Start`.
        failed: Called with the error when the store cannot store, or a delivery fails.
        unix_time: What tells the time that messages bear, in Unix seconds.
        presence_limit: See `chatd.chat.rooms.PRESENCE_LIMIT`.
        max_rooms: How many rooms a member may be in.
        has_accounts: Whether there are accounts; see `chatd.chat.names.Names`.

    Attributes:
        commits: What was said and is not stored yet.
    """

    def __init__(
        self,
        store: IMessageStore,
        delivery: Delivery[M],
        start: Start,
        failed: Callable[[Exception], None],
        *,
        unix_time: Callable[[], float],
        presence_limit: int = PRESENCE_LIMIT,
        max_rooms: int = MAX_ROOMS,
        has_accounts: bool = False,
    ) -> None:
        super().__init__(
            store,
            delivery,
            start,
            presence_limit=presence_limit,
            max_rooms=max_rooms,
            has_accounts=has_accounts,
        )
        self.commits: GroupCommit[M] = GroupCommit(store, self._stored, failed, start)
        self.unix_time = unix_time
        self._failed = failed

    def say(self, member: M, message: Message) -> None:
        """Take a message, to a room or to a name; it is delivered when it is stored.

        Raises:
            RequestError: `not-in-room`, `bad-name`; `bad-request`: it is for a room and a name.
        """
        header = message.header
        assert isinstance(header, ChatHeader)
        if header.to is None:
            room = self.room_of(member, header.room)
            member.answers.expect()
            room.holds += 1
            entry = self._entry(message, header, room.log, member, room.name, None)
            self.commits.add(Pending(entry, member, room))
            return
        if header.room is not None:
            raise RequestError(ErrorCode.BAD_REQUEST, "a message is to a room or to a name")
        to = check_name(header.to)
        key = fold(to)
        there = self.here.get(key)
        if there:
            to = next(iter(there.values())).name
        member.answers.expect()
        entry = self._entry(message, header, direct_log(member.key, key), member, None, to)
        self.commits.add(Pending(entry, member))

    def say_as(
        self, speaker: Member, room: Room[M], message: Message, done: Callable[[Outcome], None]
    ) -> None:
        """Take a message to a room, by one who need not be in it and is told nothing.

        Args:
            speaker: Who says it.
            room: The room; it is held or someone is in it.
            message: The message.
            done: Called with what becomes of it.
        """
        header = message.header
        assert isinstance(header, ChatHeader)
        room.holds += 1
        entry = self._entry(message, header, room.log, speaker, room.name, None)
        self.commits.add(Pending(entry, None, room, done))

    def refuse(self, member: M, error: RequestError) -> None:
        """Tell a member that what it asked is not done, after all earlier answers."""
        member.answers.then(lambda: self.delivery.refuse(member, error))

    def _entry(
        self,
        message: Message,
        header: ChatHeader,
        log: str,
        speaker: Member,
        room: str | None,
        to: str | None,
    ) -> Entry:
        return Entry(
            log,
            speaker.key,
            header.id,
            room,
            to,
            speaker.name,
            self.unix_time(),
            header.content_type or DEFAULT_CONTENT_TYPE,
            message.content,
        )

    def _stored(self, batch: Sequence[Pending[M]], outcomes: Sequence[Outcome]) -> None:
        """Deliver what has its place, and answer its authors, in order."""
        done: list[M] = []
        for pending, outcome in zip(batch, outcomes, strict=True):
            author, room = pending.author, pending.room
            try:
                self._deliver(pending, author, outcome)
            except Exception as error:  # those who come after must not wait for ever
                self._failed(error)
                self._tell_failed(pending)
            if author is not None:
                try:
                    author.answers.answered()
                except Exception as error:  # as above
                    self._failed(error)
                if not author.answers.owed:
                    done.append(author)
            if room is not None:
                room.holds -= 1
                if not room.members:
                    self._drop_if_unneeded(room)
        for member in done:
            member.all_answered()

    def _deliver(self, pending: Pending[M], author: M | None, outcome: Outcome) -> None:
        if isinstance(outcome, Stored):
            message = outcome.message
            if not outcome.is_new:
                if author is not None:
                    self.delivery.tell(author, (message,))
            elif pending.room is not None:
                self.publish(pending.room, message)
                pending.room.delivered(message)
            elif author is not None:
                self._deliver_direct(author, message)
        elif author is not None:
            self.delivery.refuse(author, outcome)
        if pending.done is not None:
            pending.done(outcome)

    def _tell_failed(self, pending: Pending[M]) -> None:
        """Answer a message whose delivery or answer failed."""
        error = RequestError(ErrorCode.INTERNAL_ERROR, "the server failed", ref=pending.entry.id)
        if pending.author is not None:
            self.delivery.refuse(pending.author, error)
        if pending.done is not None:
            pending.done(error)

    def _deliver_direct(self, author: M, message: Message) -> None:
        """Deliver a message to all sessions of both ends."""
        assert message.to is not None
        assert message.id is not None
        there = self.here.get(fold(message.to))
        both = {**self.here.get(author.key, {}), **(there or {})}
        self.delivery.tell_all(both.values(), message)
        if not there:
            self.delivery.tell(author, (presence.absent(message.to, message.id),))
