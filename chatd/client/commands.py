"""What a client can ask its server, each command as a method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar
from uuid import uuid4

import msgspec
from twisted.internet.defer import Deferred

from chatd.client.pages import Pages
from chatd.client.progress import Progress
from chatd.client.results import BanInfo, Conversation, History, Joined, RoomInfo
from chatd.errors import ErrorCode, RequestError

__all__ = ["ClientCommands"]

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

    Every Deferred here fails with `RequestError` where the server refuses, or where its answer is
    not understood (`bad-request`), and with `SessionEnded` where the session ends first.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._pages = Pages()

    def command(self, command: str, /, **fields: object) -> Deferred[dict[str, Any]]:
        """Give the server a command.

        Args:
            command: Its name.
            fields: What belongs to it; JSON values.

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
        """Go into a room, which is made if there is none.

        Args:
            room: The room's name, 1 to 64 characters without spaces.
            after: The `seq` of the last message of the room that you have: those since then are
                told first, as any message is. None to be told of none.
            epoch: The epoch of that `seq`; where the room's is another, all that is kept is told.
            after_id: The id of that message; where the room's message there has another id, as
                after the server's store was put back from a copy, all that is kept is told.

        Returns:
            A Deferred that fires with what the room is like, before what was missed is told.
        """

        def joined(result: dict[str, Any]) -> Joined:
            answer = _convert(result, Joined)
            seq, id = answer.seq, answer.last_id
            if after is not None:  # without `recovered`, all that is kept is told
                seq, id = (after, after_id) if answer.recovered else (0, None)
            self._progress.joined(answer.room, answer.epoch, seq, id)
            self.tell_joined(answer)
            return answer

        return self.command(
            "join", **_given(room=room, after=after, epoch=epoch, after_id=after_id)
        ).addCallback(joined)

    def leave(self, room: str) -> Deferred[None]:
        """Go out of a room."""
        return self.command("leave", room=room).addCallback(lambda _: self._progress.left(room))

    def who(self, room: str) -> Deferred[list[str]]:
        """Return who is in a room, a Deferred that fires with their names."""
        return self._list("who", "names", str, room=room)

    def list_rooms(self) -> Deferred[list[RoomInfo]]:
        """Return which rooms there are, a Deferred that fires with them."""
        return self._list("rooms", "rooms", RoomInfo)

    def topic(self, room: str, topic: str | None = None) -> Deferred[str]:
        """Return a room's topic, or set it; a Deferred that fires with what it is then.

        Args:
            room: A room that this client is in.
            topic: Up to 256 characters, or empty for none; None to leave it as it is.
        """
        asked = self.command("topic", **_given(room=room, topic=topic))
        return asked.addCallback(lambda result: str(result.get("topic", "")))

    # What was said

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
        """Read a part of what was said: with `after` the oldest since, else the newest before.

        Args:
            room: A room that this client is in, or
            other: the name of who it exchanged direct messages with; one of the two.
            after: A `seq`, or None; 0 for all.
            before: A `seq`, or None.
            epoch: With `after`, the epoch of that `seq`.
            after_id: With `after`, the id of that message. Where the server has another epoch or
                id there, the answer is not `recovered`, and begins with the oldest that is kept.
            limit: How many messages at most, 1 to 500.

        Returns:
            A Deferred that fires with the messages; they are not told in any other way.
        """
        place = {"with": other, "after": after, "before": before, "after_id": after_id}
        fields = _given(room=room, epoch=epoch, limit=limit, **place)

        def read(result: dict[str, Any]) -> History:
            answer = _convert(result, _HistoryResult)
            if answer.count != len(page.messages):
                raise RequestError(
                    ErrorCode.BAD_REQUEST,
                    "the server's answer is not understood: it has another number of messages",
                )
            return History(page.messages, answer.epoch, answer.complete, answer.recovered)

        command_id = uuid4().hex
        asked = self._give(command_id, "history", fields)
        page = self._pages.begin(command_id, limit)
        return asked.addCallback(read)

    def conversations(self) -> Deferred[list[Conversation]]:
        """Return with whom direct messages were exchanged, a Deferred that fires with them."""
        return self._list("conversations", "conversations", Conversation)

    # Names and operators

    def rename(self, name: str) -> Deferred[str]:
        """Take another name; return a Deferred that fires with it."""

        def renamed(result: dict[str, Any]) -> str:
            name = _convert(result, _Renamed).name
            self._take_name(name)
            return name

        return self.command("name", name=name).addCallback(renamed)

    def kick(
        self, name: str | None = None, *, address: str | None = None, reason: str = ""
    ) -> Deferred[int]:
        """End the sessions of a name or of an address; only operators may.

        Returns:
            A Deferred that fires with how many there were.
        """
        asked = self.command("kick", **_given(name=name, address=address), reason=reason)
        return asked.addCallback(lambda result: _convert(result, _Kicked).kicked)

    def ban(
        self, name: str | None = None, *, address: str | None = None, until: float | None = None
    ) -> Deferred[int]:
        """Let in nobody of a name or from an address, and end their sessions; operators only.

        Args:
            name: The name, or
            address: an IP address, or `uid:` and a number for a user of the server's machine.
            until: When the ban ends, in Unix seconds; None for never.

        Returns:
            A Deferred that fires with how many sessions there were.
        """
        asked = self.command("ban", **_given(name=name, address=address), until=until)
        return asked.addCallback(lambda result: _convert(result, _Kicked).kicked)

    def unban(self, name: str | None = None, *, address: str | None = None) -> Deferred[None]:
        """Lift a ban; only operators may."""
        return self.command("unban", **_given(name=name, address=address)).addCallback(
            lambda _: None
        )

    def bans(self) -> Deferred[list[BanInfo]]:
        """Return the bans that are in force, a Deferred that fires with them; operators only."""
        return self._list("bans", "bans", BanInfo)

    # Of the client

    def _give(
        self, command_id: str, command: str, fields: Mapping[str, object]
    ) -> Deferred[dict[str, Any]]:
        """Give the server a command under an id."""
        raise NotImplementedError

    def tell_joined(self, joined: Joined) -> None:
        """Act on being in a room."""
        raise NotImplementedError

    def _take_name(self, name: str) -> None:
        """Act on having another name."""
        raise NotImplementedError

    # Within

    def _list(
        self, command: str, field: str, item_type: type[T], **fields: object
    ) -> Deferred[list[T]]:
        """Return a Deferred of a list that may take several commands to get."""
        return Deferred.fromCoroutine(self._list_all(command, field, item_type, fields))

    async def _list_all(
        self, command: str, field: str, item_type: type[T], fields: dict[str, object]
    ) -> list[T]:
        items: list[T] = []
        position: dict[str, object] = {}
        while True:
            result = await self.command(command, **fields, **position)
            items += _convert(result.get(field), list[item_type])  # type: ignore[valid-type]
            after = _convert(result, _Next).next
            if after is None:
                return items
            if after <= str(position.get("after", "")):
                raise RequestError(ErrorCode.BAD_REQUEST, "the server's list does not go on")
            position = {"after": after}


def _given(**fields: object) -> dict[str, object]:
    """Return the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def _convert(result: object, wanted: type[T]) -> T:
    try:
        return msgspec.convert(result, wanted)
    except msgspec.ValidationError as error:
        raise RequestError(
            ErrorCode.BAD_REQUEST, f"the server's answer is not understood: {error}"
        ) from error
