"""The `chatd` command of `twistd` and `twist`: its options, and the service made from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import ClassVar, NoReturn

import msgspec
from twisted.application.service import IService
from twisted.cred.credentials import IAnonymous, IUsernamePassword
from twisted.cred.strcred import AuthOptionMixin
from twisted.python import usage

from chatd._version import __version__
from chatd.chat.policy import Policy
from chatd.chat.rooms import LOBBY, PRESENCE_LIMIT
from chatd.errors import ConfigurationError
from chatd.net.factory import HEARTBEAT_S
from chatd.service import DEFAULT_ENDPOINT, Settings, make_service
from chatd.storage.interface import Retention
from chatd.storage.memory import MEMORY_RETENTION
from chatd.storage.sqlite import SQLITE_RETENTION, Durability
from chatd.wire.envelope import MAX_CONTENT
from chatd.wire.messages import (
    MAX_HEARTBEAT_S,
    MAX_MAX_CONTENT,
    MIN_HEARTBEAT_S,
    MIN_MAX_CONTENT,
)

__all__ = ["Options", "makeService"]

_DAY_S = 86_400.0
_MAX_DAYS = 36_500.0
_MAX_COUNT = 2**53


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


def _count(option: str, least: int) -> Callable[[str], int]:
    def convert(number: str) -> int:
        try:
            count = int(number)
        except ValueError:
            count = least - 1
        if not least <= count <= _MAX_COUNT:
            raise usage.UsageError(f"--{option} {number}: it takes a whole number from {least}")
        return count

    return convert


def _days(number: str) -> float:
    try:
        days = float(number)
    except ValueError:
        days = math.nan
    if not 0 < days <= _MAX_DAYS:
        raise usage.UsageError(f"--keep-days {number}: it takes days, more than 0")
    return days * _DAY_S


def _durability(name: str) -> Durability:
    try:
        return Durability(name)
    except ValueError:
        names = " or ".join(each.value for each in Durability)
        raise usage.UsageError(f"--durability {name}: it takes {names}") from None


class Options(usage.Options, AuthOptionMixin):
    """The daemon's options."""

    supportedInterfaces = (IUsernamePassword, IAnonymous)
    synopsis = "[--endpoint ENDPOINT]... [--key-file FILE] [--data DIR] [options]"
    longdesc = (
        "A chat and message daemon. People connect with 'chatd connect', programs with the "
        "library; see 'chatd --help'."
    )

    optParameters: ClassVar[list[list[object]]] = [
        ["key-file", "k", None, "Key file, made by 'chatd keygen': encrypts everything."],
        [
            "data",
            "d",
            None,
            "Directory in which what is said and who is banned is kept; in memory without it.",
        ],
        [
            "durability",
            None,
            Durability.FULL.value,
            "What a power cut can cost with --data: full, nothing that was confirmed; normal, the "
            "last moments, and it is faster.",
            _durability,
        ],
        [
            "keep-messages",
            None,
            None,
            "Messages kept of each room. [default: "
            f"{SQLITE_RETENTION.max_messages}; in memory {MEMORY_RETENTION.max_messages}]",
            _count("keep-messages", 1),
        ],
        [
            "keep-days",
            None,
            None,
            f"Days for which a message is kept. [default: {SQLITE_RETENTION.max_age_s / _DAY_S:g}]",
            _days,
        ],
        [
            "keep-bytes",
            None,
            None,
            "Bytes of content kept of each room. [default: "
            f"{SQLITE_RETENTION.max_bytes}; in memory {MEMORY_RETENTION.max_bytes}]",
            _count("keep-bytes", 1),
        ],
        ["password-file", None, None, "Password file, made by 'chatd passwd'; see --auth too."],
        [
            "presence-limit",
            None,
            PRESENCE_LIMIT,
            "In rooms with more members nobody is told who comes and goes.",
            _count("presence-limit", 0),
        ],
        [
            "heartbeat",
            None,
            HEARTBEAT_S,
            "Seconds between two pings; three silent intervals end a session.",
            _heartbeat,
        ],
        ["max-content", None, MAX_CONTENT, "Longest content of a message, in bytes.", _max_content],
    ]
    optFlags: ClassVar[list[list[object]]] = [
        ["no-room", None, "Let sessions into no room; each names or joins its own."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["endpoints"] = []
        self["rooms"] = []
        self["operators"] = []
        self._is_refused = False

    def opt_endpoint(self, description: str) -> None:
        """Listen on this Twisted server endpoint; may be given often."""
        self["endpoints"].append(description)

    opt_endpoint.__doc__ = (
        "Twisted server endpoint to listen on, such as unix:/run/chat.sock; may be given several "
        f"times. [default: {DEFAULT_ENDPOINT}]"
    )
    opt_e = opt_endpoint

    def opt_room(self, name: str) -> None:
        """Let each session into this room, not into lobby; may be given several times."""
        self["rooms"].append(name)

    def opt_operator(self, name: str) -> None:
        """Let whoever has this name kick and ban; may be given several times."""
        self["operators"].append(name)

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

        try:
            self["service"] = make_service(reactor, self._settings())
        except ConfigurationError as error:
            raise usage.UsageError(str(error)) from error

    def _settings(self) -> Settings:
        if self["no-room"] and self["rooms"]:
            raise usage.UsageError("--no-room and --room contradict each other")
        for option, what in (("data", "directory"), ("password-file", "file")):
            if self[option] == "":  # which would be the current directory
                raise usage.UsageError(f"--{option}: it takes a {what}")
        durability = Durability(self["durability"])
        if self["data"] is None and durability is not Durability.FULL:
            raise usage.UsageError("--durability is of what is kept with --data DIR")
        return Settings(
            endpoints=tuple(self["endpoints"]) or (DEFAULT_ENDPOINT,),
            key_file=self["key-file"],
            heartbeat_s=self["heartbeat"],
            max_content=self["max-content"],
            data=self["data"],
            durability=durability,
            keep=self._retention(),
            policy=Policy(
                rooms=() if self["no-room"] else tuple(self["rooms"]) or (LOBBY,),
                operators=tuple(self["operators"]),
                presence_limit=self["presence-limit"],
            ),
            password_file=self["password-file"],
            checkers=self.get("credCheckers", ()),
        )

    def _retention(self) -> Retention:
        """Return the store's own measure, but for what the operator decided."""
        usual = MEMORY_RETENTION if self["data"] is None else SQLITE_RETENTION
        given = {
            "max_messages": self["keep-messages"],
            "max_age_s": self["keep-days"],
            "max_bytes": self["keep-bytes"],
        }
        return msgspec.structs.replace(
            usual, **{name: value for name, value in given.items() if value is not None}
        )


def makeService(options: Options) -> IService:
    """Return the daemon's service; twistd calls it with the parsed options."""
    service: IService = options["service"]
    return service
