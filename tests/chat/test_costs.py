"""Tests of rooms with ten thousand members: the steps of each action, counted and not timed."""

from collections import Counter

from tests.chat.cases import ChatCase
from tests.chat.wiring import texts

CROWD = 10_000


class CrowdTests(ChatCase):
    only_one_daemon = "a backplane has costs of its own, which the benchmarks measure"

    def setUp(self):
        super().setUp()
        self.people = [self.chat.arrive(f"person-{number}") for number in range(CROWD)]
        self.chat.end_turn()
        for person in self.people:
            person.take()
        self.delivery.counts.clear()

    def counts(self):
        """Return the counts of the delivery since the last time, and the calls of the store."""
        self.chat.end_turn()
        counts = +self.delivery.counts
        self.delivery.counts.clear()
        counts.update(f"store {method}" for method in self.store.asked)
        self.store.asked.clear()
        return counts

    def told(self):
        return sum(len(person.take()) for person in self.people)

    def test_joining(self):
        """Joining costs the same as in an empty room, and no other member gets an event."""
        self.store.asked.clear()
        late = self.chat.arrive("late", rooms=())
        self.counts()
        for after, extra in ((None, {}), (0, {"store read": 1})):
            result = self.ask(late, "join", room="lobby", after=after)
            self.assertEqual(result["members"], CROWD + 1)
            self.assertEqual(self.counts(), Counter({"begin": 1, "tell": 1 + bool(extra), **extra}))
            self.delivery.vanish(late)
            late = self.chat.arrive("late", rooms=())
            self.counts()
        self.assertEqual(self.told(), 0)

    def test_leaving(self):
        """Leaving or vanishing costs one step, and brings no event to any other member."""
        self.store.asked.clear()
        self.ask(self.people[-1], "leave", room="lobby")
        self.assertEqual(self.counts(), Counter({"deliver_early": 1, "tell": 1}))
        self.delivery.vanish(self.people[-2])
        self.assertEqual(self.counts(), Counter({"deliver_early": 1}))
        self.assertEqual(self.told(), 0)

    def test_speaking(self):
        """A message is broadcast once, stored at once, and delivered to each member once."""
        self.store.asked.clear()
        for text in ("one", "two"):
            self.chat.say(self.people[0], text)
        expected = {"broadcast": 2, "deliveries": 2 * CROWD, "store append": 1}
        self.assertEqual(self.counts(), Counter(expected))
        for person in self.people:
            self.assertEqual(texts(person.take()), ["one", "two"])

    def test_everybody_vanishing(self):
        """When all members vanish, each costs one step until the room announces presence again."""
        limit = 500
        for person in self.people[limit:]:
            self.delivery.vanish(person)
        self.assertEqual(self.counts()["broadcast"], 0)
        self.assertEqual(self.chat.rooms["lobby"].count, limit)
