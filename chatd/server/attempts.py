"""`Attempts`: limits the login attempts of each address with a token bucket."""

from __future__ import annotations

from collections import OrderedDict

from chatd.chat.addresses import site_of

__all__ = ["BURST", "INTERVAL_S", "MAX_ADDRESSES", "Attempts"]

BURST = 10
"""How many attempts an address may make at once."""
INTERVAL_S = 6.0
"""Seconds until an address may make another attempt."""
MAX_ADDRESSES = 10_000
"""How many addresses are remembered."""


class Attempts:
    """Token buckets of addresses; full buckets are forgotten.

    An IPv6 address counts as its /64 prefix; an IPv6 address that holds an IPv4 address counts as
    the IPv4 address. Addresses that are not IP addresses, such as `uid:1000`, count as they are.

    Args:
        burst: How many tokens a full bucket has.
        interval_s: Seconds until a token comes back.
        max_addresses: How many addresses are remembered; beyond that, the address whose latest
            granted attempt is the oldest is forgotten.
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
        # The time when a bucket will be full is its whole state. Latest granted attempt last.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of remembered addresses."""
        return len(self._full_at)

    def take(self, address: str, now: float) -> float:
        """Take a token, if there is one.

        Args:
            address: The address that attempts to log in.
            now: The time, in seconds.

        Returns:
            0.0 if the attempt is granted; otherwise the seconds until there is a token.
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
        """Give a token back.

        Args:
            address: The address that took it.
            now: The time, in seconds.
        """
        bucket = site_of(address)
        if bucket in self._full_at:
            self._full_at[bucket] -= self._interval_s
            if self._full_at[bucket] <= now:
                del self._full_at[bucket]

    def _forget_full(self, now: float) -> None:
        """Forget the full buckets at the head.

        Each bucket is examined at most once for each of its attempts. A full bucket behind the head
        is forgotten within the time that a bucket takes to fill.
        """
        while self._full_at:
            bucket = next(iter(self._full_at))
            if self._full_at[bucket] > now:
                return
            del self._full_at[bucket]
