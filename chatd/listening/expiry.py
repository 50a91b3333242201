"""`ExpiryService`: warns of certificates that have expired, expire soon, or are not valid yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone

from cryptography import x509
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatd.transport.clock import looping_call

__all__ = ["INTERVAL_S", "SOON", "ExpiryService"]

SOON = timedelta(days=7)
"""The time before the end of a certificate at which the warnings begin."""
INTERVAL_S = 86_400.0
"""Seconds between two looks at the clock."""


class ExpiryService(Service):
    """Looks at the certificates at the start, at each `look`, and once a day.

    Args:
        clock: The reactor, or a test's clock.
        served: Returns the certificates that are served, each with the path of its file; the file
            may have another certificate by now.
        unix_time: Returns the time in Unix seconds.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        served: Callable[[], Iterable[tuple[str, x509.Certificate]]],
        unix_time: Callable[[], float],
    ) -> None:
        self._served = served
        self._unix_time = unix_time
        self._loop = looping_call(clock, self.look)

    def startService(self) -> None:
        """Look at the certificates, now and once a day."""
        super().startService()
        self._loop.start(INTERVAL_S)

    def stopService(self) -> None:
        """Look no more."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()

    def look(self) -> None:
        """Log a warning for each certificate that is not valid now, or soon no longer."""
        now = datetime.fromtimestamp(self._unix_time(), timezone.utc)
        faults = [(path, _fault_at(now, certificate)) for path, certificate in self._served()]
        for path, fault in sorted((path, fault) for path, fault in faults if fault is not None):
            self.log.warn("the certificate from {path} {fault}", path=path, fault=fault)


def _fault_at(now: datetime, certificate: x509.Certificate) -> str | None:
    """Return the fault that a certificate has at a time, or will have soon."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begin:
        return f"is not valid before {begin:%Y-%m-%d %H:%M} UTC, and clients refuse it"
    if now > end:
        return f"expired on {end:%Y-%m-%d %H:%M} UTC, and clients refuse it"
    if now > end - SOON:
        return f"expires on {end:%Y-%m-%d %H:%M} UTC"
    return None
