"""Tests of a client's commands for private rooms, and of its being removed, against a server."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.task import Clock

from chatd.chat.policy import Policy
from chatd.client.client import ChatClient
from chatd.client.results import MadePrivate, RoomInfo
from chatd.server.accounts import Accounts
from chatd.testing import MemoryServer
from tests.client.cases import AnswersCase

SECRET = "open sesame"


class PrivateRoomTests(AnswersCase):
    """Alice, an operator, and bob, in the room `den` of a server with accounts."""

    def setUp(self) -> None:
        secret = SECRET.encode()
        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=secret, bob=secret)
        self.server = MemoryServer(
            key=b"k" * 32,
            accounts=Accounts(Clock(), [checker]),
            policy=Policy(operators=("alice",)),
        )
        self.alice = self.connect("alice", "lobby")
        self.bob = self.connect("bob", "lobby", "den")
        self.events: list[Any] = []
        self.patch(self.bob, "event_received", self.events.append)

    def connect(self, name: str, *rooms: str) -> ChatClient:
        return self.server.connect(name, password=SECRET, rooms=rooms)

    def test_commands(self) -> None:
        """An operator makes a room private, invites a name, uninvites it, and makes it public."""
        made = self.result(self.alice.make_private("attic"))
        self.assertEqual(made, MadePrivate(room="attic", invited=0, removed=0))
        self.assertEqual(self.error(self.bob.join("attic")), "not-invited")
        self.assertIsNone(self.result(self.alice.invite("attic", "Bob")))
        self.assertEqual(self.result(self.alice.invited("attic")), ["bob"])
        self.assertEqual(self.result(self.bob.join("attic")).members, 1)
        rooms = self.result(self.bob.list_rooms())
        self.assertEqual(rooms[0], RoomInfo(room="attic", members=1, private=True))
        self.assertEqual(self.result(self.alice.uninvite("attic", "bob")), 1)
        self.assertEqual(self.error(self.bob.join("attic")), "not-invited")
        self.assertIsNone(self.result(self.alice.make_public("attic")))
        self.assertEqual(self.result(self.bob.join("attic")).members, 1)

    def test_private_limit(self) -> None:
        """A bound of the server is an error with its code."""
        names = [f"n{number}" for number in range(500)]
        self.result(self.alice.make_private("attic"))
        for name in names:
            self.result(self.alice.invite("attic", name))
        self.assertEqual(self.error(self.alice.invite("attic", "more")), "private-limit")

    def test_removed(self) -> None:
        """A removed client gets an event, has left the room, and cannot send to it."""
        self.result(self.alice.make_private("den"))
        self.assertIn("den", self.bob.factory.progress.rooms)
        self.result(self.alice.uninvite("den", "bob"))
        changed = {"event": "room-changed", "room": "den", "private": True, "name": "alice"}
        self.assertEqual(self.events, [changed, {"event": "removed", "room": "den"}])
        self.assertNotIn("den", self.bob.factory.progress.rooms)
        self.assertEqual(self.error(self.bob.send("hello", room="den")), "not-in-room")

    def test_removed_by_nonsense(self) -> None:
        """An EVENT without a room changes nothing; with another value, it is not told either."""
        session = self.server.session_of(self.bob)
        for fields in ({}, {"room": 7}, {"room": None}):
            header = {"event": "removed", **fields}
            session.deliver(session.encoder.encode_parts(10, header))
        self.server.pump()
        self.assertEqual(self.events, [{"event": "removed"}])
        self.assertIn("den", self.bob.factory.progress.rooms)
