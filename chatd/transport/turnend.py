"""`TurnEnd`: decides when a reactor's turn ends."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["TurnEnd"]


class _Due(Enum):
    """Whether the turn must end."""

    NO = "nothing has asked for the end"
    NOT_YET = "nothing has asked for the end, but the work under way may ask for it"
    AFTER_WORK = "the work under way ends the turn, or schedules its end"
    SCHEDULED = "the reactor calls at the end of the turn"


_NO, _NOT_YET, _AFTER_WORK, _SCHEDULED = _Due  # cheaper lookups, needed for each message


class TurnEnd:
    """Ends a turn once if anything asked for that.

    The reactor calls at the end of its turn, after it has read all protocols. But that call takes
    longer than all other work on one message. So a read ends the turn at once if the same protocol
    was read last time, too: then nobody else is likely to be read in this turn.

    ==============  ===========  ===========  =============================
    state           `ask`        `hold`       `end_read`
    ==============  ===========  ===========  =============================
    ``NO``          SCHEDULED    NOT_YET      stays
    ``NOT_YET``     AFTER_WORK   stays        NO
    ``AFTER_WORK``  stays        stays        the turn ends, or SCHEDULED
    ``SCHEDULED``   stays        stays        stays
    ==============  ===========  ===========  =============================

    The end calls `reached`, which leads back to ``NO`` from all states.

    Args:
        clock: The reactor, or a test's clock.
        end: Ends the turn: it calls `hold` first, and `reached` when the work of the turn is done.
    """

    __slots__ = ("_call", "_clock", "_due", "_end", "_last_reader")

    def __init__(self, clock: IReactorTime, end: Callable[[], None]) -> None:
        self._clock = clock
        self._end = end
        self._due = _NO
        self._call: IDelayedCall | None = None
        self._last_reader = 0  # the id of the protocol that read last

    def ask(self) -> None:
        """Make sure that the turn ends."""
        if self._due is _NOT_YET:
            self._due = _AFTER_WORK
        elif self._due is _NO:
            self._schedule()

    def hold(self) -> None:
        """Note that work is under way; `end_read` or `reached` follows."""
        if self._due is _NO:
            self._due = _NOT_YET

    def end_read(self, reader: object) -> None:
        """End the turn now, or at its end, if it must end; received bytes were acted on.

        Args:
            reader: The protocol that has read.
        """
        is_alone, self._last_reader = self._last_reader == id(reader), id(reader)
        if self._due is _AFTER_WORK:
            if is_alone:
                self._end()
            else:
                self._schedule()
        elif self._due is _NOT_YET:
            self._due = _NO

    def reached(self) -> None:
        """Note that the work of the turn is done."""
        self._due = _NO
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()

    def _schedule(self) -> None:
        self._due = _SCHEDULED
        self._call = self._clock.callLater(0, self._end)
