"""Going on where the last connection ended: back into the rooms, with what was missed there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from chatd.chat.history import MAX_PAGE
from chatd.chat.names import fold
from chatd.client.progress import Position, Progress
from chatd.client.results import Conversation, History, Joined
from chatd.errors import ErrorCode, RequestError
from chatd.wire.messages import Message

__all__ = ["Resumable", "catch_up", "fetch", "rejoin"]


class Resumable(Protocol):
    """What going on needs of a client: three commands, and ways to tell its program."""

    def join(
        self,
        room: str,
        *,
        after: int | None = None,
        epoch: str | None = None,
        after_id: str | None = None,
    ) -> Deferred[Joined]:
        """Go into a room, and get the messages after a place."""

    def history(
        self,
        *,
        other: str,
        after: int,
        epoch: str | None,
        after_id: str | None,
        limit: int,
    ) -> Deferred[History]:
        """Read the direct messages with someone, after a place."""

    def conversations(self) -> Deferred[list[Conversation]]:
        """Return with whom direct messages were exchanged."""

    def tell_joined(self, joined: Joined) -> None:
        """Tell the program of a room that the client is in."""

    def tell_error(self, error: RequestError) -> None:
        """Tell the program of an error that nothing waits for."""

    def receive_message(self, message: Message) -> None:
        """Take a message as if it had just been said."""


async def rejoin(client: Resumable, progress: Progress, rooms: Sequence[Mapping[str, Any]]) -> None:
    """Bring a client that was welcomed back into the rooms that its last session was in.

    Args:
        client: The client.
        progress: What it remembers of its last session.
        rooms: The rooms that the server has let it into.

    Raises:
        SessionEnded: The session ended first.
    """
    inside = _enter(client, progress, rooms)
    positions = [position for key, position in progress.rooms.items() if key not in inside]
    # All are waited for, also when the session ends and all of them fail.
    joining = DeferredList([_join(client, position) for position in positions], consumeErrors=True)
    for position, (is_joined, joined) in zip(positions, await joining, strict=True):
        if is_joined:
            continue
        error = cast(Failure, joined).value
        assert error is not None
        if not isinstance(error, RequestError):
            raise error
        if error.code != ErrorCode.NOT_STORED:  # which is over some time
            progress.left(position.name)
        client.tell_error(error)


def _enter(client: Resumable, progress: Progress, rooms: Sequence[Mapping[str, Any]]) -> set[str]:
    """Take note of the rooms that the server has let a client into.

    Returns:
        The folded names of those that need no `join`.
    """
    inside: set[str] = set()
    for told in rooms:
        name, epoch, seq = told["room"], told.get("epoch"), told.get("seq")
        last_id = told.get("last_id")
        id = last_id if isinstance(last_id, str) else None
        if isinstance(epoch, str) and isinstance(seq, int):
            there = progress.rooms.get(fold(name))
            if there is not None and there.seq is not None:
                continue  # it is joined with what was missed, though the client is in already
            progress.joined(name, epoch, seq, id)
            client.tell_joined(Joined(room=name, epoch=epoch, seq=seq, last_id=id))
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


async def catch_up(client: Resumable, progress: Progress, *, is_back: bool) -> None:
    """Fetch the direct messages that were missed.

    Args:
        client: The client.
        progress: How far it has read them.
        is_back: Whether it had its name before; if not, the earlier messages to that name are no
            news.

    Raises:
        SessionEnded: The session ended first.
    """
    before = dict(progress.direct)
    try:
        conversations = await client.conversations()
    except RequestError as error:  # a server that knows no such command, or cannot read now
        client.tell_error(error)
        return
    for key in before.keys() - {fold(conversation.other) for conversation in conversations}:
        progress.direct.pop(key, None)  # nothing of it is kept: it may begin anew, in another epoch
    for conversation in conversations:
        key = fold(conversation.other)
        position = progress.direct.get(key)
        if position is None and not is_back:
            progress.direct[key] = Position(key, *_standing(conversation))
            continue
        if position is None:
            position = progress.direct[key] = Position(key, conversation.epoch, 0)
        if not position.is_at(*_standing(conversation)):
            await fetch(client, position)


def _standing(conversation: Conversation) -> tuple[str, int, str | None]:
    return conversation.epoch, conversation.seq, conversation.last_id


async def fetch(client: Resumable, position: Position) -> None:
    """Fetch the direct messages that follow what the client has of a conversation.

    Args:
        client: The client.
        position: How far it has read the conversation.

    Raises:
        SessionEnded: The session ended first.
    """
    is_complete = False
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
            if not page.recovered:  # the server's order is another, or the oldest are gone
                position.move_to((page.messages[0].seq or 1) - 1 if page.messages else 0, None)
            for message in page.messages:
                client.receive_message(message)
            is_complete = page.complete or position.seq == before
    except RequestError as error:
        client.tell_error(error)
    finally:
        position.is_filling = False
