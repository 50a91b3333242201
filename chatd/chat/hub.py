"""`Hub`: takes the messages of one server's chat, and delivers them.

The hub does two things with a message. Once the message has its place in the store, the hub
publishes it to its room or to its two names. It also answers the author, in the order of the
author's messages. The hub is synchronous except for its calls to the store, and knows nothing of
bytes and sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic

from msgspec.structs import replace

from chatd.chat import presence
from chatd.chat.commits import GroupCommit, Pending, Start
from chatd.chat.interfaces import Delivery
from chatd.chat.names import check_name, fold
from chatd.chat.rooms import M, Member, Room
from chatd.chat.roster import Roster
from chatd.errors import ErrorCode, RequestError
from chatd.storage.interface import IMessageStore
from chatd.storage.streamkeys import direct_stream
from chatd.storage.values import Entry, Outcome, Stored
from chatd.wire.messages import DEFAULT_CONTENT_TYPE, ChatHeader, Message

__all__ = ["Hub"]


class Hub(Generic[M]):
    """Takes the messages of one server's chat, and delivers them.

    Args:
        roster: The members and the rooms; it publishes messages to rooms.
        store: Keeps the messages.
        delivery: Sends answers and direct messages to members.
        start: Runs a coroutine; see `chatd.chat.commits.Start`.
        failed: Called with the error when the store or a delivery fails.
        unix_time: Returns the time of messages, in Unix seconds.

    Attributes:
        roster: The members and the rooms.
        commits: The messages that are not stored yet.
    """

    def __init__(
        self,
        roster: Roster[M],
        store: IMessageStore,
        delivery: Delivery[M],
        start: Start,
        failed: Callable[[Exception], None],
        *,
        unix_time: Callable[[], float],
    ) -> None:
        self.roster = roster
        self.commits: GroupCommit[M] = GroupCommit(store, self._stored, failed, start)
        self.unix_time = unix_time
        self._delivery = delivery
        self._failed = failed

    def say(self, member: M, message: Message) -> None:
        """Take a message to a room or to a name; it is delivered when it is stored.

        Raises:
            RequestError: `not-in-room`; `bad-name`; `bad-request`: the message is both to a room
                and to a name.
        """
        header = message.header
        assert isinstance(header, ChatHeader)
        if header.to is None:
            room = self.roster.room_of(member, header.room)
            member.answers.expect()
            room.holds += 1
            entry = self._entry(message, header, room.stream, member, room.name, None)
            self.commits.add(Pending(entry, member, room))
            return
        if header.room is not None:
            raise RequestError(ErrorCode.BAD_REQUEST, "a message is to a room or to a name")
        to = check_name(header.to)
        key = fold(to)
        there = self.roster.here.get(key)
        if there:
            to = next(iter(there.values())).name
        member.answers.expect()
        entry = self._entry(message, header, direct_stream(member.key, key), member, None, to)
        self.commits.add(Pending(entry, member))

    def say_as(
        self, speaker: Member, room: Room[M], message: Message, done: Callable[[Outcome], None]
    ) -> None:
        """Take a message to a room from a speaker that need not be in the room and gets no answer.

        Args:
            speaker: The author.
            room: The room; it is held or not empty.
            message: The message.
            done: Called with the outcome of storing the message.
        """
        header = message.header
        assert isinstance(header, ChatHeader)
        room.holds += 1
        entry = self._entry(message, header, room.stream, speaker, room.name, None)
        self.commits.add(Pending(entry, None, room, done))

    def refuse(self, member: M, error: RequestError) -> None:
        """Send a member an ERROR, after the answers to all its earlier messages."""
        member.answers.then(lambda: self._delivery.refuse(member, error))

    def _entry(
        self,
        message: Message,
        header: ChatHeader,
        stream: str,
        speaker: Member,
        room: str | None,
        to: str | None,
    ) -> Entry:
        """Return a message as the store takes it; what clients must not set is set anew."""
        accepted = replace(
            header,
            room=room,
            to=to,
            sender=speaker.name,
            seq=None,
            time=self.unix_time(),
            content_type=header.content_type or DEFAULT_CONTENT_TYPE,
            ref=None,
        )
        return Entry(stream, speaker.key, accepted, message.content)

    # Stored messages

    def _stored(self, batch: Sequence[Pending[M]], outcomes: Sequence[Outcome]) -> None:
        """Publish the stored messages and answer their authors, in order."""
        done: list[M] = []
        for pending, outcome in zip(batch, outcomes, strict=True):
            author = pending.author
            try:
                if isinstance(outcome, Stored) and outcome.is_new:
                    self._publish(pending, outcome.message)
                self._answer(pending, outcome)
            except Exception as error:  # the later messages must get their answers all the same
                self._failed(error)
                self._answer(pending, _failure_of(pending))
            if author is not None:
                try:
                    author.answers.answered()
                except Exception as error:  # as above
                    self._failed(error)
                if not author.answers.owed:
                    done.append(author)
            if pending.room is not None:
                self.roster.close(pending.room)
        for member in done:
            member.all_answered()

    def _publish(self, pending: Pending[M], message: Message) -> None:
        """Send a message to its room, or to its two names; the author's copy is its receipt."""
        if pending.room is not None:
            self.roster.publish(pending.room, message)
            pending.room.delivered(message)
        elif pending.author is not None:
            here = self.roster.here
            both = {**here.get(pending.author.key, {}), **here.get(fold(message.to or ""), {})}
            self._delivery.tell_all(both.values(), message)

    def _answer(self, pending: Pending[M], outcome: Outcome) -> None:
        """Send the author the outcome of a message, where the message itself is not its receipt."""
        author = pending.author
        if author is not None:
            if isinstance(outcome, RequestError):
                self._delivery.refuse(author, outcome)
            elif not outcome.is_new:
                self._delivery.tell(author, (outcome.message,))
            elif pending.room is None:
                self._tell_if_unread(author, outcome.message)
            elif author.id not in pending.room.members and self.roster.is_here(author):
                self._delivery.tell(author, (outcome.message,))  # it was removed meanwhile
        if pending.done is not None:
            pending.done(outcome)

    def _tell_if_unread(self, author: M, message: Message) -> None:
        """Tell the author of a direct message that the receiver is not connected, or away."""
        assert message.to is not None
        assert message.id is not None
        sessions = self.roster.sessions_of(message.to)
        if not sessions:
            self._delivery.tell(author, (presence.absent(message.to, message.id),))
            return
        away = self.roster.away.news(author, fold(message.to), sessions)
        if away is not None:
            self._delivery.tell(author, (presence.away(message.to, away.text, message.id),))


def _failure_of(pending: Pending[Any]) -> RequestError:
    return RequestError(ErrorCode.INTERNAL_ERROR, "the server failed", ref=pending.entry.header.id)
