"""Tests of `chatd.daemon.rereading`."""

from __future__ import annotations

from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.daemon.rereading import RereadingService
from chatd.errors import ConfigurationError, StartupError


def refuse() -> None:
    """Fail like a reader of an unreadable file."""
    raise ConfigurationError("cannot read {it}: Permission denied")


class RereadingTests(SynchronousTestCase):
    """The daemon tries to read the files at the start, after the end of privileges."""

    def start(self, service: RereadingService) -> list[str]:
        """Start a service, and return its warnings."""
        with capturedLogs() as events:
            service.privilegedStartService()
            self.assertEqual(events, [])
            service.startService()
        self.assertLessEqual({event["log_level"] for event in events}, {LogLevel.warn})
        return [formatEvent(event) for event in events]

    def test_anew(self) -> None:
        """Each file that SIGHUP could not read gets a warning, and the daemon starts."""
        read: list[str] = []
        service = RereadingService(
            {"one": refuse, "two": lambda: read.append("two"), "three": refuse}
        )
        self.assertEqual(
            self.start(service),
            [
                f"{what}: SIGHUP will not read it again: cannot read {{it}}: Permission denied"
                for what in ("one", "three")
            ],
        )
        self.assertEqual((read, service.running), (["two"], True))

    def test_needed(self) -> None:
        """An unreadable file that serving needs ends the start."""
        service = RereadingService({}, refuse)
        error = self.assertRaises(StartupError, service.startService)
        self.assertEqual(str(error), "chatd: cannot read {it}: Permission denied")
        self.assertEqual(self.start(RereadingService({}, lambda: None)), [])
