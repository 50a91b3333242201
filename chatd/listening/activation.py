"""What systemd hands over at the start: whether it is what an endpoint string says it is.

Twisted reads the variables of sd_listen_fds(3) when its endpoints are imported, and says nothing of
what they do not hold.
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
    """Make an endpoint of a string such as `systemd:domain=UNIX:index=0`.

    Args:
        reactor: The reactor.
        description: The string.
        socket_mode: The mode that UNIX sockets are to have; None where the operator wants none.

    Raises:
        ConfigurationError: No such socket was handed over, or another kind of it, or its mode is to
            be changed, which is its maker's.
        Exception: Whatever Twisted's parser makes of other faults.
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
    """See that a descriptor is what an endpoint says: a listening stream socket of a family.

    Raises:
        ConfigurationError: It is not.
    """
    try:
        handed_over = socket.socket(fileno=os.dup(descriptor))
    except OSError as error:
        raise ConfigurationError(f"what was handed over is no socket: {error.strerror}") from error
    with handed_over:
        if handed_over.family != family:
            right = socket.AddressFamily(handed_over.family).name.removeprefix("AF_")
            raise ConfigurationError(f"the socket that was handed over has domain={right}")
        if not _is_listening(handed_over):
            raise ConfigurationError(
                "the socket that was handed over does not listen: it takes ListenStream= and "
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
            f"no socket was handed over: systemd tells of those in {_PID}, LISTEN_FDS and "
            "LISTEN_FDNAMES, and not all of them are set"
        )
    return (
        f"the sockets were handed over to process {pid} ({_PID}), and this is process "
        f"{os.getpid()}: a shell or a wrapper between the two must exec"
    )


def _count_given(reactor: Any) -> int:  # noqa: ANN401
    """Return how many sockets were handed over."""
    count = 0
    with suppress(IndexError):
        while True:
            serverFromString(reactor, f"systemd:domain=UNIX:index={count}")
            count += 1
    return count
