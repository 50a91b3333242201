"""Tests of the library's client, which comes back to another daemon of the same chat."""

from __future__ import annotations

from chatd.storage.values import Retention
from chatd.testing import MemoryServer
from tests.backplane.sharedmemory import SharedMemory
from tests.fakes.networks import RETRY_S, LastingTests


class ComingBackTests(LastingTests):
    """Alice's client, which reconnects, and bob at a daemon that stays."""

    def setUp(self) -> None:
        super().setUp()
        self.shared = SharedMemory(Retention(max_messages=3))
        self.network.restart(store=self.shared.node())
        self.staying = MemoryServer(store=self.shared.node())
        self.bob = self.staying.connect("bob")
        self.start()

    def tell(self, *texts: str) -> None:
        """Let bob send each message to the lobby and to alice."""
        for text in texts:
            for sent in (self.bob.send(text), self.bob.send(f"to alice: {text}", to="alice")):
                self.staying.pump()
                self.successResultOf(sent)
        self.network.pump()

    def test_other_daemon(self) -> None:
        """At another daemon, the client gets what it missed, once and in order."""
        self.tell("one")
        self.network.restart(store=self.shared.node())
        self.tell("two", "three")
        self.clients.joined = []
        self.come_back()
        self.tell("four")
        texts = [text for _, text in self.clients.heard]
        self.assertEqual(
            [text for text in texts if text.startswith("to")],
            [f"to alice: {number}" for number in ("one", "two", "three", "four")],
        )
        self.assertEqual(
            [text for text in texts if not text.startswith("to")],
            ["one", "two", "three", "four"],
        )
        self.assertEqual(self.clients.joined, [("lobby", True)])

    def test_short_outage(self) -> None:
        """While its daemon has no link, messages wait; then all come in order, with receipts."""
        node = self.shared.nodes[0]
        self.clients.joined = []
        node.lose_link()
        sending = [self.service.send(str(number)) for number in range(3)]
        self.network.pump()
        self.tell("meanwhile")
        self.network.advance(1.0)
        sending.append(self.service.send("3"))
        for each in sending:
            self.assertNoResult(each)
        node.restore_link()
        self.network.advance(2.0)
        self.network.pump()
        self.assertEqual([self.successResultOf(each).text for each in sending], [*"0123"])
        room = [text for _, text in self.clients.heard if not text.startswith("to")]
        self.assertEqual(room, ["meanwhile", *"0123"])
        self.assertEqual(self.clients.joined, [])

    def test_missed(self) -> None:
        """When a daemon missed messages, the client comes back, hears that, and gets the rest."""
        self.tell("one")
        self.clients.joined = []
        for node in self.shared.nodes:
            node.is_deaf = True
        self.tell("two", "three", "four", "five")
        for node in self.shared.nodes:
            node.is_deaf = False
        self.tell("six")
        self.network.advance(RETRY_S)
        self.accept()
        self.tell("seven")
        self.assertEqual(self.clients.joined, [("lobby", False)])
        room = [text for _, text in self.clients.heard if not text.startswith("to")]
        self.assertEqual(room, ["one", "four", "five", "six", "seven"])

    def test_moved(self) -> None:
        """When messages may be lost, the client comes back and hears that."""
        self.tell("one")
        self.clients.joined = []
        self.shared.lose_messages()
        self.network.pump()
        self.network.advance(RETRY_S)
        self.accept()
        self.assertEqual(self.clients.joined, [("lobby", False)])
        self.assertEqual(self.names(), ["alice"])
