"""Limits and errors of endpoint strings, for servers and clients."""

from __future__ import annotations

import os

from OpenSSL import SSL, crypto

from chatd.errors import ConfigurationError
from chatd.transport.loss import reasons_of

__all__ = ["MAX_PORT", "MAX_SOCKET_PATH", "bad_endpoint", "check_socket_path", "why_refused"]

MAX_SOCKET_PATH = 107
"""Longest path of a UNIX socket, in bytes: the system has 108, with the final NUL (unix(7))."""
MAX_PORT = 65_535
"""The highest port."""
_WRONG_ARGUMENTS = (IndexError, TypeError, KeyError, AttributeError, RuntimeError)


def check_socket_path(path: str | bytes) -> None:
    """Check that a UNIX socket can have a path.

    Args:
        path: The path; a NUL at its beginning means a name in Linux's abstract namespace.

    Raises:
        ValueError: The path is empty or too long, or it contains a NUL byte.
    """
    path = os.fsencode(path)
    if not path:
        raise ValueError("it has no path")
    if b"\0" in path[1:]:
        raise ValueError("its path contains a NUL byte")
    if len(path) > MAX_SOCKET_PATH:
        raise ValueError(
            f"its path has {len(path)} bytes, and a UNIX socket's at most {MAX_SOCKET_PATH}"
        )


def bad_endpoint(description: str, error: Exception, example: str) -> ConfigurationError:
    """Return the error for an endpoint that cannot be used.

    Args:
        description: The endpoint string, or another description of the endpoint.
        error: The exception that Twisted or a check raised.
        example: An example of a valid endpoint.
    """
    if isinstance(error, ConfigurationError):  # it already says what to do, so needs no example
        return ConfigurationError(f"bad endpoint {description!r}: {error}")
    is_of_arguments = isinstance(error, _WRONG_ARGUMENTS)
    why = "its arguments are wrong" if is_of_arguments else why_refused(error).rstrip(".")
    return ConfigurationError(f"bad endpoint {description!r}: {why}; an example is {example}")


def why_refused(error: Exception) -> str:
    """Return, in one line, the reason why a string or its files were refused."""
    if isinstance(error, (SSL.Error, crypto.Error)):
        return f"a file is damaged or not PEM: {reasons_of(error)}"
    return " ".join(str(error).split()) or type(error).__name__
