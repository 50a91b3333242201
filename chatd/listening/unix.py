"""UNIX sockets for listening: sockets of the daemon's own, and sockets that were handed over.

Twisted's port relies on a lock file with a process id to tell whether another program listens. It
also changes the mode of every socket, and deletes its file at the end, even if another program made
it. chatd connects to the socket to find out, and changes and deletes only its own files.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.config.filelock import lock_until

__all__ = ["SocketFile", "UnixPort", "adopt_unix", "listen_unix"]

LOCK_WAIT_S = 1.0
"""How long to wait for another daemon that starts in the same directory, in seconds. A daemon holds
the lock for less than a millisecond; a program that holds it for longer is not a daemon."""


class SocketFile:
    """The file of a socket that this process has made.

    Args:
        path: The path of the existing file. While the socket is open, the file's inode identifies
            it: the system does not give it to another file.
    """

    log = Logger()

    def __init__(self, path: bytes) -> None:
        self._path = os.path.abspath(path)  # a program may change its directory
        self._identity = self._look()

    def remove(self) -> None:
        """Remove the file, unless another file has its path; call this before the socket closes.

        If the file cannot be removed, for example without privileges, log a warning: a daemon can
        still start there again.
        """
        try:
            if self._look() == self._identity:
                os.unlink(self._path)
        except FileNotFoundError:
            pass
        except OSError as error:
            self.log.warn(
                "cannot remove {path}: {why}", path=os.fsdecode(self._path), why=error.strerror
            )

    def _look(self) -> tuple[int, int]:
        found = os.lstat(self._path)
        return found.st_dev, found.st_ino


class UnixPort(unix.Port):
    """A port on a UNIX socket that is bound and listens already.

    Args:
        listening: The socket.
        factory: Serves the connections.
        reactor: The reactor.
        file: The socket's file, removed when the port closes; None if another process made the
            file, or if there is no file.
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
        """Remove the file while the socket listens, so that no other program replaces it before."""
        if self._file is not None:
            self._file.remove()
        tcp.Port.connectionLost(self, reason)  # Twisted's UNIX port would delete any file


class _AdoptedUnixPort(UnixPort):
    """A port on a socket that other processes hold open, too, and go on using."""

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

    An existing socket is replaced if no program listens on it.

    Args:
        reactor: The reactor.
        path: The socket's path; a name that begins with NUL is abstract, without a file.
        factory: Serves the connections.
        backlog: How many connections may wait to be accepted.
        mode: The mode of the socket's file.

    Raises:
        OSError: Another program listens there, another kind of file is there, or the system
            refuses. In these cases, no new file stays.
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
        factory: Serves the connections.

    Raises:
        OSError: The descriptor is not a socket's.
    """
    listening = socket.fromfd(descriptor, socket.AF_UNIX, socket.SOCK_STREAM)
    port = _AdoptedUnixPort(listening, factory, reactor)
    port.startListening()
    return port


def _bind(listening: socket.socket, path: bytes, mode: int, backlog: int) -> SocketFile:
    """Bind a socket to a path, and listen; leave no new file behind if that fails."""
    _remove_unserved(path)
    listening.bind(path)
    file = SocketFile(path)
    try:
        _set_mode(path, mode)
        listening.listen(backlog)  # only now can clients connect, with the mode set
    except BaseException:
        file.remove()
        raise
    return file


def _set_mode(path: bytes, mode: int) -> None:
    """Set the mode of a socket's file, but not of another file that has replaced it.

    Raises:
        OSError: Another file has replaced it.
    """
    as_path = getattr(os, "O_PATH", None)
    if as_path is None:  # only Linux has it
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
    """Remove the file of a socket if no program listens on it.

    Raises:
        OSError: A program listens, the file is not a socket, or it cannot be removed.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise OSError(errno.EEXIST, "there is a file that is not a socket")
    if _is_served(path):
        raise OSError(errno.EADDRINUSE, "another program listens there already")
    try:
        os.unlink(path)
    except OSError as error:
        raise OSError(
            error.errno,
            f"no program listens there, and the old socket cannot be removed: {error.strerror}",
        ) from error


def _is_served(path: bytes) -> bool:
    """Return whether a program listens on a socket; if none does, the system refuses to connect.

    Raises:
        OSError: The system does not know.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return False
        except BlockingIOError:  # the queue of waiting connections is full
            return True
        except OSError as error:
            raise OSError(
                error.errno, f"cannot tell whether another program listens there: {error.strerror}"
            ) from error
    return True


@contextmanager
def _alone_in(directory: bytes) -> Iterator[None]:
    """Keep other daemons from making a socket in a directory.

    Otherwise, two daemons could find the same unused socket at the same moment, and the second
    could remove the new socket of the first. The lock is on the directory itself: it leaves no file
    behind, and the system drops it however the process ends. If the directory cannot be locked, go
    on without a lock: a real problem will show as an error in binding.
    """
    try:
        number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        number = -1
    try:
        if number >= 0:
            lock_until(number, monotonic() + LOCK_WAIT_S)  # other programs may have it for long
        yield
    finally:
        if number >= 0:
            os.close(number)
