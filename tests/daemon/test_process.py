"""Tests of `chatd.daemon.process`."""

from __future__ import annotations

import resource
import subprocess
import sys

from twisted.internet.selectreactor import SelectReactor
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.daemon import process
from chatd.daemon.process import (
    FEWEST,
    OWN,
    SELECT,
    USUAL,
    DescriptorService,
    allow_all_descriptors,
)
from chatd.errors import StartupError
from chatd.server.limits import Limits


class DescriptorTests(SynchronousTestCase):
    """A daemon raises its limit of open files."""

    def test_all(self) -> None:
        """The soft limit becomes the hard limit; for a select reactor, select's limit."""
        code = (
            "import resource\n"
            "from twisted.internet.selectreactor import SelectReactor\n"
            "from chatd.daemon.process import SELECT, allow_all_descriptors as allow\n"
            "hard = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 2048)\n"
            "select = SelectReactor()\n"
            "for soft in (64, hard):\n"
            "    for reactor, most in ((None, hard), (select, min(hard, SELECT))):\n"
            "        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))\n"
            "        allow(reactor)\n"
            "        print(resource.getrlimit(resource.RLIMIT_NOFILE) == (most, hard))\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 128))\n"
            "allow(select); print(resource.getrlimit(resource.RLIMIT_NOFILE) == (128, 128))\n"
        )
        printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        self.assertEqual(printed.stdout.split(), [b"True"] * 5)
        self.assertGreater(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 64)

    def test_no_limit(self) -> None:
        """For a select reactor, the limit is select's, even if the system has no limit."""
        limits: list[object] = []
        self.patch(resource, "getrlimit", lambda _: (64, resource.RLIM_INFINITY))
        self.patch(resource, "setrlimit", lambda _, given: limits.append(given))
        allow_all_descriptors(SelectReactor())
        self.assertEqual(limits, [(SELECT, resource.RLIM_INFINITY)])


class RoomTests(SynchronousTestCase):
    """A daemon has room for its bounds, or warns."""

    def start(
        self,
        room: float,
        limits: Limits = Limits(),  # noqa: B008
        reactor: object = None,
        *,
        has_front: bool = False,
    ) -> list[str]:
        """Start with room for so many connections, and return the log."""
        self.patch(process, "room_for_more", lambda: OWN + room)
        service = DescriptorService(reactor, limits, has_front=has_front)
        with capturedLogs() as events:
            service.privilegedStartService()
            service.startService()
        service.stopService()
        return [f"{event['log_level'].name}: {formatEvent(event)}" for event in events]

    def test_enough(self) -> None:
        """With room for the bounds, the daemon logs no warning."""
        for room in (38_192, 1_048_000, float("inf")):
            self.assertEqual(self.start(room), [])
        self.assertEqual(self.start(40, Limits(max_sessions=20, max_unestablished=10)), [])

    def test_browsers(self) -> None:
        """With a front for browsers, the bounds need room for its connections, too."""
        limits = Limits(max_sessions=20, max_unestablished=10)
        self.assertEqual(self.start(50, limits, has_front=True), [])
        (line,) = self.start(49, limits, has_front=True)
        self.assertIn("30 connections that", line)

    def test_fewer_than_usual(self) -> None:
        """With the default bounds, room for fewer connections is no warning."""
        for room in (USUAL, 4_064, 38_191):
            (line,) = self.start(room)
            self.assertRegex(
                line,
                rf"^info: file descriptors for {room} connections; the bounds allow 30000 .*-n\)$",
            )

    def test_few(self) -> None:
        """With the default bounds, room for very few connections is a warning."""
        for room in (FEWEST, USUAL - 1):
            (line,) = self.start(room)
            self.assertRegex(line, rf"^warn: there are .*for {room} connections at most, ")

    def test_fewer_than_asked_for(self) -> None:
        """With the operator's bounds, a warning has the number and the remedy."""
        for limits in (Limits(max_sessions=5_000), Limits(max_unestablished=35_000)):
            (line,) = self.start(4_000, limits)
            for part in (
                "warn: ",
                "for 4000 connections",
                "ulimit -n",
                f"{limits.max_sessions} sessions",
                f"{2 * limits.max_unestablished} connections that",
            ):
                self.assertIn(part, line)

    def test_select(self) -> None:
        """The warning names a select reactor as the cause, and another reactor as the remedy."""
        (line,) = self.start(992, reactor=SelectReactor())
        for part in ("warn: ", "1024 file descr", "for 992 connections", "--help-reactors"):
            self.assertIn(part, line)
        self.assertNotIn("ulimit", line)

    def test_too_few(self) -> None:
        """With room for almost no connections, the daemon ends with one line and the remedy."""
        for room in (FEWEST - 1, -30):
            error = self.assertRaises(StartupError, self.start, room)
            self.assertRegex(
                str(error), r"^chatd: too few file descriptors: there are \d+, .* \(ulimit -n\)$"
            )

    def test_without_privileges(self) -> None:
        """The check also runs in a start without the privileged step."""
        self.patch(process, "room_for_more", lambda: OWN + FEWEST)
        service = DescriptorService(None, Limits())
        with capturedLogs() as events:
            service.startService()
        self.assertEqual(len(events), 1)
        self.patch(process, "room_for_more", lambda: 0)
        self.assertRaises(StartupError, DescriptorService(None, Limits()).startService)
