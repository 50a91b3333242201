"""What the daemon's options take, and the options of what peers may take of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from twisted.python import usage

from chatd.errors import ConfigurationError
from chatd.net.limits import Limits
from chatd.storage.sqlite import Durability
from chatd.wire.messages import (
    MAX_HEARTBEAT_S,
    MAX_MAX_CONTENT,
    MIN_HEARTBEAT_S,
    MIN_MAX_CONTENT,
)

__all__ = [
    "DAY_S",
    "LIMIT_OPTIONS",
    "as_count",
    "as_durability",
    "as_heartbeat",
    "as_max_content",
    "as_mode",
    "as_rate",
    "as_seconds",
    "as_seconds_of_days",
    "limits_of",
]

DAY_S = 86_400.0
_MAX_DAYS = 36_500.0
_MAX_COUNT = 2**53
_MAX_SECONDS = 3_600.0
_MIN_RATE = 0.01
_MAX_RATE = 1e9
_MODES = range(0o1000)


def as_heartbeat(seconds: str) -> float:
    """Return an interval between two pings, in seconds."""
    interval_s = _number(seconds)
    if not MIN_HEARTBEAT_S <= interval_s <= MAX_HEARTBEAT_S:
        raise usage.UsageError(
            f"--heartbeat {seconds}: it takes {MIN_HEARTBEAT_S} to {MAX_HEARTBEAT_S:g} seconds"
        )
    return interval_s


def as_max_content(number: str) -> int:
    """Return the longest content of a message, in bytes."""
    max_content = _whole_number(number)
    if not MIN_MAX_CONTENT <= max_content <= MAX_MAX_CONTENT:
        raise usage.UsageError(
            f"--max-content {number}: it takes {MIN_MAX_CONTENT} to {MAX_MAX_CONTENT} bytes"
        )
    return max_content


def as_count(option: str, least: int) -> Callable[[str], int]:
    """Return what takes a whole number of at least so much."""

    def convert(number: str) -> int:
        count = _whole_number(number)
        if not least <= count <= _MAX_COUNT:
            raise usage.UsageError(f"--{option} {number}: it takes a whole number from {least}")
        return count

    return convert


def as_seconds(option: str, *, is_zero_allowed: bool = False) -> Callable[[str], float]:
    """Return what takes a time of up to an hour, in seconds."""

    def convert(number: str) -> float:
        seconds = _number(number)
        is_some = seconds > 0 or (is_zero_allowed and seconds == 0)
        if not is_some or seconds > _MAX_SECONDS:
            least = "0" if is_zero_allowed else "more than 0,"
            raise usage.UsageError(
                f"--{option} {number}: it takes seconds, {least} to {_MAX_SECONDS:g}"
            )
        return seconds

    return convert


def as_rate(option: str) -> Callable[[str], float]:
    """Return what takes a rate a second, or 0 for none."""

    def convert(number: str) -> float:
        rate = _number(number)
        if rate != 0 and not _MIN_RATE <= rate <= _MAX_RATE:
            raise usage.UsageError(
                f"--{option} {number}: it takes a rate a second from {_MIN_RATE}, or 0 for none"
            )
        return rate

    return convert


def as_seconds_of_days(number: str) -> float:
    """Return the seconds of a number of days."""
    days = _number(number)
    if not 0 < days <= _MAX_DAYS:
        raise usage.UsageError(f"--keep-days {number}: it takes days, more than 0")
    return days * DAY_S


def as_durability(name: str) -> Durability:
    """Return what a power cut may cost."""
    try:
        return Durability(name)
    except ValueError:
        names = " or ".join(each.value for each in Durability)
        raise usage.UsageError(f"--durability {name}: it takes {names}") from None


def as_mode(text: str | int) -> int:
    """Return a file's mode."""
    if isinstance(text, int):
        return text
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if mode not in _MODES:
        raise usage.UsageError(f"--socket-mode {text}: it takes an octal mode such as 660")
    return mode


def limits_of(options: Mapping[str, object]) -> Limits:
    """Return the limits that were given.

    Raises:
        UsageError: One of them is out of its range.
    """
    fields = {option: field for option, field, *_ in _LIMITS}
    try:
        return Limits(**{field: options[option] for option, field in fields.items()})  # type: ignore[arg-type]
    except ConfigurationError as error:
        raise usage.UsageError(str(error)) from error


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return -1


_DEFAULTS = Limits()
_LIMITS: tuple[tuple[str, str, str, Callable[[str], float]], ...] = (
    (
        "max-waiting",
        "max_waiting",
        "Bytes that may wait for a peer that does not read.",
        as_count("max-waiting", 1),
    ),
    (
        "max-in-work",
        "max_in_work",
        "Messages of a peer that may wait for their answers.",
        as_count("max-in-work", 1),
    ),
    (
        "max-in-work-bytes",
        "max_in_work_bytes",
        "Bytes of content that they may have.",
        as_count("max-in-work-bytes", 1),
    ),
    (
        "max-arriving",
        "max_arriving",
        "Bytes that arrived of messages not whole yet, or too fast, of all peers together.",
        as_count("max-arriving", 1),
    ),
    ("max-sessions", "max_sessions", "Sessions in all.", as_count("max-sessions", 1)),
    (
        "max-sessions-per-address",
        "max_sessions_per_address",
        "Sessions of one address; of IPv6, of its first 64 bits.",
        as_count("max-sessions-per-address", 1),
    ),
    (
        "max-unestablished",
        "max_unestablished",
        "Connections without a session.",
        as_count("max-unestablished", 1),
    ),
    (
        "handshake-timeout",
        "handshake_timeout_s",
        "Seconds that a connection may be without a session.",
        as_seconds("handshake-timeout"),
    ),
    (
        "max-first-frame",
        "max_first_frame",
        "Longest frame before there is a session, in bytes.",
        as_count("max-first-frame", 512),
    ),
    (
        "message-rate",
        "message_rate",
        "Messages a second of a session, a KiB counted as one more; 0 for no limit.",
        as_rate("message-rate"),
    ),
    (
        "command-rate",
        "command_rate",
        "Commands a second of a session; 0 for no limit.",
        as_rate("command-rate"),
    ),
)
LIMIT_OPTIONS: list[list[object]] = [
    [option, None, int(getattr(_DEFAULTS, field)), text, convert]
    for option, field, text, convert in _LIMITS
]
"""The options of `Limits`, as `usage.Options` takes them."""
