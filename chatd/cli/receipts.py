"""The receipts of the messages that a person sent at a terminal."""

from __future__ import annotations

from contextlib import suppress

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from chatd.cli.display import TextDisplay
from chatd.errors import RequestError, SessionEnded
from chatd.wire.messages import Message

__all__ = ["MAX_REPEATED", "RECEIPTS_S", "Receipts"]

RECEIPTS_S = 5.0
"""Time that leaving waits for the last receipts, in seconds."""
MAX_REPEATED = 1_000
"""Limit on the text that a note about an unsent message repeats, in characters."""


class Receipts:
    """Counts the messages without a receipt, and reports those that get none.

    Args:
        clock: The reactor.
        display: Shows the notes.
    """

    def __init__(self, clock: IReactorTime, display: TextDisplay) -> None:
        self._clock = clock
        self._display = display
        self._outstanding = 0
        self._all_came: Deferred[None] | None = None

    def expect(self, receipt: Deferred[Message], text: str) -> None:
        """Wait for the receipt of a message; a note repeats the text if it does not come."""
        self._outstanding += 1
        receipt.addErrback(self._not_received, text).addCallback(self._done)

    async def wait(self, *, is_connected: bool) -> bool:
        """Wait for the outstanding receipts, up to `RECEIPTS_S`; return whether all came.

        Args:
            is_connected: Whether any can come.
        """
        if self._outstanding and is_connected:
            self._all_came = Deferred()
            self._all_came.addTimeout(RECEIPTS_S, self._clock)
            with suppress(TimeoutError):
                await self._all_came
        return not self._outstanding

    def _not_received(self, failure: Failure, text: str) -> None:
        error = failure.value
        if len(text) > MAX_REPEATED:
            text = f"{text[:MAX_REPEATED]}…"
        if isinstance(error, RequestError):
            self._display.note(f"refused: {text} ({error.message})")
        elif isinstance(error, SessionEnded):  # the message may have been delivered
            self._display.note(f"not confirmed: {text} (the connection was lost)")
        else:
            self._display.note(f"not sent: {text} ({error})")

    def _done(self, _: object) -> None:
        self._outstanding -= 1
        all_came = self._all_came
        if all_came is not None and not self._outstanding and not all_came.called:
            all_came.callback(None)
