"""`ClientHooks`: the methods of a client that a program overrides."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from twisted.logger import Logger

from chatd.client.results import Joined
from chatd.errors import RequestError, SessionEnded
from chatd.wire.messages import Message

__all__ = ["ClientHooks"]


class ClientHooks:
    """The methods of a `ChatClient` that a program overrides.

    Each may be plain or `async`; the client does not wait for an `async` one. A hook that fails is
    logged, and the session goes on.
    """

    log = Logger()

    def established(self) -> Awaitable[None] | None:
        """Act on the beginning: the server has welcomed this client, and it is in its rooms."""
        return None

    def ended(self, reason: SessionEnded) -> Awaitable[None] | None:
        """Act on the session's end, whatever the reason; called exactly once.

        Args:
            reason: Why it ended; `connection-lost` if neither side said why.
        """
        return None

    def message_received(self, message: Message, is_receipt: bool) -> Awaitable[None] | None:
        """Act on a message.

        Args:
            message: The message.
            is_receipt: Whether it is the receipt of a message that this client sent.
        """
        return None

    def event_received(self, event: dict[str, Any]) -> Awaitable[None] | None:
        """Act on an event that the server tells, such as `joined`; ignored unless overridden.

        Args:
            event: The EVENT's header; `event` is its name.
        """
        return None

    def room_joined(self, joined: Joined) -> Awaitable[None] | None:
        """Act on being in a room: at the beginning of a session, and after `join`.

        Args:
            joined: What the room is like. When the client comes back, `recovered` says whether it
                gets all that it missed.
        """
        return None

    def error_received(self, error: RequestError) -> Awaitable[None] | None:
        """Act on an ERROR that answers nothing this client waits for; logged unless overridden."""
        self.log.warn("the server says: {error}", error=error)
        return None
