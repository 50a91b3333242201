"""`Door`: accepts connections only while there are file descriptors to spare."""

from __future__ import annotations

import errno
import os
import resource
import select
import socket
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

__all__ = ["RETRY_S", "SPARED", "Door"]

SPARED = 16
"""How many descriptors are left for what is no connection: the store, a log, a file read anew."""
RETRY_S = 0.25
"""How long nothing is accepted before it is tried again, in seconds."""


class Door:
    """Stands between a port and its listening socket.

    When the descriptors run out, Twisted accepts every connection that waits, and closes it. Here
    those that wait go on waiting in the system's queue, until others have gone.

    Args:
        clock: What tells the time.
        port: A port of Twisted's, which is listening. It must be one that has a socket.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, port: Any) -> None:  # noqa: ANN401
        self._clock = clock
        self._port = port
        self._socket: socket.socket = port.socket
        self._retry: IDelayedCall | None = None
        self._is_full = False
        port.socket = self

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._socket, name)

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection, if there is one and if there is room for it.

        Raises:
            OSError: EAGAIN, as where there is none, or what else the system says.
        """
        if self._retry is not None:
            raise _again()
        if not self._has_room():
            if self._is_anybody_waiting():
                self._shut()
            raise _again()
        try:
            connection, address = self._socket.accept()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            self._shut()
            raise _again() from error
        if self._is_full and not self._is_anybody_waiting():
            self._is_full = False
            self.log.info("accepting connections again")
        return connection, address

    def close(self) -> None:
        """Close the socket, and wait for nothing any more."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._socket.close()

    def _has_room(self) -> bool:
        """Say whether a connection would get a number that is not spared."""
        try:
            number = os.dup(self._socket.fileno())
        except OSError:
            return False
        os.close(number)
        return not _is_spared(number)

    def _is_anybody_waiting(self) -> bool:
        """Say whether others who connected were not accepted yet."""
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def _shut(self) -> None:
        self._port.stopReading()
        self._retry = self._clock.callLater(RETRY_S, self._open)
        if not self._is_full:
            self._is_full = True
            self.log.warn(
                "the file descriptors run out: no connection is accepted until others are closed; "
                "give the daemon more of them (ulimit -n), or let it take fewer sessions"
            )

    def _open(self) -> None:
        self._retry = None
        self._port.startReading()


def _is_spared(number: int) -> bool:
    """Say whether a descriptor is one of the last: the system gives out the lowest that is free."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return most != resource.RLIM_INFINITY and number >= most - SPARED


def _again() -> OSError:
    return BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
