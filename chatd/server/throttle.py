"""`TokenBucket`: bounds a peer's rate, and computes its wait."""

from __future__ import annotations

__all__ = ["BURST_S", "TokenBucket"]

BURST_S = 10.0
"""Seconds until an empty bucket is full; a burst may spend so many seconds' worth of the rate."""


class TokenBucket:
    """Counts a peer's work against a rate. Time is passed in.

    Args:
        rate: How many tokens come back a second; 0 for no limit.
        burst_s: Seconds until an empty bucket is full; a new bucket is full.
    """

    __slots__ = ("_burst_s", "_full_at", "_token_s")

    def __init__(self, rate: float, burst_s: float = BURST_S) -> None:
        self._token_s = 1.0 / rate if rate else 0.0
        self._burst_s = burst_s if rate else 0.0
        self._full_at = 0.0  # the whole state

    def spend(self, tokens: float, now: float) -> float:
        """Spend tokens, also tokens that are still to come.

        A peer that must wait spends nothing until then; so if a clock is set back, no peer waits
        longer than `burst_s`.

        Args:
            tokens: How many tokens.
            now: The time, in seconds of any clock; later calls use the same clock.

        Returns:
            The seconds until no tokens are owed, at most `burst_s`: a larger debt is dropped. 0.0
            if no tokens are owed.
        """
        full_at, burst_end = self._full_at, now + self._burst_s
        if full_at < now:
            full_at = now
        elif full_at > burst_end:
            full_at = burst_end
        self._full_at = full_at = full_at + tokens * self._token_s
        if full_at <= burst_end:
            return 0.0
        self._full_at = min(full_at, burst_end + self._burst_s)
        return self._full_at - burst_end
