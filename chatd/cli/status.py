"""The exit statuses of the `chatd` command, and the error line of each failure."""

from __future__ import annotations

import errno
import os
from enum import IntEnum

from twisted.internet.error import ConnectError, DNSLookupError

from chatd.client.endpoints import cannot_connect
from chatd.errors import ChatError, ConfigurationError, ErrorCode, SessionEnded
from chatd.transport.loss import NO_TLS, UNTRUSTED

__all__ = ["INSTEAD_OF_TCP", "MEANINGS", "Status", "explain"]

INSTEAD_OF_TCP = (
    "write tls: instead of tcp: if the server uses TLS, and ws://HOST:PORT/ws (with TLS, wss://) "
    "for a port of --web"
)
"""The hint about a server that says nothing over TCP: it may wait for the client to speak first."""

_REFUSALS = frozenset(
    {
        ErrorCode.KEY_REQUIRED,
        ErrorCode.KEY_UNEXPECTED,
        ErrorCode.WRONG_KEY,
        ErrorCode.BAD_MAC,
        ErrorCode.BAD_NAME,
        ErrorCode.NAME_TAKEN,
        ErrorCode.AUTH_REQUIRED,
        ErrorCode.AUTH_FAILED,
        ErrorCode.AUTH_IN_CLEAR,
        ErrorCode.TOO_MANY_ATTEMPTS,
        ErrorCode.BANNED,
    }
)

_TO_LOG_IN = " (--name, and --password or --password-file)"
_TO_TRUST = (
    " (it has expired, or no authority that you trust signed it; tls: trusts the certificates in a "
    "directory with trustRoots=DIRECTORY)"
)
_DISTRUSTED = " (it has expired, or no certificate in the directory of {argument}= signed it)"


class Status(IntEnum):
    """The exit statuses of the command."""

    DONE = 0
    LOST = 1
    """The client could not connect or lost the connection, or a message was not confirmed."""
    USAGE = 2
    """An option, a file or a line of it is wrong."""
    REFUSED = 3
    """The server refused the key, the name or the password, or the client is banned."""
    HUNG_UP = 129
    """SIGHUP: the terminal has closed."""
    INTERRUPTED = 130
    """Ctrl+C, or SIGINT."""
    TERMINATED = 143
    """SIGTERM."""

    @classmethod
    def of_signal(cls, number: int) -> Status:
        """Return the status of a command that a signal ended, by the convention of shells."""
        return cls(128 + number)


MEANINGS = {
    Status.DONE: "done: the server has confirmed everything that was sent",
    Status.LOST: "the client could not connect or lost the connection, a message was refused or "
    "not confirmed, or an operator ended the session",
    Status.USAGE: "an option, an address, a file or a line of it is wrong; the other lines are "
    "sent",
    Status.REFUSED: "the server refused the key, the password or the name, or the name or address "
    "is banned",
    Status.HUNG_UP: "SIGHUP, as when the terminal closes. For 129, 130 and 143, the client first "
    "ends its session",
    Status.INTERRUPTED: "SIGINT, or Ctrl+C",
    Status.TERMINATED: "SIGTERM",
}
"""The meaning of each exit status, for the manual."""


def explain(error: BaseException, endpoint: str) -> tuple[Status, str]:
    """Return the exit status for an error, and the line to show.

    Args:
        error: The error.
        endpoint: The endpoint that the command connects to.
    """
    if isinstance(error, SessionEnded):
        status = Status.REFUSED if error.code in _REFUSALS else Status.LOST
        reason = error.reason or f"the server ended the session ({error.code})"
        if error.code == ErrorCode.AUTH_REQUIRED:
            reason += _TO_LOG_IN
        elif error.code == ErrorCode.CONNECTION_LOST and UNTRUSTED in reason:
            given = [each for each in ("trustRoots", "caCertsDir") if f":{each}=" in endpoint]
            reason += _DISTRUSTED.format(argument=given[0]) if given else _TO_TRUST
        elif error.code == ErrorCode.CONNECTION_LOST and NO_TLS in reason:
            reason += "; the server may not use TLS there"
        elif error.code == ErrorCode.HANDSHAKE_TIMEOUT and endpoint.startswith("tcp:"):
            reason += f"; {INSTEAD_OF_TCP}"
        return status, reason
    if isinstance(error, ConfigurationError):
        return Status.USAGE, str(error)
    if isinstance(error, ChatError):
        return Status.LOST, str(error)
    if isinstance(error, DNSLookupError):
        return Status.LOST, f"cannot connect to {endpoint}: there is no such host"
    if isinstance(error, (ConnectError, OSError)):
        return Status.LOST, cannot_connect(endpoint, _why_unconnected(error))
    return Status.LOST, f"internal error: {type(error).__name__}: {error}"


def _why_unconnected(error: ConnectError | OSError) -> str:
    """Return why an attempt to connect failed, in the system's words if it has any."""
    number = error.osError if isinstance(error, ConnectError) else error.errno
    if number and number > 0:  # the resolver's own numbers are negative
        is_absent = number in (errno.ECONNREFUSED, errno.ENOENT)
        return os.strerror(number) + ("; is the server running?" if is_absent else "")
    return str(error.args[0] if error.args and error.args[0] else error)
