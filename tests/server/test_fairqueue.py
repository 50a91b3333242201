"""Tests of the line in which logins wait: whose turn it is, and what is left of who has gone."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.server.fairqueue import FairQueue


class WaitingLineTestCase(SynchronousTestCase):
    """A line for two slots.

    Attributes:
        called: Who got a slot, in order.
        gone: Who is not there any more.
    """

    def setUp(self) -> None:
        self.line = FairQueue(2)
        self.called: list[str] = []
        self.gone: set[str] = set()

    def wait(self, *names: str) -> list[Deferred[None]]:
        """Let some wait; the name of each begins with its address, before a slash."""
        return [self.wait_at(name.partition("/")[0], name) for name in names]

    def wait_at(self, address: str, name: str) -> Deferred[None]:
        place = self.line.acquire(address, lambda: name not in self.gone)
        return place.addCallback(lambda _: self.called.append(name))

    def call_all(self) -> list[str]:
        """Release slots until nobody waits; return who got one meanwhile."""
        self.called.clear()
        while len(self.line):
            self.line.release()
        return self.called

    def check_empty(self) -> None:
        """Check that nothing is kept of those who waited."""
        self.assertEqual((len(self.line), self.line._sites), (0, {}))


class OrderTests(WaitingLineTestCase):
    def test_free(self) -> None:
        """While there are slots nobody waits."""
        self.wait("a/1", "a/2", "a/3")
        self.assertEqual((self.called, len(self.line)), (["a/1", "a/2"], 1))

    def test_in_turn(self) -> None:
        """Each address has its turn, in order of its first who waits, and again after all."""
        self.wait("x", "x", "a/1", "a/2", "a/3", "b/1", "c/1", "c/2")
        self.assertEqual(self.call_all(), ["a/1", "b/1", "c/1", "a/2", "c/2", "a/3"])

    def test_one_of_every_other(self) -> None:
        """Who comes last waits for one of every other address, however many wait there."""
        self.wait("x", "x", *(f"{address}/{n}" for address in "abc" for n in range(10)))
        self.line.release()
        self.wait("late/1")
        called = self.call_all()
        self.assertEqual(called[:4], ["b/0", "c/0", "a/1", "late/1"])

    def test_again(self) -> None:
        """Who comes back is behind those who have waited meanwhile."""
        self.wait("x", "x", "a/1", "b/1", "b/2")
        self.line.release()
        self.wait("a/2")
        self.assertEqual(self.call_all(), ["b/1", "a/2", "b/2"])

    def test_sites(self) -> None:
        """An IPv6 network has one turn, whatever addresses it has; so has an IPv4 address."""
        self.wait("x", "x")
        for address in ("2001:db8::1", "2001:db8::2", "192.0.2.1", "::ffff:192.0.2.1"):
            self.wait_at(address, address)
        self.assertEqual(
            self.call_all(), ["2001:db8::1", "192.0.2.1", "2001:db8::2", "::ffff:192.0.2.1"]
        )
        self.check_empty()

    def test_done_at_once(self) -> None:
        """Those who need their slot for no time at all are called without end."""
        self.wait("x", "x")
        for _ in range(10_000):
            self.line.acquire("a", lambda: True).addCallback(lambda _: self.line.release())
        self.line.release()
        self.check_empty()
        self.wait("b/1")
        self.assertEqual(self.called[-1], "b/1")


class LeavingTests(WaitingLineTestCase):
    def test_cancelled(self) -> None:
        """Who leaves gets no slot, and its place is not kept."""
        _, _, first, second, _ = self.wait("x", "x", "a/1", "a/2", "b/1")
        for place in (first, second):
            place.cancel()
            self.failureResultOf(place, CancelledError)
        self.assertEqual(len(self.line), 1)
        self.wait("a/3")
        self.assertEqual(self.call_all(), ["b/1", "a/3"])
        self.check_empty()

    def test_not_there(self) -> None:
        """Who is not there when it is called is told so, and the next has the slot at once."""
        _, _, *places = self.wait("x", "x", "a/1", "a/2", "b/1")
        self.gone = {"a/1", "a/2"}
        self.line.release()
        self.assertEqual(self.called, ["x", "x", "b/1"])
        self.failureResultOf(places[0], CancelledError)
        self.assertNoResult(places[1])  # it is not its turn
        self.line.release()
        self.failureResultOf(places[1], CancelledError)
        self.check_empty()
        self.wait("c/1", "c/2")
        self.assertEqual((self.called[3:], len(self.line)), (["c/1"], 1))

    def test_not_there_at_first(self) -> None:
        """So it is where there is a slot at once: it stays free."""
        self.gone = {"a/1"}
        (place,) = self.wait("a/1")
        self.failureResultOf(place, CancelledError)
        self.wait("b/1", "b/2")
        self.assertEqual(self.called, ["b/1", "b/2"])
        self.check_empty()

    def test_nobody_waits(self) -> None:
        """Who has a slot has left the line: cancelling changes nothing, and the slot is its own."""
        first, _ = self.wait("a/1", "b/1")
        first.cancel()
        self.wait("c/1")
        self.assertEqual((self.called, len(self.line)), (["a/1", "b/1"], 1))
        self.line.release()
        self.assertEqual(self.called, ["a/1", "b/1", "c/1"])
        self.check_empty()

    def test_cancelled_by_who_is_called(self) -> None:
        """Who is called may send others away."""
        _, _, first, second, _ = self.wait("x", "x", "a/1", "b/1", "c/1")
        first.addCallback(lambda _: second.cancel())
        self.line.release()
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.call_all(), ["c/1"])
        self.check_empty()
