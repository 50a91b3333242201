"""Tests of the rooms of a new session, where some rooms are private."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from chatd.chat.policy import Policy
from chatd.errors import StoreError
from chatd.server.accounts import Accounts
from chatd.storage.privateroom import PrivateRoom
from tests.server.cases import SECRET, AdmissionCase, UserTransport

DEN = PrivateRoom("den", "Den", frozenset({"ann"}))


class PrivateRoomTests(AdmissionCase):
    """A server with the default rooms `lobby` and `den`; ann is invited to `den`."""

    transport_class = UserTransport

    def setUp(self) -> None:
        secret = SECRET.encode()
        checker = InMemoryUsernamePasswordDatabaseDontUse(ann=secret, bob=secret, op=secret)
        self.prepare(Accounts(Clock(), [checker, AllowAnonymousAccess()]), ("den", "lobby"))

    def prepare(self, accounts: Accounts | None, rooms: tuple[str, ...]) -> None:
        self.serve(accounts=accounts, policy=Policy(rooms=rooms, operators=("op",)))
        self.successResultOf(Deferred.fromCoroutine(self.store.keep_private(DEN, instead_of=None)))

    def rooms_of(self, name: str, **fields: Any) -> tuple[str | None, list[str]]:
        """Log in; return the first room and all rooms of the welcome."""
        welcome = self.welcome(name, **fields)
        return welcome["room"], [room["room"] for room in welcome["rooms"]]

    def test_default_rooms(self) -> None:
        """A client gets those of the server's rooms that it may enter."""
        self.assertEqual(self.rooms_of("ann", password=SECRET), ("den", ["den", "lobby"]))
        self.assertEqual(self.rooms_of("op", password=SECRET), ("den", ["den", "lobby"]))
        self.assertEqual(self.rooms_of("bob", password=SECRET), ("lobby", ["lobby"]))
        self.assertEqual(self.rooms_of("guest-1"), ("lobby", ["lobby"]))

    def test_no_room_left(self) -> None:
        """A client that may enter none of the server's rooms begins in no room."""
        self.prepare(self.factory.engine.admission._accounts, ("den",))
        self.assertEqual(self.rooms_of("bob", password=SECRET), (None, []))
        self.assertEqual(self.factory.hub.roster.rooms, {})

    def test_named_rooms(self) -> None:
        """The server refuses a client that names a private room, and keeps no state of it."""
        self.assertEqual(self.rooms_of("ann", password=SECRET, rooms=["den"]), ("den", ["den"]))
        fields: dict[str, Any] = {"password": SECRET, "rooms": ["lobby", "den"]}
        self.assertEqual(self.refusal("bob", **fields), ("not-invited", False))
        self.assertEqual(list(self.factory.hub.roster.rooms), ["den"])
        self.assertEqual(self.factory.hub.roster.rooms["den"].holds, 0)
        self.assertEqual(self.rooms_of("bob", password=SECRET, rooms=[]), (None, []))

    def test_uninvited_meanwhile(self) -> None:
        """A client whose invitation ends before its session does not begin in the room."""
        self.rooms_of("op", password=SECRET, rooms=["lobby"])
        self.store.is_slow = True
        peer = self.knock("ann", password=SECRET, rooms=["den"])
        access = self.factory.engine.access
        done = Deferred.fromCoroutine(access.uninvite("den", "ann"))
        self.store.answer("keep_private")
        self.successResultOf(done)
        self.store.answer_next()
        self.factory.engine.turn.flush()
        self.assertEqual(self.refusal_of(peer)[0], "not-invited")

    def test_uninvited_from_a_default_room_meanwhile(self) -> None:
        """A client that named no room begins in the rooms that it may still enter."""
        self.rooms_of("op", password=SECRET, rooms=[])
        self.store.is_slow = True
        peer = self.knock("ann", password=SECRET)
        done = Deferred.fromCoroutine(self.factory.engine.access.uninvite("den", "ann"))
        self.store.answer("keep_private")
        self.successResultOf(done)
        while self.store.owes_answers:
            self.store.answer_next()
        self.factory.engine.turn.flush()
        (welcome,) = peer.take()
        self.assertEqual([room["room"] for room in welcome.header["rooms"]], ["lobby"])
        self.assertNotIn("den", self.factory.hub.roster.rooms)

    def test_rooms_cannot_be_read(self) -> None:
        """If the store cannot read the private rooms, the client may come back later.

        That is so for all clients, because each of them may ask for the list of rooms next.
        """
        self.store.failure = StoreError("no")
        rooms: dict[str, Any]
        for rooms in ({}, {"rooms": []}, {"rooms": ["lobby"]}):
            self.assertEqual(self.refusal("ann", password=SECRET, **rooms), ("not-stored", True))

    def test_without_accounts(self) -> None:
        """On a server without accounts, the room is closed to its names and to operators."""
        self.prepare(None, ("den", "lobby"))
        for name in ("ann", "op"):
            self.assertEqual(self.rooms_of(name), ("lobby", ["lobby"]))
        self.assertEqual(self.refusal("cy", rooms=["den"]), ("not-invited", False))

    def test_operators_replaced(self) -> None:
        """The server removes an operator who loses the role from rooms without an invitation."""
        peer = self.knock("op", password=SECRET)
        peer.take()
        self.factory.use_operators([])
        self.factory.engine.turn.flush()
        (removed,) = peer.take()
        self.assertEqual(removed.header, {"event": "removed", "room": "den"})
