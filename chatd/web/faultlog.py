"""`FaultLog`: the log lines about requests whose answers fail."""

from __future__ import annotations

from traceback import extract_tb

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatd.server.logpace import LogPace

__all__ = ["FAULTS_AT_ONCE", "FaultLog"]

FAULTS_AT_ONCE = 10
"""How many lines about an address are logged at once."""


class FaultLog:
    """Logs one line for each request whose answer fails, so that a defect here is noticed.

    A line names the exception's class and the place of the defect. It has nothing of the
    exception's text, because that can quote the request. The lines of an address are bounded.

    Args:
        clock: The reactor, or a test's clock.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._pace = LogPace(clock, "failed requests", FAULTS_AT_ONCE)

    def note(self, error: Exception, address: str) -> None:
        """Log that the answer to a request has failed.

        Args:
            error: The exception.
            address: The address of the connection's peer.
        """
        if not self._pace.may_log(address):
            return
        place = extract_tb(error.__traceback__)[-1]
        self.log.error(
            "a request failed: address={address} error={error} at={file}:{line}",
            address=address,
            error=type(error).__name__,
            file=place.filename,
            line=place.lineno,
        )

    def finish(self) -> None:
        """Log now how many lines were left out."""
        self._pace.finish()
