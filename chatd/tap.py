"""The `chatd` command of `twistd` and `twist`: its options, and the service made from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, NoReturn

from twisted.application.service import IService
from twisted.python import usage

from chatd._version import __version__
from chatd.errors import ConfigurationError
from chatd.net.factory import HEARTBEAT_S
from chatd.service import DEFAULT_ENDPOINT, Settings, make_service
from chatd.wire.envelope import MAX_CONTENT
from chatd.wire.messages import (
    MAX_HEARTBEAT_S,
    MAX_MAX_CONTENT,
    MIN_HEARTBEAT_S,
    MIN_MAX_CONTENT,
)

__all__ = ["Options", "makeService"]


def _heartbeat(seconds: str) -> float:
    try:
        interval_s = float(seconds)
    except ValueError:
        interval_s = math.nan
    if not MIN_HEARTBEAT_S <= interval_s <= MAX_HEARTBEAT_S:
        raise usage.UsageError(
            f"--heartbeat {seconds}: it takes {MIN_HEARTBEAT_S} to {MAX_HEARTBEAT_S:g} seconds"
        )
    return interval_s


def _max_content(number: str) -> int:
    try:
        max_content = int(number)
    except ValueError:
        max_content = 0
    if not MIN_MAX_CONTENT <= max_content <= MAX_MAX_CONTENT:
        raise usage.UsageError(
            f"--max-content {number}: it takes {MIN_MAX_CONTENT} to {MAX_MAX_CONTENT} bytes"
        )
    return max_content


class Options(usage.Options):
    """The daemon's options."""

    synopsis = "[--endpoint ENDPOINT]... [--key-file FILE] [options]"
    longdesc = (
        "A chat and message daemon. People connect with 'chatd connect', programs with the "
        "library; see 'chatd --help'."
    )

    optParameters: ClassVar[list[list[object]]] = [
        ["key-file", "k", None, "Key file, made by 'chatd keygen': encrypts everything."],
        [
            "heartbeat",
            None,
            HEARTBEAT_S,
            "Seconds between two pings; three silent intervals end a session.",
            _heartbeat,
        ],
        ["max-content", None, MAX_CONTENT, "Longest content of a message, in bytes.", _max_content],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["endpoints"] = []
        self._is_refused = False

    def opt_endpoint(self, description: str) -> None:
        """Listen on this Twisted server endpoint; may be given often."""
        self["endpoints"].append(description)

    opt_endpoint.__doc__ = (
        "Twisted server endpoint to listen on, such as unix:/run/chat.sock; may be given several "
        f"times. [default: {DEFAULT_ENDPOINT}]"
    )
    opt_e = opt_endpoint

    def opt_version(self) -> NoReturn:
        """Print chatd's version, and exit."""
        print(f"chatd {__version__}")
        raise SystemExit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the options.

        Raises:
            UsageError: One of them is wrong.
        """
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            self._is_refused = True
            raise usage.UsageError(" ".join(str(error).split())) from error

    def getUsage(self, width: int | None = None) -> str:
        """Return the help; twistd prints it before an error too, where one line is enough."""
        return "" if self._is_refused else str(super().getUsage(width))

    def postOptions(self) -> None:
        """Put the daemon together, so that what is wrong with it is a usage error."""
        from twisted.internet import reactor  # noqa: PLC0415  (where the program starts)

        settings = Settings(
            endpoints=tuple(self["endpoints"]) or (DEFAULT_ENDPOINT,),
            key_file=self["key-file"],
            heartbeat_s=self["heartbeat"],
            max_content=self["max-content"],
        )
        try:
            self["service"] = make_service(reactor, settings)
        except ConfigurationError as error:
            raise usage.UsageError(str(error)) from error


def makeService(options: Options) -> IService:
    """Return the daemon's service; twistd calls it with the parsed options."""
    service: IService = options["service"]
    return service
