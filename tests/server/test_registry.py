"""Tests of `chatd.server.registry`."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.rooms import Member
from chatd.errors import SessionEnded
from chatd.server.connections import Connections
from chatd.server.limits import Limits
from chatd.server.registry import SessionRegistry


class RecordingRoster:
    """Notes arrivals and departures."""

    def __init__(self):
        self.told = []

    def arrive(self, member, rooms):
        self.told.append(("arrive", member.name, rooms))

    def depart(self, member, *, is_silent):
        self.told.append(("depart", member.name, is_silent))


class FakeProtocol:
    """Counts its heartbeats."""

    def __init__(self):
        self.ticks = 0

    def tick(self, now):
        self.ticks += 1


class FakeSession(Member):
    """A session on a fake protocol."""

    def __init__(self, id, name):
        super().__init__(id, name)
        self.address = "192.0.2.1"
        self.protocol = FakeProtocol()


class RegistryTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.roster: Any = RecordingRoster()
        self.connections: Connections[Any] = Connections(Limits())
        roster: Any = self.roster
        self.registry: Any = SessionRegistry(roster, self.connections, self.clock, 5.0)
        self.alice = FakeSession("1", "Alice")

    def test_add(self):
        """An added session counts, is in the chat, and gets pings."""
        self.registry.add(self.alice, ["lobby"])
        self.assertEqual(self.registry.sessions, {"1": self.alice})
        self.assertEqual(self.connections.sessions, 1)
        self.assertEqual(self.roster.told, [("arrive", "Alice", ["lobby"])])
        self.clock.pump([0.05] * 101)
        self.assertEqual(self.alice.protocol.ticks, 1)

    def test_remove(self):
        """A removed session is out of the chat, and not pinged."""
        self.registry.add(self.alice, [])
        self.registry.remove(self.alice, is_silent=True)
        self.assertEqual(self.registry.sessions, {})
        self.assertEqual(self.roster.told[1:], [("depart", "Alice", True)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_there_already(self):
        """A caller that waits for a present session gets it at once, in any spelling."""
        self.registry.add(self.alice, [])
        self.registry.active(self.alice)
        self.assertIs(self.successResultOf(self.registry.when_active("ALICE")), self.alice)

    def test_not_active_yet(self):
        """A session is active when its `established` has ended, and not before."""
        self.registry.add(self.alice, [])
        waiting = self.registry.when_active("alice")
        self.assertNoResult(waiting)
        self.registry.active(self.alice)
        self.assertIs(self.successResultOf(waiting), self.alice)

    def test_ended_meanwhile(self):
        """No caller gets a session that ended before it was active; callers wait for the next."""
        waiting = self.registry.when_active("alice")
        self.registry.add(self.alice, [])
        self.registry.remove(self.alice, is_silent=False)
        self.registry.active(self.alice)
        self.assertNoResult(waiting)
        again = FakeSession("2", "alice")
        self.registry.add(again, [])
        self.registry.active(again)
        self.assertIs(self.successResultOf(waiting), again)

    def test_to_come(self):
        """All callers that wait for a name get the session when it is active; no others do."""
        waiting = [self.registry.when_active("alice") for _ in range(2)]
        other = self.registry.when_active("bob")
        self.registry.add(self.alice, [])
        self.assertNoResult(waiting[0])
        self.registry.active(self.alice)
        self.assertEqual([self.successResultOf(each) for each in waiting], [self.alice] * 2)
        self.assertNoResult(other)

    def test_cancelled(self):
        """A cancelled caller gets no session; the others still do."""
        first, second = self.registry.when_active("alice"), self.registry.when_active("alice")
        first.addErrback(lambda _: None).cancel()
        self.registry.add(self.alice, [])
        self.registry.active(self.alice)
        self.assertIs(self.successResultOf(second), self.alice)
        self.registry.when_active("bob").addErrback(lambda _: None).cancel()
        self.assertEqual(self.registry._waiting, {})

    def test_close(self):
        """Callers that wait when the server shuts down get an error."""
        waiting = self.registry.when_active("alice")
        self.registry.close(SessionEnded("shutting-down", "the server is shutting down"))
        self.assertEqual(self.failureResultOf(waiting, SessionEnded).value.code, "shutting-down")
