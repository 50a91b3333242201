"""`PendingAnswers`: the answers that a client waits for on one connection."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from chatd.client.progress import Progress
from chatd.errors import LocalProtocolError, SessionEnded
from chatd.wire.messages import MAX_ID

__all__ = ["PendingAnswers"]


class PendingAnswers:
    """The answers that a client waits for on one connection.

    A receipt answers a message, a result answers a command, a pong answers a ping. Cancelling a
    Deferred drops its answer.

    Args:
        progress: Keeps the messages that still wait after the connection is lost.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._answers: dict[str, Deferred[Any]] = {}
        self._commands: set[str] = set()  # the ids of those that are answered by a result
        self._pings: dict[int, tuple[Deferred[float], float]] = {}

    def __contains__(self, id: str) -> bool:
        return id in self._answers

    # Messages and commands

    def check(self, id: str) -> None:
        """Check that a frame may have this id.

        Raises:
            LocalProtocolError: The id is too long, or another frame with this id waits.
        """
        if len(id) > MAX_ID:
            raise LocalProtocolError(f"an id has at most {MAX_ID} characters, not {len(id)}")
        waiting = self._answers.get(id)
        if waiting is not None and not waiting.called:  # called: it was cancelled
            raise LocalProtocolError(f"message {id} was sent already, and waits for its receipt")

    def is_of_command(self, id: str | None) -> bool:
        """Return whether the frame with this id is a command that waits for its result."""
        return id in self._commands

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
            answer = Deferred(lambda _: self.forget(id))
        self._answers[id] = answer
        if is_command:
            self._commands.add(id)
        return answer

    def take(self, id: str | None) -> Deferred[Any] | None:
        """Return the Deferred that waits for the answer to a frame, and forget it.

        The frame may be a message that only an earlier connection sent.

        Returns:
            The Deferred, or None if nothing waits for that answer.
        """
        if id is None:
            return None
        kept = self._progress.unconfirmed.pop(id, None)
        answer = self._answers.pop(id, None)
        self._commands.discard(id)
        if answer is None and kept is not None:
            answer = kept.answer
        return None if answer is None or answer.called else answer  # called: it was cancelled

    def forget(self, id: str) -> None:
        """Stop waiting for the answer to a frame."""
        self.take(id)

    # Pings

    def add_ping(self, n: int, now: float) -> Deferred[float]:
        """Wait for a pong.

        Args:
            n: The number of the ping that was sent.
            now: The current time, in seconds of any clock.

        Returns:
            A Deferred that fires with the seconds from `now` to the pong.
        """
        pong: Deferred[float] = Deferred()
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
        """Fail all answers, except those that the next connection may bring."""
        kept = self._progress.unconfirmed
        failing: list[Deferred[Any]] = [
            answer for id, answer in self._answers.items() if id not in kept
        ]
        failing += [pong for pong, _ in self._pings.values()]
        self._answers, self._commands, self._pings = {}, set(), {}
        for answer in failing:
            if not answer.called:  # called: it was cancelled, perhaps by the errback of another
                answer.errback(reason)
