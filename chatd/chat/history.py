"""History: reading what was said, and joining a room where one left off.

A member that joins with `after` is told pages until they have come as far as what was said in the
room. From then on it hears the room, but for what was on its pages already: each message has its
place, so that nothing is missed or told twice, whatever the store answers first.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated, Any, Generic

import msgspec

from chatd.chat.interfaces import Delivery
from chatd.chat.names import fold_known
from chatd.chat.rooms import M, Room
from chatd.chat.roster import Roster
from chatd.errors import ErrorCode, RequestError
from chatd.storage.streamkeys import direct_stream
from chatd.storage.values import Page, StreamPosition
from chatd.wire.messages import Message, MessageType

__all__ = [
    "DEFAULT_LIMIT",
    "MAX_PAGE",
    "PAGE_BYTES",
    "Answer",
    "HistoryFields",
    "JoinFields",
    "history",
    "join",
]

MAX_PAGE = 500
"""How many messages are read at once."""
PAGE_BYTES = 1024 * 1024
"""How many bytes of content are read at once; one message in any case."""
DEFAULT_LIMIT = 100
"""How many messages `history` gives if its fields have no limit."""

_Seq = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


class JoinFields(msgspec.Struct):
    """The fields of `join`.

    Attributes:
        room: The room's name.
        after: The place of the last message that the member has read; None to get no messages.
        epoch: The epoch of that place, if the member knows it.
        after_id: The id of that message, if the member knows it.
    """

    room: str
    after: _Seq | None = None
    epoch: str | None = None
    after_id: str | None = None

    @property
    def since(self) -> StreamPosition | None:
        """How far the member has read; None if it asks for no earlier messages."""
        if self.after is None:
            return None
        return StreamPosition(self.after, self.epoch, self.after_id)


class HistoryFields(msgspec.Struct, rename={"other": "with"}):
    """The fields of `history`.

    Attributes:
        room: A room that the member is in; None for direct messages.
        other: The name whose direct messages with the member are asked for; None for a room's.
        after: The place before the first message.
        before: The place behind the last message; not together with `after`.
        epoch: The epoch of `after`, if the member knows it.
        after_id: The id of the message at `after`, if the member knows it.
        limit: The most messages to get.
    """

    room: str | None = None
    other: str | None = None
    after: _Seq | None = None
    before: _Seq | None = None
    epoch: str | None = None
    after_id: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)] = DEFAULT_LIMIT

    @property
    def since(self) -> StreamPosition | None:
        """How far the member has read; None if it names no more than a place."""
        if self.after is None or (self.epoch is None and self.after_id is None):
            return None
        return StreamPosition(self.after, self.epoch, self.after_id)


class Answer(Generic[M]):
    """Answers one command of a member.

    Args:
        delivery: What carries the answer.
        member: The member that gave the command.
        command_id: The command's id.
    """

    def __init__(self, delivery: Delivery[M], member: M, command_id: str) -> None:
        self._delivery = delivery
        self._member = member
        self._command_id = command_id

    def __call__(self, result: dict[str, Any]) -> None:
        """Send the RESULT with these fields."""
        header = {**result, "id": self._command_id}
        self._delivery.tell(self._member, (Message(MessageType.RESULT, header),))

    def tell(self, messages: Iterable[Message]) -> None:
        """Send messages that answer the command: each names it as its `ref`."""
        answers = [message.with_ref(self._command_id) for message in messages]
        self._delivery.tell(self._member, answers)


async def join(
    roster: Roster[M],
    member: M,
    name: str,
    since: StreamPosition | None,
    answer: Answer[M],
) -> None:
    """Let a member into a room; answer, then tell it what it missed.

    Args:
        roster: Who is here, and in which rooms.
        member: The member; one who is in already may ask for what it missed.
        name: The room's name; one that is not there is made.
        since: How far the member has read in it, or None to be told no earlier message.
        answer: Answers before the first message.

    Raises:
        RequestError: `bad-room`, or `too-many-rooms`.
        StoreError: What was missed cannot be read.
        SessionEnded: The member is gone.
    """
    room = await roster.open(name)
    try:
        if room.key not in member.rooms and len(member.rooms) >= roster.max_rooms:
            raise RequestError(
                ErrorCode.TOO_MANY_ROOMS, f"a session is in {roster.max_rooms} rooms at most"
            )
        if since is None:
            roster.enter(member, room)
            answer(_standing(room, recovered=False))
        else:
            await _catch_up(roster, member, room, since, answer)
    finally:
        roster.close(room)


async def _catch_up(
    roster: Roster[M], member: M, room: Room[M], since: StreamPosition, answer: Answer[M]
) -> None:
    """Tell a member what it missed, page by page, and let it hear the room from there on."""
    said_before = room.seq
    read_to: int | None = 0
    has_answered = False
    if room.key in member.rooms:
        roster.delivery.deliver_early(member)
        room.has_read(member, sys.maxsize)  # what is said meanwhile will be on a page
    try:
        page = await _read(roster, room.stream, since)
        is_joining = not room.has(member)
        answer(_standing(room, recovered=page.is_recovered, is_joining=is_joining))
        has_answered = True
        read_to = await _tell_pages(roster, member, room, page, answer)
    except Exception:
        # It is not where it believes to be, or it has not heard what was said meanwhile.
        if has_answered or (room.key in member.rooms and room.seq != said_before):
            why = "what was said cannot be read now; try again later"
            roster.delivery.end(member, ErrorCode.NOT_STORED, why, retry=True)
        raise
    finally:
        if room.key in member.rooms:
            room.has_read(member, read_to or 0)
    if read_to is not None:
        roster.enter(member, room, read_to)


async def _tell_pages(
    roster: Roster[M], member: M, room: Room[M], page: Page, answer: Answer[M]
) -> int | None:
    """Tell a member a page and all that follow it, until they have come as far as the room.

    Returns:
        The place up to which it was told everything, or None where the room forgot a part of it
        before that was read: then its session has ended.
    """
    while True:
        answer.tell(page.messages)
        position = (page.messages[-1].seq if page.messages else page.head.seq) or 0
        if page.is_complete and position >= room.seq:
            return position
        await roster.delivery.drained(member)
        page = await _read(roster, room.stream, position)
        if page.head.oldest > position + 1:
            why = "the history is forgotten faster than it is read"
            roster.delivery.end(member, ErrorCode.SLOW_CONSUMER, why, retry=True)
            return None


def _standing(room: Room[M], *, recovered: bool, is_joining: bool = False) -> dict[str, Any]:
    return {
        **room.standing(),
        "members": room.count + is_joining,
        "topic": room.topic,
        "recovered": recovered,
    }


async def _read(roster: Roster[M], stream: str, after: int | StreamPosition) -> Page:
    return await roster.store.read(stream, after=after, limit=MAX_PAGE, max_bytes=PAGE_BYTES)


async def history(roster: Roster[M], member: M, fields: HistoryFields, answer: Answer[M]) -> None:
    """Tell a member a part of what was said, as it was delivered, and then answer.

    Args:
        roster: The rooms, and their store.
        member: The member.
        fields: The part that it asks for.
        answer: Answers after the last message.

    Raises:
        RequestError: `not-in-room`, `bad-name`, or `bad-request`.
        StoreError: The messages cannot be read.
    """
    if fields.after is not None and fields.before is not None:
        raise RequestError(ErrorCode.BAD_REQUEST, "history is after a place, or before one")
    stream, place = _stream_of(roster, member, fields)
    since = fields.since
    page = await roster.store.read(
        stream,
        after=fields.after if since is None else since,
        before=fields.before,
        limit=fields.limit,
        max_bytes=PAGE_BYTES,
    )
    answer.tell(page.messages)
    result = {
        **place,
        "epoch": page.head.epoch,
        "count": len(page.messages),
        "complete": page.is_complete,
    }
    if since is not None:
        result["recovered"] = page.is_recovered
    answer(result)


def _stream_of(roster: Roster[M], member: M, fields: HistoryFields) -> tuple[str, dict[str, Any]]:
    """Return the stream whose history is asked for, and the field that names it in the RESULT."""
    if fields.room is not None and fields.other is None:
        room = roster.room_of(member, fields.room)
        return room.stream, {"room": room.name}
    if fields.other is not None and fields.room is None:
        return direct_stream(member.key, fold_known(fields.other)), {"with": fields.other}
    raise RequestError(ErrorCode.BAD_REQUEST, "history is of a room, or with a name")
