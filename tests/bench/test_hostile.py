"""The state of a server after an attack: its tracebacks, and its listener."""

import socket
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.hostile import Listener, count_tracebacks
from chatd.wire.messages import Message, MessageType

TRACEBACK = (
    "2030-01-01T00:00:00+0000 [-] Unhandled Error\n\tTraceback (most recent call last):\n\t\n"
)


class TracebackTests(SynchronousTestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name)

    def test_none(self):
        """Without a log, or with an empty log, there are no tracebacks."""
        self.assertEqual(count_tracebacks(self.path), 0)
        (self.path / "chatd.log").write_text("ended: code=goodbye reason='no Traceback here'\n")
        self.assertEqual(count_tracebacks(self.path), 0)

    def test_all_logs(self):
        """The bench counts tracebacks in every log: in rotated logs, and in the output."""
        (self.path / "chatd.log").write_text(TRACEBACK * 2)
        (self.path / "chatd.log.1").write_text(TRACEBACK)
        (self.path / "output.log").write_text("Traceback (most recent call last):\n")
        (self.path / "data").write_text(TRACEBACK)
        self.assertEqual(count_tracebacks(self.path), 4)

    def test_not_text(self):
        """A log that is not UTF-8 is read all the same."""
        (self.path / "chatd.log").write_bytes(b"\xff\xfe\n" + TRACEBACK.encode())
        self.assertEqual(count_tracebacks(self.path), 1)


class ListenerTests(SynchronousTestCase):
    def setUp(self):
        self.link, self.far = socket.socketpair()
        self.addCleanup(self.link.close)
        self.addCleanup(self.far.close)
        self.listener = Listener(self.link, "listener", "#pair")

    def test_counts_messages(self):
        """A listener counts messages, and no other frames."""
        self.listener.event_received(Message.chat("one", id="1"))
        self.listener.event_received(Message(MessageType.EVENT, {"event": "joined"}))
        self.listener.event_received(Message.chat("two", id="2"))
        self.assertEqual(self.listener.heard, 2)

    def test_cut_off(self):
        """A disconnected listener ends, and notes that it was cut off."""
        self.far.close()
        self.listener.listen()
        self.assertTrue(self.listener.is_cut_off)

    def test_leaves(self):
        """A listener ends at the command to leave."""
        self.listener.is_leaving = True
        self.listener.listen()
        self.assertFalse(self.listener.is_cut_off)
