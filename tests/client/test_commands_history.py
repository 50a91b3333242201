"""Tests of reading history: its messages are not news, and news still arrives."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from chatd.client.client import ChatClient
from chatd.errors import RequestError, SessionEnded
from chatd.storage.memory import MemoryStore
from chatd.storage.values import Retention
from chatd.testing import MemoryServer
from tests.client.cases import CommandsCase
from tests.fakes.handserver import answer_commands, direct, hand_peer, noting, turn


class HistoryTests(CommandsCase):
    """Reading earlier messages."""

    def carol(self) -> ChatClient:
        """Connect a client that notes its messages."""
        self.heard: list[str] = []
        return self.server.connect("carol", protocol=noting(self.heard))

    def texts(self, asked: Deferred[Any]) -> list[str]:
        return [message.text for message in self.result(asked).messages]

    def test_newest(self) -> None:
        """Without a place, the client reads the newest messages, as they were delivered."""
        receipts = self.say(self.alice, *map(str, range(5)))
        history = self.result(self.bob.history("lobby", limit=3))
        self.assertEqual(history.messages, receipts[2:])
        self.assertFalse(history.complete)
        self.assertEqual(history.epoch, self.server.factory.hub.roster.rooms["lobby"].epoch)

    def test_after_and_before(self) -> None:
        """After a place, the client reads the oldest messages; before a place, the newest."""
        self.say(self.alice, *map(str, range(5)))
        self.assertEqual(self.texts(self.bob.history("lobby", after=1, limit=2)), ["1", "2"])
        self.assertEqual(self.texts(self.bob.history("lobby", before=4, limit=2)), ["1", "2"])
        everything = self.result(self.bob.history("lobby", after=0))
        self.assertEqual((len(everything.messages), everything.complete), (5, True))

    def test_nothing(self) -> None:
        """An empty history is complete."""
        history = self.result(self.bob.history("lobby"))
        self.assertEqual((history.messages, history.complete), ([], True))

    def test_refused(self) -> None:
        """The server refuses an invalid request."""
        for asked in (self.bob.history("lobby", after=1, before=2),):
            self.assertEqual(self.error(asked), "bad-request")
        self.assertEqual(self.error(self.bob.history("cellar")), "not-in-room")

    def test_no_place(self) -> None:
        """Without a place, or with two, the error names the method's arguments."""
        for asked in (self.bob.history(), self.bob.history("lobby", other="alice")):
            error = self.failureResultOf(asked, RequestError).value
            self.assertEqual(str(error), "bad-request: give either `room` or `other`")

    def test_not_news(self) -> None:
        """A room's history reaches neither the hooks nor the iteration."""
        self.say(self.alice, "one", "two")
        carol = self.carol()
        self.assertEqual(self.texts(carol.history("lobby")), ["one", "two"])
        self.assertEqual(self.heard, [])

    def test_direct_messages_are_not_news(self) -> None:
        """Nor do direct messages from the history."""
        self.say(self.alice, "one", "two", to="carol")
        carol = self.carol()
        self.assertEqual(self.texts(carol.history(other="alice")), ["one", "two"])
        self.assertEqual(self.heard, [])
        self.say(self.alice, "three", to="carol")
        self.assertEqual(self.heard, ["three"])

    def test_news_meanwhile(self) -> None:
        """New messages during the reading are news, in order, and not part of the page."""
        self.say(self.alice, "old", to="carol")
        carol = self.carol()
        reading = [carol.history(other="alice", before=2), carol.history("lobby")]
        own = carol.send("mine", to="alice")
        for text in ("new", "newer"):
            self.alice.send(text, to="carol")
        self.alice.send("in the lobby")
        for client in (self.alice, carol):  # in one turn, alice's first
            client.flush()
        self.assertEqual(self.texts(reading[0]), ["old"])
        self.assertEqual(self.texts(reading[1]), ["in the lobby"])
        self.successResultOf(own)
        self.assertEqual(sorted(self.heard), ["in the lobby", "mine", "new", "newer"])
        self.assertLess(self.heard.index("new"), self.heard.index("newer"))

    def test_lost_while_reading(self) -> None:
        """If the session ends, reading fails; its messages are not news, all others are."""
        heard: list[str] = []
        peer, client = hand_peer(self, heard)
        reading = client.history(other="bob")
        turn(peer)
        (command,) = peer.take()
        peer.send(direct("one").with_ref(command.header["id"]), direct("two", 2))
        self.assertEqual(heard, ["two"])
        peer.transport.lose()
        self.failureResultOf(reading, SessionEnded)
        self.assertEqual(heard, ["two"])

    def test_refused_while_news_come(self) -> None:
        """If the server refuses to read, messages that came during the wait are news."""
        heard: list[str] = []
        peer, client = hand_peer(self, heard)
        reading = client.history(other="bob")
        turn(peer)
        peer.send(direct("one"))
        answer_commands(peer, lambda _: "not-stored")
        self.failureResultOf(reading, RequestError)
        self.assertEqual(heard, ["one"])

    def test_forgotten(self) -> None:
        """If the oldest messages are gone, the page begins with the oldest stored message."""
        store = MemoryStore(Retention(max_messages=2), unix_time=lambda: 0.0)
        self.server = MemoryServer(store=store)
        alice = self.server.connect("alice")
        self.say(alice, *map(str, range(5)))
        self.assertEqual(self.texts(alice.history("lobby", after=0)), ["3", "4"])
