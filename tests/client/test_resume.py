"""Tests of resuming: with the same name and rooms, and the missed messages."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from chatd.chat.policy import Policy
from chatd.client.client import ChatClient
from chatd.errors import StoreError
from chatd.wire.messages import Message
from tests.chat.slowstore import SlowStore
from tests.fakes.networks import ENDPOINT, RETRY_S, LastingTests
from tests.fakes.peers import hand_client


class BackTests(LastingTests):
    """A client resumes after a lost connection."""

    def test_missed(self) -> None:
        """Missed messages arrive once and in order, at the hook and in the iteration."""
        bob = self.hand()
        self.start()
        self.say(bob, "one")
        self.lose()
        self.say(bob, "two", "three")
        self.come_back()
        self.say(bob, "four")
        self.assertEqual(self.heard(), ["one", "two", "three", "four"])
        self.assertEqual(self.taken(), ["one", "two", "three", "four"])

    def test_said_while_coming_back(self) -> None:
        """Messages during the reconnect come between the missed and the new messages."""
        bob = self.hand()
        self.start()
        self.lose()
        self.say(bob, "missed")
        self.network.advance(RETRY_S)
        store: Any = self.server.store
        accept = store.read

        async def read(*arguments: Any, **options: Any):
            page = await accept(*arguments, **options)
            bob.send(Message.chat("meanwhile"))
            store.read = accept
            return page

        store.read = read
        self.network.accept()
        self.say(bob, "new")
        self.assertEqual(self.taken(), ["missed", "meanwhile", "new"])

    def test_again_and_again(self) -> None:
        """After any number of losses, no message is missed or delivered twice."""
        bob = self.hand()
        self.start()
        for number in range(5):
            self.say(bob, f"here {number}")
            self.lose()
            self.say(bob, f"away {number}")
            self.come_back()
        expected = [f"{where} {number}" for number in range(5) for where in ("here", "away")]
        self.assertEqual(self.taken(), expected)

    def test_more_than_a_page(self) -> None:
        """More messages than a page of the server's can be missed."""
        bob = self.hand()
        self.start()
        self.lose()
        bob.send(*(Message.chat(str(number)) for number in range(999)))
        self.come_back()
        self.assertEqual(self.taken(), list(map(str, range(999))))

    def test_name(self) -> None:
        """A guest gets its name from the server back."""
        self.clients = self.make_clients()
        self.service = self.make_service(ENDPOINT)
        name = self.start().name
        self.assertRegex(name, "^guest-")
        self.lose()
        self.assertEqual(self.come_back().name, name)

    def test_new_name(self) -> None:
        """A renamed client gets its new name back."""
        renamed = self.start().rename("alicia")
        self.network.pump()
        self.successResultOf(renamed)
        self.lose()
        self.assertEqual(self.come_back().name, "alicia")

    def test_name_in_use(self) -> None:
        """While another client has its name, the client retries."""
        self.start()
        self.lose()
        other = hand_client(self.server, "alice")
        self.network.advance(RETRY_S)
        self.network.accept()
        self.assertNoResult(self.service.whenConnected())
        other.transport.lose()
        self.assertEqual(self.come_back().name, "alice")

    def test_rooms(self) -> None:
        """The client is in its earlier rooms, later joins included."""
        bob = self.hand("bob", "cellar", "attic")
        client = self.start()
        changes: list[Deferred[Any]] = [
            client.join("Cellar"),
            client.join("attic"),
            client.leave("lobby"),
        ]
        for change in changes:
            self.network.pump()
            self.successResultOf(change)
        self.clients.joined = []
        self.lose()
        for room in ("lobby", "cellar", "attic"):
            self.say(bob, f"in the {room}", room=room)
        self.come_back()
        self.assertEqual(self.taken(), ["in the cellar", "in the attic"])
        self.assertEqual(self.clients.joined, [("cellar", True), ("attic", True)])
        self.assertEqual(list(self.session().rooms), ["cellar", "attic"])

    def session(self):
        """Return alice's session."""
        (session,) = (each for each in self.server.sessions.values() if each.name == "alice")
        return session

    def test_told_of_rooms(self) -> None:
        """The hook gets each room at the beginning, and after a reconnect."""
        self.hand()
        self.start()
        self.assertEqual(self.clients.joined, [("lobby", False)])
        self.lose()
        self.come_back()
        self.assertEqual(self.clients.joined, [("lobby", False), ("lobby", True)])

    def test_ready_when_inside(self) -> None:
        """A wait for the client ends when it is in its rooms."""
        self.start()
        self.lose()
        members = self.service.whenConnected().addCallback(
            lambda client: [
                each.name for each in self.server.hub.roster.rooms["lobby"].members.values()
            ]
        )
        self.come_back()
        self.assertEqual(self.successResultOf(members), ["alice"])

    def test_room_that_refuses(self) -> None:
        """The client reports a refused room as an error, and does not request it again."""
        self.network.restart(policy=Policy(max_rooms=3))
        client = self.start()
        for room in ("cellar", "attic"):
            client.join(room)
        self.network.pump()
        self.network.restart(policy=Policy(max_rooms=2))
        self.come_back()
        self.assertEqual(self.clients.errors, ["too-many-rooms"])
        self.assertEqual(list(self.session().rooms), ["lobby", "cellar"])
        self.lose()
        self.come_back()
        self.assertEqual(self.clients.errors, ["too-many-rooms"])

    def test_lost_while_coming_back(self) -> None:
        """A loss before the client is in its rooms causes no missed messages."""
        bob = self.hand("bob", "cellar")
        client = self.start()
        client.join("cellar")
        self.network.pump()
        self.lose()
        self.say(bob, "in the lobby")
        self.say(bob, "in the cellar", room="cellar")
        self.network.advance(RETRY_S)
        with self.deaf_server():
            self.network.accept()
        self.lose()
        self.come_back()
        self.assertEqual(sorted(self.taken()), ["in the cellar", "in the lobby"])

    def test_lost_in_the_first_session(self) -> None:
        """Nor does a loss while the first session begins."""
        bob = self.hand()
        self.service.startService()
        with self.deaf_server():
            self.network.accept()
        self.say(bob, "one")
        self.lose()
        self.say(bob, "two")
        self.come_back()
        self.say(bob, "three")
        self.assertEqual(self.taken(), ["one", "two", "three"])


class EpochTests(LastingTests):
    """A restarted server without stored messages has another epoch."""

    def test_told_anew(self) -> None:
        """The client delivers all its messages, and the hook learns that some may be missing."""
        bob = self.hand()
        self.start()
        self.say(bob, "old", "older")
        self.network.restart()
        bob = self.hand()
        self.say(bob, "new")
        self.come_back()
        self.say(bob, "newer")
        self.assertEqual(self.taken(), ["old", "older", "new", "newer"])
        self.assertEqual(self.clients.joined, [("lobby", False), ("lobby", False)])

    def test_nothing_there_yet(self) -> None:
        """Without messages there, later missed messages are still delivered."""
        bob = self.hand()
        self.start()
        self.say(bob, "old", "older")
        self.network.restart()
        self.come_back()
        self.lose()
        bob = self.hand()
        self.say(bob, "new")
        self.come_back()
        self.assertEqual(self.taken(), ["old", "older", "new"])

    def test_more_there_than_before(self) -> None:
        """The epoch counts, not the place."""
        bob = self.hand()
        self.start()
        self.say(bob, "old")
        self.network.restart()
        bob = self.hand()
        self.say(bob, "1", "2", "3")
        self.come_back()
        self.assertEqual(self.taken(), ["old", "1", "2", "3"])


class StoreTests(LastingTests):
    """A temporary failure of the store has no lasting effect."""

    def setUp(self) -> None:
        super().setUp()
        self.store = SlowStore(unix_time=self.reactor.seconds)
        self.network.restart(store=self.store)

    def test_room_that_cannot_be_read(self) -> None:
        """A room that cannot be read now is requested again after a reconnect."""
        self.hand()
        self.start()
        self.lose()
        self.store.failure = StoreError("broken")
        self.network.advance(RETRY_S)
        self.network.accept()
        self.network.pump()
        self.assertEqual(self.clients.errors, ["not-stored"])
        self.store.failure = None
        bob = self.hand("ben")
        self.say(bob, "again")
        self.come_back()
        self.assertEqual(self.taken(), ["again"])
        self.flushLoggedErrors(StoreError)


class ManyRoomsTests(LastingTests):
    """More rooms than a greeting may ask for."""

    rooms = tuple(f"room{number:02}" for number in range(25))

    def test_all(self) -> None:
        """The client is in all of them, at the beginning and after a reconnect."""
        bob = self.hand("bob", *self.rooms)
        self.start()
        self.assertEqual([room for room, _ in self.clients.joined], list(self.rooms))
        self.say(bob, "first", room="room00")
        self.say(bob, "last", room="room24")
        self.lose()
        self.say(bob, "first again", room="room00")
        self.say(bob, "last again", room="room24")
        self.come_back()
        self.assertEqual(self.taken(), ["first", "last", "first again", "last again"])

    def test_lost_while_joining(self) -> None:
        """The end of the session is no failure of the resumption."""
        self.service.startService()
        self.network.accept_welcome()
        self.lose()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.come_back()
        self.assertEqual(len(self.service.client.factory.progress.rooms), 25)


class NoRoomsTests(LastingTests):
    """A client that chose no rooms."""

    rooms = ()

    def test_none(self) -> None:
        """It is in no room, at the beginning and after a reconnect."""
        for client in (self.start, self.back):
            self.assertIsNone(client().room)
            self.assertEqual(self.clients.joined, [])

    def back(self) -> ChatClient:
        self.lose()
        return self.come_back()
