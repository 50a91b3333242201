"""`ClientHooks`: the methods of a client that a program overrides."""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger

from chatd.client.results import Joined
from chatd.errors import RequestError, SessionEnded
from chatd.transport.hooks import DONE, HookResult
from chatd.wire.messages import Message

__all__ = ["ClientHooks"]


class ClientHooks:
    """The methods of a `ChatClient` that a program overrides.

    Each may be plain or `async`; the client does not wait for an `async` hook. The failure of a
    hook is logged, and the session goes on. A refused request is logged in one line, and the end of
    the session is no failure of a hook that waits in it.
    """

    log = Logger()

    def established(self) -> HookResult:
        """Act on the beginning: the server has welcomed this client, and it is in its rooms."""
        return DONE

    def ended(self, reason: SessionEnded) -> HookResult:
        """Act on the session's end; called exactly once, for any reason.

        Args:
            reason: The reason; `connection-lost` if neither side gave a reason.
        """
        return DONE

    def message_received(self, message: Message, is_receipt: bool) -> HookResult:
        """Act on a message.

        The client does not wait for an `async` method: a later message may be done first.

        Args:
            message: The message.
            is_receipt: Whether it is the receipt of a message that this client sent.
        """
        return DONE

    def messages_missed(self, room: str | None, other: str | None) -> HookResult:
        """Act on messages that the program does not get; log it by default.

        The program was behind, or without a connection, for longer than the server keeps messages;
        or the server lost its messages. Or the last session ended while the program was behind: the
        server still has the messages, and `history` of another client reads them.

        Args:
            room: The room whose messages may be missing; None for direct messages.
            other: The person whose direct messages may be missing; None for a room, and for
                everyone.
        """
        where = f"in {room}" if room else f"from {other}" if other else "sent directly"
        self.log.warn("messages {where} may be missing: the client cannot fetch them", where=where)
        return DONE

    def messages_held(self, refusal: RequestError) -> HookResult:
        """Act on the server's failure to store messages; log it by default.

        A `ChatClientService` keeps the messages and sends them again, in order, as soon as the
        server stores messages, so their Deferreds wait. If nothing is stored for a minute, or for
        the `patience_s` of the service, the refused messages fail with the refusal.

        Args:
            refusal: The first refusal; its code is `not-stored`.
        """
        self.log.warn("messages wait, and are sent again: {refusal}", refusal=refusal)
        return DONE

    def messages_released(self) -> HookResult:
        """Act on the end of the wait that `messages_held` told; log it by default.

        The server has stored or refused all messages that waited, or the client has given up those
        that were refused. It is not called if the session ends first.
        """
        self.log.info("no message waits for the server's store any more")
        return DONE

    def event_received(self, event: dict[str, Any]) -> HookResult:
        """Act on an event from the server, such as `joined`; ignore it by default.

        Args:
            event: The EVENT's header; `event` is its name.
        """
        return DONE

    def room_joined(self, joined: Joined) -> HookResult:
        """Act on having joined a room: at the beginning of a session, and after `join`.

        Args:
            joined: The room's state. After a reconnect, its `recovered` tells whether the client
                gets all messages that it missed.
        """
        return DONE

    def error_received(self, error: RequestError) -> HookResult:
        """Act on an ERROR that answers no request of this client; log it by default."""
        self.log.warn("the server reported an error: {error}", error=error)
        return DONE
