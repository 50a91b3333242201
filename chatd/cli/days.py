"""Times of day, and the line that tells of another day."""

from __future__ import annotations

import time

__all__ = ["Days", "date_and_time", "seconds_to_midnight", "time_of_day"]


class Days:
    """Tells when a line is of another day than the line before.

    Args:
        now: The time, in Unix seconds.
    """

    def __init__(self, now: float) -> None:
        self._day = _day(now)

    def line_before(self, unix_time: float | None) -> str | None:
        """Return the line to show before a line of a time; None if the day is still the same."""
        day = _day(unix_time)
        if day in (None, self._day):
            return None
        self._day = day
        return f"-- {day} --"


def time_of_day(unix_time: float | None) -> str:
    """Return the time of day, in local time."""
    return _format(unix_time, "%H:%M") or "--:--"


def date_and_time(unix_time: float | None, *, today: float | None = None) -> str:
    """Return the date and the time of day, in local time, to the minute.

    Args:
        unix_time: The time, in Unix seconds.
        today: A time of today; then a time of the same day has no date.
    """
    if today is not None and _day(unix_time) == _day(today):
        return time_of_day(unix_time)
    return _format(unix_time, "%Y-%m-%d %H:%M") or "an unknown date"


def seconds_to_midnight(now: float) -> float:
    """Return the time until the local day ends, in seconds.

    Args:
        now: The time, in Unix seconds.
    """
    then = time.localtime(now)
    midnight = (then.tm_year, then.tm_mon, then.tm_mday + 1, 0, 0, 0, 0, 0, -1)
    return max(time.mktime(midnight) - now, 0.0)


def _day(unix_time: float | None) -> str | None:
    return _format(unix_time, "%a, %d %b %Y")


def _format(unix_time: float | None, format: str) -> str | None:
    try:
        return time.strftime(format, time.localtime(unix_time))
    except (OverflowError, ValueError, OSError):  # too far away for the calendar
        return None
