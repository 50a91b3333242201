"""Shows earlier messages: the latest of joined rooms, and missed direct messages."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.chat.names import fold
from chatd.cli.attention import is_for
from chatd.cli.browsing import Browsing
from chatd.cli.console import ConsoleClient
from chatd.cli.display import TextDisplay
from chatd.cli.ignored import Ignored
from chatd.cli.places import Place
from chatd.cli.reading import Reading
from chatd.cli.recent import MAX_NEW
from chatd.cli.roomstates import RoomStates
from chatd.client.results import Joined
from chatd.errors import RequestError, SessionEnded
from chatd.wire.messages import Message

__all__ = ["RECENT", "Introductions"]

RECENT = 10
"""Number of latest messages shown after joining a room."""


class Introductions:
    """Shows joined rooms, and the direct messages that came while the person was away.

    Args:
        display: Shows notes.
        reading: Shows messages, and counts the missed ones.
        browsing: Learns which messages were shown.
        states: The states of the rooms, which get the topics.
        needs_room_names: Returns whether a note about a topic must name the room.
        ignored: The people whose messages are not shown.
    """

    log = Logger()

    def __init__(
        self,
        display: TextDisplay,
        reading: Reading,
        browsing: Browsing,
        states: RoomStates,
        needs_room_names: Callable[[], bool],
        ignored: Ignored,
    ) -> None:
        self._display = display
        self._reading = reading
        self._browsing = browsing
        self._states = states
        self._needs_room_names = needs_room_names
        self._ignored = ignored
        self._held: dict[str, list[Message]] = {}
        self._running: set[Deferred[Any]] = set()
        self._direct: set[str | None] | None = None

    def take(self, message: Message) -> bool:
        """Hold a new message back if its room is being introduced; return whether it is held."""
        if message.room is None:
            if self._direct is not None:
                self._direct.add(message.id)
            return False
        held = self._held.get(fold(message.room))
        if held is None:
            return False
        held.append(message)
        return True

    def introduce(self, client: ConsoleClient, joined: Joined) -> None:
        """Show a room's topic and latest messages; hold new messages back until then."""
        self._browsing.begin_again(Place(joined.room))
        self._start(self._introduce(client, joined))

    def show_direct(self, client: ConsoleClient) -> None:
        """Show the unanswered direct messages after the rooms that are being introduced."""
        self._direct = set()
        self._start(self._show_direct(client, DeferredList(list(self._running))))

    def _start(self, showing: Any) -> None:  # noqa: ANN401  (a coroutine)
        running = Deferred.fromCoroutine(showing)
        running.addErrback(self._not_shown)
        self._running.add(running)
        running.addCallback(lambda _: self._running.discard(running))

    async def _introduce(self, client: ConsoleClient, joined: Joined) -> None:
        room, key = joined.room, fold(joined.room)
        held = self._held.setdefault(key, [])
        topic = joined.topic
        try:
            if joined.members:
                about = f"; topic: {topic}" if topic else ""
                self._display.note(f"you are in {room}, {joined.members} here{about}")
            else:  # the welcome has neither members nor topic
                topic = self._states.of(room).topic = await client.topic(room)
                its = f" of {room}" if self._needs_room_names() else ""
                if topic:
                    self._display.note(f"the topic{its}: {topic}")
            if joined.seq:
                await self._show_latest(client, joined)
            self._reading.marks.shown(room, joined.epoch, joined.seq)
        except (RequestError, SessionEnded):
            pass  # the introduction is optional
        finally:
            self._held.pop(key, None)
            for message in held:
                self._reading.show(message, client.name, joined.epoch)
            held.clear()

    async def _show_latest(self, client: ConsoleClient, joined: Joined) -> None:
        """Show the latest messages of a room: those that the person has not seen as new ones."""
        place = Place(joined.room)
        count = self._reading.marks.after(joined.room, joined.epoch, joined.seq)
        limit = max(RECENT, min(count, MAX_NEW))
        page = await client.history(joined.room, before=joined.seq + 1, limit=limit)
        if not page.messages:
            return
        first = None if page.complete else page.messages[0].seq
        self._browsing.shown(place, page.epoch, first)
        is_same = page.epoch == joined.epoch
        last_seen = joined.seq - count if is_same else joined.seq
        seen: list[Message] = []
        new: list[Message] = []
        for message in page.messages:
            (new if is_same and (message.seq or 0) > last_seen else seen).append(message)
        self._earlier(client, f"earlier messages in {joined.room}", seen, page.epoch)
        shown = [message for message in new if not self._ignored.hides(message)]
        others = [each for each in shown if fold(each.sender or "") != fold(client.name)]
        if others:
            count -= len(new) - len(others)
            is_for_you = any(is_for(each, client.name) for each in others)
            self._reading.count(place, is_for_you=is_for_you, messages=count)
        self._reading.missed(shown, client.name, page.epoch, count)

    async def _show_direct(self, client: ConsoleClient, rooms: Deferred[Any]) -> None:
        await rooms
        with suppress(RequestError, SessionEnded):  # showing them is optional
            for conversation in (await client.conversations())[:RECENT]:
                if self._ignored.has(conversation.other):
                    continue
                page = await client.history(other=conversation.other, limit=RECENT)
                unanswered: list[Message] = []
                for message in page.messages:
                    is_own = fold(message.sender or "") == fold(client.name)
                    unanswered = [] if is_own else [*unanswered, message]
                shown = self._direct or ()
                unanswered = [message for message in unanswered if message.id not in shown]
                if unanswered:
                    sender = unanswered[-1].sender or ""
                    unshown = self._reading.unshown(sender, unanswered)
                    place = Place(None, sender)
                    self._reading.count(place, is_for_you=True, messages=unshown)
                    is_all = page.complete and len(unanswered) == len(page.messages)
                    first = None if is_all else unanswered[0].seq
                    self._browsing.shown(place, page.epoch, first)
                    title = f"earlier messages from {sender}"
                    first_new = len(unanswered) - unshown
                    self._earlier(client, title, unanswered[:first_new], page.epoch)
                    new = unanswered[first_new:]
                    self._reading.missed(new, client.name, page.epoch, unshown)
        self._direct = None

    def _earlier(
        self, client: ConsoleClient, title: str, messages: list[Message], epoch: str
    ) -> None:
        shown = [message for message in messages if not self._ignored.hides(message)]
        if shown:
            self._display.note(f"{title}:")
            self._reading.earlier(shown, client.name, epoch)

    def _not_shown(self, failure: Failure) -> None:
        self.log.failure("showing earlier messages failed", failure)
