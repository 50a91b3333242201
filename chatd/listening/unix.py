"""The UNIX sockets that a daemon listens on: those that it makes, and those that it was given.

Twisted's own port asks a lock file with a process id whether somebody listens, changes the mode of
every socket, and deletes its file at the end, whoever made it. Here the socket itself is asked, and
the daemon changes and deletes only the file that it made.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic, sleep
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

__all__ = ["SocketFile", "UnixPort", "adopt_unix", "listen_unix"]

LOCK_WAIT_S = 1.0
"""How long to wait for another daemon that starts in the same directory, in seconds. It takes less
than a millisecond there: whoever holds the lock for longer uses it for something else."""
LOCK_RETRY_S = 0.005
"""Seconds between two tries to get that lock."""


class SocketFile:
    """The file of a socket that this process has made.

    Args:
        path: Its path. The file is there, and stays the same one as long as the socket is open:
            the system gives its inode to no other file before.
    """

    log = Logger()

    def __init__(self, path: bytes) -> None:
        self._path = os.path.abspath(path)  # a program may change its directory
        self._identity = self._look()

    def remove(self) -> None:
        """Remove the file, unless it is another one by now; call this before the socket closes.

        A file that cannot be removed, as after privileges were given up, is told in the log: it
        does not keep a daemon from starting there again.
        """
        try:
            if self._look() == self._identity:
                os.unlink(self._path)
        except FileNotFoundError:
            pass
        except OSError as error:
            self.log.warn(
                "{path} stays behind: {why}", path=os.fsdecode(self._path), why=error.strerror
            )

    def _look(self) -> tuple[int, int]:
        found = os.lstat(self._path)
        return found.st_dev, found.st_ino


class UnixPort(unix.Port):
    """A port on a UNIX socket that is bound and listens already.

    Args:
        listening: The socket.
        factory: What serves its connections.
        reactor: The reactor.
        file: The socket's file, removed when the port closes; None where it is not this process's,
            or where there is none.
    """

    def __init__(
        self,
        listening: socket.socket,
        factory: IProtocolFactory,
        reactor: Any,  # noqa: ANN401
        file: SocketFile | None = None,
    ) -> None:
        super().__init__(listening.getsockname(), factory, reactor=reactor)
        listening.setblocking(False)
        self._listening = listening
        self._file = file

    def startListening(self) -> None:
        """Accept connections."""
        self.socket = self._listening
        self.fileno = self.socket.fileno  # type: ignore[method-assign]
        self.numberAccepts = 100
        assert self.factory is not None
        self.factory.doStart()
        self.connected = True
        self.startReading()

    def connectionLost(self, reason: Failure) -> None:
        """Remove the file while the socket still listens, so that nobody takes its place before."""
        if self._file is not None:
            self._file.remove()
        tcp.Port.connectionLost(self, reason)  # not Twisted's for UNIX, which deletes any file


class _AdoptedUnixPort(UnixPort):
    """A port on a socket that others hold open, too, and go on using."""

    _shouldShutdown = False


def listen_unix(
    reactor: Any,  # noqa: ANN401
    path: str | bytes,
    factory: IProtocolFactory,
    *,
    backlog: int,
    mode: int,
) -> UnixPort:
    """Make a UNIX socket, and listen on it.

    A socket that is there already and that nobody listens on is replaced.

    Args:
        reactor: The reactor.
        path: Where; a name that begins with NUL is an abstract one, without a file.
        factory: What serves its connections.
        backlog: How many connections may wait to be accepted.
        mode: The mode of its file.

    Raises:
        OSError: Somebody listens there already, or there is something else, or the system does not
            let it be made. Then nothing is left behind.
    """
    address = os.fsencode(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if address.startswith(b"\0"):
            listening.bind(address)
            listening.listen(backlog)
            file = None
        else:
            with _alone_in(os.path.dirname(address) or b"."):
                file = _bind(listening, address, mode, backlog)
    except BaseException:
        listening.close()
        raise
    port = UnixPort(listening, factory, reactor, file)
    port.startListening()
    return port


def adopt_unix(
    reactor: Any,  # noqa: ANN401
    descriptor: int,
    factory: IProtocolFactory,
) -> UnixPort:
    """Listen on a UNIX socket that another process has made, and leave its file alone.

    Args:
        reactor: The reactor.
        descriptor: A descriptor of the socket; it is copied, and stays open.
        factory: What serves its connections.

    Raises:
        OSError: It is no descriptor of a socket.
    """
    listening = socket.fromfd(descriptor, socket.AF_UNIX, socket.SOCK_STREAM)
    port = _AdoptedUnixPort(listening, factory, reactor)
    port.startListening()
    return port


def _bind(listening: socket.socket, path: bytes, mode: int, backlog: int) -> SocketFile:
    """Bind a socket to a path, and listen, as one step that leaves nothing where it fails."""
    _remove_unserved(path)
    listening.bind(path)
    file = SocketFile(path)
    try:
        _set_mode(path, mode)
        listening.listen(backlog)  # nobody could connect before the mode was right
    except BaseException:
        file.remove()
        raise
    return file


def _set_mode(path: bytes, mode: int) -> None:
    """Set the mode of a socket's file, and of no other that was put in its place meanwhile.

    Raises:
        OSError: There is another file.
    """
    as_path = getattr(os, "O_PATH", None)
    if as_path is None:  # of Linux
        os.chmod(path, mode)
        return
    descriptor = os.open(path, as_path | os.O_NOFOLLOW)
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise OSError(errno.EEXIST, "another file was put in its place")
        os.chmod(f"/proc/self/fd/{descriptor}", mode)
    finally:
        os.close(descriptor)


def _remove_unserved(path: bytes) -> None:
    """Remove a socket's file that nobody listens on.

    Raises:
        OSError: Somebody listens, or it is no socket, or it cannot be removed.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise OSError(errno.EEXIST, "there is a file that is no socket")
    if _is_served(path):
        raise OSError(errno.EADDRINUSE, "another program listens there already")
    try:
        os.unlink(path)
    except OSError as error:
        raise OSError(
            error.errno,
            f"nobody listens there any more, and its file cannot be removed: {error.strerror}",
        ) from error


def _is_served(path: bytes) -> bool:
    """Say whether somebody listens on a socket: the system refuses a connection where nobody does.

    Raises:
        OSError: The system does not tell.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return False
        except BlockingIOError:  # so many wait already that no more may
            return True
        except OSError as error:
            raise OSError(
                error.errno, f"cannot tell whether another program listens there: {error.strerror}"
            ) from error
    return True


@contextmanager
def _alone_in(directory: bytes) -> Iterator[None]:
    """Keep other daemons from making a socket in a directory meanwhile.

    Without that, of two that start at the same moment on a socket that nobody listens on, one could
    remove the other's. The lock is on the directory itself: there is no file to be left behind, and
    the system drops it when the process ends, however that is. Where the directory cannot be
    locked, it is done without: then binding says what is wrong, if anything is.
    """
    try:
        number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        number = -1
    try:
        if number >= 0:
            _lock(number)
        yield
    finally:
        if number >= 0:
            os.close(number)


def _lock(number: int) -> None:
    """Lock a file, or go on without after a while: others may lock it for their own purposes."""
    deadline = monotonic() + LOCK_WAIT_S
    with suppress(OSError):  # of a file system that has no locks
        while True:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if monotonic() >= deadline:
                    return
                sleep(LOCK_RETRY_S)
            else:
                return
