"""Tests of missed direct messages: the client fetches and delivers each once."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from chatd.errors import StoreError
from chatd.storage.memory import MemoryStore
from chatd.storage.values import Retention
from chatd.wire.messages import Message
from tests.chat.slowstore import SlowStore
from tests.fakes.networks import RETRY_S, LastingTests


class MissedTests(LastingTests):
    """Direct messages that came while the client was away."""

    def setUp(self) -> None:
        super().setUp()
        self.bob = self.hand()

    def tell(self, *texts: str) -> None:
        """Let bob send messages to alice."""
        self.say(self.bob, *texts, to="alice")

    def test_fetched(self) -> None:
        """The client delivers them once and in order, between the earlier and the new messages."""
        self.start()
        self.tell("one")
        self.lose()
        self.tell("two", "three")
        self.come_back()
        self.tell("four")
        self.assertEqual(self.taken(), ["one", "two", "three", "four"])

    def test_more_than_a_page(self) -> None:
        """The client gets more messages than fit in one page of the server."""
        self.start()
        self.tell("first")
        self.lose()
        self.bob.send(*(Message.chat(str(number), to="alice") for number in range(999)))
        self.come_back()
        self.assertEqual(self.taken(), ["first", *map(str, range(999))])

    def test_after_the_rooms(self) -> None:
        """The client delivers them after the missed messages of the rooms."""
        self.start()
        self.lose()
        self.tell("direct")
        self.bob.send(*(Message.chat(str(number), room="lobby") for number in range(999)))
        self.come_back()
        self.assertEqual(self.taken(), [*map(str, range(999)), "direct"])

    def test_first_words(self) -> None:
        """The client delivers a missed first conversation from its beginning."""
        self.start()
        self.lose()
        self.tell("one", "two")
        self.come_back()
        self.tell("three")
        self.assertEqual(self.taken(), ["one", "two", "three"])

    def test_before_the_first_session(self) -> None:
        """The client does not deliver messages to the name from before the program began."""
        self.tell("old", "older")
        self.start()
        self.assertEqual(self.taken(), [])
        self.tell("new")
        self.lose()
        self.tell("newer")
        self.come_back()
        self.assertEqual(self.taken(), ["new", "newer"])

    def test_in_the_first_session(self) -> None:
        """The client delivers messages during the setup of the first session once."""
        self.tell("old")
        self.service.startService()
        with self.deaf_server():
            self.network.accept()
        self.tell("one")
        self.lose()
        self.tell("two")
        self.come_back()
        self.assertEqual(self.taken(), ["one", "two"])

    def test_own_words(self) -> None:
        """The client does not deliver the client's own messages to others as theirs."""
        self.start()
        sending = self.service.send("mine", to="BOB")
        self.network.pump()
        self.successResultOf(sending)
        self.lose()
        self.tell("theirs")
        self.come_back()
        self.assertEqual(self.heard(), ["mine", "theirs"])

    def test_several(self) -> None:
        """Each conversation has its own position."""
        carol = self.hand("carol")
        self.start()
        self.tell("b1")
        self.say(carol, "c1", to="alice")
        self.lose()
        self.tell("b2")
        self.say(carol, "c2", "c3", to="alice")
        self.come_back()
        self.assertEqual(self.taken(), ["b1", "c1", "b2", "c2", "c3"])

    def test_new_name(self) -> None:
        """With another name, the client misses only messages to that name, and no older ones."""
        self.say(self.bob, "for alicia", to="alicia")
        client = self.start()
        self.tell("for alice")
        renamed = client.rename("alicia")
        self.network.pump()
        self.successResultOf(renamed)
        self.assertEqual(self.taken(), ["for alice"])
        self.lose()
        self.say(self.bob, "for alicia again", to="alicia")
        self.come_back()
        self.assertEqual(self.taken(), ["for alicia again"])

    def test_forgotten(self) -> None:
        """If the oldest messages are deleted, the client gets the stored messages."""
        store = MemoryStore(Retention(max_messages=2), unix_time=self.reactor.seconds)
        self.network.restart(store=store)
        self.bob = self.hand()
        self.start()
        self.tell("first")
        self.lose()
        self.tell(*map(str, range(5)))
        self.come_back()
        self.tell("last")
        self.assertEqual(self.taken(), ["first", "3", "4", "last"])

    def test_read_is_no_news(self) -> None:
        """Messages that the program reads from the history are not news."""
        self.tell("old", "older")
        client = self.start()
        reading = client.history(other="bob")
        self.tell("new")
        history = self.successResultOf(reading)
        self.assertEqual([message.text for message in history.messages][:2], ["old", "older"])
        self.assertEqual(self.taken(), ["new"])


class EpochTests(LastingTests):
    """A restarted server has another epoch of direct messages, too."""

    def setUp(self) -> None:
        super().setUp()
        bob = self.hand()
        self.start()
        self.say(bob, "1", "2", "3", to="alice")
        self.assertEqual(self.taken(), ["1", "2", "3"])
        self.network.restart()
        self.bob = self.hand()

    def test_all_that_is_there(self) -> None:
        """The client gets all messages of the new epoch, with any old position."""
        for texts in (["new"], ["a", "b", "c", "d"]):
            self.say(self.bob, *texts, to="alice")
            self.come_back()
            self.say(self.bob, "newer", to="alice")
            self.assertEqual(self.taken(), [*texts, "newer"])
            self.network.restart()
            self.bob = self.hand()

    def test_nothing_there_yet(self) -> None:
        """Without messages there, the client delivers new and later missed messages."""
        self.come_back()
        self.say(self.bob, "new", to="alice")
        self.assertEqual(self.taken(), ["new"])
        self.lose()
        self.say(self.bob, "newer", to="alice")
        self.come_back()
        self.assertEqual(self.taken(), ["newer"])


class StoreTests(LastingTests):
    """A store with a temporary failure."""

    def setUp(self) -> None:
        super().setUp()
        self.store = SlowStore(unix_time=self.reactor.seconds)
        self.network.restart(store=self.store)
        self.bob = self.hand()
        self.start()
        self.say(self.bob, "one", to="alice")
        self.lose()
        self.say(self.bob, "two", to="alice")

    def break_store(self, *methods: str) -> None:
        """Make the store's reads fail."""
        for method in methods:
            setattr(self.store, method, self.broken)

    async def broken(self, *arguments: object, **options: object) -> None:
        raise StoreError("the disk is on fire")

    def test_missed_later(self) -> None:
        """The client gets the error, goes on, and fetches the messages the next time."""
        self.break_store("conversations")
        self.come_back()
        self.assertIn("not-stored", self.clients.errors)
        self.assertEqual(self.taken(), ["one"])
        delattr(self.store, "conversations")
        self.lose()
        self.come_back()
        self.assertEqual(self.taken(), ["two"])

    def test_new_name(self) -> None:
        """Earlier messages to a new name are no news, though nobody can read their places."""
        self.come_back()
        self.say(self.bob, "for alicia", to="alicia")
        self.break_store("conversations")
        renamed = self.service.client.rename("alicia")
        self.network.pump()
        self.successResultOf(renamed)
        self.assertIn("not-stored", self.clients.errors)
        delattr(self.store, "conversations")
        self.taken()
        self.network.lose()
        self.come_back()
        self.assertEqual((self.taken(), self.service.gaps), ([], 1))
        self.network.lose()
        self.say(self.bob, "for alicia again", to="alicia")
        self.come_back()
        self.assertEqual(self.taken(), ["for alicia again"])

    def test_rooms_too(self) -> None:
        """If the client cannot read the rooms either, the session ends; the next fetches all."""
        self.break_store("read")
        self.network.advance(RETRY_S)
        self.network.accept()
        self.network.pump()
        self.assertIn("not-stored", self.clients.errors)
        self.assertFalse(self.service.client is not None and self.service.client.is_active)
        delattr(self.store, "read")
        self.come_back()
        self.assertEqual(self.taken(), ["one", "two"])


class UnknownPlacesTests(LastingTests):
    """A first session in which the server cannot list the direct messages."""

    def test_told(self) -> None:
        """The client tells that messages of the meantime may be missing, and misses no others."""
        store = SlowStore(unix_time=self.reactor.seconds)
        self.network.restart(store=store)
        bob = self.hand()
        store.failure = StoreError("the disk is on fire")
        self.service.startService()
        self.network.accept()
        store.failure = None
        self.assertEqual((self.clients.errors, self.service.gaps), (["not-stored"], 0))
        self.lose()
        self.say(bob, "while away", to="alice")
        self.come_back()
        self.assertEqual((self.taken(), self.service.gaps), ([], 1))
        self.lose()
        self.say(bob, "later", to="alice")
        self.come_back()
        self.assertEqual((self.taken(), self.service.gaps), (["later"], 1))


class BegunAnewTests(LastingTests):
    """Direct messages with a new epoch while the client is connected."""

    def test_told(self) -> None:
        """The client delivers them, once each, though their places are not new."""
        clock = self.network.reactor
        store = MemoryStore(Retention(max_age_s=10), unix_time=clock.seconds)
        self.network.restart(store=store)
        bob = self.hand()
        self.start()
        self.say(bob, "one", "two", "three", to="alice")
        clock.advance(11)
        self.successResultOf(Deferred.fromCoroutine(store.expire()))
        self.say(bob, "four", to="alice")
        self.say(bob, "five", "six", to="alice")
        self.network.pump()
        self.assertEqual(self.taken(), ["one", "two", "three", "four", "five", "six"])
