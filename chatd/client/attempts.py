"""`Attempts`: whether and when a service connects again."""

from __future__ import annotations

from collections.abc import Callable

from chatd.errors import ConfigurationError, ErrorCode, SessionEnded

__all__ = ["Attempts"]

_STEADY_S = 10.0
"""Length of a session, in seconds, after which the backoff starts from the beginning."""
_DAMAGED = frozenset({ErrorCode.BAD_CRC, ErrorCode.BAD_RECORD})
"""Codes of damage on the way, of which the next connection may be free."""


class Attempts:
    """Whether and when a service connects again.

    Args:
        retry_policy: Returns the seconds to wait before attempt n.
    """

    def __init__(self, retry_policy: Callable[[int], float]) -> None:
        self._retry_policy = retry_policy
        self._failures = 0
        self._last_code = ""
        self._has_told = False

    def established(self) -> None:
        """Note that an attempt has succeeded."""
        self._has_told = False

    def may_follow(self, end: SessionEnded, lasted_s: float) -> bool:
        """Return whether another attempt may succeed after the end of a session.

        Args:
            end: The reason of the end.
            lasted_s: The length of the session, in seconds.
        """
        if lasted_s >= _STEADY_S:
            self._failures = 0
            self._last_code = ""
        return self._may_retry(end)

    def may_follow_failure(self, error: BaseException) -> bool:
        """Return whether another attempt may succeed after one that has failed.

        A taken name is not final: an old session may still hold it.

        Args:
            error: Why it failed.
        """
        if not isinstance(error, SessionEnded):
            return not isinstance(error, ConfigurationError)
        return error.code == ErrorCode.NAME_TAKEN or self._may_retry(error)

    def tell_first(self) -> bool:
        """Return whether a failed attempt is the first since the last session."""
        is_first, self._has_told = not self._has_told, True
        return is_first

    def next_delay_s(self) -> float:
        """Return the seconds to wait before the next attempt."""
        self._failures += 1
        return self._retry_policy(self._failures)

    def _may_retry(self, end: SessionEnded) -> bool:
        """Return whether another session may succeed; damage is tried again once."""
        is_damage = end.code in _DAMAGED and end.code != self._last_code
        self._last_code = end.code
        return end.retry or is_damage
