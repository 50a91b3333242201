"""What endpoint strings of servers and clients have in common: bounds, and their errors."""

from __future__ import annotations

from OpenSSL import SSL, crypto

from chatd.errors import ConfigurationError
from chatd.transport.loss import reasons_of

__all__ = ["MAX_PORT", "MAX_SOCKET_PATH", "bad_endpoint", "why_refused"]

MAX_SOCKET_PATH = 107
"""Bytes of a UNIX socket's path, which the system gives 108 with the NUL at its end (unix(7))."""
MAX_PORT = 65_535
"""The highest port."""
_WRONG_ARGUMENTS = (IndexError, TypeError, KeyError, AttributeError, RuntimeError)


def bad_endpoint(description: str, error: Exception, example: str) -> ConfigurationError:
    """Return the error that says what is wrong with an endpoint.

    Args:
        description: The endpoint string, or what else errors are to call the endpoint.
        error: What Twisted or a check of it raised.
        example: What a right one looks like.
    """
    if isinstance(error, ConfigurationError):  # it says what is to be done, which is another thing
        return ConfigurationError(f"bad endpoint {description!r}: {error}")
    is_of_arguments = isinstance(error, _WRONG_ARGUMENTS)
    why = "its arguments do not fit" if is_of_arguments else why_refused(error).rstrip(".")
    return ConfigurationError(f"bad endpoint {description!r}: {why}; one looks like {example}")


def why_refused(error: Exception) -> str:
    """Say in one line why a string or its files were refused."""
    if isinstance(error, (SSL.Error, crypto.Error)):
        return f"a file is damaged, or no PEM: {reasons_of(error)}"
    return " ".join(str(error).split()) or type(error).__name__
