"""Tests of `chatd.listening.accepting`."""

from __future__ import annotations

import errno
import os
import resource

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatd.listening import accepting
from chatd.listening.accepting import RETRY_S, Acceptor


class FakeConnection:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor


class FakeSocket:
    """Accepts the test's descriptors, or raises the test's errors."""

    def __init__(self) -> None:
        self.waiting: list[int | OSError] = []
        self.is_closed = False
        self.number, self._other_end = os.pipe()
        self._is_readable = False

    def fileno(self) -> int:
        if self.waiting and not self._is_readable:
            os.write(self._other_end, b"!")
            self._is_readable = True
        elif self._is_readable and not self.waiting:
            os.read(self.number, 1)
            self._is_readable = False
        return self.number

    def accept(self) -> tuple[FakeConnection, str]:
        if not self.waiting:
            raise BlockingIOError(errno.EAGAIN, "nobody")
        next_one = self.waiting.pop(0)
        if isinstance(next_one, OSError):
            raise next_one
        return FakeConnection(next_one), "there"

    def close(self) -> None:
        self.is_closed = True

    def release(self) -> None:
        os.close(self.number)
        os.close(self._other_end)

    def getsockname(self) -> str:
        return "here"


class FakePort:
    def __init__(self) -> None:
        self.socket = FakeSocket()
        self.is_reading = True

    def startReading(self) -> None:
        self.is_reading = True

    def stopReading(self) -> None:
        self.is_reading = False


class DoorTests(SynchronousTestCase):
    """Connections are accepted while there are descriptors to spare."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.port = FakePort()
        self.socket = self.port.socket
        self.addCleanup(self.socket.release)
        self.may_go = 0
        self.door = Acceptor(self.clock, self.port, self.make_room)

    def make_room(self) -> bool:
        """Abort a connection that may close."""
        has_room = self.may_go > 0
        self.may_go -= has_room
        return has_room

    def accept(self, *waiting: int | OSError) -> list[int | str]:
        """Accept like the port, until no connection waits; return the result of each."""
        self.socket.waiting += waiting
        accepted: list[int | str] = []
        while True:
            try:
                connection, _ = self.port.socket.accept()
            except BlockingIOError:
                return accepted
            except OSError as error:
                accepted.append(errno.errorcode[error.errno or 0])
                return accepted
            accepted.append(connection.fileno())

    def test_stands_between(self) -> None:
        """The port calls the acceptor; all else is the socket's."""
        self.assertIs(self.port.socket, self.door)
        self.assertEqual(self.port.socket.getsockname(), "here")
        self.assertEqual(self.accept(5, 6), [5, 6])
        self.assertTrue(self.port.is_reading)

    def test_out_of_descriptors(self) -> None:
        """Without descriptors, the port pauses accepting, and closes no connection."""
        for code in (errno.EMFILE, errno.ENFILE):
            self.assertEqual(self.accept(OSError(code, "none left"), 5), [])
            self.assertFalse(self.port.is_reading)
            self.clock.advance(RETRY_S)
            self.assertTrue(self.port.is_reading)
            self.assertEqual(self.accept(), [5])

    def test_spared(self) -> None:
        """Spared descriptors stay free, even if there are no others for a long time."""
        patch = self.patch(accepting, "_is_spared", lambda _: True)
        self.assertEqual(self.accept(6), [])
        self.assertFalse(self.port.is_reading)
        for _ in range(3):
            self.clock.advance(RETRY_S)
            self.assertEqual(self.accept(), [])
        patch.restore()
        self.clock.advance(RETRY_S)
        self.assertEqual(self.accept(), [6])

    def test_none_to_look_with(self) -> None:
        """Without even a descriptor for the check, there is no room."""

        def none_left(number: int) -> int:
            raise OSError(errno.EMFILE, "none left")

        patch = self.patch(os, "dup", none_left)
        self.assertEqual(self.accept(5), [])
        patch.restore()
        self.clock.advance(RETRY_S)
        self.assertEqual(self.accept(), [5])

    def test_makes_room(self) -> None:
        """Each waiting connection replaces another, and the port tries again in its next turn."""
        full = [True]
        self.patch(accepting, "_is_spared", lambda _: full[0])
        self.may_go = 9
        self.socket.waiting += [5, 6]
        for number, left in ((5, 1), (6, 0)):
            full[0] = True
            self.assertEqual(self.accept(), [])
            self.assertEqual((self.may_go, self.port.is_reading), (7 + left, True))
            full[0] = False
            self.assertEqual(self.socket.waiting[0], number)
            self.assertEqual(self.port.socket.accept()[0].fileno(), number)
        full[0] = True
        self.assertEqual(self.accept(), [])  # no connection waits
        self.assertEqual(self.may_go, 7)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nobody_may_go(self) -> None:
        """If no connection may close, the port pauses accepting."""
        self.may_go = 1
        for is_reading in (True, False):
            self.assertEqual(self.accept(OSError(errno.EMFILE, "none left"), 5), [])
            self.assertEqual(self.port.is_reading, is_reading)
            self.socket.waiting.clear()
        self.clock.advance(RETRY_S)
        self.assertEqual(self.accept(5), [5])

    def test_none_goes_for_nobody(self) -> None:
        """Some systems report missing descriptors even if no connection waits."""
        self.may_go = 1
        self.assertEqual(self.accept(OSError(errno.ENFILE, "none left")), [])
        self.assertEqual(self.may_go, 1)

    def test_makes_room_again_and_again(self) -> None:
        """The log has one line for any number of connections, until all have room."""
        self.may_go = 9
        with capturedLogs() as events:
            for _ in range(5):
                self.accept(OSError(errno.EMFILE, "none left"), 5)
                self.accept()
            self.assertEqual([event["log_level"].name for event in events], ["warn"])
            self.accept(6)
        self.assertEqual([event["log_level"].name for event in events], ["warn", "info"])

    def test_no_limit(self) -> None:
        """Without a limit, there is always room."""
        self.patch(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
        self.assertEqual(self.accept(5, 6), [5, 6])

    def test_other_errors(self) -> None:
        """The port gets any other error."""
        self.assertEqual(self.accept(OSError(errno.ECONNABORTED, "gone")), ["ECONNABORTED"])
        self.assertTrue(self.port.is_reading)

    def test_told_once(self) -> None:
        """The log has a line when the descriptors run out, and a line when some are free."""
        with capturedLogs() as events:
            for _ in range(5):
                self.accept(OSError(errno.EMFILE, "none left"))
                self.clock.advance(RETRY_S)
            self.accept(5, 6)
        self.assertEqual([event["log_level"].name for event in events], ["warn", "info"])

    def test_close(self) -> None:
        """A closed acceptor listens no more, and leaves no timer."""
        self.accept(OSError(errno.EMFILE, "none left"))
        self.door.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertTrue(self.socket.is_closed)
        self.assertFalse(self.port.is_reading)
