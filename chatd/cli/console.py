"""The client behind the `chatd` command: it shows everything that it receives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime

from chatd.cli.display import Display
from chatd.errors import RequestError, SessionEnded
from chatd.net.client import ChatClient
from chatd.net.connect import ChatClientFactory
from chatd.session.events import Event, Welcomed
from chatd.wire.messages import Message

__all__ = ["ConsoleClient", "ConsoleFactory"]


class ConsoleClient(ChatClient):
    """A client that shows what it receives, its own messages included."""

    factory: ConsoleFactory

    def act_on(self, event: Event) -> None:
        """Show the welcome before what follows it."""
        if isinstance(event, Welcomed):
            welcome = {"session_id": self.session_id, "name": event.name, "room": event.room}
            self.factory.display.event({"event": "welcome", **welcome})
        super().act_on(event)

    def message_received(self, message: Message, is_receipt: bool) -> None:
        """Show a message."""
        self.factory.display.message(message)

    def event_received(self, event: dict[str, Any]) -> None:
        """Show an event."""
        self.factory.display.event(event)

    def error_received(self, error: RequestError) -> None:
        """Show an error."""
        shown = {"code": error.code, "message": error.message, "ref": error.ref}
        self.factory.display.event({"event": "error", **shown})

    def session_ended(self, end_reason: SessionEnded) -> None:
        """Show why an established session ended."""
        if self.name and not end_reason.is_clean:
            shown = {
                "code": end_reason.code,
                "reason": end_reason.reason,
                "retry": end_reason.retry,
            }
            self.factory.display.event({"event": "disconnected", **shown})
        super().session_ended(end_reason)
        self.factory.client_ended(self, end_reason)


class ConsoleFactory(ChatClientFactory):
    """Builds a `ConsoleClient` for each connection.

    Args:
        clock: The reactor.
        display: What shows what is received.
        key: The shared key, or None.
        name: The name to ask for, or None.
        client_ended: Called with a client and why its session ended.
    """

    def __init__(
        self,
        clock: IReactorTime,
        display: Display,
        *,
        key: bytes | None,
        name: str | None,
        client_ended: Callable[[ConsoleClient, SessionEnded], None] = lambda *_: None,
    ) -> None:
        super().__init__(clock, key=key, name=name, protocol=ConsoleClient)
        self.display = display
        self.client_ended = client_ended
