"""Tests of joining a room again, and of joining while the store is broken."""

from typing import ClassVar

from chatd.errors import StoreError
from tests.chat.cases import ResumeCase
from tests.chat.recorder import End
from tests.chat.slowstore import UnorderedStore
from tests.chat.wiring import codes, is_result, seqs, texts


class RejoinCase(ResumeCase):
    def setUp(self):
        super().setUp()
        self.join()
        self.ann.take()


class RejoinTests(RejoinCase):
    is_over_redis = True

    def test_without_a_place(self):
        """A member that joins again gets the state of the room; no other member gets an event."""
        result, missed = self.join()
        self.assertEqual((result["seq"], result["members"], missed), (5, 2, []))
        self.assertEqual(self.hear(self.ann), [])

    def test_with_a_place(self):
        """A member that joins again with `after` gets the missed messages, then the new ones."""
        self.chat.say(self.ann, "six")
        result, missed = self.join(after=2)
        self.assertEqual((result["members"], result["recovered"]), (2, True))
        self.assertEqual(missed, [3, 4, 5, 6])  # the sixth message is stored at the turn's end
        self.ann.take()
        self.chat.say(self.ann, "seven")
        self.assertEqual(seqs(self.hear(self.bob)), [7])

    def test_what_was_broadcast_before(self):
        """Earlier messages of the same turn come before the RESULT, and the page still has them."""
        self.chat.say(self.ann, "six")
        self.chat.begin()
        self.chat.command(self.bob, "join", room="lobby", after=5)
        told = self.hear(self.bob)
        self.assertEqual([is_result(each) for each in told], [False, True, False])
        self.assertEqual(seqs(told), [6, 6])  # once live, once on the page


class UnorderedTests(ResumeCase):
    """A store that answers in another order than it works."""

    only_one_daemon = "a backplane puts its answers in order; tests of `Merge` show that"

    options: ClassVar = {"store_class": UnorderedStore}

    def setUp(self):
        super().setUp()
        self.store.is_slow = True

    def start(self, text, after):
        """Send a message as ann, and join as bob, before any answer of the store."""
        self.chat.say(self.ann, text)
        self.chat.end_turn()
        self.bob.take()
        self.ann.take()
        return self.chat.command(self.bob, "join", room="lobby", after=after)

    def end(self, done):
        """Send one more message, which both get."""
        self.successResultOf(done)
        self.chat.say(self.ann, "seven")
        self.chat.finish()
        self.assertEqual(self.chat.rooms["lobby"].ahead, {})

    def test_read_before_it_is_published(self):
        """A message that was on a page before it is published does not come to its reader again."""
        done = self.start("six", after=4)
        self.store.answer("read")
        result, *missed = self.hear(self.bob)
        self.assertEqual((result.header["seq"], seqs(missed)), (5, [5, 6]))
        self.store.answer("append")
        self.assertEqual((seqs(self.hear(self.ann)), seqs(self.hear(self.bob))), ([6], []))
        self.end(done)
        self.assertEqual((seqs(self.hear(self.ann)), seqs(self.hear(self.bob))), ([7], [7]))

    def test_read_too_early(self):
        """The server reads a message that is published between a page and its answer as well."""
        self.bob.take()
        done = self.chat.command(self.bob, "join", room="lobby", after=4)
        self.chat.say(self.ann, "six")
        self.chat.end_turn()
        self.store.answer("append")
        self.chat.end_turn()
        self.store.answer("read")
        self.assertEqual(seqs(self.hear(self.bob)), [5])
        self.store.answer("read")
        self.assertEqual(seqs(self.hear(self.bob)), [6])
        self.end(done)
        self.assertEqual(seqs(self.hear(self.bob)), [7])

    def test_in_already(self):
        """A member that catches up gets the messages of the meantime once, in order."""
        self.store.is_slow = False
        self.join()
        self.store.is_slow = True
        done = self.start("six", after=4)
        self.store.answer("append")
        self.assertEqual(seqs(self.hear(self.bob)), [])
        self.store.answer("read")
        self.assertEqual(seqs(self.hear(self.bob)), [5, 6])
        self.end(done)
        self.assertEqual(seqs(self.hear(self.bob)), [7])

    def test_others_come_meanwhile(self):
        """A member that catches up gets arrivals and departures at once."""
        self.store.is_slow = False
        self.join()
        self.store.is_slow = True
        done = self.start("six", after=4)
        self.store.is_slow = False
        self.chat.arrive("cat")
        (joined,) = self.hear(self.bob)
        self.assertEqual(joined.header["name"], "cat")
        self.store.answer("append")
        self.store.answer("read")
        self.assertEqual(seqs(self.hear(self.bob)), [5, 6])
        self.end(done)

    def test_leaves_ahead(self):
        """A reader that leaves before the messages are published leaves no state behind."""
        done = self.start("six", after=4)
        self.store.answer("read")
        self.successResultOf(done)
        self.delivery.vanish(self.bob)
        self.assertEqual(self.chat.rooms["lobby"].ahead, {})
        self.store.answer("append")
        self.assertEqual(seqs(self.hear(self.ann)), [6])


class BrokenStoreTests(ResumeCase):
    def setUp(self):
        super().setUp()
        self.store.is_slow = True
        self.store.page = 2

    def start(self, after):
        self.bob.take()
        return self.chat.command(self.bob, "join", room="lobby", after=after)

    def answer_badly(self):
        self.store.answer_next(StoreError("the disk is full"))

    def test_before_the_result(self):
        """If no message can be read, the server refuses the join, and the member stays outside."""
        done = self.start(0)
        self.answer_badly()
        self.successResultOf(done)
        self.assertEqual(codes(self.bob.take()), ["not-stored"])
        self.assertNotIn("lobby", self.bob.rooms)
        self.assertEqual(len(self.chat.store_failures), 1)
        self.assertEqual(self.chat.rooms["lobby"].holds, 0)

    def test_after_the_result(self):
        """If reading fails after the RESULT, the session ends, and the client may come back."""
        self.start(0)
        self.answer_until_read()
        self.store.answer_next()
        self.assertEqual(texts(self.bob.take()), ["one", "two"])
        self.answer_badly()
        self.assertEqual(
            [(each.code, each.retry) for each in self.bob.take()], [("not-stored", True)]
        )
        self.assertEqual(self.chat.rooms["lobby"].members, [self.ann.id])

    def test_in_already(self):
        """If reading fails, a member of the room that missed no message stays in it."""
        self.store.is_slow = False
        self.join()
        self.store.is_slow = True
        self.start(0)
        self.answer_badly()
        self.assertEqual(codes(self.bob.take()), ["not-stored"])
        self.chat.say(self.ann, "six")
        self.chat.finish()
        self.assertEqual(seqs(self.bob.take()), [6])

    def test_in_already_and_kept_back(self):
        """If it missed messages of the meantime, its session ends, and the client may come back."""
        self.store.is_slow = False
        self.join()
        self.store.is_slow = True
        self.chat.say(self.ann, "six")
        self.chat.end_turn()
        self.start(0)
        self.store.answer_next()
        self.answer_badly()
        (end,) = self.hear(self.bob)
        self.assertIsInstance(end, End)
        self.assertEqual((end.code, end.retry), ("not-stored", True))


class SlowRejoinTests(RejoinCase):
    """A member that joins again, and reads slowly."""

    def test_meanwhile(self):
        """A message that arrives while a member catches up is on a page, and comes only once."""
        self.store.page = 2
        self.delivery.is_slow = True
        self.chat.command(self.bob, "join", room="lobby", after=1)
        self.chat.say(self.ann, "six")
        self.assertEqual(seqs(self.hear(self.bob)), [2, 3])
        self.chat.finish()
        self.assertEqual(seqs(self.bob.take()), [4, 5, 6])

    def test_leaves_by_vanishing(self):
        """A member that vanishes while it catches up has left, and the others get an event."""
        self.store.page = 2
        self.delivery.is_slow = True
        cat = self.chat.arrive("cat")
        self.chat.end_turn()
        cat.take()
        self.chat.command(self.bob, "join", room="lobby", after=1)
        self.delivery.vanish(self.bob)
        room = self.chat.rooms["lobby"]
        self.assertEqual((set(room.members), room.count), ({self.ann.id, cat.id}, 2))
        (left,) = self.hear(cat)
        self.assertEqual(left.header, {"event": "left", "room": "lobby", "name": "bob"})
