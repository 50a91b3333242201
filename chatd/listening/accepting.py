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

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

__all__ = ["RETRY_S", "SPARED", "Acceptor", "room_for_more"]

SPARED = 16
"""How many descriptors are left for what is no connection: the store, a log, a file read anew."""
RETRY_S = 0.25
"""How long nothing is accepted before it is tried again, in seconds."""


class Acceptor:
    """Stands between a port and its listening socket.

    When the descriptors run out, Twisted accepts every connection that waits, and closes it. Here
    one goes for each that waits, or, where nobody may be cut off, those that wait go on waiting in
    the system's queue until others have gone.

    Args:
        clock: What tells the time.
        port: A port of Twisted's, which is listening. It must be one that has a socket.
        make_room: Cuts a connection off, so that its descriptor is free in the reactor's next turn,
            and says whether there was one. Asked at most once for each connection that waits.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        port: Any,  # noqa: ANN401
        make_room: Callable[[], bool],
    ) -> None:
        self._clock = clock
        self._port = port
        self._make_room = make_room
        self._socket: socket.socket = port.socket
        self._retry: IDelayedCall | None = None
        self._is_full = False
        self._has_made_room = False  # for the one that is accepted next
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

    def _find_room(self) -> None:
        """Have a connection go for the one that waits, or accept none for a while."""
        if not self._is_full:
            self._is_full = True
            self.log.warn(
                "the file descriptors run out: connections without a session are cut off for those "
                "that come, or else none is accepted until others are closed; give the daemon more "
                "of them (ulimit -n), or let it take fewer sessions"
            )
        # Without a descriptor some systems say so even where nobody waits.
        if self._is_anybody_waiting() and self._make_room():
            self._has_made_room = True  # and the port looks again in its next turn
        else:
            self._shut()

    def _shut(self) -> None:
        self._port.stopReading()
        self._retry = self._clock.callLater(RETRY_S, self._open)

    def _open(self) -> None:
        self._retry = None
        self._port.startReading()


def room_for_more() -> float:
    """Return how many descriptors there are beside those that are spared; less than 0 for none."""
    try:
        number = os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return -SPARED
    os.close(number)
    return _first_spared() - number


def _is_spared(number: int) -> bool:
    """Say whether a descriptor is one of the last: the system gives out the lowest that is free."""
    return number >= _first_spared()


def _first_spared() -> float:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return math.inf if most == resource.RLIM_INFINITY else most - SPARED


def _again() -> OSError:
    return BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
