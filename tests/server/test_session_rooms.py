"""Tests of a session's hooks for joining and leaving rooms."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.policy import Policy
from chatd.client.client import ChatClient
from chatd.errors import SessionEnded
from chatd.server.accounts import Accounts
from chatd.server.factory import ChatFactory
from chatd.server.session import Session
from chatd.testing import MemoryServer

Event = tuple[str, str, str]


class Visitor(Session):
    """A session that notes its hooks' calls in its factory."""

    factory: VisitorFactory

    def note(self, hook: str, room: str) -> None:
        self.factory.events.append((self.name, hook, room))

    def established(self) -> None:
        self.note("established", "")

    def ended(self, reason: SessionEnded) -> None:
        self.note("ended", "")

    def room_joined(self, room: str) -> None:
        self.note("joined", room)

    def room_left(self, room: str) -> None:
        self.note("left", room)


class VisitorFactory(ChatFactory[Visitor]):
    """A service that notes who joins and leaves."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self.events: list[Event] = []


class RoomHookTests(SynchronousTestCase):
    """`room_joined` and `room_left` are called once for each room."""

    def setUp(self) -> None:
        self.server = MemoryServer(VisitorFactory)
        self.alice = self.server.connect("alice", rooms=["lobby", "garden"])

    def events(self) -> list[Event]:
        """Return the events since the last call."""
        events, self.server.factory.events = self.server.factory.events, []
        return events

    def do(self, asked: Deferred[Any]) -> None:
        self.server.pump()
        self.successResultOf(asked)

    def test_first_rooms(self) -> None:
        """The rooms in which a session begins come before `established`."""
        self.assertEqual(
            self.events(),
            [
                ("alice", "joined", "lobby"),
                ("alice", "joined", "garden"),
                ("alice", "established", ""),
            ],
        )

    def test_commands(self) -> None:
        """Joining and leaving by command is told once, in the room's spelling."""
        self.events()
        self.do(self.alice.join("Cellar"))
        self.do(self.alice.join("CELLAR"))
        self.do(self.alice.leave("cellar"))
        self.assertEqual(
            self.events(), [("alice", "joined", "Cellar"), ("alice", "left", "Cellar")]
        )

    def test_with_history(self) -> None:
        """Joining with the messages after a place is told once too."""
        self.events()
        self.do(self.alice.join("cellar", after=0))
        self.do(self.alice.join("cellar", after=0))
        self.assertEqual(self.events(), [("alice", "joined", "cellar")])

    def test_end(self) -> None:
        """At the end, the session leaves its rooms, and then is told the end."""
        self.events()
        self.do(self.alice.disconnect())
        self.assertEqual(
            self.events(),
            [("alice", "left", "lobby"), ("alice", "left", "garden"), ("alice", "ended", "")],
        )

    def test_removed(self) -> None:
        """A session that an operator removes from a room has left it."""
        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"sesame", op=b"sesame")
        self.server = MemoryServer(
            VisitorFactory,
            key=b"k" * 32,
            accounts=Accounts(Clock(), [checker]),
            policy=Policy(operators=("op",)),
        )
        operator = self.server.connect("op", password="sesame")
        self.server.connect("alice", password="sesame", rooms=["garden"])
        self.events()
        self.do(operator.make_private("garden"))
        self.do(operator.uninvite("garden", "alice"))
        self.assertIn(("alice", "left", "garden"), self.events())

    def test_rename(self) -> None:
        """A session with a new name stays in its rooms."""
        self.events()
        self.do(self.alice.rename("alicia"))
        self.assertEqual(self.events(), [])


class FailingVisitor(Session):
    """A session whose hooks fail, one of them later."""

    async def room_joined(self, room: str) -> None:
        raise ZeroDivisionError

    def room_left(self, room: str) -> None:
        raise ZeroDivisionError


class FailingFactory(ChatFactory[FailingVisitor]):
    """A service whose hooks fail."""


class FailingRoomHookTests(SynchronousTestCase):
    """A failing hook is logged, and changes nothing."""

    def test_failure(self) -> None:
        """The session is in the room, and leaves it."""
        server = MemoryServer(FailingFactory)
        alice: ChatClient = server.connect("alice")
        self.assertEqual([*server.session_of(alice).rooms], ["lobby"])
        leaving = alice.leave("lobby")
        server.pump()
        self.successResultOf(leaving)
        self.assertEqual([*server.session_of(alice).rooms], [])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
