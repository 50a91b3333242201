"""`LogPace`: bounds how many lines the clients of one address can write to the log."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatd.chat.addresses import site_of
from chatd.server.attempts import Attempts
from chatd.transport.timer import Timer

__all__ = ["LINES_AT_ONCE", "LINES_PER_SECOND", "SUMMARY_S", "LogPace"]

LINES_AT_ONCE = 1000
"""How many lines about the connections of an address without a session are logged at once."""
LINES_PER_SECOND = 10
"""How many more are logged in each second."""
SUMMARY_S = 60.0
"""Seconds from the first line that is left out to the line with their number."""


@dataclass(slots=True)
class _LeftOut:
    """The lines of an address that were left out.

    Attributes:
        address: The address of the first of them.
        count: Their number.
    """

    address: str
    count: int = 0


class LogPace:
    """Decides which lines are logged, and logs the number of the others for each address.

    Args:
        clock: The reactor, or a test's clock.
        about: What the lines are about, in words.
        at_once: How many lines of an address are logged at once.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, about: str, at_once: int) -> None:
        self._clock = clock
        self._about = about
        self._lines = Attempts(at_once, 1.0 / LINES_PER_SECOND)
        self._left_out: dict[str, _LeftOut] = {}
        self._timer = Timer(clock)

    def may_log(self, address: str) -> bool:
        """Return whether to log a line about an address; count it if not."""
        if not self._lines.take(address, self._clock.seconds()):
            return True
        if not self._left_out:
            self._timer.start(SUMMARY_S, self.finish)
        self._left_out.setdefault(site_of(address), _LeftOut(address)).count += 1
        return False

    def finish(self) -> None:
        """Log now how many lines were left out."""
        self._timer.stop()
        left_out, self._left_out = self._left_out, {}
        for each in left_out.values():
            self.log.warn(
                "lines about {about} from {address} were left out: {count}",
                about=self._about,
                count=each.count,
                address=each.address,
            )
