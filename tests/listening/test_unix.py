"""Tests of listening on UNIX sockets, and of the sockets' files.

The sockets are real, in each test's own directory; the reactor is in memory.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.config import filelock
from chatd.listening import unix
from chatd.listening.unix import UnixPort, adopt_unix, listen_unix


class QuietFactory(Factory):
    noisy = False


class UnixCase(SynchronousTestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.path = self.directory / "chat.sock"
        self.reactor = MemoryReactorClock()
        self.factory = QuietFactory()

    def listen(self, path: object = None, *, mode: int = 0o666, backlog: int = 5) -> UnixPort:
        """Listen on a path, until the test ends at the latest."""
        port = listen_unix(
            self.reactor, str(path or self.path), self.factory, mode=mode, backlog=backlog
        )
        self.addCleanup(self.close, port)
        return port

    def close(self, port: UnixPort) -> None:
        if port.connected:
            port.connectionLost(Failure(ConnectionDone()))

    def make_socket(self, *, is_served: bool, backlog: int = 5) -> socket.socket:
        """Make a socket without chatd, with or without a program that listens."""
        made = socket.socket(socket.AF_UNIX)
        self.addCleanup(made.close)
        made.bind(str(self.path))
        made.listen(backlog)
        if not is_served:
            made.close()
        return made

    def is_served(self, path: object = None) -> bool:
        """Return whether a client can connect to a path."""
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(path or self.path))
            except (ConnectionRefusedError, FileNotFoundError):
                return False
        return True

    def refusal(self, path: object = None, **options: int) -> str:
        """Return the error of listening on a path."""
        error = self.assertRaises(OSError, self.listen, path, **options)
        return error.strerror or str(error)

    def names(self) -> list[str]:
        """Return the names in the directory."""
        return sorted(os.listdir(self.directory))


class ListeningTests(UnixCase):
    """The port makes a socket with its mode, and removes it at the end."""

    def test_listens(self) -> None:
        """A socket accepts connections from its first moment; no other file is in the directory."""
        port = self.listen(mode=0o640)
        self.assertTrue(self.is_served())
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o640)
        self.assertEqual(self.names(), ["chat.sock"])
        self.assertEqual(port.getHost().name, os.fsencode(self.path))
        self.assertIn(port, self.reactor.readers)
        self.assertEqual(self.factory.numPorts, 1)

    def test_accepts(self) -> None:
        """A client that connects gets a protocol."""
        port = self.listen()
        built: list[object] = []
        self.factory.buildProtocol = built.append  # type: ignore[assignment]  # it counts them
        self.assertTrue(self.is_served())
        port.doRead()
        self.assertEqual(len(built), 1)

    def test_stops(self) -> None:
        """At the end, the port removes the file, and the directory is as before."""
        port = self.listen()
        stopped = port.stopListening()
        self.assertTrue(self.path.exists())
        self.reactor.advance(0)
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(self.names(), [])
        self.assertEqual(self.factory.numPorts, 0)

    def test_abstract(self) -> None:
        """An abstract socket works, too, and its name is free afterwards."""
        name = f"\0chatd-test-{uuid4().hex}"
        port = self.listen(name)
        self.assertEqual(self.refusal(name), "Address already in use")
        self.close(port)
        self.close(self.listen(name))

    def test_directory_that_is_changed(self) -> None:
        """The file is also removed if the program has changed its directory."""
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory)
        port = self.listen("chat.sock")
        os.chdir("/")
        self.close(port)
        self.assertEqual(self.names(), [])


class ModeTests(UnixCase):
    """The mode is set on the socket only, even if another file replaces it."""

    def test_link_in_its_place(self) -> None:
        """The target of a link keeps its mode."""
        target = self.path.with_name("target")
        target.write_bytes(b"")
        target.chmod(0o600)
        self.path.symlink_to(target)
        with self.assertRaises(OSError):
            unix._set_mode(os.fsencode(self.path), 0o666)
        self.assertEqual(target.stat().st_mode & 0o777, 0o600)

    def test_file_in_its_place(self) -> None:
        """Another file keeps its mode."""
        self.path.write_bytes(b"")
        self.path.chmod(0o600)
        with self.assertRaisesRegex(OSError, "another file"):
            unix._set_mode(os.fsencode(self.path), 0o666)
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_elsewhere(self) -> None:
        """Without the system's support, the mode is set by path."""
        self.patch(os, "O_PATH", None)
        self.path.write_bytes(b"")
        unix._set_mode(os.fsencode(self.path), 0o640)
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o640)


class LeftBehindTests(UnixCase):
    """Files of others at the socket's path."""

    def test_unserved(self) -> None:
        """A socket that no program listens on is replaced."""
        self.make_socket(is_served=False)
        self.assertFalse(self.is_served())
        self.listen()
        self.assertTrue(self.is_served())

    def test_lock_of_twisted(self) -> None:
        """Twisted's lock file has no effect, with a running process or without."""
        lock = self.directory / "chat.sock.lock"
        for owner in (os.getpid(), 1, 2**30):
            lock.symlink_to(str(owner))
            self.make_socket(is_served=False)
            self.close(self.listen())
            self.assertEqual(os.readlink(lock), str(owner))
            lock.unlink()
        lock.write_text("precious")
        self.close(self.listen())
        self.assertEqual(lock.read_text(), "precious")

    def test_served(self) -> None:
        """The port leaves a socket with a listening program, even if its queue is full."""
        self.make_socket(is_served=True, backlog=0)
        before = self.path.stat()
        with socket.socket(socket.AF_UNIX) as client:
            self.assertEqual(self.refusal(), "another program listens there already")
            client.setblocking(False)
            self.assertRaises(BlockingIOError, client.connect, str(self.path))
            self.assertEqual(self.refusal(), "another program listens there already")
        self.assertTrue(os.path.samestat(self.path.stat(), before))

    def test_own(self) -> None:
        """The port leaves a socket on which the same process listens."""
        self.listen()
        self.assertEqual(self.refusal(), "another program listens there already")
        self.assertTrue(self.is_served())

    def test_other_kind(self) -> None:
        """The port leaves a socket of another kind: nobody can see whether it is in use."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
            datagrams.bind(str(self.path))
            self.assertIn("cannot tell whether another program listens there: ", self.refusal())
        self.assertEqual(self.names(), ["chat.sock"])

    def test_no_socket(self) -> None:
        """The port leaves a file, a directory or a link, with any target of the link."""
        target = self.directory / "target"
        target.write_text("precious")
        for make in (
            lambda: self.path.write_text("precious"),
            self.path.mkdir,
            lambda: self.path.symlink_to("nowhere"),
            lambda: self.path.symlink_to(target),
        ):
            make()
            before = self.path.lstat()
            self.assertEqual(self.refusal(), "there is a file that is not a socket")
            self.assertTrue(os.path.samestat(self.path.lstat(), before))
            (self.path.rmdir if stat.S_ISDIR(before.st_mode) else self.path.unlink)()
        self.assertEqual(target.read_text(), "precious")

    def test_cannot_be_removed(self) -> None:
        """For another user's socket in a directory such as /tmp, the error names the cause."""
        self.make_socket(is_served=False)

        def refuse(path: bytes) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        self.patch(os, "unlink", refuse)
        self.assertEqual(
            self.refusal(),
            "no program listens there, and the old socket cannot be removed: "
            "Operation not permitted",
        )


class FailureTests(UnixCase):
    """A socket that cannot be made leaves no file."""

    def test_no_directory(self) -> None:
        """The port reports the system's error for the directory."""
        self.assertEqual(
            self.refusal(self.directory / "none" / "chat.sock"), "No such file or directory"
        )
        (self.directory / "file").write_text("")
        self.assertEqual(self.refusal(self.directory / "file" / "chat.sock"), "Not a directory")
        self.assertIn("too long", self.refusal(self.directory / ("x" * 108)))

    def test_later_step(self) -> None:
        """If a later step fails, the port removes the file again."""
        self.assertRaises(OverflowError, self.listen, backlog=2**40)
        self.assertEqual(self.names(), [])

    def test_earlier_socket_stays(self) -> None:
        """An earlier socket stays if the attempt fails."""
        self.make_socket(is_served=True)
        self.refusal()
        self.assertTrue(self.is_served())


class OwnershipTests(UnixCase):
    """A port removes only the file that it made."""

    def test_successor(self) -> None:
        """The port leaves the socket of a successor."""
        before = self.listen()
        self.path.unlink()
        self.listen()
        self.close(before)
        self.assertTrue(self.is_served())

    def test_gone(self) -> None:
        """A missing file is no error."""
        port = self.listen()
        self.path.unlink()
        with capturedLogs() as events:
            self.close(port)
        self.assertEqual([event for event in events if event["log_level"] > LogLevel.info], [])

    def test_without_privileges(self) -> None:
        """If the file cannot be removed, the port logs a line, and the next daemon replaces it."""
        port = self.listen()

        def refuse(path: bytes) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        with capturedLogs() as events:
            patched = self.patch(os, "unlink", refuse)
            self.close(port)
            patched.restore()
        (warning,) = [event for event in events if event["log_level"] is LogLevel.warn]
        self.assertEqual(formatEvent(warning), f"cannot remove {self.path}: Permission denied")
        self.listen()
        self.assertTrue(self.is_served())


class AtOnceTests(UnixCase):
    """Daemons that start at the same moment look at the directory in turn."""

    def setUp(self) -> None:
        super().setUp()
        self.make_socket(is_served=False)
        self.waits = 0
        self.lock = os.open(self.directory, os.O_RDONLY)
        self.addCleanup(os.close, self.lock)
        fcntl.flock(self.lock, fcntl.LOCK_EX)

    def meanwhile(self, act: Callable[[], object]) -> None:
        """Run a function during the wait for the lock."""

        def wait(seconds: float) -> None:
            self.waits += 1
            act()

        self.patch(filelock, "sleep", wait)

    def test_waits(self) -> None:
        """The second daemon waits until the first has its socket, and then sees it."""

        def finish() -> None:
            self.path.unlink()  # the other daemon has removed nothing so far
            self.make_socket(is_served=True)
            fcntl.flock(self.lock, fcntl.LOCK_UN)

        self.meanwhile(finish)
        self.assertEqual(self.refusal(), "another program listens there already")
        self.assertEqual(self.waits, 1)

    def test_locked_for_another_reason(self) -> None:
        """A program that keeps the directory locked does not keep a daemon from starting."""
        now = [0.0]
        for module in (unix, filelock):
            self.patch(module, "monotonic", lambda: now[0])
        self.meanwhile(lambda: now.__setitem__(0, now[0] + unix.LOCK_WAIT_S / 2))
        self.listen()
        self.assertEqual(self.waits, 2)

    def test_no_locks(self) -> None:
        """On a file system without locks, a daemon starts without a lock."""

        def refuse(number: int, operation: int) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        self.patch(fcntl, "flock", refuse)
        self.listen()
        self.assertTrue(self.is_served())

    def test_lock_is_dropped(self) -> None:
        """The daemon holds the lock while it makes the socket, not while it listens."""
        fcntl.flock(self.lock, fcntl.LOCK_UN)
        self.listen()
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


class AdoptedTests(UnixCase):
    """The port leaves a socket that another process has made."""

    def test_left_alone(self) -> None:
        """The port serves the socket; its mode, queue, file and its maker's use of it stay."""
        made = self.make_socket(is_served=True)
        self.path.chmod(0o660)
        port = adopt_unix(self.reactor, made.fileno(), self.factory)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o660)
        self.assertIn(port, self.reactor.readers)
        self.close(port)
        self.assertEqual(self.names(), ["chat.sock"])
        self.assertTrue(self.is_served())  # after a shutdown of the socket it would not be
        made.accept()[0].close()

    def test_no_socket(self) -> None:
        """A descriptor that is not a socket's is the system's error."""
        with open(os.devnull) as null:
            self.assertRaises(OSError, adopt_unix, self.reactor, null.fileno(), self.factory)
