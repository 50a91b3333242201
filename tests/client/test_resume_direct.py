"""Tests of direct messages: those that were missed are fetched, and each is told once."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from chatd.errors import StoreError
from chatd.storage.memory import MemoryStore
from chatd.storage.values import Retention
from chatd.wire.messages import Message
from tests.chat.slowstore import SlowStore
from tests.fakes.networks import LastingTests


class MissedTests(LastingTests):
    """Direct messages that came while the client was away."""

    def setUp(self) -> None:
        super().setUp()
        self.bob = self.hand()

    def tell(self, *texts: str) -> None:
        """Let bob say something to alice."""
        self.say(self.bob, *texts, to="alice")

    def test_fetched(self) -> None:
        """They are told once and in order, between what was there before and what comes."""
        self.start()
        self.tell("one")
        self.lose()
        self.tell("two", "three")
        self.come_back()
        self.tell("four")
        self.assertEqual(self.taken(), ["one", "two", "three", "four"])

    def test_more_than_a_page(self) -> None:
        """They may be more than the server gives at once."""
        self.start()
        self.tell("first")
        self.lose()
        self.bob.send(*(Message.chat(str(number), to="alice") for number in range(999)))
        self.come_back()
        self.assertEqual(self.taken(), ["first", *map(str, range(999))])

    def test_first_words(self) -> None:
        """The first words of someone that were missed are told from the beginning."""
        self.start()
        self.lose()
        self.tell("one", "two")
        self.come_back()
        self.tell("three")
        self.assertEqual(self.taken(), ["one", "two", "three"])

    def test_before_the_first_session(self) -> None:
        """What was said to the name before the program began is not told."""
        self.tell("old", "older")
        self.start()
        self.assertEqual(self.taken(), [])
        self.tell("new")
        self.lose()
        self.tell("newer")
        self.come_back()
        self.assertEqual(self.taken(), ["new", "newer"])

    def test_in_the_first_session(self) -> None:
        """What comes before the first session is all set up is told, and not lost after it."""
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
        """What the client itself said to others is not told as theirs."""
        self.start()
        sending = self.service.send("mine", to="BOB")
        self.network.pump()
        self.successResultOf(sending)
        self.lose()
        self.tell("theirs")
        self.come_back()
        self.assertEqual(self.heard(), ["mine", "theirs"])

    def test_several(self) -> None:
        """Each conversation has a place of its own."""
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
        """Under another name other messages are missed, and none of those from before."""
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
        """Where the oldest are not kept any more, those are told that are."""
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
        """What the program reads itself is not told, nor does it hinder what is."""
        self.tell("old", "older")
        client = self.start()
        reading = client.history(other="bob")
        self.tell("new")
        history = self.successResultOf(reading)
        self.assertEqual([message.text for message in history.messages][:2], ["old", "older"])
        self.assertEqual(self.taken(), ["new"])


class EpochTests(LastingTests):
    """A server that was started anew has another order of direct messages, too."""

    def setUp(self) -> None:
        super().setUp()
        bob = self.hand()
        self.start()
        self.say(bob, "1", "2", "3", to="alice")
        self.assertEqual(self.taken(), ["1", "2", "3"])
        self.network.restart()
        self.bob = self.hand()

    def test_all_that_is_there(self) -> None:
        """All that is there in the new one is told, however far the old one had come."""
        for texts in (["new"], ["a", "b", "c", "d"]):
            self.say(self.bob, *texts, to="alice")
            self.come_back()
            self.say(self.bob, "newer", to="alice")
            self.assertEqual(self.taken(), [*texts, "newer"])
            self.network.restart()
            self.bob = self.hand()

    def test_nothing_there_yet(self) -> None:
        """Where nothing is there yet, what is said then is told, and what is missed later."""
        self.come_back()
        self.say(self.bob, "new", to="alice")
        self.assertEqual(self.taken(), ["new"])
        self.lose()
        self.say(self.bob, "newer", to="alice")
        self.come_back()
        self.assertEqual(self.taken(), ["newer"])


class StoreTests(LastingTests):
    """A store that cannot be read for some time."""

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
        """Let what the store is asked fail."""
        for method in methods:
            setattr(self.store, method, self.broken)

    async def broken(self, *arguments: object, **options: object) -> None:
        raise StoreError("the disk is on fire")

    def test_missed_later(self) -> None:
        """The client is told of the error, goes on, and fetches what it missed the next time."""
        for method in ("conversations", "read"):
            with self.subTest(method):
                self.break_store(method)
                self.come_back()
                self.assertIn("not-stored", self.clients.errors)
                self.assertNotIn("two", self.taken())
                delattr(self.store, method)
                self.lose()
        self.come_back()
        self.assertEqual(self.taken(), ["two"])


class BegunAnewTests(LastingTests):
    """Direct messages of which nothing was kept any more begin anew while the client is there."""

    def test_told(self) -> None:
        """They are told all the same, once each, though their places were there before."""
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
