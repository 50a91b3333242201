"""`Hub`: takes the messages of one server's chat, and delivers them.

The hub does two things with a message. Once the message has its place in the store, the hub
publishes it to its room or to its two names. It also answers the author, in the order of the
author's messages. The hub is synchronous except for its calls to the store, and knows nothing of
bytes and sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic

from msgspec.structs import replace

from chatd.chat.commits import GroupCommit, Pending, Start
from chatd.chat.interfaces import Delivery
from chatd.chat.names import check_name, fold
from chatd.chat.rooms import M, Member, Room
from chatd.chat.roster import Roster
from chatd.errors import ErrorCode, RequestError
from chatd.storage.streamkeys import direct_stream
from chatd.storage.values import Entry, Outcome, Stored
from chatd.wire.messages import DEFAULT_CONTENT_TYPE, ChatHeader, Message

__all__ = ["Hub"]


class Hub(Generic[M]):
    """Takes the messages of one server's chat, and delivers them.

    Args:
        roster: The members and the rooms; it publishes messages to rooms.
        delivery: Sends answers and direct messages to members.
        start: Runs a coroutine; see `chatd.chat.commits.Start`.
        failed: Called with the error when the store or a delivery fails.
        unix_time: Returns the time of messages, in Unix seconds.
        store_works: Called when the store begins to fail, and when it works again; see
            `chatd.chat.commits.GroupCommit`.

    Attributes:
        roster: The members and the rooms.
        commits: The messages that are not stored yet.
    """

    def __init__(
        self,
        roster: Roster[M],
        delivery: Delivery[M],
        start: Start,
        failed: Callable[[Exception], None],
        *,
        unix_time: Callable[[], float],
        store_works: Callable[[bool], None],
    ) -> None:
        self.roster = roster
        self.commits: GroupCommit[M] = GroupCommit(
            roster.shared.append, self._stored, failed, start, store_works
        )
        self.unix_time = unix_time
        self._delivery = delivery
        self._failed = failed

    def say(self, member: M, messages: Sequence[Message]) -> None:
        """Take a run of messages, each to a room or to a name, which are delivered when stored.

        The member gets an ERROR for a message that cannot be taken: `not-in-room`; `bad-name`;
        `bad-request` for a message that is both to a room and to a name.
        """
        for run in _by_destination(messages) if len(messages) > 1 else (messages,):
            try:
                destination = self._destination(member, run[0])
            except RequestError as error:
                for message in run:
                    self.refuse(member, RequestError(error.code, error.message, ref=message.id))
            else:
                self._take(destination, run, member, member)

    def say_one(self, member: M, message: Message) -> None:
        """Take one message; see `say`.

        Raises:
            RequestError: The message cannot be taken.
        """
        self._take(self._destination(member, message), (message,), member, member)

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
        self._take((room, room.stream, None), (message,), speaker, None, done)

    def refuse(self, member: M, error: RequestError) -> None:
        """Send a member an ERROR, after the answers to all its earlier messages."""
        member.answers.then(lambda: self._delivery.refuse(member, error))

    def _destination(self, member: M, message: Message) -> tuple[Room[M] | None, str, str | None]:
        """Return where a member's message goes: to a room or a name, and the key of the stream.

        Raises:
            RequestError: See `say`.
        """
        header = message.header
        assert isinstance(header, ChatHeader)
        if header.to is None:
            room = self.roster.room_of(member, header.room)
            return room, room.stream, None
        if header.room is not None:
            raise RequestError(ErrorCode.BAD_REQUEST, "a message is to a room or to a name")
        to = check_name(header.to)
        key = fold(to)
        there = self.roster.here.get(key)
        if there:
            to = next(iter(there.values())).name
        return None, direct_stream(member.key, key), to

    def _take(
        self,
        destination: tuple[Room[M] | None, str, str | None],
        messages: Sequence[Message],
        speaker: Member,
        author: M | None,
        done: Callable[[Outcome], None] | None = None,
    ) -> None:
        """Add messages to those to store; what clients must not set is set anew."""
        room, stream, to = destination
        room_name = None if room is None else room.name
        key, sender, now = speaker.key, speaker.name, self.unix_time()
        entries: list[Entry] = []
        size = 0
        for message in messages:
            header: ChatHeader = message.header  # type: ignore[assignment]  # that of a MESSAGE
            content = message.content
            accepted = replace(
                header,
                room=room_name,
                to=to,
                sender=sender,
                seq=None,
                time=now,
                content_type=header.content_type or DEFAULT_CONTENT_TYPE,
                ref=None,
            )
            entries.append(Entry(stream, key, accepted, content))
            size += len(content)
        if author is not None:
            author.answers.expect(len(entries), size)
        if room is not None:
            room.holds += 1
        self.commits.add(Pending(entries, author, room, done, size))

    # Stored messages

    def _stored(self, batch: Sequence[Pending[M]], outcomes: Sequence[Outcome]) -> None:
        """Publish the stored messages and answer their authors, in order."""
        done: list[M] = []
        start = 0
        for pending in batch:
            author, count = pending.author, len(pending.entries)
            self._deliver(pending, outcomes[start : start + count])
            start += count
            if author is not None:
                try:
                    author.answers.answered(count, pending.size)
                except Exception as error:  # the later messages must get their answers all the same
                    self._failed(error)
                if not author.answers.owed:
                    done.append(author)
            if pending.room is not None:
                self.roster.close(pending.room)
        for member in done:
            member.all_answered()

    def heard(self, stream: str, messages: Sequence[Message]) -> None:
        """Publish messages to a room that other daemons appended; each comes once, in order."""
        room = self.roster.room_at(stream)
        if room is not None:
            self.roster.publish(room, messages)
            room.delivered(messages[-1])

    def heard_direct(self, message: Message) -> None:
        """Publish a direct message that another daemon appended."""
        self._publish_to_names(fold(message.sender or ""), message)

    def _deliver(self, pending: Pending[M], outcomes: Sequence[Outcome]) -> None:
        """Publish the new messages of a run, and tell the author the other outcomes, in order."""
        new: list[Message] = []
        for outcome in outcomes:
            if isinstance(outcome, Stored) and outcome.is_new:
                new.append(outcome.message)
                continue
            if new:
                self._publish(pending, new)
                new = []
            self._answer(pending, outcome)
        if new:
            self._publish(pending, new)

    def _publish(self, pending: Pending[M], messages: Sequence[Message]) -> None:
        """Send messages to their room, or to their two names; the author's copy is its receipt."""
        try:
            if pending.room is not None:
                self._publish_to_room(pending.room, pending.author, messages)
            elif pending.author is not None:
                for message in messages:
                    self._publish_direct(pending.author, message)
        except Exception as error:  # the later messages must get their answers all the same
            self._failed(error)
            for message in messages:
                failure = RequestError(
                    ErrorCode.INTERNAL_ERROR, "the server failed", ref=message.id
                )
                self._answer(pending, failure)
        else:
            if pending.done is not None:
                self._finish(pending.done, Stored(messages[-1], True))

    def _publish_to_room(
        self, room: Room[M], author: M | None, messages: Sequence[Message]
    ) -> None:
        self.roster.publish(room, messages)
        room.delivered(messages[-1])
        if author is not None and author.id not in room.members and self.roster.is_here(author):
            self._delivery.tell(author, messages)  # it was removed meanwhile

    def _publish_direct(self, author: M, message: Message) -> None:
        self._publish_to_names(author.key, message)
        self.roster.shared.tell_if_unread(author, message)

    def _publish_to_names(self, author: str, message: Message) -> None:
        here = self.roster.here
        both = {**here.get(author, {}), **here.get(fold(message.to or ""), {})}
        self._delivery.tell_all(both.values(), message)

    def _answer(self, pending: Pending[M], outcome: Outcome) -> None:
        """Tell the author the outcome of a message that is not published."""
        if pending.author is not None:
            try:
                if isinstance(outcome, RequestError):
                    self._delivery.refuse(pending.author, outcome)
                else:
                    self._delivery.tell(pending.author, (outcome.message,))
            except Exception as error:  # the later messages must get their answers all the same
                self._failed(error)
        if pending.done is not None:
            self._finish(pending.done, outcome)

    def _finish(self, done: Callable[[Outcome], None], outcome: Outcome) -> None:
        try:
            done(outcome)
        except Exception as error:  # the later messages must get their answers all the same
            self._failed(error)


def _by_destination(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """Yield the parts of a run that have the same room or receiver."""
    start, of_part = 0, messages[0].header
    for index, message in enumerate(messages):
        header = message.header
        if header.room != of_part.room or header.to != of_part.to:  # type: ignore[union-attr]
            yield messages[start:index]
            start, of_part = index, header
    yield messages[start:] if start else messages
