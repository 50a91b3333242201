"""Tests of away texts: which names have them, and which senders get them."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.chat import away, presence
from chatd.chat.away import MAX_AWAY, AwayTexts, away_of
from chatd.chat.lists import LIST_BYTES
from chatd.wire.messages import MessageType
from tests.chat.cases import ChatCase
from tests.chat.recorder import Person
from tests.chat.wiring import is_said, texts


def is_event(item):
    return not is_said(item) and item.type == MessageType.EVENT


class AwayTextsTests(SynchronousTestCase):
    def setUp(self):
        self.away = AwayTexts()
        self.one, self.two = Person("1", "bob"), Person("2", "bob")
        self.ann = Person("3", "ann")

    def test_newest(self):
        """A name has the newest text of its sessions; the end of that session ends that text."""
        both = [self.one, self.two]
        self.assertIsNone(away_of(both))
        self.away.begin(self.two, "lunch")
        self.assertEqual(away_of(both).text, "lunch")
        self.away.begin(self.one, "a meeting")
        self.assertEqual(away_of(both).text, "a meeting")
        self.assertEqual(away_of([self.two]).text, "lunch")

    def test_end(self):
        """A name's sessions end together."""
        for each in (self.one, self.two):
            self.away.begin(each, "lunch")
        self.away.end([self.one, self.two])
        self.assertIsNone(away_of([self.one, self.two]))

    def test_news(self):
        """A sender gets each text once, also if the same text is set again later."""
        self.assertIsNone(self.away.news(self.ann, "bob", [self.one]))
        for _ in range(2):
            self.away.begin(self.one, "lunch")
            self.assertEqual(self.away.news(self.ann, "bob", [self.one]).text, "lunch")
            self.assertIsNone(self.away.news(self.ann, "bob", [self.one]))

    def test_own_name(self):
        """A sender does not get the text of its own name."""
        self.away.begin(self.one, "lunch")
        self.assertIsNone(self.away.news(self.two, "bob", [self.one, self.two]))

    def test_bound(self):
        """A sender that got the texts of many names gets the first again."""
        self.patch(away, "MAX_TOLD", 2)
        people = {name: Person(name, name) for name in ("bea", "cat", "dan")}
        for each in people.values():
            self.away.begin(each, "lunch")

        def told(name):
            return self.away.news(self.ann, name, [people[name]]) is not None

        self.assertEqual([told(name) for name in ("bea", "cat", "cat")], [True, True, False])
        self.assertEqual([told(name) for name in ("dan", "cat", "bea")], [True, False, True])
        self.assertEqual(list(self.ann.told_away or ()), ["dan", "bea"])


class AwayTests(ChatCase):
    is_over_redis = True

    def setUp(self):
        super().setUp()
        self.ann = self.chat.arrive("ann")
        self.bob = self.chat.arrive("Bob")
        for each in (self.ann, self.bob):
            self.hear(each)

    def events(self, person):
        """Return the EVENTs that a member has got."""
        return [each for each in self.hear(person) if is_event(each)]

    def test_told_once(self):
        """A sender of direct messages gets the text after the first receipt, and not again."""
        self.assertEqual(self.ask(self.bob, "away", text="lunch"), {"text": "lunch"})
        self.chat.say(self.ann, "one", id="m1", to="bob")
        self.chat.say(self.ann, "two", id="m2", to="BOB")
        one, event, two = self.hear(self.ann)
        self.assertEqual(event, presence.away("Bob", "lunch", "m1"))
        self.assertEqual(texts([one, two]), ["one", "two"])
        self.assertEqual(texts(self.hear(self.bob)), ["one", "two"])

    def test_each_sender(self):
        """Each sender gets the text; messages to rooms, and from the away person, bring none."""
        cat = self.chat.arrive("cat")
        self.chat.end_turn()
        self.ask(self.bob, "away", text="lunch")
        for each in (self.ann, self.bob, cat):
            self.hear(each)
        self.chat.say(self.bob, "to ann", to="ann")
        self.chat.say(self.bob, "to myself", to="bob")
        self.chat.say(self.ann, "to all")
        for each in (self.ann, self.bob, cat):
            self.assertEqual(self.events(each), [])
        for each in (self.ann, cat):
            self.chat.say(each, "psst", id=f"of {each.name}", to="bob")
            self.assertEqual(self.events(each), [presence.away("Bob", "lunch", f"of {each.name}")])

    def test_repeated_message(self):
        """The server answers a repeated message with its receipt alone."""
        self.chat.say(self.ann, "one", id="m1", to="bob")
        self.hear(self.ann)
        self.ask(self.bob, "away", text="lunch")
        self.chat.say(self.ann, "one", id="m1", to="bob")
        self.assertEqual(texts(self.hear(self.ann)), ["one"])
        self.chat.say(self.ann, "two", to="bob")
        self.assertEqual(len(self.events(self.ann)), 1)

    def test_end(self):
        """Without a text, or with an empty text, the person is no longer away."""
        for fields in ({}, {"text": ""}, {"text": None}):
            self.ask(self.bob, "away", text="lunch")
            self.assertEqual(self.ask(self.bob, "away", **fields), {"text": ""})
            self.chat.say(self.ann, "hello", to="bob")
            self.assertEqual(self.events(self.ann), [])
            self.assertNotIn("away", self.ask(self.ann, "who", room="lobby"))

    def test_another_text(self):
        """A sender gets another text, too."""
        for text in ("lunch", "a meeting"):
            self.ask(self.bob, "away", text=text)
            self.chat.say(self.ann, "hello", id=text, to="bob")
            self.assertEqual(self.events(self.ann), [presence.away("Bob", text, text)])

    def test_who(self):
        """The list of a room's people has the texts of those who are away."""
        self.ask(self.bob, "away", text="lunch")
        self.assertEqual(
            self.ask(self.ann, "who", room="lobby"),
            {"room": "lobby", "members": 2, "names": ["ann", "Bob"], "away": {"Bob": "lunch"}},
        )

    def test_end_of_the_session(self):
        """The text ends with the session."""
        self.ask(self.bob, "away", text="lunch")
        self.delivery.vanish(self.bob)
        self.chat.arrive("bob")
        self.hear(self.ann)
        self.chat.say(self.ann, "hello", to="bob")
        self.assertEqual(self.events(self.ann), [])

    def test_rename(self):
        """A person who takes another name stays away; the old name is not away."""
        self.ask(self.bob, "away", text="lunch")
        self.ask(self.bob, "name", name="robert")
        self.chat.arrive("bob")
        who = self.ask(self.ann, "who", room="lobby")
        self.assertEqual(who["away"], {"robert": "lunch"})
        self.hear(self.ann)
        self.chat.say(self.ann, "hello", id="m1", to="robert")
        self.chat.say(self.ann, "hello", id="m2", to="bob")
        self.assertEqual(self.events(self.ann), [presence.away("robert", "lunch", "m1")])

    def test_several_sessions(self):
        """A name is away while any of its sessions is; any of them ends it for all."""
        phone = self.chat.arrive("zoe", account=True)
        desk = self.chat.arrive("zoe", account=True, rooms=())

        def away_texts():
            return self.ask(self.ann, "who", room="lobby").get("away", {})

        self.ask(desk, "away", text="lunch")
        self.assertEqual(away_texts(), {"zoe": "lunch"})
        self.ask(phone, "away", text="on a train")
        self.assertEqual(away_texts(), {"zoe": "on a train"})
        self.delivery.vanish(desk)
        self.assertEqual(away_texts(), {"zoe": "on a train"})
        desk = self.chat.arrive("zoe", account=True)
        self.ask(desk, "away")
        self.assertEqual(away_texts(), {})

    def test_end_of_the_newer_session(self):
        """When the session with the newer text ends, senders get the older text."""
        desk = self.chat.arrive("zoe", account=True)
        phone = self.chat.arrive("zoe", account=True)
        self.hear(self.ann)
        for each, text in ((desk, "lunch"), (phone, "on a train")):
            self.ask(each, "away", text=text)
        self.chat.say(self.ann, "hello", id="m1", to="zoe")
        self.assertEqual(self.events(self.ann), [presence.away("zoe", "on a train", "m1")])
        self.delivery.vanish(phone)
        self.hear(self.ann)
        self.chat.say(self.ann, "hello", id="m2", to="zoe")
        self.assertEqual(self.events(self.ann), [presence.away("zoe", "lunch", "m2")])

    def test_absent(self):
        """A name without sessions is not away but absent, as before."""
        self.ask(self.bob, "away", text="lunch")
        self.delivery.vanish(self.bob)
        self.hear(self.ann)
        self.chat.say(self.ann, "hello", id="m1", to="bob")
        self.assertEqual(self.events(self.ann), [presence.absent("bob", "m1")])

    def test_long_texts(self):
        """A text has one line and at most 256 characters."""
        self.assertEqual(MAX_AWAY, 256)
        self.ask(self.bob, "away", text="x" * 256)
        for text in ("x" * 257, "two\nlines", "\x1b[31m", "\u202e", 5, ["lunch"]):
            self.assert_refused("bad-request", self.bob, "away", text=text)
        self.assertEqual(self.ask(self.ann, "who", room="lobby")["away"], {"Bob": "x" * 256})

    def test_many_away(self):
        """The list of many people with long texts comes in parts that fit in a header."""
        names = [f"{number:03}{chr(0x1F600) * 28}" for number in range(100)]
        for name in names:
            self.ask(self.chat.arrive(name), "away", text=chr(0x1F600) * 256)
        results: list[Any] = [self.ask(self.ann, "who", room="lobby")]
        while "next" in results[-1]:
            after = results[-1]["next"]
            results.append(self.ask(self.ann, "who", room="lobby", after=after))
        for result in results:
            self.assertLess(len(msgspec.json.encode(result)), LIST_BYTES + 1_000)
        found = [name for result in results for name in result["away"]]
        self.assertEqual(sorted(found), sorted(names))
        self.assertGreater(len(results), 3)
