"""`ExpiryService`: warns of certificates that clients refuse because of the time, or soon will."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from cryptography import x509
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatd.errors import ConfigurationError
from chatd.listening.certificatefiles import first_certificate
from chatd.transport.clock import looping_call

__all__ = ["INTERVAL_S", "SOON", "ExpiryService"]

SOON = timedelta(days=7)
"""The time before the end of a certificate at which the warnings begin."""
INTERVAL_S = 86_400.0
"""Seconds between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class _Period:
    """When a certificate is valid."""

    begin: datetime
    end: datetime

    def fault_at(self, now: datetime) -> str | None:
        """Return what is wrong with the certificate at a time, or will be soon."""
        if now < self.begin:
            return f"is not valid before {self.begin:%Y-%m-%d %H:%M} UTC, and clients refuse it"
        if now > self.end:
            return f"expired on {self.end:%Y-%m-%d %H:%M} UTC, and clients refuse it"
        if now > self.end - SOON:
            return f"expires on {self.end:%Y-%m-%d %H:%M} UTC"
        return None


class ExpiryService(Service):
    """Looks at the certificates at the start, at each `read`, and once a day.

    Args:
        clock: The reactor, or a test's clock.
        paths: Returns the paths of the files with certificates.
        unix_time: Returns the time in Unix seconds.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        paths: Callable[[], Iterable[str]],
        unix_time: Callable[[], float],
    ) -> None:
        self._paths = paths
        self._unix_time = unix_time
        self._periods: dict[str, _Period] = {}
        self._loop = looping_call(clock, self._look)
        self._read()  # now, because the daemon may have given up root's rights when it starts

    def startService(self) -> None:
        """Look at the certificates, now and once a day."""
        super().startService()
        self._loop.start(INTERVAL_S)

    def stopService(self) -> None:
        """Look no more."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()

    def read(self) -> None:
        """Read the files again, and look at the certificates."""
        self._read()
        self._look()

    def _read(self) -> None:
        before, self._periods = self._periods, {}
        for path in self._paths():
            if path in before:  # if the file is damaged now, its earlier certificate is served
                self._periods[path] = before[path]
            with suppress(ConfigurationError):  # the endpoint says what is wrong
                certificate: x509.Certificate = first_certificate(path)
                self._periods[path] = _Period(
                    certificate.not_valid_before_utc, certificate.not_valid_after_utc
                )

    def _look(self) -> None:
        now = datetime.fromtimestamp(self._unix_time(), timezone.utc)
        for path, period in sorted(self._periods.items()):
            fault = period.fault_at(now)
            if fault is not None:
                self.log.warn("the certificate in {path} {fault}", path=path, fault=fault)
