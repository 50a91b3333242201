"""How often an address may try to log in: a token bucket for each that has tried."""

from __future__ import annotations

from collections import OrderedDict

from chatd.chat.addresses import site_of

__all__ = ["BURST", "INTERVAL_S", "MAX_ADDRESSES", "Attempts"]

BURST = 10
"""How many attempts an address has that has made none."""
INTERVAL_S = 6.0
"""How long it takes until an address has one more, in seconds."""
MAX_ADDRESSES = 10_000
"""How many addresses are remembered."""


class Attempts:
    """Token buckets for addresses, of which only those that are not full are remembered.

    An IPv6 address counts as its /64 prefix, and one that holds an IPv4 address as that. Whatever
    is no IP address, such as `uid:1000`, counts as it is.

    Args:
        burst: How many tokens a full bucket has.
        interval_s: How long a token takes to come back, in seconds.
        max_addresses: How many addresses are remembered; beyond that, the one that was granted an
            attempt the longest ago is forgotten.
    """

    def __init__(
        self,
        burst: int = BURST,
        interval_s: float = INTERVAL_S,
        max_addresses: int = MAX_ADDRESSES,
    ) -> None:
        self._span_s = burst * interval_s
        self._interval_s = interval_s
        self._max_addresses = max_addresses
        # When a bucket is full again says all of it. The last that was taken from is the last.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        """Return how many addresses are remembered."""
        return len(self._full_at)

    def take(self, address: str, now: float) -> float:
        """Take a token, if there is one.

        Args:
            address: Who attempts to log in.
            now: The time, in seconds.

        Returns:
            0.0 where the attempt is granted, or else in how many seconds there will be a token.
        """
        self._forget_full(now)
        bucket = site_of(address)
        full_at = max(self._full_at.get(bucket, now), now) + self._interval_s
        wait_s = full_at - now - self._span_s
        if wait_s > 0:
            return wait_s
        self._full_at[bucket] = full_at
        self._full_at.move_to_end(bucket)
        if len(self._full_at) > self._max_addresses:
            self._full_at.popitem(last=False)
        return 0.0

    def give_back(self, address: str, now: float) -> None:
        """Give back a token that was taken.

        Args:
            address: Whose it was.
            now: The time, in seconds.
        """
        bucket = site_of(address)
        if bucket in self._full_at:
            self._full_at[bucket] -= self._interval_s
            if self._full_at[bucket] <= now:
                del self._full_at[bucket]

    def _forget_full(self, now: float) -> None:
        """Forget those at the head that are full: each is looked at once for each time it tried.

        One that is full but not at the head follows within the time that a bucket takes to fill.
        """
        while self._full_at:
            bucket = next(iter(self._full_at))
            if self._full_at[bucket] > now:
                return
            del self._full_at[bucket]
