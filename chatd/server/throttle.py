"""A token bucket: how much a peer may do, and how long it is to wait where it did more."""

from __future__ import annotations

__all__ = ["BURST_S", "TokenBucket"]

BURST_S = 10.0
"""How long a bucket takes to fill: so much of its rate may be spent at once, in seconds."""


class TokenBucket:
    """Counts what is done against a rate. Time is passed in.

    Args:
        rate: How many tokens come back a second; 0 for no limit.
        burst_s: How long an empty bucket takes to be full, in seconds; a new one is full.
    """

    __slots__ = ("_burst_s", "_full_at", "_token_s")

    def __init__(self, rate: float, burst_s: float = BURST_S) -> None:
        self._token_s = 1.0 / rate if rate else 0.0
        self._burst_s = burst_s if rate else 0.0
        self._full_at = 0.0  # says all of it

    def spend(self, tokens: float, now: float) -> float:
        """Spend tokens, also those that are still to come.

        Who is told to wait spends nothing until then; so a clock that was set back makes nobody
        wait for longer than this.

        Args:
            tokens: How many.
            now: The time, in seconds of any clock; later calls use the same one.

        Returns:
            In how many seconds none is owed any more, at most `burst_s`: what is more is let off.
            0.0 where none is owed.
        """
        full_at = min(max(self._full_at, now), now + self._burst_s) + tokens * self._token_s
        full_at = min(full_at, now + 2 * self._burst_s)
        self._full_at = full_at
        owed_s = full_at - now - self._burst_s
        return owed_s if owed_s > 0 else 0.0
