"""`Backlog`: the senders that wait until fewer messages are unconfirmed."""

from __future__ import annotations

from collections import deque
from collections.abc import Sized

from twisted.internet.defer import Deferred, fail

from chatd.errors import SessionEnded
from chatd.transport.promise import Promise

__all__ = ["MAX_UNCONFIRMED", "READY_BELOW", "Backlog", "maybe_stored", "without_receipt"]

MAX_UNCONFIRMED = 10_000
"""Limit on the messages of a service that wait for a connection or a receipt."""
READY_BELOW = MAX_UNCONFIRMED // 2
"""Number of unconfirmed messages below which a sender need not wait."""


def without_receipt(n: int) -> str:
    """Return the text for a number of messages without a receipt."""
    return "1 message has no receipt" if n == 1 else f"{n} messages have no receipt"


def maybe_stored(end: SessionEnded) -> SessionEnded:
    """Return the reason for a sent message without a receipt.

    A session that ended on purpose must not read as if the message was not sent.
    """
    if not end.is_clean:
        return end
    return type(end)(
        end.code, f"{end.reason}; the server may have stored the message", retry=end.retry
    )


class Backlog:
    """The senders that wait until fewer messages are unconfirmed.

    Args:
        unconfirmed: The messages without an answer.
    """

    def __init__(self, unconfirmed: Sized) -> None:
        self._unconfirmed = unconfirmed
        self._waiting: deque[Deferred[None]] = deque()
        self._end: SessionEnded | None = None

    def wait(self) -> Deferred[None]:
        """Return a Deferred that fires when fewer than `READY_BELOW` messages are unconfirmed.

        Senders are served in the order of their calls. The Deferred fails with the end's reason.
        """
        if self._end is not None:
            return fail(self._end.again())
        ready: Deferred[None] = Promise(self._forget)
        self._waiting.append(ready)
        self.check()
        return ready

    def check(self) -> None:
        """Let senders go on, as long as few messages are unconfirmed."""
        while self._waiting and len(self._unconfirmed) < READY_BELOW:
            self._waiting.popleft().callback(None)

    def fail(self, end: SessionEnded) -> None:
        """Fail those that wait, and all that come later."""
        self._end = end
        while self._waiting:
            self._waiting.popleft().errback(end.again())

    def _forget(self, ready: Deferred[None]) -> None:
        self._waiting.remove(ready)
