"""A server with a store restored from a backup: clients get all stored messages."""

from __future__ import annotations

from copy import deepcopy

from chatd.storage.memory import MemoryStore
from tests.fakes.networks import LastingTests


class RestoredTests(LastingTests):
    """Alice has later messages than the server that she returns to."""

    def setUp(self) -> None:
        super().setUp()
        self.store = MemoryStore(unix_time=self.reactor.seconds)
        self.network.restart(store=self.store)
        self.bob = self.hand()
        self.start()

    def say_to_both(self, *texts: str) -> None:
        """Let bob send a message to the lobby and to alice."""
        for text in texts:
            self.say(self.bob, text)
            self.say(self.bob, f"to alice: {text}", to="alice")

    def copied(self) -> MemoryStore:
        """Copy the current store."""
        return deepcopy(self.store, {id(self.reactor): self.reactor})

    def put_back(self, copy: MemoryStore) -> None:
        """Start a server with a copy of the store, with its old epochs."""
        self.network.restart(store=copy)
        self.bob = self.hand()

    def missed(self) -> tuple[list[str], list[str]]:
        """Return the messages that alice got in the lobby, and directly."""
        taken = self.taken()
        direct = [text for text in taken if text.startswith("to alice: ")]
        said = [text for text in taken if text not in direct]
        return said, [text.removeprefix("to alice: ") for text in direct]

    def assert_missed(self, *texts: str) -> None:
        self.clients.joined = []
        self.come_back()
        self.assertEqual(self.missed(), ([*texts], [*texts]))
        self.assertEqual(self.clients.joined, [("lobby", False)])
        self.say_to_both("afterwards")
        self.assertEqual(self.missed(), (["afterwards"], ["afterwards"]))

    def put_back_and_say(self, *texts: str) -> None:
        self.say_to_both("a1", "a2", "a3")
        copy = self.copied()
        self.say_to_both("b4", "b5", "b6")
        self.assertEqual(len(self.taken()), 12)
        self.put_back(copy)
        self.say_to_both(*texts)

    def test_more_was_said_since(self) -> None:
        """The client does not take messages since the restore for a continuation of alice's."""
        self.put_back_and_say("n4", "n5", "n6", "n7")
        self.assert_missed("a1", "a2", "a3", "n4", "n5", "n6", "n7")

    def test_as_much_was_said_since(self) -> None:
        """Nor are they if the last places are equal."""
        self.put_back_and_say("n4", "n5", "n6")
        self.assert_missed("a1", "a2", "a3", "n4", "n5", "n6")

    def test_less_was_said_since(self) -> None:
        """Nor are they if the server's last place is lower."""
        self.put_back_and_say("n4")
        self.assert_missed("a1", "a2", "a3", "n4")

    def test_heard_nothing(self) -> None:
        """A client without messages in its first session knows the last message's id."""
        self.say_to_both("a1", "a2", "a3")
        copy = self.copied()
        self.say_to_both("b4")
        self.service.stopService()
        self.network.pump()
        self.clients = self.make_clients(name="alice")
        self.service = self.make_service("tcp:localhost:9999")
        self.start()
        self.assertEqual(self.taken(), [])
        self.put_back(copy)
        self.say_to_both("n4", "n5")
        self.assert_missed("a1", "a2", "a3", "n4", "n5")

    def test_nothing_is_missed(self) -> None:
        """If all of alice's messages are in the copy, she gets the later messages, once."""
        self.say_to_both("a1", "a2", "a3")
        self.assertEqual(len(self.taken()), 6)
        self.put_back(self.copied())
        self.say_to_both("n4", "n5")
        self.clients.joined = []
        self.come_back()
        self.assertEqual(self.missed(), (["n4", "n5"], ["n4", "n5"]))
        self.assertEqual(self.clients.joined, [("lobby", True)])
