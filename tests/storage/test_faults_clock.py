"""A wall clock that jumps: places rise by one, and only messages too old by that clock go."""

from tests.storage.contract import ContractMixin
from tests.storage.stores import LOBBY, NOW, Calls, StoreCase, entry

HOUR_S = 3_600.0
DAY_S = 24 * HOUR_S
YEAR_S = 365 * DAY_S


class ClockPromises(ContractMixin):
    """The contract of both stores; they keep messages for thirty days."""

    def setUp(self):
        super().setUp()
        self.store = Calls(self, self.make_store())
        self.epoch = self.store.open_stream(LOBBY, "Lobby").epoch
        self.say("1", "2")

    def say(self, *ids):
        """Append messages at the clock's time, and return their places."""
        outcomes = self.store.append([entry(id, time=self.now) for id in ids])
        return [outcome.message.seq for outcome in outcomes]

    def jump(self, seconds):
        self.now += seconds
        self.store.expire()

    def assert_kept(self, *ids):
        """Check that the store keeps these, at places without a gap, in the first epoch."""
        for _ in range(2):
            page = self.store.page(after=0)
            self.assertEqual([message.id for message in page.messages], list(ids))
            seqs = [message.seq for message in page.messages]
            self.assertEqual(seqs, list(range(page.head.seq - len(ids) + 1, page.head.seq + 1)))
            self.assertEqual(page.head.epoch, self.epoch)
            self.assertTrue(page.is_complete)
            self.store.expire()

    def test_back(self):
        """An hour back: the next message has the next place, and an earlier time."""
        self.jump(-HOUR_S)
        self.assertEqual(self.say("3"), [3])
        self.assert_kept("1", "2", "3")
        times = [message.time for message in self.store.page().messages]
        self.assertEqual(times, [NOW, NOW, NOW - HOUR_S])

    def test_far_back(self):
        """To the beginning of time: no message is too old, then or later."""
        self.jump(-NOW)
        self.assertEqual(self.say("3"), [3])
        self.assert_kept("1", "2", "3")
        self.jump(NOW)
        self.assertEqual(self.say("4"), [4])
        self.assert_kept("1", "2", "3", "4")

    def test_forward_and_back(self):
        """A day forward and back: no message is lost."""
        self.jump(DAY_S)
        self.assertEqual(self.say("3"), [3])
        self.assert_kept("1", "2", "3")
        self.jump(-DAY_S)
        self.assertEqual(self.say("4"), [4])
        self.assert_kept("1", "2", "3", "4")

    def test_far_forward(self):
        """A year forward: all messages are too old; the store keeps a new one at the next place."""
        self.jump(YEAR_S)
        self.assert_kept()
        self.assertEqual(self.say("3", "4"), [3, 4])
        self.assert_kept("3", "4")

    def test_far_forward_and_back(self):
        """Back again: the store keeps messages with the wrong time, and new messages."""
        self.jump(YEAR_S)
        self.assertEqual(self.say("3"), [3])
        self.jump(-YEAR_S)
        self.assertEqual(self.say("4"), [4])
        self.assert_kept("3", "4")
        self.jump(DAY_S)
        self.assertEqual(self.say("5"), [5])
        self.assert_kept("3", "4", "5")

    def test_said_again(self):
        """A message sent again after a jump has its first place and time."""
        for seconds in (-HOUR_S, 2 * HOUR_S):
            self.jump(seconds)
            (outcome,) = self.store.append([entry("2", time=self.now)])
            self.assertFalse(outcome.is_new)
            self.assertEqual((outcome.message.seq, outcome.message.time), (2, NOW))


class MemoryClockTests(ClockPromises, StoreCase):
    """In memory."""

    def make_store(self):
        return self.make_memory()


class SqliteClockTests(ClockPromises, StoreCase):
    """In a database."""

    def make_store(self):
        return self.make_sqlite()
