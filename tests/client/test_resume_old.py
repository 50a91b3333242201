"""Tests of resuming with a server without places, or with malformed places."""

from __future__ import annotations

from tests.fakes.handserver import HandServer, answer_commands, said, turn, welcome
from tests.fakes.networks import RETRY_S, LastingTests


class OldServerTests(LastingTests):
    """A server without places and commands."""

    def setUp(self) -> None:
        super().setUp()
        self.by_hand = HandServer()
        self.service = self.make_service(self.by_hand)

    def begin(self) -> None:
        """Greet and welcome the client, and refuse its commands."""
        welcome(self.by_hand.peer)
        self.commands = answer_commands(self.by_hand.peer, lambda _: "unknown-command")

    def test_usable(self) -> None:
        """The client works with it: it is in the room, and gets messages."""
        self.service.startService()
        self.begin()
        self.assertIs(self.successResultOf(self.service.whenConnected()), self.service.client)
        self.assertEqual([header["command"] for header in self.commands], ["conversations"])
        self.assertEqual((self.clients.errors, self.clients.joined), (["unknown-command"], []))
        self.by_hand.peer.send(said("one", 7), said("again", 7), said("two", 8))
        self.assertEqual(self.taken(), ["one", "two"])

    def test_back(self) -> None:
        """After a reconnect, every message is news: there are no places to compare."""
        self.service.startService()
        self.begin()
        self.by_hand.peer.send(said("one", 7))
        self.by_hand.peer.transport.lose()
        self.reactor.advance(RETRY_S)
        self.begin()
        self.assertEqual([header["command"] for header in self.commands], ["conversations"])
        self.by_hand.peer.send(said("two", 1))
        self.assertEqual(self.taken(), ["one", "two"])

    def test_odd_welcomes(self) -> None:
        """The client ignores a malformed place in a welcome."""
        for rooms in ("lobby", [5], [{"epoch": "e", "seq": 1}], [{"room": "lobby", "seq": "1"}]):
            by_hand = HandServer()
            self.clients = self.make_clients(name="alice")
            service = self.make_service(by_hand)
            service.startService()
            welcome(by_hand.peer, rooms=rooms)
            answer_commands(by_hand.peer, lambda _: "unknown-command")
            by_hand.peer.send(said("one", 7))
            self.assertEqual((self.heard(), self.clients.joined), (["one"], []))
            service.stopService()
            turn(by_hand.peer)
            by_hand.peer.transport.lose()

    def test_failure_of_the_client(self) -> None:
        """An internal failure ends the session, and the client reconnects."""
        self.service.startService()
        peer = self.by_hand.peer
        self.service.client.conversations = lambda: 1 / 0
        self.begin()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        end = self.service.client.connection.end_reason
        self.assertEqual((end.code, end.retry), ("internal-error", True))
        peer.transport.lose()
        self.reactor.advance(RETRY_S)
        self.begin()
        self.assertTrue(self.service.client.is_active)
