"""`Acceptor`: accepts connections only while there are file descriptors to spare."""

from __future__ import annotations

import errno
import math
import os
import resource
import select
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatd.transport.timer import Timer

__all__ = ["RETRY_S", "SPARED", "Acceptor", "room_for_more"]

SPARED = 16
"""How many descriptors are spared for other uses: the store, a log, a file that is read again."""
RETRY_S = 0.25
"""Seconds without accepting before the next attempt."""


class Acceptor:
    """Stands between a port and its listening socket.

    When the descriptors run out, Twisted accepts every waiting connection and closes it. Here, each
    waiting connection replaces a connection without a session. If every connection has a session,
    the waiting ones stay in the system's queue until others have closed.

    Args:
        clock: The reactor, or a test's clock.
        port: A listening Twisted port; it must have a socket.
        make_room: Aborts a connection, so that its descriptor is free in the reactor's next turn,
            and returns whether there was one. Called at most once for each waiting connection.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        port: Any,  # noqa: ANN401
        make_room: Callable[[], bool],
    ) -> None:
        self._port = port
        self._make_room = make_room
        self._socket: socket.socket = port.socket
        self._retry = Timer(clock)
        self._is_full = False
        self._has_made_room = False  # for the next connection
        port.socket = self

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._socket, name)

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection, if there is one and if there is room for it.

        Raises:
            OSError: EAGAIN if there is no connection or no room, or another error of the system.
        """
        if self._retry.is_running:
            raise _again()
        if not self._has_room():
            if self._is_anybody_waiting():
                self._find_room()
            raise _again()
        try:
            connection, address = self._socket.accept()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            self._find_room()
            raise _again() from error
        if self._has_made_room:
            self._has_made_room = False
        elif self._is_full and not self._is_anybody_waiting():
            self._is_full = False
            self.log.info("accepting connections again")
        return connection, address

    def close(self) -> None:
        """Close the socket, and cancel the next attempt."""
        self._retry.stop()
        self._socket.close()

    def _has_room(self) -> bool:
        """Return whether a connection would get a descriptor that is not spared."""
        try:
            number = os.dup(self._socket.fileno())
        except OSError:
            return False
        os.close(number)
        return not _is_spared(number)

    def _is_anybody_waiting(self) -> bool:
        """Return whether connections wait in the system's queue."""
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def _find_room(self) -> None:
        """Abort a connection for the one that waits, or stop accepting for `RETRY_S`."""
        if not self._is_full:
            self._is_full = True
            self.log.warn(
                "the file descriptors run out: each new connection replaces a connection without a "
                "session, or waits until another connection ends; give the daemon more file "
                "descriptors (ulimit -n), or fewer sessions (--max-sessions)"
            )
        # Without a free descriptor, some systems report an error even if no connection waits.
        if self._is_anybody_waiting() and self._make_room():
            self._has_made_room = True  # the port tries again in its next turn
        else:
            self._shut()

    def _shut(self) -> None:
        self._port.stopReading()
        self._retry.start(RETRY_S, self._port.startReading)


def room_for_more() -> float:
    """Return how many descriptors are free beside the spared ones; less than 0 if none are."""
    try:
        number = os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return -SPARED
    os.close(number)
    return _first_spared() - number


def _is_spared(number: int) -> bool:
    """Return whether a descriptor is spared: the last ones are, as the lowest are used first."""
    return number >= _first_spared()


def _first_spared() -> float:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return math.inf if most == resource.RLIM_INFINITY else most - SPARED


def _again() -> OSError:
    return BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
