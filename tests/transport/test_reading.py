"""Tests of the reasons for not reading from a transport."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.transport.reading import Reading, Reason


class RecordingStream:
    """A transport that notes what it is told."""

    def __init__(self):
        self.calls = []

    def pauseProducing(self):
        self.calls.append("pause")

    def resumeProducing(self):
        self.calls.append("resume")


class ReadingTests(SynchronousTestCase):
    def setUp(self):
        self.stream = RecordingStream()
        stream: Any = self.stream
        self.reading = Reading(stream)

    def test_one_reason(self):
        """The transport is paused while there is a reason."""
        self.reading.pause(Reason.WORK)
        self.assertEqual(self.stream.calls, ["pause"])
        self.reading.resume(Reason.WORK)
        self.assertEqual(self.stream.calls, ["pause", "resume"])

    def test_two_reasons(self):
        """It is read from again when the last reason is gone, in whatever order they go."""
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
        """A reason that there is not takes nothing back."""
        self.reading.resume(Reason.WORK)
        self.assertEqual(self.stream.calls, [])

    def test_twice(self):
        """The same reason counts once."""
        self.reading.pause(Reason.WORK)
        self.reading.pause(Reason.WORK)
        self.reading.resume(Reason.WORK)
        self.assertEqual(self.stream.calls, ["pause", "resume"])

    def test_drop(self):
        """At the end it is read from whatever the reasons, and not paused any more."""
        self.reading.pause(Reason.WORK)
        self.reading.drop()
        self.assertEqual(self.stream.calls, ["pause", "resume"])
        self.reading.resume(Reason.WORK)
        self.reading.pause(Reason.FLOODED)
        self.assertEqual(self.stream.calls, ["pause", "resume"])

    def test_drop_without_reason(self):
        """A transport that is read from needs no word for that."""
        self.reading.drop()
        self.assertEqual(self.stream.calls, [])

    def test_stop(self):
        """Once nothing can arrive the transport is left alone; the reasons are still known."""
        self.reading.pause(Reason.WORK)
        self.reading.stop()
        self.reading.resume(Reason.WORK)
        self.reading.pause(Reason.FLOODED)
        self.assertEqual(self.stream.calls, ["pause"])
        self.assertEqual(self.reading.reasons, {Reason.FLOODED})
