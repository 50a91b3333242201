"""Warnings of certificates that are not valid now, or soon no longer."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.daemon.build import make_service
from chatd.daemon.settings import Settings
from chatd.errors import ConfigurationError
from chatd.listening.certificates import Certificates
from chatd.listening.endpoints import server_endpoint
from chatd.listening.expiry import INTERVAL_S, ExpiryService
from tests.daemon.cases import hang_up
from tests.fakes.pems import make_pair, write_certificate

DAY_S = 86_400.0

# Twisted reads certificates with functions that pyOpenSSL deprecates.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*pyOpenSSL:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:X509:DeprecationWarning"),
]


def read(path: Path) -> x509.Certificate:
    """Return the first certificate in a file."""
    return x509.load_pem_x509_certificates(path.read_bytes())[0]


class ExpiryTests(SynchronousTestCase):
    """A file with a certificate, and a clock that the tests set.

    Attributes:
        begin: When the certificate begins to be valid, in Unix seconds.
        end: When it ends.
    """

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.pem = Path(directory.name) / "localhost.pem"
        key, certificate = make_pair()
        self.pem.write_bytes(key + certificate)
        period = x509.load_pem_x509_certificate(certificate)
        self.begin = period.not_valid_before_utc.timestamp()
        self.end = period.not_valid_after_utc.timestamp()
        self.now = self.begin
        self.clock = Clock()

    def service(self) -> ExpiryService:
        return ExpiryService(
            self.clock, lambda: [(str(self.pem), read(self.pem))], lambda: self.now
        )

    def lines(self, act: Any) -> list[str]:
        """Return the warnings of an action."""
        with capturedLogs() as events:
            act()
        return [f"{event['log_level'].name}: {formatEvent(event)}" for event in events]

    def test_words(self) -> None:
        """A certificate that is not valid, or soon no longer, has one warning with the time."""
        for now, words in (
            (self.begin - 1, "is not valid before "),
            (self.begin + 1, "expires on "),
            (self.end + 1, "expired on "),
        ):
            self.now = now
            service = self.service()
            (line,) = self.lines(service.startService)
            self.assertIn(f"warn: the certificate from {self.pem} {words}2", line)
            self.assertEqual("clients refuse it" in line, "expires" not in line)
            service.stopService()

    def test_good(self) -> None:
        """A certificate that is valid for more than a week has no warning, until it has."""
        write_certificate(self.pem, days=30)
        self.now += DAY_S
        service = self.service()
        self.assertEqual(self.lines(service.startService), [])
        self.now += 25 * DAY_S
        (line,) = self.lines(lambda: self.clock.advance(INTERVAL_S))
        self.assertIn("expires on", line)
        service.stopService()
        service.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_look(self) -> None:
        """The certificates are asked for at each look."""
        service = self.service()
        (line,) = self.lines(service.startService)
        self.assertIn("expires on", line)
        write_certificate(self.pem, days=30)
        self.assertEqual(self.lines(service.look), [])
        service.stopService()

    def test_served(self) -> None:
        """The certificates are those of all TLS endpoints that have a key, in use or not yet."""
        directory = self.pem.parent
        other, orphan = directory / "other.pem", directory / "orphan.pem"
        write_certificate(other)
        orphan.write_bytes(make_pair("elsewhere")[1])
        certificates = Certificates()
        for description in (
            "tcp:9999",
            f"ssl:9999:privateKey={self.pem}",
            f"tls:{directory}:9999",
        ):
            server_endpoint(MemoryReactorClock(), description, certificates=certificates)
        served = {(str(path), read(path)) for path in (self.pem, other)}
        self.assertEqual(certificates.served(), served)

    def test_refused_renewal(self) -> None:
        """Until a renewal succeeds, the certificate that is served has the warning."""
        directory = self.pem.parent
        for description in (f"ssl:9999:privateKey={self.pem}", f"tls:{directory}:9999"):
            certificates = Certificates()
            server_endpoint(MemoryReactorClock(), description, certificates=certificates)
            before = certificates.served()
            ((_, renew),) = certificates
            key, _ = make_pair()
            good = self.pem.read_bytes()
            self.pem.write_bytes(key + make_pair(days=30)[1])  # of another key
            self.assertRaises(ConfigurationError, renew)
            self.assertEqual(certificates.served(), before)
            write_certificate(self.pem, days=30)
            self.assertEqual(certificates.served(), before)
            renew()
            self.assertEqual(certificates.served(), {(str(self.pem), read(self.pem))})
            self.pem.write_bytes(good)

    def test_daemon(self) -> None:
        """The daemon warns at its start and at SIGHUP."""
        reactor: Any = MemoryReactorClock()
        service = make_service(reactor, Settings(endpoints=[f"ssl:9999:privateKey={self.pem}"]))
        lines = self.lines(service.startService)
        self.assertEqual(len([line for line in lines if "expires on" in line]), 1)
        write_certificate(self.pem, days=30)
        self.pem.write_bytes(self.pem.read_bytes()[:-40])  # cut short, so it is refused
        lines = self.lines(lambda: hang_up(service))
        self.assertEqual(len([line for line in lines if "expires on" in line]), 1)
        self.successResultOf(service.stopService())
