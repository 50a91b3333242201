"""Going on where the last connection ended: back into the rooms, with what was missed there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from chatd.chat.history import MAX_PAGE
from chatd.chat.names import fold
from chatd.errors import ErrorCode, RequestError
from chatd.net.logbook import Position
from chatd.net.requests import Joined

if TYPE_CHECKING:
    from chatd.net.client import ChatClient

__all__ = ["catch_up", "fetch", "resume"]


async def resume(client: ChatClient, rooms: Sequence[Mapping[str, Any]]) -> None:
    """Bring a client that was welcomed to where the last one of its logbook ended.

    Args:
        client: The client.
        rooms: The rooms that the server has let it into.

    Raises:
        SessionEnded: The session ended first.
    """
    logbook = client.factory.logbook
    for told in rooms:
        name, epoch, seq = told["room"], told.get("epoch"), told.get("seq")
        if isinstance(epoch, str) and isinstance(seq, int):
            logbook.joined(name, epoch, seq)
            client.joined(Joined(room=name, epoch=epoch, seq=seq))
        else:
            logbook.joined(name, None, None)
    inside = {fold(told["room"]) for told in rooms}
    positions = [position for key, position in logbook.rooms.items() if key not in inside]
    joining = [(position, _join(client, position)) for position in positions]
    for position, joined in joining:
        try:
            await joined
        except RequestError as error:
            if error.code != ErrorCode.NOT_STORED:  # which is over some time
                logbook.left(position.name)
            client.tell_error(error)
    if logbook.is_kept:
        client.factory.keep_name(client.name)
        await catch_up(client, is_back=logbook.was_connected)
    logbook.was_connected = True
    client.resend()


def _join(client: ChatClient, position: Position) -> Deferred[Joined]:
    if position.seq is None:
        return client.join(position.name)
    return client.join(position.name, after=position.seq, epoch=position.epoch)


async def catch_up(client: ChatClient, *, is_back: bool) -> None:
    """Fetch the direct messages that were missed.

    Args:
        client: The client.
        is_back: Whether it had its name before; else what was said to that is no news.

    Raises:
        SessionEnded: The session ended first.
    """
    logbook = client.factory.logbook
    try:
        conversations = await client.conversations()
    except RequestError as error:  # a server that knows no such command, or cannot read now
        client.tell_error(error)
        return
    for conversation in conversations:
        key = fold(conversation.other)
        position = logbook.direct.get(key)
        if not is_back:
            logbook.direct[key] = Position(key, conversation.epoch, conversation.seq)
            continue
        if position is None or position.epoch not in (None, conversation.epoch):
            position = logbook.direct[key] = Position(key, conversation.epoch, 0)
        if position.seq is None or position.seq < conversation.seq:
            await fetch(client, position)


async def fetch(client: ChatClient, position: Position) -> None:
    """Fetch the direct messages with someone that follow what the client has.

    Raises:
        SessionEnded: The session ended first.
    """
    is_complete = False
    position.is_filling = True
    try:
        while not is_complete:
            page = await client.history(
                other=position.name, after=position.seq or 0, limit=MAX_PAGE
            )
            position.epoch = page.epoch
            if page.messages:
                # Where the oldest are gone, it goes on with those that are kept.
                position.seq = max(position.seq or 0, (page.messages[0].seq or 1) - 1)
            client.take_missed(page.messages)
            is_complete = page.complete or not page.messages
    except RequestError as error:
        client.tell_error(error)
    finally:
        position.is_filling = False
