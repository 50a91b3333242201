"""`Talk`: the rooms that someone at a terminal is in, and what is said there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, cast

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure

from chatd.chat.names import fold
from chatd.cli.console import ConsoleClient, ConsoleFactory
from chatd.cli.display import TextDisplay
from chatd.cli.login import Login
from chatd.client.results import Joined
from chatd.client.service import ChatClientService
from chatd.errors import LocalProtocolError, RequestError, SessionEnded
from chatd.wire.messages import Message

__all__ = ["NotDone", "Talk"]

RECENT = 10
"""How many of the last messages are shown to who comes into a room."""
RECEIPTS_S = 5.0
"""How long who leaves waits for the last receipts, in seconds."""

MAX_REPEATED = 1_000
"""How much is repeated of what was typed and could not be said, in characters."""


class NotDone(Exception):
    """What was typed is not done, and stays to be typed on; the text is one line that says why."""


class Talk:
    """The rooms that someone at a terminal is in, and what is said there.

    It outlives the connection, and shows what is received.

    Args:
        reactor: The reactor.
        endpoint: Where to connect to.
        login: Who wants to be let in, and where.
        display: What shows what is received.
        client_ended: Called with a client and why its session ended.
        retry_policy: Gives the seconds to wait before attempt n.

    Attributes:
        service: Keeps the client connected.
        display: What shows what is received.
        is_over: Whether the person wants to leave.
    """

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        endpoint: IStreamClientEndpoint,
        login: Login,
        display: TextDisplay,
        *,
        client_ended: Callable[[ConsoleClient, SessionEnded], None],
        retry_policy: Callable[[int], float],
    ) -> None:
        self.display = display
        self.is_over = False
        self._reactor = reactor
        self._factory = ConsoleFactory(
            reactor, self, login, room_joined=self.room_joined, client_ended=client_ended
        )
        self.service = ChatClientService(reactor, endpoint, self._factory, retry_policy)
        self._was_welcomed = False
        self._first: str | None = None
        self._current: str | None = None
        self._joining: list[str] = []
        self._held: dict[str, list[Message]] = {}
        self._unconfirmed = 0
        self._all_confirmed: Deferred[None] | None = None

    # Where one is

    @property
    def is_connected(self) -> bool:
        """Whether there is a session."""
        client = self.service.client
        return client is not None and client.is_active

    @property
    def client(self) -> ConsoleClient:
        """The client, for a command.

        Raises:
            NotDone: There is no connection.
        """
        if not self.is_connected:
            raise NotDone("there is no connection now; try again later")
        return cast(ConsoleClient, self.service.client)

    @property
    def rooms(self) -> list[str]:
        """The rooms that the person is in, or on the way into."""
        inside = self._factory.progress.rooms
        rooms = [position.name for position in inside.values()]
        return rooms + [room for room in self._joining if fold(room) not in inside]

    @property
    def current(self) -> str | None:
        """The room that is spoken in, if there is one."""
        rooms = self.rooms
        if self._current is not None:
            for room in rooms:
                if fold(room) == fold(self._current):
                    return room
        return rooms[0] if rooms else None

    @property
    def needs_room_names(self) -> bool:
        """Whether it has to be told which room something is about."""
        return len(self.rooms) > 1

    @property
    def room_to_tell(self) -> str | None:
        """What the prompt says of where one speaks; None where it goes without saying."""
        current = self.current
        if current is None:
            return "(no room)"
        is_first = self._first is not None and fold(current) == fold(self._first)
        return None if is_first and not self.needs_room_names else current

    def need_room(self) -> str:
        """Return the current room.

        Raises:
            NotDone: There is none.
        """
        current = self.current
        if current is None:
            raise NotDone("you are in no room; /join ROOM takes you into one")
        return current

    async def enter(self, room: str) -> None:
        """Speak in a room from now on, and go into it if need be.

        Raises:
            NotDone: There is no connection.
            RequestError: The server does not let one in.
            SessionEnded: The session ended first.
        """
        before = self._current
        inside = self._factory.progress.rooms.get(fold(room))
        if inside is not None:
            self._current = inside.name
            self.display.note(f"you speak in {inside.name} now")
            return
        client = self.client
        # What is typed next is meant for that room, and the server sees to it in this order.
        self._current = room
        self._joining.append(room)
        try:
            await client.join(room)
        except (RequestError, SessionEnded):
            if self._current == room:
                self._current = before
            raise
        finally:
            self._joining.remove(room)

    # What one says

    def say(self, text: str, *, to: str | None = None) -> None:
        """Say something, at once or as soon as there is a connection.

        Args:
            text: What to say.
            to: The name to say it to; None for the current room.

        Raises:
            NotDone: It cannot be said.
        """
        room = self.need_room() if to is None else None
        try:
            receipt = self.service.send(text, room=room, to=to)
        except LocalProtocolError as error:
            raise NotDone(f"not sent: {error}") from error
        self._unconfirmed += 1
        receipt.addErrback(self._not_received, text).addCallback(self._confirmed)
        if not self.is_connected:
            self.display.note("there is no connection now; it is sent when there is one again")

    async def wait_for_receipts(self) -> bool:
        """Wait for the receipts of what was said, but not for long; say whether all came."""
        if self._unconfirmed and self.is_connected:
            self._all_confirmed = Deferred()
            self._all_confirmed.addTimeout(RECEIPTS_S, self._reactor)
            with suppress(TimeoutError):
                await self._all_confirmed
        return not self._unconfirmed

    def _not_received(self, failure: Failure, text: str) -> None:
        error = failure.value
        if len(text) > MAX_REPEATED:
            text = f"{text[:MAX_REPEATED]}…"
        if isinstance(error, RequestError):
            self.display.note(f"refused: {text} ({error.message})")
        elif isinstance(error, SessionEnded):  # it may have been delivered all the same
            self.display.note(f"not confirmed: {text} (the connection was lost first)")
        else:
            self.display.note(f"not sent: {text} ({error})")

    def _confirmed(self, _: object) -> None:
        self._unconfirmed -= 1
        confirmed = self._all_confirmed
        if confirmed is not None and not self._unconfirmed and not confirmed.called:
            confirmed.callback(None)

    # What one is shown

    def message(self, message: Message, me: str) -> None:
        """Show what was said, after what was said there earlier."""
        held = self._held.get(fold(message.room)) if message.room is not None else None
        if held is None:
            self.display.message(message, me)
        else:
            held.append(message)

    def event(self, event: dict[str, Any]) -> None:
        """Show what happened."""
        if event["event"] == "welcome":
            if "name" in event and "room" in event:
                self._welcomed(event)
        else:
            self.display.event(event)

    def earlier(self, title: str, messages: Iterable[Message]) -> None:
        """Show what was said before."""
        self.display.note(f"{title}:")
        client = self.service.client
        for message in messages:
            self.display.message(message, client.name if client else "", is_earlier=True)

    def room_joined(self, client: ConsoleClient, joined: Joined) -> None:
        """Show a room that one has come into; after a reconnect, whether something is missing."""
        is_back = not client.is_resumed and self._factory.progress.was_connected
        if not is_back:
            Deferred.fromCoroutine(self._introduce(client, joined)).addErrback(self._not_shown)
        elif not joined.recovered and joined.seq > 0:
            self.display.note(f"some messages in {joined.room} may be missing here")

    async def _introduce(self, client: ConsoleClient, joined: Joined) -> None:
        """Show a room's topic and what was said last; what is said meanwhile has to wait."""
        room, key = joined.room, fold(joined.room)
        held = self._held.setdefault(key, [])
        topic = joined.topic
        try:
            if joined.members:
                about = f"; topic: {topic}" if topic else ""
                self.display.note(f"you are in {room}, {joined.members} here{about}")
            else:  # the welcome does not tell so much
                topic = await client.topic(room)
                its = f" of {room}" if self.needs_room_names else ""
                if topic:
                    self.display.note(f"the topic{its}: {topic}")
            if joined.seq:
                page = await client.history(room, before=joined.seq + 1, limit=RECENT)
                if page.messages:
                    self.earlier(f"said earlier in {room}", page.messages)
        except (RequestError, SessionEnded):
            pass  # it is a courtesy
        finally:
            self._held.pop(key, None)
            for message in held:
                self.display.message(message, client.name)
            held.clear()

    async def _show_direct(self, client: ConsoleClient) -> None:
        """Show the last direct messages that were not answered, as those of while one was away."""
        with suppress(RequestError, SessionEnded):  # it is a courtesy
            for conversation in (await client.conversations())[:RECENT]:
                page = await client.history(other=conversation.other, limit=RECENT)
                unanswered: list[Message] = []
                for message in page.messages:
                    is_own = fold(message.sender or "") == fold(client.name)
                    unanswered = [] if is_own else [*unanswered, message]
                if unanswered:
                    self.earlier(f"said to you earlier by {unanswered[-1].sender}", unanswered)

    def _not_shown(self, failure: Failure) -> None:
        self.service.log.failure("showing what was said earlier failed", failure)

    def _welcomed(self, event: dict[str, Any]) -> None:
        if not self._was_welcomed:
            self._was_welcomed = True
            self._first = event["room"]
            self.display.event(event)
            Deferred.fromCoroutine(self._show_direct(self.client)).addErrback(self._not_shown)
        else:
            self.display.note(f"connected again; you are {event['name']}")
