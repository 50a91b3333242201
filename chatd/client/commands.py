"""`ClientCommands`: the commands that a client gives its server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import uuid4

import msgspec
from twisted.internet.defer import Deferred

from chatd.arguments import check_numbers_or_none, check_texts, check_texts_or_none, check_type
from chatd.chat.names import fold
from chatd.client.fields import AwayText, Count, Name, Topic, convert, given
from chatd.client.historycommands import HistoryCommands
from chatd.client.privaterooms import ClientPrivateRoomCommands
from chatd.client.progress import Progress
from chatd.client.refusals import malformed
from chatd.client.results import BanInfo, Conversation, Joined, PersonInfo, RoomInfo
from chatd.errors import ErrorCode, RequestError
from chatd.transport.promise import promised
from chatd.wire.jsonfields import check_fields

__all__ = ["ClientCommands"]

MAX_LISTED = 100_000
"""Limit on the items of a list that takes several commands."""

T = TypeVar("T")


class _Renamed(msgspec.Struct):
    name: Name


class _Kicked(msgspec.Struct):
    kicked: Count


class _Topic(msgspec.Struct):
    topic: Topic = ""


class _Away(msgspec.Struct):
    text: AwayText = ""


class _Who(msgspec.Struct):
    names: list[Name]
    away: dict[Name, AwayText] | None = None


class _Next(msgspec.Struct):
    next: str | None = None


class ClientCommands(HistoryCommands, ClientPrivateRoomCommands):
    """The commands of a chatd server, as methods of its client.

    Every Deferred here fails with `RequestError` if the server refuses the command or its answer is
    malformed (`bad-request`), and with `SessionEnded` if the session ends first.
    """

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def command(self, command: str, /, **fields: object) -> Deferred[dict[str, Any]]:
        """Give the server a command.

        Args:
            command: The command's name.
            fields: The command's fields: JSON values, and lists and dictionaries of these.

        Returns:
            A Deferred that fires with the fields of the RESULT, which are those of
            `Session.send_result`.

        Raises:
            LocalProtocolError: A field is named `id` or `command`, which chatd uses itself, or its
                value is no JSON value.
        """
        check_type("the command", command, str, "the name of a command")
        check_fields(fields, ("id", "command"))

        def without_id(result: dict[str, Any]) -> dict[str, Any]:
            return {name: value for name, value in result.items() if name != "id"}

        return self._give(uuid4().hex, command, fields).addCallback(without_id)

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
        check_texts(room=room)
        check_texts_or_none(epoch=epoch, after_id=after_id)
        check_numbers_or_none(after=after)

        def joined(result: dict[str, Any]) -> Joined:
            answer = convert(result, Joined)
            if fold(answer.room) != fold(room):
                raise malformed("it is for another room")
            seq, id = answer.seq, answer.last_id
            if after is not None:  # without `recovered`, all stored messages follow
                seq, id = (after, after_id) if answer.recovered else (0, None)
            self._progress.joined(answer.room, answer.epoch, seq, id)
            self.tell_joined(answer)
            return answer

        return self.command(
            "join", **given(room=room, after=after, epoch=epoch, after_id=after_id)
        ).addCallback(joined)

    def leave(self, room: str) -> Deferred[None]:
        """Leave a room."""
        check_texts(room=room)
        return self.command("leave", room=room).addCallback(lambda _: self._progress.left(room))

    def who(self, room: str) -> Deferred[list[str]]:
        """Return a Deferred that fires with the names of the people in a room."""
        check_texts(room=room)
        return self._list("who", "names", list[Name], room=room)

    def people(self, room: str) -> Deferred[list[PersonInfo]]:
        """Return a Deferred that fires with the people in a room, and the texts of those away."""
        check_texts(room=room)

        def people_of(result: dict[str, Any]) -> list[PersonInfo]:
            answer = convert(result, _Who)
            away = answer.away or {}
            return [PersonInfo(name=name, away=away.get(name, "")) for name in answer.names]

        return promised(Deferred.fromCoroutine(self._list_all("who", people_of, {"room": room})))

    def list_rooms(self) -> Deferred[list[RoomInfo]]:
        """Return a Deferred that fires with the rooms of the server."""
        return self._list("rooms", "rooms", list[RoomInfo])

    def topic(self, room: str, topic: str | None = None) -> Deferred[str]:
        """Get or set a room's topic.

        Args:
            room: A room that this client is in.
            topic: Up to 256 characters, or empty for none; None to leave the topic unchanged.

        Returns:
            A Deferred that fires with the topic, the new one if it was set.
        """
        check_texts(room=room)
        check_texts_or_none(topic=topic)
        asked = self.command("topic", **given(room=room, topic=topic))
        return asked.addCallback(lambda result: convert(result, _Topic).topic)

    # Direct messages

    def conversations(self) -> Deferred[list[Conversation]]:
        """Return a Deferred that fires with this client's exchanges of direct messages."""
        return self._list("conversations", "conversations", list[Conversation])

    # Names and operators

    def rename(self, name: str) -> Deferred[str]:
        """Take another name; return a Deferred that fires with the new name."""
        check_texts(name=name)

        def renamed(result: dict[str, Any]) -> str:
            name = convert(result, _Renamed).name
            self._take_name(name)
            return name

        return self.command("name", name=name).addCallback(renamed)

    def away(self, text: str = "") -> Deferred[str]:
        """Mark this client's name as away, or no longer.

        Each sender of a direct message to the name gets the text once. It ends with the session.

        Args:
            text: One line of up to 256 characters; empty if the person is back.

        Returns:
            A Deferred that fires with the text.
        """
        check_texts(text=text)
        asked = self.command("away", text=text)
        return asked.addCallback(lambda result: convert(result, _Away).text)

    def kick(
        self, name: str | None = None, *, address: str | None = None, reason: str = ""
    ) -> Deferred[int]:
        """End the sessions of a name or of an address; for operators.

        Returns:
            A Deferred that fires with the number of ended sessions.
        """
        check_texts_or_none(name=name, address=address)
        check_texts(reason=reason)
        asked = self.command("kick", **given(name=name, address=address), reason=reason)
        return asked.addCallback(lambda result: convert(result, _Kicked).kicked)

    def ban(
        self,
        name: str | None = None,
        *,
        address: str | None = None,
        until: float | None = None,
        reason: str = "",
    ) -> Deferred[int]:
        """Ban a name or an address, and end its sessions; for operators.

        Args:
            name: The name. Give either `name` or `address`.
            address: An IP address, or `uid:` and a number for a user of the server's machine.
            until: The end of the ban, in Unix seconds; None for a permanent ban.
            reason: The reason that the ended sessions and their rooms are told; the ban does not
                keep it.

        Returns:
            A Deferred that fires with the number of ended sessions.
        """
        check_texts_or_none(name=name, address=address)
        check_numbers_or_none(until=until)
        check_texts(reason=reason)
        target = given(name=name, address=address)
        asked = self.command("ban", **target, until=until, reason=reason)
        return asked.addCallback(lambda result: convert(result, _Kicked).kicked)

    def unban(self, name: str | None = None, *, address: str | None = None) -> Deferred[None]:
        """Lift a ban; for operators."""
        check_texts_or_none(name=name, address=address)
        return self.command("unban", **given(name=name, address=address)).addCallback(
            lambda _: None
        )

    def bans(self) -> Deferred[list[BanInfo]]:
        """Return a Deferred that fires with the bans in force; for operators."""
        return self._list("bans", "bans", list[BanInfo])

    # Implemented by the client

    def tell_joined(self, joined: Joined) -> None:
        """Act on having joined a room."""
        raise NotImplementedError

    def _take_name(self, name: str) -> None:
        """Act on a change of this client's name."""
        raise NotImplementedError

    # Internals

    def _list(
        self, command: str, field: str, items: type[list[T]], **fields: object
    ) -> Deferred[list[T]]:
        """Return a Deferred that fires with a list, which may take several commands to get."""

        def items_of(result: dict[str, Any]) -> list[T]:
            return convert(result.get(field), items)

        return promised(Deferred.fromCoroutine(self._list_all(command, items_of, fields)))

    async def _list_all(
        self,
        command: str,
        items_of: Callable[[dict[str, Any]], list[T]],
        fields: dict[str, object],
    ) -> list[T]:
        items: list[T] = []
        position: dict[str, object] = {}
        count = 0
        while True:
            result = await self.command(command, **fields, **position)
            page = items_of(result)
            items += page
            count += max(1, len(page))  # a page without items is bounded too
            if count > MAX_LISTED:
                raise RequestError(ErrorCode.BAD_REQUEST, "the server's list is too long")
            after = convert(result, _Next).next
            if after is None:
                return items
            if after <= str(position.get("after", "")):
                raise RequestError(ErrorCode.BAD_REQUEST, "the server's list does not advance")
            position = {"after": after}
