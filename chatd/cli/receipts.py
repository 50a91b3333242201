"""The receipts of the messages that a person sent at a terminal."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from chatd.cli.display import TextDisplay
from chatd.errors import RequestError, SessionEnded
from chatd.transport.timer import Timer
from chatd.wire.messages import Message

__all__ = ["MAX_REPEATED", "WAITING_S", "Receipts"]

WAITING_S = 1.0
"""Time after which the person is told that a message has no receipt yet, in seconds."""
MAX_REPEATED = 1_000
"""Limit on the text that a note about an unsent message repeats, in characters."""


class Receipts:
    """Counts the messages without a receipt, and reports those that get none.

    Args:
        clock: The reactor.
        display: Shows the notes.
        changed: Called when `waiting` changed.
    """

    def __init__(
        self, clock: IReactorTime, display: TextDisplay, changed: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._display = display
        self._changed = changed
        self._sent_at: dict[Deferred[Message], float] = {}
        self._unsent: set[Deferred[Message]] = set()
        self._timer = Timer(clock)
        self._is_confirmed = True

    @property
    def outstanding(self) -> int:
        """The number of messages without a receipt."""
        return len(self._sent_at)

    @property
    def waiting(self) -> int:
        """The number of messages that have waited for their receipts for `WAITING_S`."""
        long_ago = self._clock.seconds() - WAITING_S
        return sum(sent_at <= long_ago for sent_at in self._sent_at.values())

    def expect(self, receipt: Deferred[Message], text: str, *, is_sent: bool) -> Deferred[None]:
        """Wait for the receipt of a message; a note repeats the text if it does not come.

        Args:
            receipt: Fires with the receipt.
            text: The message.
            is_sent: Whether it was sent; if not, it waits for a connection.

        Returns:
            A Deferred that fires then, in both cases.
        """
        self._sent_at[receipt] = self._clock.seconds()
        if not is_sent:
            self._unsent.add(receipt)
        if not self._timer.is_running:
            self._timer.start(WAITING_S, self._look)
        done = receipt.addErrback(self._not_received, receipt, text)
        return done.addCallback(self._done, receipt)

    def connected(self) -> None:
        """Note that the waiting messages are sent now."""
        self._unsent.clear()

    async def wait(self, stopped: Deferred[None], *, is_connected: bool) -> bool:
        """Wait until the service has stopped; return whether all receipts came.

        After `WAITING_S`, a note tells the person how to leave at once.

        Args:
            stopped: Fires when the service has stopped, which waits a while for the receipts.
            is_connected: Whether any receipt can come.
        """
        self._timer.stop()  # nobody looks at the number now
        if self._sent_at and is_connected:
            self._timer.start(0 if self.waiting else WAITING_S, self._tell_of_the_wait)
        try:
            await stopped
        except CancelledError:
            for receipt in list(self._sent_at):
                receipt.cancel()
            raise
        finally:
            self._timer.stop()
        return self._is_confirmed

    def _tell_of_the_wait(self) -> None:
        self._display.note("waiting for the server; Ctrl+C gives up")

    def _look(self) -> None:
        """Tell of messages that have waited long enough, and look at the others in time."""
        self._changed()
        long_ago = self._clock.seconds() - WAITING_S
        later = [sent_at for sent_at in self._sent_at.values() if sent_at > long_ago]
        if later:
            self._timer.start(min(later) - long_ago, self._look)

    def _not_received(self, failure: Failure, receipt: Deferred[Message], text: str) -> None:
        error = failure.value
        if len(text) > MAX_REPEATED:
            text = f"{text[:MAX_REPEATED]}…"
        if isinstance(error, RequestError):
            self._display.note(f"refused: {text} ({error.message[:MAX_REPEATED]})")
        elif isinstance(error, (SessionEnded, CancelledError)):
            self._is_confirmed = False
            is_lost = isinstance(error, SessionEnded) and not error.is_clean
            if receipt in self._unsent:
                self._display.note(f"not sent: {text} (there was no connection)")
            else:  # the message may have been delivered
                why = (
                    "the connection was lost"
                    if is_lost
                    else "the server did not confirm it in time"
                )
                self._display.note(f"not confirmed: {text} ({why})")
        else:
            self._display.note(f"not sent: {text} ({error})")

    def _done(self, _: object, receipt: Deferred[Message]) -> None:
        self._unsent.discard(receipt)
        was_waiting = self._sent_at.pop(receipt) <= self._clock.seconds() - WAITING_S
        if not self._sent_at:
            self._timer.stop()
        if was_waiting:
            self._changed()
