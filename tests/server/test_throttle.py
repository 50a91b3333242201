"""Tests of `chatd.server.throttle`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.server.throttle import BURST_S, TokenBucket


class TokenBucketTests(SynchronousTestCase):
    """A burst is free, more is owed, and the debt goes down at the rate."""

    def test_burst_is_free(self) -> None:
        """A new bucket holds a whole burst without waiting."""
        bucket = TokenBucket(100.0, burst_s=2.0)
        self.assertEqual([bucket.spend(50, 7.0) for _ in range(4)], [0.0] * 4)

    def test_more_is_owed(self) -> None:
        """A client waits for tokens beyond the burst, at the rate."""
        bucket = TokenBucket(100.0, burst_s=2.0)
        self.assertEqual(bucket.spend(200, 7.0), 0.0)
        self.assertAlmostEqual(bucket.spend(50, 7.0), 0.5)

    def test_debt_is_paid(self) -> None:
        """After waiting, a token at a time can be spent."""
        bucket = TokenBucket(100.0, burst_s=2.0)
        now = 7.0 + bucket.spend(201, 7.0)
        for _ in range(300):
            wait_s = bucket.spend(1, now)
            self.assertAlmostEqual(wait_s, 0.01)
            now += wait_s

    def test_refills(self) -> None:
        """An idle bucket is full again, and never overflows."""
        bucket = TokenBucket(100.0, burst_s=2.0)
        bucket.spend(200, 0.0)
        self.assertEqual(bucket.spend(100, 1.0), 0.0)
        self.assertAlmostEqual(bucket.spend(1, 1.0), 0.01)
        self.assertEqual(bucket.spend(200, 1000.0), 0.0)
        self.assertAlmostEqual(bucket.spend(1, 1000.0), 0.01)

    def test_let_off(self) -> None:
        """With any debt, no client waits longer than a bucket takes to fill."""
        bucket = TokenBucket(10.0, burst_s=2.0)
        self.assertEqual(bucket.spend(10_000, 5.0), 2.0)
        self.assertAlmostEqual(bucket.spend(1, 7.0), 0.1)

    def test_no_limit(self) -> None:
        """A rate of 0 limits nothing."""
        bucket = TokenBucket(0)
        self.assertEqual([bucket.spend(10**9, 0.0) for _ in range(3)], [0.0] * 3)

    @given(
        rate=st.floats(0.01, 1e6),
        steps=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 100)), max_size=30),
    )
    def test_never_above_the_rate(self, rate: float, steps: list[tuple[float, float]]) -> None:
        """A client that waits as long as asked never spends more than burst, rate and one piece."""
        bucket = TokenBucket(rate)
        now, spent, largest = 0.0, 0.0, 0.0
        for share, pause_s in steps:
            tokens = share * rate * BURST_S
            now += bucket.spend(tokens, now) + pause_s
            spent += tokens
            largest = max(largest, tokens)
            self.assertLessEqual(spent, (now + BURST_S) * rate * (1 + 1e-9) + largest + 1e-6)

    @given(back_s=st.floats(0, 1e9), tokens=st.floats(0, 1e6))
    def test_clock_set_back(self, back_s: float, tokens: float) -> None:
        """If the clock is set back, no client waits longer than the spent tokens take."""
        bucket = TokenBucket(100.0)
        bucket.spend(tokens, 1e9)
        self.assertLessEqual(bucket.spend(1, 1e9 - back_s), 0.011)
