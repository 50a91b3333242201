"""`ClientCommands`: the commands that a client gives its server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, TypeVar
from uuid import uuid4

import msgspec
from twisted.internet.defer import Deferred

from chatd.chat.names import fold
from chatd.client.historypages import HistoryPages
from chatd.client.pages import Pages
from chatd.client.progress import Progress
from chatd.client.results import BanInfo, Conversation, History, Joined, RoomInfo
from chatd.errors import ErrorCode, RequestError

__all__ = ["ClientCommands"]

MAX_LISTED = 100_000
"""Limit on the items of a list that takes several commands."""

T = TypeVar("T")


class _HistoryResult(msgspec.Struct):
    epoch: str = ""
    count: Annotated[int, msgspec.Meta(ge=0)] = 0
    complete: bool = False
    recovered: bool = False


class _Renamed(msgspec.Struct):
    name: str


class _Kicked(msgspec.Struct):
    kicked: int


class _Next(msgspec.Struct):
    next: str | None = None


class ClientCommands:
    """The commands of a chatd server, as methods of its client.

    Every Deferred here fails with `RequestError` if the server refuses the command or its answer is
    malformed (`bad-request`), and with `SessionEnded` if the session ends first.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._pages = Pages()

    def command(self, command: str, /, **fields: object) -> Deferred[dict[str, Any]]:
        """Give the server a command.

        Args:
            command: The command's name.
            fields: The command's fields; JSON values.

        Returns:
            A Deferred that fires with the fields of the RESULT.
        """
        return self._give(uuid4().hex, command, fields)

    # Rooms

    def join(
        self,
        room: str,
        *,
        after: int | None = None,
        epoch: str | None = None,
        after_id: str | None = None,
    ) -> Deferred[Joined]:
        """Join a room; the server creates it if it does not exist.

        Args:
            room: The room's name, 1 to 64 characters without spaces.
            after: The `seq` of the last message of the room that you have. The messages after it
                are delivered first, like any message. None for no earlier messages.
            epoch: The epoch of that `seq`. If the room has another epoch, all stored messages are
                delivered.
            after_id: The id of that message. If the room's message at `seq` has another id, for
                example because the server's store was restored from a backup, all stored messages
                are delivered.

        Returns:
            A Deferred that fires with the room's state, before the missed messages are delivered.
        """

        def joined(result: dict[str, Any]) -> Joined:
            answer = _convert(result, Joined)
            if fold(answer.room) != fold(room):
                text = "the server's answer is malformed: it is for another room"
                raise RequestError(ErrorCode.BAD_REQUEST, text)
            seq, id = answer.seq, answer.last_id
            if after is not None:  # without `recovered`, all stored messages follow
                seq, id = (after, after_id) if answer.recovered else (0, None)
            self._progress.joined(answer.room, answer.epoch, seq, id)
            self.tell_joined(answer)
            return answer

        return self.command(
            "join", **_given(room=room, after=after, epoch=epoch, after_id=after_id)
        ).addCallback(joined)

    def leave(self, room: str) -> Deferred[None]:
        """Leave a room."""
        return self.command("leave", room=room).addCallback(lambda _: self._progress.left(room))

    def who(self, room: str) -> Deferred[list[str]]:
        """Return a Deferred that fires with the names of the people in a room."""
        return self._list("who", "names", str, room=room)

    def list_rooms(self) -> Deferred[list[RoomInfo]]:
        """Return a Deferred that fires with the rooms of the server."""
        return self._list("rooms", "rooms", RoomInfo)

    def topic(self, room: str, topic: str | None = None) -> Deferred[str]:
        """Get or set a room's topic.

        Args:
            room: A room that this client is in.
            topic: Up to 256 characters, or empty for none; None to leave the topic unchanged.

        Returns:
            A Deferred that fires with the topic, the new one if it was set.
        """
        asked = self.command("topic", **_given(room=room, topic=topic))
        return asked.addCallback(lambda result: str(result.get("topic", "")))

    # Earlier messages

    def history(
        self,
        room: str | None = None,
        *,
        other: str | None = None,
        after: int | None = None,
        before: int | None = None,
        epoch: str | None = None,
        after_id: str | None = None,
        limit: int = 100,
    ) -> Deferred[History]:
        """Read earlier messages of a room, or direct messages with another name.

        With `after`, these are the oldest messages after that place; otherwise they are the newest
        messages, before `before` if it is given.

        Args:
            room: A room that this client is in. Give either `room` or `other`.
            other: The name of the other person in an exchange of direct messages.
            after: A `seq`, or None; 0 for the oldest stored message on.
            before: A `seq`, or None.
            epoch: With `after`, the epoch of that `seq`.
            after_id: With `after`, the id of that message. If the server has another epoch or id
                there, the answer is not `recovered`, and begins with the oldest stored message.
            limit: Limit on the number of messages, 1 to 500.

        Returns:
            A Deferred that fires with the messages. They reach neither the hooks nor the iteration.
        """
        place = {"with": other, "after": after, "before": before, "after_id": after_id}
        fields = _given(room=room, epoch=epoch, limit=limit, **place)

        def read(result: dict[str, Any]) -> History:
            answer = _convert(result, _HistoryResult)
            if answer.count != len(page.messages):
                raise RequestError(
                    ErrorCode.BAD_REQUEST,
                    "the server's answer is malformed: its count of messages is wrong",
                )
            return History(page.messages, answer.epoch, answer.complete, answer.recovered)

        command_id = uuid4().hex
        asked = self._give(command_id, "history", fields)
        page = self._pages.begin(command_id, limit)
        return asked.addCallback(read)

    def history_pages(
        self,
        room: str | None = None,
        *,
        other: str | None = None,
        before: int | None = None,
        epoch: str | None = None,
        limit: int = 100,
    ) -> AsyncIterator[History]:
        """Iterate over all stored messages of a room, or with another name, page by page.

        The newest page comes first; within a page, the messages are in order. No page is empty. A
        page is read when the program asks for it, so stop whenever you have enough::

            async for page in client.history_pages("lobby"):
                for message in reversed(page.messages):
                    print(message.sender, message.text)

        Args:
            room: A room that this client is in. Give either `room` or `other`.
            other: The name of the other person in an exchange of direct messages.
            before: A `seq`: begin with the messages before it; None to begin with the newest.
            epoch: With `before`, the epoch of that `seq`. If the server has another epoch, the
                iteration fails.
            limit: Limit on the number of messages in a page, 1 to 500.

        Returns:
            The pages. The last page is `complete`. The iteration fails with `RequestError` if the
            server refuses, or if the messages get another epoch meanwhile, and with `SessionEnded`
            if the session ends.
        """

        def read(before: int | None) -> Deferred[History]:
            return self.history(room, other=other, before=before, limit=limit)

        return HistoryPages(read, before, epoch)

    def conversations(self) -> Deferred[list[Conversation]]:
        """Return a Deferred that fires with this client's exchanges of direct messages."""
        return self._list("conversations", "conversations", Conversation)

    # Names and operators

    def rename(self, name: str) -> Deferred[str]:
        """Take another name; return a Deferred that fires with the new name."""

        def renamed(result: dict[str, Any]) -> str:
            name = _convert(result, _Renamed).name
            self._take_name(name)
            return name

        return self.command("name", name=name).addCallback(renamed)

    def kick(
        self, name: str | None = None, *, address: str | None = None, reason: str = ""
    ) -> Deferred[int]:
        """End the sessions of a name or of an address; for operators.

        Returns:
            A Deferred that fires with the number of ended sessions.
        """
        asked = self.command("kick", **_given(name=name, address=address), reason=reason)
        return asked.addCallback(lambda result: _convert(result, _Kicked).kicked)

    def ban(
        self, name: str | None = None, *, address: str | None = None, until: float | None = None
    ) -> Deferred[int]:
        """Ban a name or an address, and end its sessions; for operators.

        Args:
            name: The name. Give either `name` or `address`.
            address: An IP address, or `uid:` and a number for a user of the server's machine.
            until: The end of the ban, in Unix seconds; None for a permanent ban.

        Returns:
            A Deferred that fires with the number of ended sessions.
        """
        asked = self.command("ban", **_given(name=name, address=address), until=until)
        return asked.addCallback(lambda result: _convert(result, _Kicked).kicked)

    def unban(self, name: str | None = None, *, address: str | None = None) -> Deferred[None]:
        """Lift a ban; for operators."""
        return self.command("unban", **_given(name=name, address=address)).addCallback(
            lambda _: None
        )

    def bans(self) -> Deferred[list[BanInfo]]:
        """Return a Deferred that fires with the bans in force; for operators."""
        return self._list("bans", "bans", BanInfo)

    # Implemented by the client

    def _give(
        self, command_id: str, command: str, fields: Mapping[str, object]
    ) -> Deferred[dict[str, Any]]:
        """Send a command with an id."""
        raise NotImplementedError

    def tell_joined(self, joined: Joined) -> None:
        """Act on having joined a room."""
        raise NotImplementedError

    def _take_name(self, name: str) -> None:
        """Act on a change of this client's name."""
        raise NotImplementedError

    # Internals

    def _list(
        self, command: str, field: str, item_type: type[T], **fields: object
    ) -> Deferred[list[T]]:
        """Return a Deferred that fires with a list, which may take several commands to get."""
        return Deferred.fromCoroutine(self._list_all(command, field, item_type, fields))

    async def _list_all(
        self, command: str, field: str, item_type: type[T], fields: dict[str, object]
    ) -> list[T]:
        items: list[T] = []
        position: dict[str, object] = {}
        while True:
            result = await self.command(command, **fields, **position)
            items += _convert(result.get(field), list[item_type])  # type: ignore[valid-type]
            if len(items) > MAX_LISTED:
                raise RequestError(ErrorCode.BAD_REQUEST, "the server's list is too long")
            after = _convert(result, _Next).next
            if after is None:
                return items
            if after <= str(position.get("after", "")):
                raise RequestError(ErrorCode.BAD_REQUEST, "the server's list does not advance")
            position = {"after": after}


def _given(**fields: object) -> dict[str, object]:
    """Return the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def _convert(result: object, wanted: type[T]) -> T:
    try:
        return msgspec.convert(result, wanted)
    except msgspec.ValidationError as error:
        raise RequestError(
            ErrorCode.BAD_REQUEST, f"the server's answer is malformed: {error}"
        ) from error
