"""Going on where the last connection ended: back into the rooms, with what was missed there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from chatd.chat.history import MAX_PAGE
from chatd.chat.names import fold
from chatd.client.progress import Position
from chatd.client.results import Conversation, Joined
from chatd.errors import ErrorCode, RequestError

if TYPE_CHECKING:
    from chatd.client.client import ChatClient

__all__ = ["catch_up", "fetch", "resume"]


async def resume(client: ChatClient, rooms: Sequence[Mapping[str, Any]]) -> None:
    """Bring a client that was welcomed to where the last one of its progress ended.

    Args:
        client: The client.
        rooms: The rooms that the server has let it into.

    Raises:
        SessionEnded: The session ended first.
    """
    progress = client.factory.progress
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
            client._joined(Joined(room=name, epoch=epoch, seq=seq, last_id=id))
        else:
            progress.joined(name, None, None)
        inside.add(fold(name))
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
        client._tell_error(error)
    if progress.is_kept:
        client.factory.keep_name(client.name)
        await catch_up(client, is_back=progress.was_connected)
    progress.was_connected = True
    client._resend()


def _join(client: ChatClient, position: Position) -> Deferred[Joined]:
    if position.seq is None:
        return client.join(position.name)
    return client.join(
        position.name, after=position.seq, epoch=position.epoch, after_id=position.id
    )


async def catch_up(client: ChatClient, *, is_back: bool) -> None:
    """Fetch the direct messages that were missed.

    Args:
        client: The client.
        is_back: Whether it had its name before; else what was said to that is no news.

    Raises:
        SessionEnded: The session ended first.
    """
    progress = client.factory.progress
    before = dict(progress.direct)
    try:
        conversations = await client.conversations()
    except RequestError as error:  # a server that knows no such command, or cannot read now
        client._tell_error(error)
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


async def fetch(client: ChatClient, position: Position) -> None:
    """Fetch the direct messages with someone that follow what the client has.

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
                client._act_on_chat(message)
            is_complete = page.complete or position.seq == before
    except RequestError as error:
        client._tell_error(error)
    finally:
        position.is_filling = False
