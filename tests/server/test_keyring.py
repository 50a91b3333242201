"""Tests of `chatd.server.keyring`, and of a server that replaces its key."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.client import ChatClient
from chatd.errors import ConfigurationError, SessionRefused
from chatd.server.keyring import Keyring
from chatd.testing import MemoryServer
from chatd.wire.codec import Codec
from chatd.wire.messages import Message
from tests.fakes.peers import KEY, OTHER_KEY, GatedStore

THIRD_KEY = bytes(range(2, 34))


class KeyringTests(SynchronousTestCase):
    """The key can be replaced."""

    def test_replaced(self) -> None:
        """After that, there is another codec with the same limit."""
        ring = Keyring(KEY, 100)
        ring.replace(OTHER_KEY)
        message = Message.chat("hello", id="1")
        self.assertEqual(ring.codec.encode(message), Codec(OTHER_KEY).encode(message))
        self.assertEqual(ring.codec.max_content, 100)

    def test_same_key(self) -> None:
        """The same key again changes nothing."""
        ring = Keyring(KEY, 100)
        codec = ring.codec
        ring.replace(KEY)
        self.assertIs(ring.codec, codec)

    def test_no_key(self) -> None:
        """The server refuses an invalid key, and changes nothing."""
        ring = Keyring(KEY, 100)
        codec = ring.codec
        self.assertRaises(ConfigurationError, ring.replace, b"short")
        self.assertIs(ring.codec, codec)


class UseKeyTests(SynchronousTestCase):
    """A server uses another key, and ends no session."""

    def setUp(self) -> None:
        self.server = MemoryServer(key=KEY)

    def heard(self, client: ChatClient) -> list[str]:
        """Return the new messages for a client."""
        heard = []
        while client._inbox._messages:
            heard.append(client._inbox._messages.popleft().text)
        return heard

    def talk(self, *clients: ChatClient) -> None:
        """Let each client send a message, and check that all get it, and the receipts."""
        sent = [client.send(f"{client.name} speaks") for client in clients]
        self.server.pump()
        for each in sent:
            self.successResultOf(each)
        for client in clients:
            others = [f"{each.name} speaks" for each in clients if each is not client]
            self.assertEqual([text for text in self.heard(client) if "speaks" in text], others)

    def test_generations(self) -> None:
        """Clients with three generations of keys share a room, and get each other's messages."""
        clients = []
        for name, key in (("alice", KEY), ("bob", OTHER_KEY), ("cat", THIRD_KEY)):
            if key != KEY:
                self.server.factory.use_key(key)
            clients.append(self.server.connect(name, key=key))
            self.talk(*clients)
        self.assertEqual(len(self.server.factory.sessions), 3)

    def test_new_ones(self) -> None:
        """New clients need the new key."""
        self.server.connect("alice")
        self.server.factory.use_key(OTHER_KEY)
        with self.assertRaises(SessionRefused) as late:
            self.server.connect("bob", key=KEY)
        self.assertEqual(late.exception.code, "wrong-key")
        self.assertTrue(self.server.connect("cat", key=OTHER_KEY).connection.is_established)

    def test_everything_else(self) -> None:
        """Direct messages, history, answers and the server's messages reach old sessions."""
        alice = self.server.connect("alice")
        self.server.factory.use_key(OTHER_KEY)
        bob = self.server.connect("bob", key=OTHER_KEY)
        self.talk(alice, bob)
        asked: list[Deferred[Any]] = [
            bob.send("psst", to="alice"),
            alice.history("lobby"),
            alice.who("lobby"),
            alice.ping(),
        ]
        self.server.session_of(alice).send("from the server")
        self.server.factory.send_to_room("lobby", "to all")
        self.server.pump()
        _, history, names, _ = [self.successResultOf(each) for each in asked]
        said = [message.text for message in history.messages]
        self.assertEqual(said, ["alice speaks", "bob speaks", "to all"])
        self.assertEqual(names, ["alice", "bob"])
        self.assertEqual(sorted(self.heard(alice)), ["from the server", "psst", "to all"])
        self.server.advance(20)
        self.assertTrue(alice.connection.is_established)
        self.server.session_of(alice).end("kicked", "enough")
        self.server.pump()
        self.assertEqual(alice.connection.end_reason.code, "kicked")

    def test_under_way(self) -> None:
        """Messages before the change that are stored after it are signed with each client's key."""
        store = GatedStore()
        self.server = MemoryServer(key=KEY, store=store)
        alice, bob = self.server.connect("alice"), self.server.connect("bob")
        sent = alice.send("under way")
        self.server.pump()
        self.server.factory.use_key(OTHER_KEY)
        cat = self.server.connect("cat", key=OTHER_KEY)
        store.answer()
        self.server.pump()
        self.successResultOf(sent)
        self.assertEqual([self.heard(each) for each in (bob, cat)], [["under way"]] * 2)

    def test_same_turn(self) -> None:
        """Messages of the same turn are signed with each client's key."""
        alice, bob = self.server.connect("alice"), self.server.connect("bob")
        self.server.factory.send_to_room("lobby", "now")
        self.server.factory.use_key(OTHER_KEY)
        self.server.pump()
        self.assertEqual([self.heard(each) for each in (alice, bob)], [["now"]] * 2)

    def test_again(self) -> None:
        """The same key again changes nothing for any session."""
        alice = self.server.connect("alice")
        self.server.factory.use_key(KEY)
        bob = self.server.connect("bob")
        encoders = {self.server.session_of(each).encoder for each in (alice, bob)}
        self.assertEqual(encoders, {self.server.factory.codec})

    def test_without_a_key(self) -> None:
        """A server without a key refuses a key: its clients expect no key."""
        server = MemoryServer()
        self.assertRaises(ConfigurationError, server.factory.use_key, KEY)

    def test_bad_key(self) -> None:
        """The server refuses an invalid key, and the old key stays."""
        self.assertRaises(ConfigurationError, self.server.factory.use_key, b"short")
        self.assertTrue(self.server.connect("alice").connection.is_established)
