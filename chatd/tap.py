"""The `chatd` command of `twistd` and `twist`: its options, and the service made from them."""

from __future__ import annotations

import math
from typing import ClassVar, NoReturn

from twisted.application.service import IService
from twisted.python import usage

from chatd._version import __version__
from chatd.errors import ConfigurationError
from chatd.net.factory import HEARTBEAT_S
from chatd.service import DEFAULT_ENDPOINT, Settings, make_service
from chatd.wire.envelope import MAX_CONTENT

__all__ = ["Options", "makeService"]

MIN_HEARTBEAT_S = 0.1
MAX_MAX_CONTENT = 2**32 - 1 - 2**20
"""Largest limit that can be set: frames have 32-bit lengths, and hold more than the content."""


class Options(usage.Options):
    """The daemon's options."""

    synopsis = "[--endpoint ENDPOINT]... [--key-file FILE] [options]"
    longdesc = (
        "A chat and message daemon. People connect with 'chatd connect', programs with the "
        "library; see 'chatd --help'."
    )

    optParameters: ClassVar[list[list[object]]] = [
        ["key-file", "k", None, "Key file, made by 'chatd keygen': signs and encrypts everything."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["endpoints"] = []
        self["heartbeat"] = HEARTBEAT_S
        self["max-content"] = MAX_CONTENT

    def opt_endpoint(self, description: str) -> None:
        """Listen on this Twisted server endpoint; give it as often as you like.

        Such as tcp:9999, unix:/run/chat.sock, or ssl:9999:privateKey=k.pem:certKey=c.pem.
        """
        self["endpoints"].append(description)

    opt_e = opt_endpoint

    def opt_heartbeat(self, seconds: str) -> None:
        """Seconds between two pings; three silent intervals end a session."""
        try:
            interval_s = float(seconds)
        except ValueError:
            interval_s = math.nan
        if not MIN_HEARTBEAT_S <= interval_s < math.inf:
            _refuse("heartbeat", seconds, f"seconds, at least {MIN_HEARTBEAT_S}")
        self["heartbeat"] = interval_s

    def opt_max_content(self, number: str) -> None:
        """Longest content of a message, in bytes."""
        try:
            max_content = int(number)
        except ValueError:
            max_content = -1
        if not 0 < max_content <= MAX_MAX_CONTENT:
            _refuse("max-content", number, f"bytes, 1 to {MAX_MAX_CONTENT}")
        self["max-content"] = max_content

    def opt_version(self) -> NoReturn:
        """Print chatd's version, and exit."""
        print(f"chatd {__version__}")
        raise SystemExit(0)

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


def _refuse(option: str, value: str, wanted: str) -> NoReturn:
    raise usage.UsageError(f"--{option} {value}: it takes {wanted}")
