"""History: reading kept messages, and joining a room after the last message that was read.

A member that joins with `after` gets pages until they reach the room's last message. From then on
it gets the room's new messages, except those that were on its pages. The server compares places,
so the member misses no message and gets none twice, in any order of the store's answers.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import msgspec

from chatd.chat import presence
from chatd.chat.commandtable import Answer
from chatd.chat.names import fold_known
from chatd.chat.rooms import M, Room
from chatd.chat.roster import Roster
from chatd.errors import ErrorCode, RequestError
from chatd.storage.streamkeys import direct_stream
from chatd.storage.values import Page, StreamPosition

__all__ = [
    "DEFAULT_LIMIT",
    "MAX_PAGE",
    "MAX_SEQ",
    "PAGE_BYTES",
    "HistoryFields",
    "JoinFields",
    "Seq",
    "history",
    "join",
]

MAX_PAGE = 500
"""The most messages in one read."""
PAGE_BYTES = 1024 * 1024
"""The most bytes of content in one read; a read returns at least one message."""
DEFAULT_LIMIT = 100
"""The most messages that `history` returns if its fields have no limit."""

MAX_SEQ = 2**53 - 1
"""The highest place in a stream; every language that reads JSON has integers of that size."""
Seq = Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)]
"""A place in a stream; 0 is before the first message."""


class JoinFields(msgspec.Struct):
    """The fields of `join`.

    Attributes:
        room: The room's name.
        after: The place of the last message that the member has read; None to get no messages.
        epoch: The epoch of that place, if the member knows it.
        after_id: The id of that message, if the member knows it.
    """

    room: str
    after: Seq | None = None
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
        other: The other name of the direct messages; None for a room.
        after: The place before the first message.
        before: The place behind the last message; not together with `after`.
        epoch: The epoch of `after`, if the member knows it.
        after_id: The id of the message at `after`, if the member knows it.
        limit: The most messages to get.
    """

    room: str | None = None
    other: str | None = None
    after: Seq | None = None
    before: Seq | None = None
    epoch: str | None = None
    after_id: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)] = DEFAULT_LIMIT

    @property
    def since(self) -> StreamPosition | None:
        """How far the member has read; None if it gave neither an epoch nor an id."""
        if self.after is None or (self.epoch is None and self.after_id is None):
            return None
        return StreamPosition(self.after, self.epoch, self.after_id)


async def join(
    roster: Roster[M],
    member: M,
    name: str,
    since: StreamPosition | None,
    answer: Answer[M],
) -> None:
    """Add a member to a room: send the RESULT, then the messages that the member missed.

    Args:
        roster: The members and the rooms.
        member: The member; a member of the room may join again to get the messages that it missed.
        name: The room's name; joining creates the room if it does not exist.
        since: How far the member has read in the room; None to get no earlier messages.
        answer: Sends the RESULT and the missed messages.

    Raises:
        RequestError: `bad-room`, `not-invited`, or `too-many-rooms`.
        StoreError: The missed messages cannot be read.
        SessionEnded: The session has ended.
    """
    roster.access.check_first(member, name)
    room = await roster.open(name)
    try:
        elsewhere = await roster.shared.elsewhere(room, member)
        roster.access.check(member, name)
        most = roster.policy.max_rooms
        if room.key not in member.rooms and len(member.rooms) >= most:
            raise RequestError(ErrorCode.TOO_MANY_ROOMS, f"a session is in {most} rooms at most")
        if since is None:
            roster.enter(member, room)
            answer(_standing(room, elsewhere, recovered=False))
        else:
            await _catch_up(roster, member, room, since, answer, elsewhere)
    finally:
        roster.close(room)


async def _catch_up(
    roster: Roster[M],
    member: M,
    room: Room[M],
    since: StreamPosition,
    answer: Answer[M],
    elsewhere: int,
) -> None:
    """Send a member the messages that it missed, page by page, and then add it to the room."""
    said_before = room.seq
    read_to: int | None = 0
    has_answered = False
    was_inside = room.key in member.rooms
    if was_inside:
        roster.delivery.deliver_early(member)
        room.has_read(member, sys.maxsize)  # the pages will have the messages of the meantime
    try:
        page = await _read(roster, room.stream, since)
        roster.access.check(member, room.name)  # the invitation may have ended during the wait
        others = elsewhere + (not room.has(member))
        answer(_standing(room, others, recovered=page.is_recovered))
        has_answered = True
        read_to = await _tell_pages(roster, member, room, page, answer, was_inside=was_inside)
    except Exception:
        # The member has a RESULT that is not true now, or it missed messages of the meantime.
        if has_answered or (room.key in member.rooms and room.seq != said_before):
            why = "the messages cannot be read now; try again later"
            roster.delivery.end(member, ErrorCode.NOT_STORED, why, retry=True)
        raise
    finally:
        if room.key in member.rooms:
            room.has_read(member, read_to or 0)
    if read_to is not None:
        roster.enter(member, room, read_to)


async def _tell_pages(
    roster: Roster[M],
    member: M,
    room: Room[M],
    page: Page,
    answer: Answer[M],
    *,
    was_inside: bool,
) -> int | None:
    """Send a member a page and all that follow it, until they reach the room's last message.

    Returns:
        The place of the last message that the member got. None if the member may not enter the
        room: it was uninvited, and knows; or the room dropped a part before it was read, and the
        member's session has ended.
    """
    epoch = room.epoch
    while True:
        answer.tell(page.messages)
        position = (page.messages[-1].seq if page.messages else page.head.seq) or 0
        if page.is_complete and position >= room.seq:
            return position
        await roster.delivery.drained(member)
        page = await _read(roster, room.stream, position)
        if was_inside and room.key not in member.rooms:
            return None
        if not roster.access.may_know(member, room.key):
            roster.delivery.tell(member, (presence.removed(room.name),))
            return None
        if page.head.epoch != epoch:
            why = f"messages in {room.name} may be lost; come back to learn which"
            roster.delivery.end(member, ErrorCode.NOT_STORED, why, retry=True)
            return None
        if page.head.oldest > position + 1:
            why = "the room drops old messages faster than this session reads them"
            roster.delivery.end(member, ErrorCode.SLOW_CONSUMER, why, retry=True)
            return None


def _standing(room: Room[M], others: int, *, recovered: bool) -> dict[str, Any]:
    """Return the fields of the RESULT; `others` are names that are in the room and not counted."""
    return {
        **room.standing(),
        "members": room.count + others,
        "topic": room.topic,
        "recovered": recovered,
    }


async def _read(roster: Roster[M], stream: str, after: int | StreamPosition) -> Page:
    return await roster.store.read(stream, after=after, limit=MAX_PAGE, max_bytes=PAGE_BYTES)


async def history(roster: Roster[M], member: M, fields: HistoryFields, answer: Answer[M]) -> None:
    """Send a member a part of the kept messages, as they were delivered, and then the RESULT.

    Args:
        roster: The rooms and their store.
        member: The member.
        fields: The part that the member wants.
        answer: Sends the messages, then the RESULT.

    Raises:
        RequestError: `not-in-room`, `bad-name`, or `bad-request`.
        StoreError: The messages cannot be read.
    """
    if fields.after is not None and fields.before is not None:
        raise RequestError(ErrorCode.BAD_REQUEST, "give after or before, not both")
    stream, place = _stream_of(roster, member, fields)
    since = fields.since
    page = await roster.store.read(
        stream,
        after=fields.after if since is None else since,
        before=fields.before,
        limit=fields.limit,
        max_bytes=PAGE_BYTES,
    )
    _stream_of(roster, member, fields)  # the member may have been removed during the wait
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
    """Return the key of the stream that `history` reads, and its field in the RESULT."""
    if fields.room is not None and fields.other is None:
        room = roster.room_of(member, fields.room)
        return room.stream, {"room": room.name}
    if fields.other is not None and fields.room is None:
        return direct_stream(member.key, fold_known(fields.other)), {"with": fields.other}
    raise RequestError(ErrorCode.BAD_REQUEST, "give either room or with")
