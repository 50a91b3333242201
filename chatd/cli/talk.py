"""`Talk`: the connection of a person at a terminal, and the parts that work over it.

The parts never know `Talk`: it makes them, and gives each what it needs. The typed commands and the
terminal use the parts through it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure

from chatd.chat.names import fold
from chatd.cli.awaytext import AwayText
from chatd.cli.browsing import Browsing
from chatd.cli.console import SILENT, ConsoleClient, ConsoleFactory, gap_in
from chatd.cli.display import TextDisplay
from chatd.cli.eventwords import rooms_of
from chatd.cli.ignored import Ignored
from chatd.cli.incoming import Incoming
from chatd.cli.introductions import Introductions
from chatd.cli.known import Known
from chatd.cli.login import Login
from chatd.cli.notdone import NotDone
from chatd.cli.people import People
from chatd.cli.places import Place, Places
from chatd.cli.reading import Reading
from chatd.cli.receipts import Receipts
from chatd.cli.roomstates import RoomStates
from chatd.cli.whereabouts import Whereabouts
from chatd.cli.window import Window
from chatd.client.results import Joined
from chatd.client.service import ChatClientService
from chatd.errors import ErrorCode, LocalProtocolError, SessionEnded

__all__ = ["Talk"]


class _Stage(Enum):
    """How far the first session has come; the later ones change nothing."""

    NEW = "new"
    WELCOMED = "welcomed"
    ESTABLISHED = "established"
    """The client is in its rooms."""


class Talk:
    """The connection of a person at a terminal, and the parts that work over it.

    It outlives the sessions: it begins and ends each of them, and sends what the person says.

    Args:
        reactor: The reactor.
        endpoint: The endpoint to connect to.
        login: The key, the name, the password and the rooms.
        display: Shows messages, events and notes.
        client_ended: Called with a client and the reason of its session's end.
        retry_policy: Returns the seconds to wait before attempt n.
        window: The terminal; it is redrawn when `places` or `states` changed, or the connection.
        ignored: The people whose messages are not shown.

    Attributes:
        service: Keeps the client connected.
        login: The key, the name, the password and the rooms.
        display: Shows messages, events and notes.
        window: The terminal.
        ignored: The people whose messages are not shown.
        places: The rooms and conversations.
        whereabouts: Knows and changes the place that typed lines go to.
        incoming: Shows what the server sends.
        reading: Shows messages, and counts and marks those that the person has not seen.
        browsing: Knows how far back the person has read and searched.
        states: The topics and the people of the rooms.
        people: Learns who is in the rooms.
        known: The rooms and names in the last answers of the server.
        receipts: Counts the messages without a receipt.
        away: Marks the person as away.
        is_over: Whether the person is leaving.
        common_rooms: The folded names of the rooms in which everybody begins.
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
        window: Window | None = None,
        ignored: Ignored | None = None,
    ) -> None:
        self.login = login
        self.display = display
        self.window = Window() if window is None else window
        self.ignored = Ignored() if ignored is None else ignored
        self.is_over = False
        self.common_rooms = {"lobby"}
        self._tell_end = client_ended
        self._stage = _Stage.NEW
        self.browsing = Browsing(lambda: display.lines)
        self.known = Known()
        self.states = RoomStates()
        self.away = AwayText(display)
        self.people = People(self.states, self.away, self.window)
        self.receipts = Receipts(reactor, display, self.window.redraw)
        self.places = Places(lambda: self.whereabouts.rooms, self._entered)
        self.reading = Reading(
            display, self.places, self.ignored, self.window, login.direct_shown, login.rooms_shown
        )
        self._introductions = Introductions(
            display,
            self.reading,
            self.browsing,
            self.states,
            lambda: self.whereabouts.needs_room_names,
            self.ignored,
        )
        self.incoming = Incoming(
            display,
            self.states,
            self.reading,
            self._introductions,
            self.ignored,
            self.window,
            progress=lambda: self._factory.progress,
            taken=self._event_taken,
        )
        self._factory = ConsoleFactory(
            reactor,
            self.incoming,
            login,
            room_joined=self._room_joined,
            established=self._established,
            client_ended=self._client_ended,
            silent=lambda: display.note(SILENT),
        )
        self.service = ChatClientService(reactor, endpoint, self._factory, retry_policy)
        self.whereabouts = Whereabouts(
            self.places,
            self.reading,
            self._factory.progress,
            login,
            display,
            self.window,
            client=lambda: self.client,
            me=lambda: self.name,
        )

    # The connection

    @property
    def is_connected(self) -> bool:
        """Whether there is a session."""
        client = self.service.client
        return client is not None and client.is_active

    @property
    def name(self) -> str:
        """The person's name, also between two sessions; empty while the server has not given it."""
        return self._factory.name or ""

    @property
    def client(self) -> ConsoleClient:
        """The client, for a command.

        Raises:
            NotDone: There is no connection.
        """
        if not self.is_connected:
            raise NotDone("not connected; try again later")
        assert self.service.client is not None
        return self.service.client

    # Sending

    def say(
        self,
        text: str,
        *,
        to: str | None = None,
        room: str | None = None,
        is_last: bool = False,
    ) -> Deferred[None]:
        """Send a message, at once or as soon as there is a connection.

        Args:
            text: The message.
            to: The receiver's name.
            room: The room; without it and a receiver, the current room or conversation.
            is_last: Whether the person leaves then, and so the client will not reconnect.

        Returns:
            A Deferred that fires when the receipt is here, or will not come.

        Raises:
            NotDone: The message cannot be sent.
        """
        if room is None:
            to = self.whereabouts.companion if to is None else to
            room = self.whereabouts.need_room() if to is None else None
        try:
            receipt = self.service.send(text, room=room, to=to)
        except LocalProtocolError as error:
            raise NotDone(f"not sent: {error}") from error
        said = self.receipts.expect(receipt, text, is_sent=self.is_connected)
        self.reading.look_back()
        if to is not None:
            self.reading.answered(Place(None, to))
            self.window.redraw()
        if not self.is_connected and not is_last:
            self.display.note("not connected; your message is sent after the client reconnects")
        return said

    async def leave(self) -> bool:
        """Stop the service, which waits a while for the receipts; return whether all came."""
        is_connected = self.is_connected
        stopped = self.service.stopService()
        try:
            return await self.receipts.wait(stopped, is_connected=is_connected)
        except CancelledError:  # Ctrl+C ends the wait
            client = self.service.client
            if client is not None and client.is_active:
                client.end_session(ErrorCode.GOODBYE, "the client is leaving")
            raise

    # What the sessions tell

    def _room_joined(self, client: ConsoleClient, joined: Joined) -> None:
        """Introduce a joined room; after a reconnect, tell if messages may be missing instead."""
        self.people.room_joined(client, joined)
        if not client.is_back:
            self._introductions.introduce(client, joined)
        elif not joined.recovered and joined.seq > 0:
            self.display.note(gap_in(joined.room))

    def _established(self, client: ConsoleClient) -> None:
        if self._stage is not _Stage.ESTABLISHED:
            self._stage = _Stage.ESTABLISHED
            self.whereabouts.go_back()
            self._introductions.show_direct(client)
            return
        self.whereabouts.follow()
        if not self.away.is_marked:  # the missed messages are shown
            self.reading.look_back()

    def _client_ended(self, client: ConsoleClient, end: SessionEnded) -> None:
        self.login.direct_changed(self.reading.direct)
        self.login.rooms_shown_changed(self.reading.marks.last)
        self._tell_end(client, end)

    def _entered(self, place: Place) -> None:
        if not place.is_person:
            self.login.current_changed(place.name)

    def _event_taken(self, event: dict[str, Any]) -> None:
        """Begin a session with its welcome; follow if the event ended the stay in a place."""
        if event["event"] == "welcome" and "name" in event and "room" in event:
            self._welcomed(event)
        if self._stage is _Stage.ESTABLISHED:
            self.whereabouts.follow(is_removed=event["event"] == "removed")

    def _welcomed(self, event: dict[str, Any]) -> None:
        self.receipts.connected()
        if self._stage is _Stage.NEW:
            self._stage = _Stage.WELCOMED
            # Rooms are shown, and unread messages counted, before all is ready.
            self.whereabouts.begin(event["room"])
            if not self.login.rooms:  # the rooms in which the server lets everybody begin
                self.common_rooms |= {fold(room) for room in rooms_of(event)}
            self.display.event(event)
        else:
            self.display.note(f"connected again; you are {event['name']}")
            self.reading.look_away()
            marking = Deferred.fromCoroutine(self.away.use_again(self.client))
            marking.addErrback(self._not_marked)

    def _not_marked(self, failure: Failure) -> None:
        self.service.log.failure("marking the person as away again failed", failure)
