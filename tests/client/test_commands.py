"""Tests of a client's commands, against a server."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from chatd.client.client import ChatClient
from chatd.client.results import BanInfo, Joined, PersonInfo, RoomInfo
from chatd.errors import SessionRefused
from tests.client.cases import CommandsCase

LONG = "x" * 50
"""Makes names so long that a list of a thousand needs several answers."""


class RoomTests(CommandsCase):
    """Joining and leaving rooms."""

    def test_join(self) -> None:
        """A join returns the room's place, without earlier messages."""
        first = self.result(self.bob.join("Cellar"))
        self.assertEqual((first.room, first.seq, first.members, first.topic), ("Cellar", 0, 1, ""))
        _, two = self.say(self.bob, "one", "two", room="cellar")
        self.result(self.bob.topic("cellar", "wine"))
        second = self.result(self.alice.join("cellar"))
        self.assertEqual(
            second,
            Joined(
                room="Cellar", epoch=first.epoch, seq=2, last_id=two.id, members=2, topic="wine"
            ),
        )
        self.assertEqual(self.taken(self.alice), [])

    def test_join_after(self) -> None:
        """A join after a place brings the messages since, and tells if these are all."""
        self.result(self.bob.join("cellar"))
        receipts = self.say(self.bob, "one", "two", "three", room="cellar")
        epoch = self.result(self.bob.join("cellar")).epoch
        joined = self.result(self.alice.join("cellar", after=receipts[0].seq, epoch=epoch))
        self.assertTrue(joined.recovered)
        self.assertEqual(self.taken(self.alice), ["two", "three"])

    def test_join_in_another_epoch(self) -> None:
        """If the epoch differs, the client delivers all stored messages."""
        self.result(self.bob.join("cellar"))
        self.say(self.bob, "one", "two", room="cellar")
        joined = self.result(self.alice.join("cellar", after=40, epoch="another"))
        self.assertFalse(joined.recovered)
        self.assertEqual(self.taken(self.alice), ["one", "two"])
        self.say(self.bob, "three", room="cellar")
        self.assertEqual(self.taken(self.alice), ["three"])

    def test_bad_room(self) -> None:
        """The server refuses an invalid room name."""
        self.assertEqual(self.error(self.alice.join("a b")), "bad-room")

    def test_leave(self) -> None:
        """After leaving a room a client gets none of its messages, and cannot leave it again."""
        self.assertIsNone(self.result(self.alice.leave("LOBBY")))
        self.say(self.bob, "is anybody there?")
        self.assertEqual(self.taken(self.alice), [])
        self.assertEqual(self.error(self.alice.leave("lobby")), "not-in-room")

    def test_topic(self) -> None:
        """Members of a room can set, get and clear its topic; others cannot."""
        self.assertEqual(self.result(self.alice.topic("lobby")), "")
        self.assertEqual(self.result(self.alice.topic("lobby", "wine")), "wine")
        self.assertEqual(self.result(self.bob.topic("lobby")), "wine")
        self.assertEqual(self.result(self.bob.topic("lobby", "")), "")
        self.assertEqual(self.error(self.bob.topic("lobby", "x" * 300)), "bad-request")
        self.assertEqual(self.error(self.bob.topic("cellar")), "not-in-room")

    def taken(self, client: ChatClient) -> list[str]:
        """Return the messages that wait for a client's iteration."""
        texts = []
        while (taking := Deferred.fromCoroutine(client.__anext__())).called:
            texts.append(self.successResultOf(taking).text)
        taking.addErrback(lambda _: None).cancel()
        return texts


class ListTests(CommandsCase):
    """Lists are complete, for any number of answers."""

    def test_who(self) -> None:
        """The people in a room."""
        self.assertEqual(self.result(self.alice.who("lobby")), ["alice", "bob"])
        self.assertEqual(self.error(self.alice.who("cellar")), "no-such-room")

    def test_many_names(self) -> None:
        """More names than fit in one answer come in several answers."""
        names = [f"{number:04}{'n' * 28}" for number in range(1_500)]
        members: dict[Any, Any] = self.server.factory.hub.roster.rooms["lobby"].members
        for name in names:
            members[name] = _Named(name)
        self.assertEqual(self.result(self.alice.who("lobby")), [*names, "alice", "bob"])

    def test_rooms(self) -> None:
        """The rooms, including empty rooms with stored messages."""
        self.result(self.bob.join("Cellar"))
        self.result(self.bob.topic("cellar", "wine"))
        self.say(self.bob, "hello", room="cellar")
        self.result(self.bob.leave("cellar"))
        self.assertEqual(
            self.result(self.alice.list_rooms()),
            [RoomInfo(room="Cellar", members=0, topic="wine"), RoomInfo(room="lobby", members=2)],
        )

    def test_many_rooms(self) -> None:
        """More rooms than fit in one answer come in several answers."""
        names = [f"{number:04}{LONG}" for number in range(800)]
        joining = [self.bob.join(name) for name in names]
        self.server.pump()
        for joined in joining:
            self.successResultOf(joined)
        rooms = self.result(self.alice.list_rooms())
        self.assertEqual([room.room for room in rooms], [*names, "lobby"])

    def test_conversations(self) -> None:
        """The exchanges of direct messages."""
        self.assertEqual(self.result(self.alice.conversations()), [])
        second = self.say(self.bob, "one", "two", to="Alice")[1]
        (conversation,) = self.result(self.alice.conversations())
        self.assertEqual((conversation.other, conversation.seq), ("bob", second.seq))
        self.assertEqual(self.result(self.bob.conversations())[0].other, "alice")

    def test_bans(self) -> None:
        """The bans, with all their fields."""
        self.result(self.alice.ban("Mallory", until=1e9, reason="be kind"))
        self.result(self.alice.ban(address="192.0.2.1"))
        self.assertEqual(
            self.result(self.alice.bans()),
            [
                BanInfo(address="192.0.2.1", by="alice"),
                BanInfo(name="mallory", until=1e9, by="alice", reason="be kind"),
            ],
        )

    def test_many_bans(self) -> None:
        """More bans than fit in one answer come in several answers."""
        names = [f"mallory{number:04}" for number in range(800)]
        asked = [self.alice.ban(name) for name in names]
        self.assertEqual(self.result(asked[-1]), 0)
        self.assertEqual([ban.name for ban in self.result(self.alice.bans())], names)


class _Named:
    """A member that only has a name."""

    def __init__(self, name: str) -> None:
        self.name = self.key = name

    def deliver(self, frames: bytes) -> None:
        """Ignore a message."""


class NameTests(CommandsCase):
    """Taking another name."""

    def test_rename(self) -> None:
        """The client has the new name, and keeps it."""
        self.assertEqual(self.result(self.alice.rename("alicia")), "alicia")
        self.assertEqual((self.alice.name, self.alice.factory.name), ("alicia", "alicia"))
        receipt = self.alice.send("hello")
        self.assertEqual(self.result(receipt).sender, "alicia")

    def test_refused(self) -> None:
        """The server refuses a name that is taken or invalid, and nothing changes."""
        self.assertEqual(self.error(self.alice.rename("Bob")), "name-taken")
        self.assertEqual(self.error(self.alice.rename("a b")), "bad-name")
        self.assertEqual(self.alice.name, "alice")


class AwayTests(CommandsCase):
    """Being away."""

    def events_of_alice(self) -> list[dict[str, Any]]:
        """Record the events that alice gets from now on."""
        events: list[dict[str, Any]] = []
        self.patch(self.alice, "event_received", events.append)
        return events

    def test_away(self) -> None:
        """A sender of direct messages gets one event."""
        events = self.events_of_alice()
        self.assertEqual(self.result(self.bob.away("lunch")), "lunch")
        one, _ = self.say(self.alice, "one", "two", to="bob")
        self.assertEqual(events, [{"event": "away", "name": "bob", "text": "lunch", "ref": one.id}])

    def test_back(self) -> None:
        """Without a text, the person is back."""
        events = self.events_of_alice()
        self.result(self.bob.away("lunch"))
        self.assertEqual(self.result(self.bob.away()), "")
        self.say(self.alice, "one", to="bob")
        self.assertEqual(events, [])

    def test_refused(self) -> None:
        """The server refuses a text that is too long."""
        self.assertEqual(self.error(self.bob.away("x" * 257)), "bad-request")

    def test_people(self) -> None:
        """The people in a room are listed with their texts."""
        self.result(self.bob.away("lunch"))
        self.assertEqual(
            self.result(self.alice.people("lobby")),
            [PersonInfo(name="alice"), PersonInfo(name="bob", away="lunch")],
        )
        self.assertEqual(self.result(self.alice.who("lobby")), ["alice", "bob"])
        self.assertEqual(self.error(self.alice.people("cellar")), "no-such-room")

    def test_many_people(self) -> None:
        """More people than fit in one answer come in several answers."""
        clients = [self.server.connect(f"c{number:03}") for number in range(60)]
        for client in clients:
            self.result(client.away("\U0001f600" * 256))
        people = self.result(self.alice.people("lobby"))
        self.assertEqual(
            [each.name for each in people], ["alice", "bob", *(c.name for c in clients)]
        )
        self.assertTrue(all(each.away for each in people[2:]))


class OperatorTests(CommandsCase):
    """The commands for operators."""

    def test_kick(self) -> None:
        """The sessions of a name end, with the given reason."""
        ended = self.bob.when_ended()
        self.assertEqual(self.result(self.alice.kick("BOB", reason="spam")), 1)
        end = self.successResultOf(ended)
        self.assertEqual((end.code, end.reason, end.retry), ("kicked", "spam", False))
        self.assertEqual(self.result(self.alice.kick("bob")), 0)

    def test_kick_by_address(self) -> None:
        """So do the sessions from an address."""
        self.server.connect("carol")
        self.assertEqual(self.result(self.alice.kick(address="192.0.2.1")), 0)
        ended = self.bob.when_ended()
        self.server.session_of(self.bob).address = "192.0.2.1"
        self.assertEqual(self.result(self.alice.kick(address="192.0.2.1")), 1)
        self.assertEqual(self.successResultOf(ended).code, "kicked")

    def test_ban_and_unban(self) -> None:
        """A banned client is disconnected, reads why, and can return after the ban is lifted."""
        ended = self.bob.when_ended()
        self.assertEqual(self.result(self.alice.ban("bob", reason="be kind")), 1)
        self.assertEqual(self.successResultOf(ended).code, "banned")
        with self.assertRaises(SessionRefused) as refused:
            self.server.connect("bob")
        self.assertEqual(refused.exception.code, "banned")
        self.assertEqual(refused.exception.reason, "you are banned from this server: be kind")
        self.assertIsNone(self.result(self.alice.unban("bob")))
        self.assertTrue(self.server.connect("bob").is_active)
        self.assertEqual(self.error(self.alice.unban("bob")), "bad-request")

    def test_ban_of_an_address(self) -> None:
        """An address can be banned, and the ban can be lifted."""
        self.assertEqual(self.result(self.alice.ban(address="192.0.2.1")), 0)
        self.assertIsNone(self.result(self.alice.unban(address="192.0.2.1")))
        self.assertEqual(self.result(self.alice.bans()), [])

    def test_only_operators(self) -> None:
        """The server refuses the commands to others."""
        for asked in (
            self.bob.kick("alice"),
            self.bob.ban("alice"),
            self.bob.unban("alice"),
            self.bob.bans(),
        ):
            self.assertEqual(self.error(asked), "not-allowed")

    def test_a_name_or_an_address(self) -> None:
        """The caller must give a name or an address, and not both."""
        for asked in (self.alice.kick(), self.alice.ban("bob", address="192.0.2.1")):
            self.assertEqual(self.error(asked), "bad-request")
        self.assertEqual(self.error(self.alice.ban("bob", until=-1.0)), "bad-request")
