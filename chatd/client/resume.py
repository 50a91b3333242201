"""Resuming after a lost connection: rejoining the rooms, and fetching the missed messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from chatd.chat.history import MAX_PAGE
from chatd.chat.names import fold
from chatd.client.fields import convert
from chatd.client.progress import Position, Progress
from chatd.client.refusals import TEMPORARY, no_advance
from chatd.client.results import Conversation, History, Joined
from chatd.errors import RequestError
from chatd.wire.messages import Message

__all__ = ["Resumable", "catch_up", "fetch", "rejoin"]


class Resumable(Protocol):
    """The interface that resuming needs of a client: three commands, and ways to tell a program."""

    def join(
        self,
        room: str,
        *,
        after: int | None = None,
        epoch: str | None = None,
        after_id: str | None = None,
    ) -> Deferred[Joined]:
        """Join a room, and get the messages after a place."""

    def history(
        self,
        *,
        other: str,
        after: int,
        epoch: str | None,
        after_id: str | None,
        limit: int,
    ) -> Deferred[History]:
        """Read the direct messages with another name, after a place."""

    def conversations(self) -> Deferred[list[Conversation]]:
        """Return the client's exchanges of direct messages."""

    def tell_joined(self, joined: Joined) -> None:
        """Tell the program of a room that the client is in."""

    def tell_error(self, error: RequestError) -> None:
        """Tell the program of an error that answers no request."""

    def tell_missed(self, room: str | None, other: str | None) -> None:
        """Tell the program that messages are missing."""

    def receive_message(self, message: Message) -> None:
        """Take a message like a new message."""


async def rejoin(client: Resumable, progress: Progress, rooms: Sequence[Mapping[str, Any]]) -> None:
    """Rejoin the rooms of a client's last session, after the welcome.

    Args:
        client: The client.
        progress: The state from its last session.
        rooms: The rooms that the server's welcome put the client into.

    Raises:
        SessionEnded: The session ended first.
        RequestError: A room cannot be joined now: try again with another session.
    """
    inside = _enter(client, progress, rooms)
    positions = [position for key, position in progress.rooms.items() if key not in inside]
    known = {position.name: position.seq is not None for position in positions}
    # Wait for all, even if the session ends and all of them fail: no failure stays unhandled.
    joining = DeferredList([_join(client, position) for position in positions], consumeErrors=True)
    temporary: RequestError | None = None
    for position, (is_joined, joined) in zip(positions, await joining, strict=True):
        if is_joined:
            if known[position.name] and not joined.recovered:
                client.tell_missed(position.name, None)
            continue
        assert isinstance(joined, Failure)
        error = joined.value
        assert error is not None
        if not isinstance(error, RequestError):
            raise error
        if error.code in TEMPORARY:
            temporary = error
        else:
            progress.left(position.name)
        client.tell_error(_naming(position.name, error))
    if temporary is not None:
        raise temporary


def _naming(room: str, error: RequestError) -> RequestError:
    """Return the refusal of a `join` that nobody waits for, with the name of the room."""
    if fold(room) in fold(error.message).split():
        return error
    return RequestError(error.code, f"cannot enter {room}: {error.message}", ref=error.ref)


def _enter(client: Resumable, progress: Progress, rooms: Sequence[Mapping[str, Any]]) -> set[str]:
    """Note the rooms that the server's welcome put a client into.

    Returns:
        The folded names of the rooms that need no `join`.
    """
    inside: set[str] = set()
    for told in rooms:
        try:
            joined = convert(told, Joined, "welcome")
        except RequestError:  # an older server tells only the name
            joined = None
        name = told["room"]
        if joined is not None:
            there = progress.rooms.get(fold(name))
            if there is not None and there.seq is not None:
                continue  # only a `join` brings the missed messages
            progress.joined(name, joined.epoch, joined.seq, joined.last_id)
            client.tell_joined(joined)
        else:
            progress.joined(name, None, None)
        inside.add(fold(name))
    return inside


def _join(client: Resumable, position: Position) -> Deferred[Joined]:
    if position.seq is None:
        return client.join(position.name)
    return client.join(
        position.name, after=position.seq, epoch=position.epoch, after_id=position.id
    )


async def catch_up(client: Resumable, progress: Progress, *, had_name: bool) -> None:
    """Fetch the missed direct messages.

    If the client could not learn the places of its conversations in an earlier session, nobody
    knows which messages are news. Then it tells that messages may be missing, and fetches none.

    Args:
        client: The client.
        progress: The client's positions in them.
        had_name: Whether the client had its name in an earlier session. If not, the earlier
            messages to that name are no news.

    Raises:
        SessionEnded: The session ended first.
    """
    before = dict(progress.direct)
    try:
        conversations = await client.conversations()
    except RequestError as error:  # the server lacks the command, or cannot read now
        client.tell_error(error)
        return
    for key in before.keys() - {fold(conversation.other) for conversation in conversations}:
        progress.direct.pop(key, None)  # no message of it is stored: a new epoch may begin
    for conversation in conversations:
        key = fold(conversation.other)
        position = progress.direct.get(key)
        if position is None and not progress.knows_direct:
            progress.direct[key] = Position(key, *_standing(conversation))
            if had_name:
                client.tell_missed(None, conversation.other)
            continue
        if position is None:
            position = progress.direct[key] = Position(key, conversation.epoch, 0)
        if not position.is_at(*_standing(conversation)):
            await fetch(client, position)
    progress.knows_direct = True


def _standing(conversation: Conversation) -> tuple[str, int, str | None]:
    return conversation.epoch, conversation.seq, conversation.last_id


async def fetch(client: Resumable, position: Position) -> None:
    """Fetch the direct messages after the client's position.

    Args:
        client: The client.
        position: The client's position in the direct messages with one name.

    Raises:
        SessionEnded: The session ended first.
    """
    is_complete = has_restarted = False
    position.is_filling = True
    try:
        while not is_complete:
            before = position.seq
            page = await client.history(
                other=position.name,
                after=position.seq or 0,
                epoch=position.epoch,
                after_id=position.id,
                limit=MAX_PAGE,
            )
            position.epoch = page.epoch
            if not page.recovered:  # another epoch, or the oldest messages were deleted
                if has_restarted:
                    raise no_advance()
                has_restarted = True
                client.tell_missed(None, position.name)
                position.move_to((page.messages[0].seq or 1) - 1 if page.messages else 0, None)
            for message in page.messages:
                client.receive_message(message)
            is_complete = page.complete or position.seq == before
    except RequestError as error:
        client.tell_error(error)
    finally:
        position.is_filling = False
