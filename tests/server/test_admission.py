"""Tests of admission: refusals, names and rooms."""

from __future__ import annotations

import os
import pwd
from typing import Any

from twisted.internet.task import Clock

from chatd.chat.moderation import Ban
from chatd.chat.policy import Policy
from chatd.server.accounts import Accounts
from tests.fakes.networks import UnixTransport
from tests.fakes.passwords import SlowChecker
from tests.fakes.peers import (
    SocketTransport,
    TlsTransport,
    hand_client,
    settle,
)
from tests.server.cases import SECRET, AdmissionCase, UserTransport

ADDRESS = "192.0.2.1"
LOGIN = pwd.getpwuid(os.getuid()).pw_name


class NobodyTransport(UnixTransport):
    """The address of a client on a UNIX socket whose user has no login name."""

    uid = 3_999_999_999


class RoomTests(AdmissionCase):
    """The first rooms of a session."""

    def rooms(self, **fields: Any) -> list[str]:
        """Log in, and return the rooms in the welcome."""
        welcome = self.welcome(**fields)
        names = [room["room"] for room in welcome["rooms"]]
        self.assertEqual(welcome["room"], names[0] if names else None)
        session = self.factory.sessions[welcome["session_id"]]
        self.assertEqual([room.name for room in session.rooms.values()], names)
        return names

    def test_default(self) -> None:
        """By default, it is the lobby."""
        self.assertEqual(self.rooms(), ["lobby"])

    def test_operators_choice(self) -> None:
        """The operator can choose other rooms, or no room."""
        for rooms in (("Hall", "cellar"), ()):
            self.serve(policy=Policy(rooms=rooms))
            self.assertEqual(self.rooms(), list(rooms))

    def test_clients_choice(self) -> None:
        """The client can request other rooms, or no room."""
        for rooms in (["attic", "cellar"], []):
            self.assertEqual(self.rooms(rooms=rooms), rooms)

    def test_spellings(self) -> None:
        """A room that is requested twice is joined once, under its own name."""
        self.rooms(rooms=["Cellar"])
        self.assertEqual(self.rooms(rooms=["CELLAR", "cellar", "attic"]), ["Cellar", "attic"])

    def test_where_they_stand(self) -> None:
        """The welcome tells the position of each room, so that a client can resume from it."""
        bob = hand_client(self.factory, "bob")
        bob.say("one", "two")
        settle(self.factory)
        (told,) = self.welcome()["rooms"]
        room = self.factory.hub.roster.rooms["lobby"]
        self.assertEqual(told, {"room": "lobby", "epoch": room.epoch, "seq": 2, "last_id": "two"})

    def test_bad_room(self) -> None:
        """The server refuses a client with an invalid room name, and leaves no room behind."""
        self.assertEqual(self.refusal("alice", rooms=["attic", "a b"]), ("bad-room", False))
        self.check_nothing_left()

    def test_too_many_rooms(self) -> None:
        """The server refuses a client that requests too many rooms."""
        self.serve(policy=Policy(max_rooms=2))
        rooms = ["a", "b", "c"]
        self.assertEqual(self.refusal("alice", rooms=rooms), ("too-many-rooms", False))
        self.check_nothing_left()


class BanTests(AdmissionCase):
    """The server refuses banned clients."""

    def test_name(self) -> None:
        """The server refuses a banned name in any spelling."""
        self.factory.bans.replace([Ban(name="mallory")])
        self.assertEqual(self.refusal("Mallory"), ("banned", False))
        self.check_nothing_left()
        self.welcome("alice")

    def test_address(self) -> None:
        """The server refuses a banned address."""
        self.factory.bans.replace([Ban(address=ADDRESS)])
        self.assertEqual(self.refusal("alice"), ("banned", False))
        self.check_nothing_left()
        self.welcome("alice", transport_class=UnixTransport)

    def test_user(self) -> None:
        """A user of this machine can be banned."""
        self.factory.bans.replace([Ban(address=f"uid:{os.getuid()}")])
        self.assertEqual(self.refusal(transport_class=UserTransport), ("banned", False))
        self.welcome(transport_class=NobodyTransport)

    def test_ended(self) -> None:
        """A ban that has ended keeps no client out."""
        self.factory.bans.replace([Ban(name="mallory", until=10.0)])
        self.assertEqual(self.refusal("mallory"), ("banned", False))
        self.factory.clock.advance(10.0)
        self.welcome("mallory")

    def test_before_the_password(self) -> None:
        """From a banned address, no password is even checked."""
        checker = SlowChecker()
        self.serve(accounts=Accounts(Clock(), [checker]))
        self.factory.bans.replace([Ban(address="uid:0")])
        refusal = self.refusal("alice", password=SECRET, transport_class=UnixTransport)
        self.assertEqual((refusal, checker.asked), (("banned", False), []))

    def test_account(self) -> None:
        """An account can be banned by the account's name."""
        checker = SlowChecker()
        self.serve(accounts=Accounts(Clock(), [checker]))
        self.factory.bans.replace([Ban(name="alice")])
        peer = self.knock("ALICE", password=SECRET, transport_class=UnixTransport)
        checker.answer(b"Alice")
        settle(self.factory)
        self.assertEqual(self.refusal_of(peer), ("banned", False))
        self.check_nothing_left()


class NameTests(AdmissionCase):
    """The name of a session on a server without accounts."""

    def test_asked_for(self) -> None:
        """A session gets the requested name if it is free."""
        self.assertEqual(self.welcome("alice")["name"], "alice")
        self.assertEqual(self.refusal("ALICE"), ("name-taken", False))
        self.assertEqual(self.refusal("a b"), ("bad-name", False))

    def test_guest(self) -> None:
        """A client that requests no name becomes a guest."""
        self.assertRegex(self.welcome()["name"], "^guest-[0-9a-f]{6}$")

    def test_login(self) -> None:
        """On a UNIX socket, the name is the login name, and for a second session a similar name."""
        names = [self.welcome(transport_class=UserTransport)["name"] for _ in range(3)]
        self.assertEqual(names, [LOGIN, f"{LOGIN}-2", f"{LOGIN}-3"])
        welcome = self.welcome("alice", transport_class=UserTransport)
        self.assertEqual(welcome["name"], "alice")

    def test_no_login(self) -> None:
        """A user without a login name becomes a guest."""
        self.assertRegex(self.welcome(transport_class=NobodyTransport)["name"], "^guest-")

    def test_address(self) -> None:
        """The session knows its address, as bans count it."""
        for transport_class, address in (
            (SocketTransport, ADDRESS),
            (TlsTransport, ADDRESS),
            (UserTransport, f"uid:{os.getuid()}"),
        ):
            welcome = self.welcome(transport_class=transport_class)
            session = self.factory.sessions[welcome["session_id"]]
            self.assertEqual((session.address, session.has_account), (address, False))
