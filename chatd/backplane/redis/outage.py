"""`Outage`: tells that the link is lost, why, and that it works again."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatd.backplane.interface import LinkState

__all__ = ["MAX_REFUSALS", "Outage"]

MAX_REFUSALS = 20
"""How many different refusals are logged between two outages."""


class Outage:
    """Logs each reason of an outage once, however many attempts fail for it.

    Args:
        reactor: Measures the time.
        tell: Called when the link is lost, and when it works again.
    """

    _log = Logger()

    def __init__(self, reactor: IReactorTime, tell: Callable[[LinkState], None]) -> None:
        self._reactor = reactor
        self._tell = tell
        self._began_at = 0.0
        self._reasons: set[str] = set()
        self._refusals: set[str] = set()

    def note(self, reason: str) -> None:
        """Note that the link is lost, or that an attempt to attach failed."""
        if not self._reasons:
            self._refusals.clear()
            self._began_at = self._reactor.seconds()
            self._log.warn("the backplane cannot be used: {reason}", reason=reason)
            self._reasons.add(reason)
            self._tell(LinkState(False, reason))
        elif reason not in self._reasons:
            self._reasons.add(reason)
            self._log.warn("the backplane still cannot be used: {reason}", reason=reason)

    def refused(self, reason: str) -> None:
        """Note that Redis refused a call that nobody waits for, though the link works."""
        if reason not in self._refusals and len(self._refusals) < MAX_REFUSALS:
            self._refusals.add(reason)
            self._log.warn("the backplane refused a call: {reason}", reason=reason)

    def end(self) -> None:
        """Note that the link works."""
        if self._reasons:
            self._reasons.clear()
            lasted_s = self._reactor.seconds() - self._began_at
            self._log.info("the backplane works again after {s:.1f} s", s=lasted_s)
            self._tell(LinkState(True))
