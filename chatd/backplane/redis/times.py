"""`Times`: the times of a link."""

from __future__ import annotations

import msgspec

__all__ = ["Times"]


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """The times of a link, in seconds.

    Attributes:
        lease_s: How long a lease holds without a renewal.
        heartbeat_s: The time between two renewals.
        patience_s: How long calls wait for a lost link, from the loss on, and how long the end of
            the link waits for Redis.
        attach_s: How long one attempt to attach may take.
        longest_wait_s: The longest time between two attempts.
    """

    lease_s: float = 10.0
    heartbeat_s: float = 2.5
    patience_s: float = 5.0
    attach_s: float = 10.0
    longest_wait_s: float = 5.0

    @property
    def lease_ms(self) -> int:
        """The length of a lease in milliseconds."""
        return round(self.lease_s * 1000)
