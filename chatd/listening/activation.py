"""Sockets from systemd: endpoints for them, and checks that they match their endpoint strings.

Twisted reads the variables of sd_listen_fds(3) when its endpoints are imported, and gives no
helpful error for missing sockets.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Any, cast

from twisted.internet.endpoints import AdoptedStreamServerEndpoint, serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint

from chatd.errors import ConfigurationError

__all__ = ["adopted_endpoint", "check_adopted"]

_PID = "LISTEN_PID"


def adopted_endpoint(
    reactor: Any,  # noqa: ANN401
    description: str,
    socket_mode: int | None = None,
) -> IStreamServerEndpoint:
    """Make an endpoint from a string such as `systemd:domain=UNIX:index=0`.

    Args:
        reactor: The reactor.
        description: The string.
        socket_mode: The operator's mode for UNIX sockets, or None.

    Raises:
        ConfigurationError: No such socket was handed over, or it has another kind, or the operator
            gave a mode for it: systemd sets the mode of its sockets.
        Exception: Any exception of Twisted's parser for other faults.
    """
    try:
        endpoint = cast(AdoptedStreamServerEndpoint, serverFromString(reactor, description))
    except IndexError as error:
        raise ConfigurationError(_why_not_by_index(_count_given(reactor))) from error
    except KeyError as error:
        raise ConfigurationError(_why_not_by_name(_count_given(reactor))) from error
    check_adopted(endpoint.fileno, endpoint.addressFamily)
    if socket_mode is not None and endpoint.addressFamily == socket.AF_UNIX:
        raise ConfigurationError(
            "--socket-mode does not change a socket that was handed over: set SocketMode= in its "
            ".socket unit, and mode= in the endpoints of other UNIX sockets"
        )
    return cast(IStreamServerEndpoint, endpoint)


def check_adopted(descriptor: int, family: int) -> None:
    """Check that a descriptor is a listening stream socket of a family.

    Raises:
        ConfigurationError: It is not.
    """
    try:
        handed_over = socket.socket(fileno=os.dup(descriptor))
    except OSError as error:
        raise ConfigurationError(
            f"the descriptor that was handed over is not a socket: {error.strerror}"
        ) from error
    with handed_over:
        if handed_over.family != family:
            right = socket.AddressFamily(handed_over.family).name.removeprefix("AF_")
            raise ConfigurationError(f"the socket that was handed over has domain={right}")
        if not _is_listening(handed_over):
            raise ConfigurationError(
                "the socket that was handed over does not listen: set ListenStream= and "
                "Accept=no in the .socket unit"
            )


def _is_listening(handed_over: socket.socket) -> bool:
    is_stream = handed_over.type == socket.SOCK_STREAM
    return is_stream and bool(handed_over.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _why_not_by_index(count: int) -> str:
    if count == 0:
        return _why_none()
    sockets = "1 socket was" if count == 1 else f"{count} sockets were"
    return f"{sockets} handed over, and the last has index={count - 1}"


def _why_not_by_name(count: int) -> str:
    if count == 0:
        return _why_none()
    return (
        "no socket of that name was handed over: name it with FileDescriptorName= in the .socket "
        "unit"
    )


def _why_none() -> str:
    pid = os.environ.get(_PID)
    if pid is None:
        return (
            f"no socket was handed over: systemd sets {_PID}, LISTEN_FDS and LISTEN_FDNAMES for "
            "that, and not all of them are set"
        )
    return (
        f"the sockets were handed over to process {pid} ({_PID}), and this is process "
        f"{os.getpid()}: a shell or a wrapper between the two must exec"
    )


def _count_given(reactor: Any) -> int:  # noqa: ANN401
    """Return the number of sockets that were handed over."""
    count = 0
    with suppress(IndexError):
        while True:
            serverFromString(reactor, f"systemd:domain=UNIX:index={count}")
            count += 1
    return count
