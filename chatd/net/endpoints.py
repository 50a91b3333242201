"""Endpoint strings: Twisted's, with errors of one line that say what to do."""

from __future__ import annotations

import re
from typing import Any, cast

from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint

from chatd.errors import ConfigurationError

__all__ = ["BACKLOG", "client_endpoint", "server_endpoint"]

BACKLOG = 1024
"""How many connections may wait to be accepted; Twisted's own 50 lets a storm of them starve."""

_TAKES_BACKLOG = re.compile(r"(tcp|tcp6|ssl|unix):")
_HAS_BACKLOG = re.compile(r"(?<!\\):backlog=")
# What Twisted and its parsers raise for a bad string.
_WRONG_ARGUMENTS = (IndexError, TypeError, KeyError, AttributeError)
_BAD_STRING = (*_WRONG_ARGUMENTS, ValueError, OSError, ImportError)


def server_endpoint(reactor: Any, description: str) -> IStreamServerEndpoint:  # noqa: ANN401
    """Make a server endpoint from a string such as `tcp:9999` or `unix:/run/chat.sock`.

    Raises:
        ConfigurationError: It is no server endpoint string.
    """
    if _TAKES_BACKLOG.match(description) and not _HAS_BACKLOG.search(description):
        description = f"{description}:backlog={BACKLOG}"
    try:
        return cast(IStreamServerEndpoint, serverFromString(reactor, description))
    except _BAD_STRING as error:
        raise _bad_endpoint(description, error, "tcp:9999 or unix:/tmp/chat.sock") from error


def client_endpoint(reactor: Any, description: str) -> IStreamClientEndpoint:  # noqa: ANN401
    """Make a client endpoint from a string such as `tcp:localhost:9999` or `unix:/run/chat.sock`.

    Raises:
        ConfigurationError: It is no client endpoint string.
    """
    try:
        return cast(IStreamClientEndpoint, clientFromString(reactor, description))
    except _BAD_STRING as error:
        raise _bad_endpoint(
            description, error, "tcp:localhost:9999 or unix:/tmp/chat.sock"
        ) from error


def _bad_endpoint(description: str, error: Exception, example: str) -> ConfigurationError:
    given = _HAS_BACKLOG.split(description)[0]
    why = "its arguments do not fit" if isinstance(error, _WRONG_ARGUMENTS) else error
    return ConfigurationError(f"bad endpoint {given!r}: {why}; one looks like {example}")
