"""`Sending`: the method `send`, which clients and their services have in common."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from chatd.errors import LocalProtocolError
from chatd.wire.bounds import MAX_CONTENT_TYPE, MAX_ID
from chatd.wire.messages import Message

__all__ = ["Sending"]


class Sending:
    """Sends messages to rooms and to names."""

    def send(
        self,
        content: str | bytes,
        *,
        id: str | None = None,
        room: str | None = None,
        to: str | None = None,
        content_type: str | None = None,
    ) -> Deferred[Message]:
        """Send a message to a room or to a name.

        To send many messages, await `when_ready_to_send` before each.

        Args:
            content: Text, sent as UTF-8, or bytes; at most the client's `max_content` bytes.
            id: Up to 64 characters; a new UUID if None. The server answers a repeated id with the
                first receipt, and does not deliver the message twice.
            room: The room; the first room that the client is in if None.
            to: The receiver's name, for a direct message instead of one in a room.
            content_type: The media type of the content; plain text in UTF-8 if None.

        Returns:
            A Deferred that fires with the receipt, the message as the server stored and ordered it,
            with its `seq` and `time`. It fails with `RequestError` if the server refuses the
            message, and with `SessionEnded` if the session ends first. With a `ChatClientService`
            it waits for the next session instead, which sends the message again if necessary, and
            a refusal with `not-stored` is final only after a minute of attempts.
            Cancelling it, for example by a timeout, does not take the message back: it is sent
            all the same, now or in the next session of a `ChatClientService`. To wait for its
            receipt again, send the same message again with the same `id`. A refusal then goes to
            the hook `error_received`.

        Raises:
            LocalProtocolError: The content or an argument is over its limit, a message with this id
                still waits for its receipt, a service has too many messages that wait, or asyncio
                runs here in another event loop than the reactor's.
        """
        for argument, given, longest in (
            ("id", id, MAX_ID),
            ("content_type", content_type, MAX_CONTENT_TYPE),
        ):
            if isinstance(given, str) and not 0 < len(given) <= longest:
                told = f"{argument} must have 1 to {longest} characters, not {len(given)}"
                raise LocalProtocolError(told)
        if room is None and to is None:
            room = self._usual_room()
        return self.send_message(
            Message.chat(content, id=id, room=room, to=to, content_type=content_type)
        )

    def send_message(self, message: Message) -> Deferred[Message]:
        """Send a MESSAGE that `Message.chat` made; see `send`."""
        raise NotImplementedError

    def when_ready_to_send(self) -> Deferred[None]:
        """Wait until few messages are unconfirmed.

        Returns:
            A Deferred that fires with None, and fails if the client can no longer send.
        """
        raise NotImplementedError

    def _usual_room(self) -> str | None:
        """Return the room of a message that names none; None leaves it to the server."""
        raise NotImplementedError
