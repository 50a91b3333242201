"""Converters of option values: each `as_…` reads one kind of value, or names the allowed values."""

from __future__ import annotations

import math
from collections.abc import Callable

from twisted.python import usage

from chatd.errors import RequestError
from chatd.storage.values import Durability
from chatd.transport.endpointstrings import mode_of

__all__ = [
    "DAY_S",
    "as_count",
    "as_durability",
    "as_mode",
    "as_name",
    "as_rate",
    "as_seconds",
    "as_seconds_of_days",
    "shown",
]

DAY_S = 86_400.0
_MAX_DAYS = 36_500.0
_MAX_COUNT = 2**53
_MIN_SECONDS = 0.01
_MAX_SECONDS = 3_600.0
_MIN_RATE = 0.01
_MAX_RATE = 1e9


def as_count(option: str, least: int = 1, most: int = _MAX_COUNT) -> Callable[[str], int]:
    """Return a converter to a whole number from `least` to `most`."""

    def convert(number: str) -> int:
        count = _whole_number(number)
        if not least <= count <= most:
            raise _wrong(option, number, f"a whole number from {least} to {most}")
        return count

    return convert


def as_seconds(
    option: str, least: float = _MIN_SECONDS, most: float = _MAX_SECONDS
) -> Callable[[str], float]:
    """Return a converter to a time from `least` to `most`, in seconds."""

    def convert(number: str) -> float:
        seconds = _number(number)
        if not least <= seconds <= most:
            raise _wrong(option, number, f"{least:g} to {most:g} seconds")
        return seconds

    return convert


def as_name(option: str, check: Callable[[str], str]) -> Callable[[str], str]:
    """Return a converter to a name.

    Args:
        option: The option's name.
        check: Raises `RequestError` if the name is not valid.
    """

    def convert(name: str) -> str:
        try:
            check(name)
        except RequestError as error:
            raise usage.UsageError(f"--{option} {name!r}: {error.message}") from error
        return name

    return convert


def as_rate(option: str) -> Callable[[str], float]:
    """Return a converter to a rate a second, or 0 for no limit."""

    def convert(number: str) -> float:
        rate = _number(number)
        if rate != 0 and not _MIN_RATE <= rate <= _MAX_RATE:
            takes = f"{_MIN_RATE:g} to {_MAX_RATE:.0f} a second, or 0 for no limit"
            raise _wrong(option, number, takes)
        return rate

    return convert


def as_seconds_of_days(number: str) -> float:
    """Convert a number of days to seconds."""
    days = _number(number)
    if not 0 < days <= _MAX_DAYS:
        raise _wrong("keep-days", number, f"more than 0 days, and {_MAX_DAYS:g} at most")
    return days * DAY_S


def as_durability(name: str) -> Durability:
    """Convert a name to a `Durability`."""
    try:
        return Durability(name)
    except ValueError:
        names = " or ".join(each.value for each in Durability)
        raise _wrong("durability", name, names) from None


def as_mode(text: str) -> int:
    """Convert an octal number to a socket's mode."""
    try:
        return mode_of(text)
    except ValueError as error:
        raise usage.UsageError(f"--socket-mode {shown(text)}: {error}") from error


def _wrong(option: str, value: str, takes: str) -> usage.UsageError:
    return usage.UsageError(f"--{option} {shown(value)}: it takes {takes}")


def shown(value: str) -> str:
    """Return a value, in quotes if it would be invisible."""
    return value if value.strip() else repr(value)


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
