"""The daemon's options: their table, and their conversion to `Settings`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec
from twisted.python import usage

from chatd.chat.policy import Policy
from chatd.chat.rooms import LOBBY, MAX_ROOMS, PRESENCE_LIMIT
from chatd.daemon.needs import check_needs
from chatd.daemon.settings import DEFAULT_ENDPOINT, Settings
from chatd.daemon.stores import usual_retention
from chatd.daemon.values import (
    DAY_S,
    as_count,
    as_durability,
    as_mode,
    as_rate,
    as_seconds,
    as_seconds_of_days,
)
from chatd.listening.endpoints import SOCKET_MODE
from chatd.server.attempts import BURST as LOGINS_PER_MINUTE
from chatd.server.factory import GRACE_S, HEARTBEAT_S
from chatd.server.limits import MIN_FIRST_FRAME, Limits
from chatd.storage.memory import MEMORY_RETENTION
from chatd.storage.sqlite.store import SQLITE_RETENTION
from chatd.storage.values import Durability, Retention
from chatd.wire.bounds import (
    MAX_HEARTBEAT_S,
    MAX_MAX_CONTENT,
    MIN_HEARTBEAT_S,
    MIN_MAX_CONTENT,
)
from chatd.wire.envelope import MAX_CONTENT

__all__ = ["FLAGS", "PARAMETERS", "settings_of"]


def _option_of(field: str) -> str:
    """Return the name of a limit's option."""
    return field.removesuffix("_s").replace("_", "-")


_LIMITS: dict[str, tuple[Callable[[str], Callable[[str], float]], str]] = {
    "max_waiting": (as_count, "Bytes that may wait for a client that does not read."),
    "max_in_work": (as_count, "Messages of a client that may wait for their answers."),
    "max_in_work_bytes": (
        as_count,
        "Bytes of content of a client's messages that wait for their answers.",
    ),
    "max_arriving": (
        as_count,
        "Bytes from all clients that cannot be acted on yet, such as incomplete messages.",
    ),
    "max_sessions": (as_count, "Sessions in all."),
    "max_sessions_per_address": (
        as_count,
        "Sessions of one address; an IPv6 address counts as its first 64 bits.",
    ),
    "max_unestablished": (
        as_count,
        "Connections that wait for a session; as many that were refused may still be open.",
    ),
    "handshake_timeout_s": (as_seconds, "Seconds from connection to session."),
    "max_first_frame": (
        partial(as_count, least=MIN_FIRST_FRAME),
        "Longest frame before the session, in bytes.",
    ),
    "message_rate": (
        as_rate,
        "Messages a second of a session, where each KiB counts as one more; 0 for no limit.",
    ),
    "command_rate": (as_rate, "Commands a second of a session; 0 for no limit."),
}
"""The converter and the help of each limit's option."""
_LIMIT_PARAMETERS: list[list[object]] = [
    [option, None, int(default) if default == int(default) else default, text, convert(option)]
    for field, (convert, text) in _LIMITS.items()
    for option, default in [(_option_of(field), getattr(Limits(), field))]
]

PARAMETERS: list[list[object]] = [
    ["key-file", "k", None, "Key file, made by 'chatd keygen': encrypts everything."],
    [
        "data",
        "d",
        None,
        "Directory for messages and bans; without it, they are in memory.",
    ],
    [
        "backplane",
        None,
        None,
        "Redis that several daemons share instead of --data, such as redis://HOST/0: they are one "
        "chat.",
    ],
    [
        "backplane-password-file",
        None,
        None,
        "File with the password of that Redis.",
    ],
    [
        "backplane-patience",
        None,
        None,
        f"Seconds that sessions go on without that Redis. [default: {Policy().link_patience_s:g}]",
        as_seconds("backplane-patience", 0),
    ],
    [
        "durability",
        None,
        None,
        "What a power cut can cost with --data or --backplane: full loses no confirmed message; "
        f"normal can lose the last moments, and is faster. [default: {Durability.FULL.value}]",
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
        f"{SQLITE_RETENTION.max_bytes}; in memory and with --backplane "
        f"{MEMORY_RETENTION.max_bytes}]",
        as_count("keep-bytes"),
    ],
    ["password-file", None, None, "Password file, made by 'chatd passwd'; see --auth too."],
    [
        "presence-limit",
        None,
        PRESENCE_LIMIT,
        "Rooms with more sessions than this announce no arrivals and departures.",
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
        "Mode of UNIX sockets whose endpoint gives none; sockets from systemd keep their own. "
        f"[default: {SOCKET_MODE:o}]",
        as_mode,
    ],
    *_LIMIT_PARAMETERS,
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
        None,
        "Wrong passwords that each address may try a minute, and at once, with accounts. "
        f"[default: {LOGINS_PER_MINUTE}]",
        as_count("login-rate"),
    ],
    [
        "grace",
        None,
        int(GRACE_S),
        "Seconds that saying goodbye may take when the daemon stops.",
        as_seconds("grace", 0),
    ],
]
"""The options with a value, for `usage.Options`. Options that may be given several times are
methods of `chatd.daemon.tap.Options`."""

FLAGS: list[list[object]] = [
    ["no-room", None, "Put new sessions into no room, unless they ask for rooms."],
]


def settings_of(options: Mapping[str, Any]) -> Settings:
    """Return the operator's settings.

    Args:
        options: The values of the options, by their names.

    Raises:
        UsageError: Two options contradict each other, one needs another, or a path is empty.
    """
    _check(options)
    return Settings(
        endpoints=tuple(options["endpoints"]) or (DEFAULT_ENDPOINT,),
        web=tuple(options["web"]),
        web_origins=tuple(options["web-origins"]),
        web_proxies=tuple(options["web-proxies"]),
        key_file=options["key-file"],
        heartbeat_s=options["heartbeat"],
        max_content=options["max-content"],
        data=options["data"],
        backplane=options["backplane"],
        backplane_password_file=options["backplane-password-file"],
        durability=options["durability"] or Durability.FULL,
        keep=_retention(options),
        policy=Policy(
            rooms=() if options["no-room"] else tuple(options["rooms"]) or (LOBBY,),
            operators=tuple(options["operators"]),
            presence_limit=options["presence-limit"],
            max_rooms=options["max-rooms"],
            **_patience(options),
        ),
        password_file=options["password-file"],
        checkers=options.get("credCheckers", ()),
        limits=_limits(options),
        logins_per_minute=options["login-rate"] or LOGINS_PER_MINUTE,
        operator_file=options["operator-file"],
        socket_mode=options["socket-mode"],
        grace_s=options["grace"],
    )


def _check(options: Mapping[str, Any]) -> None:
    if options["no-room"] and options["rooms"]:
        raise usage.UsageError("--no-room and --room contradict each other")
    for option, what in (
        ("key-file", "file"),
        ("data", "directory"),
        ("password-file", "file"),
        ("operator-file", "file"),
        ("backplane", "URL"),
        ("backplane-password-file", "file"),
    ):
        if options[option] == "":  # an empty path would be the current directory
            raise usage.UsageError(f"--{option}: it takes a {what}")
    if options["max-rooms"] < len(options["rooms"]):
        raise usage.UsageError(
            f"--max-rooms {options['max-rooms']}: a session begins in the "
            f"{len(options['rooms'])} rooms of --room"
        )
    if options["data"] is not None and options["backplane"] is not None:
        raise usage.UsageError("--data and --backplane contradict each other")
    check_needs(options)


def _retention(options: Mapping[str, Any]) -> Retention:
    """Return the store's default retention, changed by the operator's options."""
    usual = usual_retention(options["data"], options["backplane"])
    given = {
        "max_messages": options["keep-messages"],
        "max_age_s": options["keep-days"],
        "max_bytes": options["keep-bytes"],
    }
    return msgspec.structs.replace(
        usual, **{name: value for name, value in given.items() if value is not None}
    )


def _patience(options: Mapping[str, Any]) -> dict[str, float]:
    given = options["backplane-patience"]
    return {} if given is None else {"link_patience_s": given}


def _limits(options: Mapping[str, Any]) -> Limits:
    return Limits(**{field: options[_option_of(field)] for field in _LIMITS})
