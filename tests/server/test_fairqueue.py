"""Tests of the queue of logins: turns, and requests that are cancelled."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.server.fairqueue import FairQueue


class WaitingLineTestCase(SynchronousTestCase):
    """A queue for two slots.

    Attributes:
        called: The requests that got a slot, in order.
        gone: The requests whose clients are gone.
    """

    def setUp(self) -> None:
        self.line = FairQueue(2)
        self.called: list[str] = []
        self.gone: set[str] = set()

    def wait(self, *names: str) -> list[Deferred[None]]:
        """Add requests; the name of each begins with its address, before a slash."""
        return [self.wait_at(name.partition("/")[0], name) for name in names]

    def wait_at(self, address: str, name: str) -> Deferred[None]:
        place = self.line.acquire(address, lambda: name not in self.gone)
        return place.addCallback(lambda _: self.called.append(name))

    def call_all(self) -> list[str]:
        """Release slots until no request waits; return the requests that got a slot."""
        self.called.clear()
        while len(self.line):
            self.line.release()
        return self.called

    def check_empty(self) -> None:
        """Check that no state of the requests remains."""
        self.assertEqual((len(self.line), self.line._sites), (0, {}))


class OrderTests(WaitingLineTestCase):
    def test_free(self) -> None:
        """While slots are free, no request waits."""
        self.wait("a/1", "a/2", "a/3")
        self.assertEqual((self.called, len(self.line)), (["a/1", "a/2"], 1))

    def test_in_turn(self) -> None:
        """The addresses take turns, in the order of their first requests."""
        self.wait("x", "x", "a/1", "a/2", "a/3", "b/1", "c/1", "c/2")
        self.assertEqual(self.call_all(), ["a/1", "b/1", "c/1", "a/2", "c/2", "a/3"])

    def test_one_of_every_other(self) -> None:
        """The newest request waits for at most one request of each other address."""
        self.wait("x", "x", *(f"{address}/{n}" for address in "abc" for n in range(10)))
        self.line.release()
        self.wait("late/1")
        called = self.call_all()
        self.assertEqual(called[:4], ["b/0", "c/0", "a/1", "late/1"])

    def test_again(self) -> None:
        """An address that comes back queues behind the addresses that already wait."""
        self.wait("x", "x", "a/1", "b/1", "b/2")
        self.line.release()
        self.wait("a/2")
        self.assertEqual(self.call_all(), ["b/1", "a/2", "b/2"])

    def test_sites(self) -> None:
        """The addresses of an IPv6 network share a turn; so do those of an IPv4 address."""
        self.wait("x", "x")
        for address in ("2001:db8::1", "2001:db8::2", "192.0.2.1", "::ffff:192.0.2.1"):
            self.wait_at(address, address)
        self.assertEqual(
            self.call_all(), ["2001:db8::1", "192.0.2.1", "2001:db8::2", "::ffff:192.0.2.1"]
        )
        self.check_empty()

    def test_done_at_once(self) -> None:
        """Requests that finish at once run in a loop, without recursion."""
        self.wait("x", "x")
        for _ in range(10_000):
            self.line.acquire("a", lambda: True).addCallback(lambda _: self.line.release())
        self.line.release()
        self.check_empty()
        self.wait("b/1")
        self.assertEqual(self.called[-1], "b/1")


class LeavingTests(WaitingLineTestCase):
    def test_cancelled(self) -> None:
        """A cancelled request gets no slot, and leaves no state."""
        _, _, first, second, _ = self.wait("x", "x", "a/1", "a/2", "b/1")
        for place in (first, second):
            place.cancel()
            self.failureResultOf(place, CancelledError)
        self.assertEqual(len(self.line), 1)
        self.wait("a/3")
        self.assertEqual(self.call_all(), ["b/1", "a/3"])
        self.check_empty()

    def test_not_there(self) -> None:
        """A request whose client has left at its turn fails, and the next gets the slot at once."""
        _, _, *places = self.wait("x", "x", "a/1", "a/2", "b/1")
        self.gone = {"a/1", "a/2"}
        self.line.release()
        self.assertEqual(self.called, ["x", "x", "b/1"])
        self.failureResultOf(places[0], CancelledError)
        self.assertNoResult(places[1])  # its turn has not come
        self.line.release()
        self.failureResultOf(places[1], CancelledError)
        self.check_empty()
        self.wait("c/1", "c/2")
        self.assertEqual((self.called[3:], len(self.line)), (["c/1"], 1))

    def test_not_there_at_first(self) -> None:
        """A request whose client has left fails even if a slot is free, and takes no slot."""
        self.gone = {"a/1"}
        (place,) = self.wait("a/1")
        self.failureResultOf(place, CancelledError)
        self.wait("b/1", "b/2")
        self.assertEqual(self.called, ["b/1", "b/2"])
        self.check_empty()

    def test_nobody_waits(self) -> None:
        """A request with a slot has left the queue: cancelling changes nothing."""
        first, _ = self.wait("a/1", "b/1")
        first.cancel()
        self.wait("c/1")
        self.assertEqual((self.called, len(self.line)), (["a/1", "b/1"], 1))
        self.line.release()
        self.assertEqual(self.called, ["a/1", "b/1", "c/1"])
        self.check_empty()

    def test_cancelled_by_who_is_called(self) -> None:
        """A request that gets a slot may cancel others."""
        _, _, first, second, _ = self.wait("x", "x", "a/1", "b/1", "c/1")
        first.addCallback(lambda _: second.cancel())
        self.line.release()
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.call_all(), ["c/1"])
        self.check_empty()
