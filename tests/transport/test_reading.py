"""Tests of the reasons to pause reading."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.transport.reading import Reading, Reason
from tests.fakes.sources import RecordingSource


class ReadingTests(SynchronousTestCase):
    def setUp(self):
        self.stream = RecordingSource()
        stream: Any = self.stream
        self.reading = Reading(stream)

    def test_one_reason(self):
        """The transport is paused while there is a reason."""
        self.reading.pause(Reason.WORK)
        self.assertEqual(self.stream.calls, ["pause"])
        self.reading.resume(Reason.WORK)
        self.assertEqual(self.stream.calls, ["pause", "resume"])

    def test_two_reasons(self):
        """Reading resumes when the last reason ends, in any order."""
        for first, last in ((Reason.WORK, Reason.FLOODED), (Reason.FLOODED, Reason.WORK)):
            self.setUp()
            self.reading.pause(Reason.WORK)
            self.reading.pause(Reason.FLOODED)
            self.reading.resume(first)
            self.assertEqual(self.stream.calls, ["pause"])
            self.assertEqual(self.reading.reasons, {last})
            self.reading.resume(last)
            self.assertEqual(self.stream.calls, ["pause", "resume"])

    def test_no_reason(self):
        """Removing an unknown reason has no effect."""
        self.reading.resume(Reason.WORK)
        self.assertEqual(self.stream.calls, [])

    def test_twice(self):
        """The same reason counts once."""
        self.reading.pause(Reason.WORK)
        self.reading.pause(Reason.WORK)
        self.reading.resume(Reason.WORK)
        self.assertEqual(self.stream.calls, ["pause", "resume"])

    def test_drop(self):
        """At the end, reading resumes in spite of all reasons, and does not pause again."""
        self.reading.pause(Reason.WORK)
        self.reading.drop()
        self.assertEqual(self.stream.calls, ["pause", "resume"])
        self.reading.resume(Reason.WORK)
        self.reading.pause(Reason.FLOODED)
        self.assertEqual(self.stream.calls, ["pause", "resume"])

    def test_drop_without_reason(self):
        """Without a reason, `drop` makes no call."""
        self.reading.drop()
        self.assertEqual(self.stream.calls, [])

    def test_stop(self):
        """After `stop`, the transport stays unchanged, and the reasons are still known."""
        self.reading.pause(Reason.WORK)
        self.reading.stop()
        self.reading.resume(Reason.WORK)
        self.reading.pause(Reason.FLOODED)
        self.assertEqual(self.stream.calls, ["pause"])
        self.assertEqual(self.reading.reasons, {Reason.FLOODED})
