"""`PendingAnswers`: the answers that a client waits for on one connection."""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from chatd.arguments import check_type
from chatd.client.backlog import Backlog, maybe_stored
from chatd.client.progress import Progress
from chatd.errors import LocalProtocolError, SessionEnded
from chatd.transport.promise import Promise, fail_ended
from chatd.wire.bounds import MAX_ID
from chatd.wire.messages import Message

__all__ = ["PendingAnswers"]

T = TypeVar("T")


class PendingAnswers:
    """The answers that a client waits for on one connection.

    A receipt answers a message, a result answers a command, a pong answers a ping. Cancelling a
    Deferred drops its answer; a message still counts as unconfirmed until its receipt comes.

    Args:
        progress: Keeps the messages that still wait after the connection is lost.

    Attributes:
        backlog: The senders that wait until fewer messages are without a receipt.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._receipts: dict[str, Deferred[Message]] = {}
        self.backlog = Backlog(self._receipts)
        self._results: dict[str, Deferred[dict[str, Any]]] = {}
        self._pings: dict[int, tuple[Deferred[float], float]] = {}

    def __contains__(self, id: str) -> bool:
        return id in self._receipts or id in self._results

    @property
    def unconfirmed(self) -> int:
        """Number of messages that wait for their receipts."""
        return len(self._receipts)

    # Messages and commands

    def check(self, id: str) -> None:
        """Check that a frame may have this id.

        Raises:
            LocalProtocolError: The id is too long, or another frame with this id waits.
        """
        check_type("the id", id, str, "text")
        if len(id) > MAX_ID:
            raise LocalProtocolError(f"an id has at most {MAX_ID} characters, not {len(id)}")
        waiting: Deferred[Any] | None = self._receipts.get(id) or self._results.get(id)
        if waiting is not None and not waiting.called:  # called: it was cancelled
            raise LocalProtocolError(f"message {id} was sent already, and waits for its receipt")

    def add(
        self, id: str, answer: Deferred[Any] | None = None, *, is_command: bool = False
    ) -> Deferred[Any]:
        """Wait for the answer to a frame that was sent.

        Args:
            id: The frame's id.
            answer: The Deferred that waits; None to make one.
            is_command: Whether the frame is a command.

        Returns:
            The Deferred that fires with the answer.
        """
        if answer is None:
            answer = Promise((lambda _: self.forget(id)) if is_command else None)
        waiting: dict[str, Deferred[Any]] = self._results if is_command else self._receipts
        waiting[id] = answer
        return answer

    def take_receipt(self, id: str | None) -> Deferred[Message] | None:
        """Return the Deferred that waits for a receipt, and forget it.

        An earlier connection may have sent the message.

        Returns:
            The Deferred, or None if no message with this id waits.
        """
        if id is None or id in self._results:
            return None
        kept = self._progress.unconfirmed.pop(id, None)
        answer = self._receipts.pop(id, None)
        if kept is not None:  # its answer is another if it was cancelled and sent again
            answer = kept.answer
        return _unless_cancelled(answer)

    def take_result(self, id: str | None) -> Deferred[dict[str, Any]] | None:
        """Return the Deferred that waits for the result of a command, and forget it.

        Returns:
            The Deferred, or None if no command with this id waits.
        """
        return None if id is None else _unless_cancelled(self._results.pop(id, None))

    def take(self, id: str | None) -> Deferred[Any] | None:
        """Return the Deferred that waits for either, and forget it; None if there is none."""
        return self.take_result(id) or self.take_receipt(id)

    def hold(self, id: str) -> bool:
        """Stop waiting for the receipt of a kept message, which stays kept.

        Returns:
            Whether the message was sent.
        """
        return self._receipts.pop(id, None) is not None

    def forget(self, id: str) -> None:
        """Stop waiting for the answer to a frame."""
        self.take(id)
        self.backlog.check()

    # Pings

    def add_ping(self, n: int, now: float) -> Deferred[float]:
        """Wait for a pong.

        Args:
            n: The number of the ping that was sent.
            now: The current time, in seconds of any clock.

        Returns:
            A Deferred that fires with the seconds from `now` to the pong.
        """
        pong: Deferred[float] = Promise()
        self._pings[n] = pong, now
        return pong

    def take_pong(self, n: int, now: float) -> None:
        """Fire the Deferred of a ping; do nothing if no ping with this number waits.

        Args:
            n: The number of the ping.
            now: The current time, in seconds of the same clock.
        """
        pong, start = self._pings.pop(n, (None, now))
        if pong is not None:
            pong.callback(now - start)

    # The end

    def fail(self, reason: SessionEnded) -> None:
        """Fail all answers, except those that the next connection may bring.

        After a clean end, an answer that nobody waits for is no unhandled error.
        """
        kept = self._progress.unconfirmed
        sent = [answer for id, answer in self._receipts.items() if id not in kept]
        failing: list[Deferred[Any]] = [*self._results.values()]
        failing += [pong for pong, _ in self._pings.values()]
        self._receipts.clear()
        self._results, self._pings = {}, {}
        for answers, end in ((sent, maybe_stored(reason)), (failing, reason)):
            for answer in answers:
                if not answer.called:  # called: it was cancelled, perhaps by another errback
                    fail_ended(answer, end)
        self.backlog.fail(reason)


def _unless_cancelled(answer: Deferred[T] | None) -> Deferred[T] | None:
    return None if answer is None or answer.called else answer
