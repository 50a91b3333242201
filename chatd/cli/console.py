"""The client behind the `chatd` command: it shows everything that it receives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from chatd.cli.display import Display
from chatd.cli.login import Login
from chatd.cli.status import INSTEAD_OF_TCP
from chatd.client.client import ChatClient
from chatd.client.factory import ChatClientFactory
from chatd.client.results import Joined
from chatd.connection.events import Event, Welcomed
from chatd.errors import RequestError, SessionEnded
from chatd.transport.identity import identify
from chatd.transport.timer import Timer
from chatd.transport.writers import CopyingTransport
from chatd.wire.messages import Message

__all__ = ["SILENCE_S", "SILENT", "ConsoleClient", "ConsoleFactory", "gap_in"]

SILENCE_S = 2.0
"""How long a server may take for its first bytes until the person is told, in seconds.

A server speaks first, but one with TLS, or a port of `--web`, waits for the client.
"""
SILENT = f"the server says nothing; {INSTEAD_OF_TCP}"


def gap_in(room: str) -> str:
    """Return the note about a room of which the server may not have sent all messages."""
    return f"some messages in {room} may be missing here"


class ConsoleClient(ChatClient):
    """A client that shows received messages and events, also its own messages."""

    factory: ConsoleFactory
    is_resumed = False
    """Whether the client is in its rooms, those of an earlier session included."""

    @property
    def is_back(self) -> bool:
        """Whether the client is rejoining the rooms of an earlier session."""
        return not self.is_resumed and self.factory.progress.was_connected

    def connectionMade(self) -> None:
        """Tell the factory's owner, and wait for the server's first bytes."""
        super().connectionMade()
        self._silence = Timer(self.factory.clock)
        is_websocket = isinstance(self.transport, CopyingTransport)
        if identify(self.transport).is_clear_tcp and not is_websocket:
            self._silence.start(SILENCE_S, self.factory.silent)
        self.factory.connected(self)

    def dataReceived(self, data: bytes) -> None:
        """Note that the server speaks."""
        self._silence.stop()
        super().dataReceived(data)

    def act_on(self, event: Event) -> None:
        """Show the welcome before the events that follow it."""
        if isinstance(event, Welcomed):
            shown = {
                "session_id": self.session_id,
                "name": event.name,
                "room": event.room,
                "rooms": event.rooms,
            }
            self.factory.display.event({"event": "welcome", **shown})
        super().act_on(event)

    def established(self) -> None:
        """Note that the client is in its rooms, and tell the factory's owner."""
        self.is_resumed = True
        self.factory.rooms_changed()  # the server may have refused some
        self.factory.established(self)

    def message_received(self, message: Message, is_receipt: bool) -> None:
        """Show a message."""
        self.factory.display.message(message, self.name)

    def event_received(self, event: dict[str, Any]) -> None:
        """Show an event, and tell the factory if it ends the stay in a room."""
        self.factory.display.event(event)
        if event["event"] == "removed":
            self.factory.rooms_changed()

    def room_joined(self, joined: Joined) -> None:
        """Tell the factory's owner."""
        self.factory.room_joined(self, joined)
        self.factory.rooms_changed()

    def leave(self, room: str) -> Deferred[None]:
        """Leave a room, and tell the factory."""
        return super().leave(room).addCallback(lambda _: self.factory.rooms_changed())

    def messages_held(self, refusal: RequestError) -> None:
        """Show why messages wait."""
        shown = {"code": refusal.code, "message": refusal.message}
        self.factory.display.event({"event": "held", **shown})

    def messages_released(self) -> None:
        """Show that no message waits any more."""
        self.factory.display.event({"event": "released"})

    def error_received(self, error: RequestError) -> None:
        """Show an error."""
        shown = {"code": error.code, "message": error.message, "ref": error.ref}
        self.factory.display.event({"event": "error", **shown})

    def session_ended(self, end_reason: SessionEnded) -> None:
        """Show why an established session ended."""
        self._silence.stop()
        if self.name and not end_reason.is_clean:
            shown = {
                "code": end_reason.code,
                "reason": end_reason.reason,
                "retry": end_reason.retry,
            }
            self.factory.display.event({"event": "disconnected", **shown})
        super().session_ended(end_reason)
        self.factory.client_ended(self, end_reason)


class ConsoleFactory(ChatClientFactory[ConsoleClient]):
    """Builds a `ConsoleClient` for each connection.

    Args:
        clock: The reactor.
        display: Shows received messages and events.
        login: The key, the name, the password and the rooms.
        connected: Called with a client that has connected, before its session begins.
        room_joined: Called with a client and the room that it has joined.
        established: Called with a client that is in its rooms.
        client_ended: Called with a client and the reason of its session's end.
        silent: Called if the server has sent nothing for `SILENCE_S`, over TCP without TLS.
    """

    def __init__(
        self,
        clock: IReactorTime,
        display: Display,
        login: Login,
        *,
        connected: Callable[[ConsoleClient], None] = lambda _: None,
        room_joined: Callable[[ConsoleClient, Joined], None] = lambda *_: None,
        established: Callable[[ConsoleClient], None] = lambda _: None,
        client_ended: Callable[[ConsoleClient, SessionEnded], None] = lambda *_: None,
        silent: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(
            clock,
            key=login.key,
            name=login.name,
            password=login.password,
            rooms=login.rooms or None,
            protocol=ConsoleClient,
        )
        if login.rooms_are_remembered:
            self.progress.join_later()
        self._login = login
        self.display = display
        self.connected = connected
        self.room_joined = room_joined
        self.established = established
        self.client_ended = client_ended
        self.silent = silent

    def rooms_changed(self) -> None:
        """Tell the rooms that the client is in."""
        self._login.rooms_changed([room.name for room in self.progress.rooms.values()])
