"""Tests of `chatd.server.connections`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import RequestError
from chatd.server.connections import Connections
from chatd.server.limits import Limits


def connections_within(**limits: int) -> Connections[str]:
    return Connections(Limits(**limits))


class WaitingTests(SynchronousTestCase):
    """Connections without a session: for a new connection, the oldest closes."""

    def setUp(self) -> None:
        self.connections = connections_within(max_unestablished=3)

    def connect(self, *names: str) -> list[str | None]:
        """Connect clients; the first letters of their names are their addresses."""
        return [self.connections.connected(name, name[0]) for name in names]

    def test_as_many_as_may_be(self) -> None:
        """Up to the limit, no connection closes."""
        self.assertEqual(self.connect("a1", "a2", "b1"), [None] * 3)
        self.assertEqual((len(self.connections), self.connections.sessions), (3, 0))
        self.assertEqual(list(self.connections), ["a1", "a2", "b1"])

    def test_most_first(self) -> None:
        """The oldest connection of the address with the most closes; other addresses lose none."""
        self.connect("a1", "b1", "b2")
        self.assertEqual(self.connect("b3", "b4", "b5"), ["b1", "b2", "b3"])
        self.assertEqual(self.connect("c1", "d1"), ["b4", "a1"])

    def test_not_those_of_the_new_one(self) -> None:
        """An address keeps its connections as long as another address has more."""
        self.connections = connections_within(max_unestablished=8)
        self.connect("a1", "b1", "b2", "b3", "b4", "b5", "b6", "b7")
        self.assertEqual(self.connect("a2", "b8", "a3", "b9"), ["b1", "b2", "b3", "b4"])

    def test_as_many(self) -> None:
        """If the new connection's address has most of them with it, its own oldest closes."""
        self.connections = connections_within(max_unestablished=5)
        self.connect("b1", "b2", "b3", "a1", "a2")
        self.assertEqual(self.connect("a3", "b4", "c1"), ["a1", "b1", "b2"])

    def test_oldest_of_all(self) -> None:
        """Among equal addresses, the new connection's address loses one, or the oldest closes."""
        self.connect("b1", "a1", "c1")
        self.assertEqual(self.connect("d1", "a2", "e1"), ["b1", "a1", "c1"])

    def test_known_later(self) -> None:
        """A connection counts for its real address as soon as the server knows that."""
        self.connect("p1", "p2", "p3")
        self.connections.identified("p1", "a")
        self.connections.identified("p3", "a")
        self.assertEqual(self.connect("b1"), ["p1"])
        self.connections.identified("p1", "p")  # p1 is gone
        self.assertEqual(self.connect("b2", "b3"), ["b1", "b2"])

    def test_known_as_before(self) -> None:
        """If the real address is the assumed one, nothing changes."""
        self.connect("a1", "a2", "a3")
        self.connections.identified("a1", "a")
        self.assertEqual(self.connect("a4"), ["a1"])

    def test_who_goes_is_told_once(self) -> None:
        """A connection that is to be closed makes room at once, though its end comes later."""
        self.connect("a1", "a2", "a3", "a4")
        self.assertEqual(self.connect("a5"), ["a2"])
        self.connections.ended("a1")
        self.connections.disconnected("a1")
        self.assertEqual(self.connect("a6"), ["a3"])

    def test_sessions_wait_no_more(self) -> None:
        """Connections with a session, or after their end, do not count as waiting."""
        self.connect("a1", "a2", "a3")
        self.connections.established("a1", "a")
        self.connections.ended("a2")
        self.assertEqual(self.connect("b1", "b2", "b3"), [None, None, "b1"])

    def test_refused(self) -> None:
        """Refused connections that stay open are bounded."""
        for number in range(3):
            self.connect(f"a{number}")
            self.assertIsNone(self.connections.ended(f"a{number}"))
        self.connect("a3")
        self.assertEqual(self.connections.ended("a3"), "a0")
        self.connections.disconnected("a1")
        self.connect("a4")
        self.assertIsNone(self.connections.ended("a4"))

    def test_gone(self) -> None:
        """A closing connection takes the place of no connection that still reads."""
        for number in range(5):
            self.connect(f"a{number}")
            self.assertIsNone(self.connections.ended(f"a{number}", is_gone=number > 2))
            if number > 2:
                self.connections.disconnected(f"a{number}")

    def test_ended_sessions_have_their_time(self) -> None:
        """If many sessions end together, each client can still read the reason."""
        for number in range(10):
            self.connect(f"a{number}")
            self.connections.established(f"a{number}", "a")
        self.assertEqual(
            [self.connections.ended(f"a{number}") for number in range(10)], [None] * 10
        )


class RoomTests(SynchronousTestCase):
    """If the system has no room for a connection, a connection without a session closes."""

    def setUp(self) -> None:
        self.connections = connections_within()
        for name in ("a1", "b1", "b2", "b3"):
            self.connections.connected(name, name[0])

    def leaving(self) -> list[str]:
        """Make room as long as there is a connection that may be closed."""
        return list(iter(self.connections.make_room, None))

    def test_most_first(self) -> None:
        """The server closes the oldest of the address that has most; each is closed once."""
        self.assertEqual(self.leaving(), ["b1", "b2", "a1", "b3"])
        self.assertEqual(self.leaving(), [])

    def test_sessions_stay(self) -> None:
        """The server closes no session, nor a connection whose session has just ended."""
        for name in ("b1", "b2"):
            self.connections.established(name, "b")
        self.connections.ended("b2")
        self.assertEqual(self.leaving(), ["a1", "b3"])

    def test_sent_away(self) -> None:
        """Refused connections that stay open come first, and are aborted once."""
        self.connections.ended("b2")
        self.connections.ended("a1")
        self.assertEqual(self.leaving(), ["b2", "a1", "b1", "b3"])
        self.connections.disconnected("b2")
        self.assertEqual(len(self.connections), 3)


class SessionTests(SynchronousTestCase):
    """Sessions are bounded in total, and for each address."""

    def setUp(self) -> None:
        self.connections = connections_within(max_sessions=3, max_sessions_per_address=2)

    def establish(self, name: str, address: str) -> None:
        self.connections.connected(name, "?")
        self.connections.check(address)
        self.connections.established(name, address)

    def refusal(self, address: str) -> str:
        with self.assertRaises(RequestError) as raised:
            self.connections.check(address)
        return str(raised.exception)

    def test_of_an_address(self) -> None:
        """An address gets no more than its share; another address still has its own."""
        self.establish("one", "192.0.2.1")
        self.establish("two", "192.0.2.1")
        self.assertIn("your address", self.refusal("192.0.2.1"))
        self.establish("three", "192.0.2.2")

    def test_in_all(self) -> None:
        """The total is bounded."""
        for number in range(3):
            self.establish(f"{number}", f"192.0.2.{number}")
        self.assertEqual(self.connections.sessions, 3)
        self.assertIn("too-many-sessions: the server", self.refusal("192.0.2.9"))

    def test_site(self) -> None:
        """All addresses of an IPv6 /64 count as one."""
        self.establish("one", "2001:db8::1")
        self.establish("two", "2001:db8::ffff:2")
        self.refusal("2001:db8:0:0:9::")
        self.connections.check("2001:db8:0:1::1")

    def test_user(self) -> None:
        """A user of this machine counts as an address."""
        self.establish("one", "uid:1000")
        self.establish("two", "uid:1000")
        self.refusal("uid:1000")
        self.connections.check("uid:1001")

    def test_ends(self) -> None:
        """A session that ends makes room, once."""
        self.establish("one", "a")
        self.establish("two", "a")
        self.connections.ended("one")
        self.connections.ended("one")
        self.establish("three", "a")
        self.refusal("a")
        for name in ("one", "two", "three"):
            self.connections.ended(name)
            self.connections.disconnected(name)
        self.assertEqual((len(self.connections), self.connections.sessions), (0, 0))


class ArrivingTests(SynchronousTestCase):
    """The bytes of incomplete frames are bounded for all peers together."""

    def setUp(self) -> None:
        self.connections = connections_within(max_arriving=100)

    def test_oldest_goes(self) -> None:
        """The peer with the oldest incomplete frame goes, even if another exceeds the bound."""
        self.assertEqual([self.connections.arriving(name, 40) for name in "ab"], [[], []])
        self.assertEqual(self.connections.arriving("a", 50), [])
        self.assertEqual(self.connections.arriving("c", 40), ["a"])
        self.assertEqual(self.connections.arriving_bytes, 80)

    def test_unequal(self) -> None:
        """Peers that buffer little stay if another buffers much, and the bound holds."""
        for number in range(20):
            self.connections.arriving(f"tiny{number}", 1)
        left = [
            name for number in range(9) for name in self.connections.arriving(f"large{number}", 70)
        ]
        self.assertEqual(left, [f"large{number}" for number in range(8)])
        self.assertEqual(self.connections.arriving("huge", 100), ["large8", "huge"])
        self.assertLessEqual(self.connections.arriving_bytes, 100)

    def test_whole(self) -> None:
        """A complete frame no longer counts."""
        self.connections.arriving("a", 90)
        self.connections.arriving("a", 0)
        self.assertEqual(self.connections.arriving("b", 90), [])
        self.assertEqual(self.connections.arriving_bytes, 90)

    def test_next_frame(self) -> None:
        """The next frame's age counts from its own start."""
        self.connections.arriving("a", 40)
        self.connections.arriving("b", 40)
        self.connections.arriving("a", 10)
        self.assertEqual(self.connections.arriving("c", 60), ["b"])

    def test_gone(self) -> None:
        """The bytes of a connection no longer count after its end."""
        self.connections.connected("a", "?")
        self.connections.arriving("a", 90)
        self.connections.ended("a")
        self.assertEqual(self.connections.arriving_bytes, 0)
        self.assertEqual(self.connections.arriving("b", 90), [])
