"""The `chatd` command of `twistd` and `twist`: its options, and the service made from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NoReturn

import msgspec
from twisted.application.service import IService
from twisted.cred.credentials import IAnonymous, IUsernamePassword
from twisted.cred.strcred import AuthOptionMixin
from twisted.python import usage

from chatd._version import __version__
from chatd.chat.names import check_name, check_room
from chatd.chat.policy import Policy
from chatd.chat.rooms import LOBBY, MAX_ROOMS, PRESENCE_LIMIT
from chatd.daemon.build import make_service
from chatd.daemon.logfile import LogService, log_of
from chatd.daemon.options import (
    DAY_S,
    LIMIT_OPTIONS,
    as_count,
    as_durability,
    as_mode,
    as_name,
    as_seconds,
    as_seconds_of_days,
    limits_of,
)
from chatd.daemon.pidfile import check_pid_file
from chatd.daemon.process import allow_all_descriptors
from chatd.daemon.settings import DEFAULT_ENDPOINT, Settings
from chatd.errors import ConfigurationError
from chatd.listening.endpoints import SOCKET_MODE, is_stdio
from chatd.server.attempts import BURST as LOGINS_PER_MINUTE
from chatd.server.factory import GRACE_S, HEARTBEAT_S
from chatd.storage.interface import Retention
from chatd.storage.memory import MEMORY_RETENTION
from chatd.storage.sqlite.store import SQLITE_RETENTION, Durability
from chatd.transport.clock import go_by_monotonic_time
from chatd.wire.envelope import MAX_CONTENT
from chatd.wire.messages import (
    MAX_HEARTBEAT_S,
    MAX_MAX_CONTENT,
    MIN_HEARTBEAT_S,
    MIN_MAX_CONTENT,
)

__all__ = ["Options", "makeService"]


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
            as_durability,
        ],
        [
            "keep-messages",
            None,
            None,
            "Messages kept of each room. [default: "
            f"{SQLITE_RETENTION.max_messages}; in memory {MEMORY_RETENTION.max_messages}]",
            as_count("keep-messages"),
        ],
        [
            "keep-days",
            None,
            None,
            f"Days for which a message is kept. [default: {SQLITE_RETENTION.max_age_s / DAY_S:g}]",
            as_seconds_of_days,
        ],
        [
            "keep-bytes",
            None,
            None,
            "Bytes of content kept of each room. [default: "
            f"{SQLITE_RETENTION.max_bytes}; in memory {MEMORY_RETENTION.max_bytes}]",
            as_count("keep-bytes"),
        ],
        ["password-file", None, None, "Password file, made by 'chatd passwd'; see --auth too."],
        [
            "presence-limit",
            None,
            PRESENCE_LIMIT,
            "In rooms with more members nobody is told who comes and goes.",
            as_count("presence-limit", 0),
        ],
        [
            "heartbeat",
            None,
            HEARTBEAT_S,
            "Seconds between two pings; three silent intervals end a session.",
            as_seconds("heartbeat", MIN_HEARTBEAT_S, MAX_HEARTBEAT_S),
        ],
        [
            "max-content",
            None,
            MAX_CONTENT,
            "Longest content of a message, in bytes.",
            as_count("max-content", MIN_MAX_CONTENT, MAX_MAX_CONTENT),
        ],
        [
            "operator-file",
            None,
            None,
            "File with the names of more operators, one a line; see --operator.",
        ],
        [
            "socket-mode",
            None,
            None,
            "Mode of UNIX sockets whose endpoint says none; not of those that systemd hands over, "
            f"which keep theirs. [default: {SOCKET_MODE:o}]",
            as_mode,
        ],
        *LIMIT_OPTIONS,
        [
            "max-rooms",
            None,
            MAX_ROOMS,
            "Rooms that a session may be in.",
            as_count("max-rooms"),
        ],
        [
            "login-rate",
            None,
            LOGINS_PER_MINUTE,
            "Passwords that each address may try a minute; right ones do not count.",
            as_count("login-rate"),
        ],
        [
            "grace",
            None,
            int(GRACE_S),
            "Seconds that saying goodbye to everyone may take.",
            as_seconds("grace", 0),
        ],
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
        self["rooms"].append(as_name("room", check_room)(name))

    def opt_operator(self, name: str) -> None:
        """Let whoever has this name kick and ban; may be given several times."""
        self["operators"].append(as_name("operator", check_name)(name))

    def opt_auth(self, description: str) -> None:
        """Ask for accounts by one of Twisted's methods; may be given several times."""
        try:
            super().opt_auth(description)
        except usage.UsageError as error:
            method, *given = description.split(":", 2)
            shown = ":".join([method, *given[:1], *("…" for _ in given[1:])])  # no password
            why = str(error).removeprefix("Unexpected error: ").rstrip(": ")
            raise usage.UsageError(f"--auth {shown or repr('')}: {why}; see --help-auth") from error

    def opt_version(self) -> NoReturn:
        """Print chatd's version, and exit."""
        print(f"chatd {__version__}")
        raise SystemExit(0)

    def parseArgs(self, *arguments: str) -> None:
        """Refuse what is no option.

        Raises:
            UsageError: There is such an argument.
        """
        if arguments:
            raise usage.UsageError(
                f"{arguments[0]!r} is no option: options begin with --, and --help lists them"
            )

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

        program = {} if self.parent is None else self.parent  # the options of twistd or twist
        if any(map(is_stdio, self["endpoints"])):
            _check_standard_output(program)
        self["log"] = log_of(reactor, program)
        reopen_log = None if self["log"] is None else self["log"].reopen
        try:
            self["service"] = make_service(reactor, self._settings(), reopen_log=reopen_log)
            if program.get("pidfile") and not program.get("chroot"):
                check_pid_file(program["pidfile"])
        except ConfigurationError as error:
            raise usage.UsageError(str(error)) from error

    def _settings(self) -> Settings:
        if self["no-room"] and self["rooms"]:
            raise usage.UsageError("--no-room and --room contradict each other")
        for option, what in (
            ("key-file", "file"),
            ("data", "directory"),
            ("password-file", "file"),
            ("operator-file", "file"),
        ):
            if self[option] == "":  # which would be the current directory
                raise usage.UsageError(f"--{option}: it takes a {what}")
        if self["max-rooms"] < len(self["rooms"]):
            raise usage.UsageError(
                f"--max-rooms {self['max-rooms']}: a session begins in {len(self['rooms'])} rooms, "
                "those of --room"
            )
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
                max_rooms=self["max-rooms"],
            ),
            password_file=self["password-file"],
            checkers=self.get("credCheckers", ()),
            limits=limits_of(self),
            logins_per_minute=self["login-rate"],
            operator_file=self["operator-file"],
            socket_mode=self["socket-mode"],
            grace_s=self["grace"],
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


def _check_standard_output(program: Mapping[str, Any]) -> None:
    """See that twistd leaves standard input and output to a session.

    Args:
        program: Its options; those of another program are not looked at.

    Raises:
        UsageError: It does not.
    """
    if "nodaemon" not in program:
        return
    if not program["nodaemon"]:
        raise usage.UsageError("stdio: needs twistd's --nodaemon")
    if not (program["syslog"] or program["logger"]) and program["logfile"] in (None, "", "-"):
        raise usage.UsageError(
            "stdio: is for the session, and twistd would write its log there: give twistd "
            "--logfile FILE"
        )


def makeService(options: Options) -> IService:
    """Return the daemon's service; twistd calls it with the parsed options."""
    from twisted.internet import reactor  # noqa: PLC0415  (where the program starts)

    allow_all_descriptors(reactor)
    go_by_monotonic_time(reactor)
    service: IService = options["service"]
    log = options["log"]
    if not isinstance(log, LogService):
        return service
    service.setServiceParent(log)
    return log
