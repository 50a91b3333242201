"""Tests of joining with `after`: missed messages, then new messages, in one order."""

from typing import ClassVar

from chatd.storage.streamkeys import room_stream
from chatd.storage.values import Retention
from tests.chat.cases import ResumeCase
from tests.chat.wiring import is_said, seqs


class RecoveredTests(ResumeCase):
    is_over_redis = True

    def test_nothing_asked_for(self):
        """A member that joins without `after` gets no messages, but the state of the room."""
        result, missed = self.join()
        self.assertEqual(missed, [])
        id = result.pop("id")
        expected = {
            "room": "lobby",
            "epoch": self.epoch,
            "seq": 5,
            "last_id": result["last_id"],
            "members": 2,
            "topic": "",
            "recovered": False,
        }
        self.assertEqual((result, id), (expected, id))

    def test_recovered(self):
        """A member that joins with `after` gets all missed messages, after the RESULT."""
        for epoch in (None, self.epoch):
            for after in range(6):
                result, missed = self.join(after=after, epoch=epoch)
                self.assertIs(result["recovered"], True)
                self.assertEqual((result["seq"], result["members"]), (5, 2))
                self.assertEqual(missed, list(range(after + 1, 6)))

    def test_other_epoch(self):
        """With a place of another epoch, all messages come, and `recovered` is false."""
        result, missed = self.join(after=3, epoch="another")
        self.assertIs(result["recovered"], False)
        self.assertEqual(missed, [1, 2, 3, 4, 5])

    def test_beyond_the_head(self):
        """A place beyond the room's last message is of another order, too."""
        result, missed = self.join(after=6, epoch=self.epoch)
        self.assertIs(result["recovered"], False)
        self.assertEqual(missed, [1, 2, 3, 4, 5])

    def test_other_message(self):
        """A place is of another order if its message has another id; with the same id it is not."""
        ids = [each.id for each in self.hear(self.ann) if is_said(each)]
        for after, id, is_same in ((5, ids[4], True), (3, ids[2], True), (3, ids[3], False)):
            result, missed = self.join(after=after, epoch=self.epoch, after_id=id)
            self.assertIs(result["recovered"], is_same)
            self.assertEqual(missed, list(range(after + 1 if is_same else 1, 6)))

    def test_named_by_the_command(self):
        """Missed messages have the command's id as their `ref`; new messages have no `ref`."""
        self.successResultOf(self.chat.command(self.bob, "join", room="lobby", after=3))
        result, *missed = self.hear(self.bob)
        self.assertEqual([each.ref for each in missed], [result.header["id"]] * 2)
        self.chat.say(self.ann, "six")
        self.assertEqual([each.ref for each in self.hear(self.bob)], [None])

    def test_goes_on(self):
        """New messages follow, and the others get an event about the arrival."""
        self.ann.take()
        self.join(after=4)
        self.chat.say(self.ann, "six")
        self.assertEqual(seqs(self.hear(self.bob)), [6])
        joined, _ = self.ann.take()
        self.assertEqual(joined.header, {"event": "joined", "room": "lobby", "name": "bob"})

    def test_bad_places(self):
        """A place is a whole number that JSON can hold, from 0 on."""
        for after in (-1, 1.5, "1", True, 2**53):
            self.assert_refused("bad-request", self.bob, "join", room="lobby", after=after)
        self.assertNotIn("lobby", self.bob.rooms)

    def test_second_session(self):
        """A name with a second session counts once in the RESULT; no member gets an event."""
        one = self.chat.arrive("dan", account=True)
        self.chat.end_turn()
        self.ann.take()
        two = self.chat.arrive("dan", account=True, rooms=())
        result = self.ask(two, "join", room="lobby", after=5)
        self.assertEqual(result["members"], 2)
        self.assertEqual((self.hear(self.ann), self.hear(one)), ([], []))


class ForgottenCase(ResumeCase):
    options: ClassVar = {"retention": Retention(max_messages=3)}


class ForgottenTests(ForgottenCase):
    is_over_redis = True

    def test_too_old(self):
        """With a place before the oldest kept message, all kept messages come, not recovered."""
        result, missed = self.join(after=1)
        self.assertIs(result["recovered"], False)
        self.assertEqual(missed, [3, 4, 5])

    def test_just_old_enough(self):
        """A member that has the last deleted message misses none."""
        result, missed = self.join(after=2)
        self.assertIs(result["recovered"], True)
        self.assertEqual(missed, [3, 4, 5])


class SlowReaderTests(ForgottenCase):
    def test_faster_than_it_is_read(self):
        """If a room drops messages before the read, the session ends, and may come back."""
        self.store.page = 2
        self.delivery.is_slow = True
        self.chat.command(self.bob, "join", room="lobby", after=2)
        self.assertEqual(seqs(self.bob.take()), [3, 4])
        for text in ("six", "seven", "eight"):
            self.chat.say(self.ann, text)
        self.chat.finish()
        (end,) = self.bob.take()
        self.assertEqual((end.code, end.retry), ("slow-consumer", True))
        self.assertTrue(self.bob.is_over)
        self.assert_nothing_left_of_bob()

    def assert_nothing_left_of_bob(self):
        room = self.chat.rooms["lobby"]
        self.assertEqual((room.members, room.holds), ([self.ann.id], 0))


class PagesTests(ResumeCase):
    def setUp(self):
        super().setUp()
        self.store.page = 2
        self.delivery.is_slow = True

    def test_pages(self):
        """The server reads the next page after the last is taken; it also has newer messages."""
        done = self.chat.command(self.bob, "join", room="lobby", after=0)
        self.assertEqual(seqs(self.hear(self.bob)), [1, 2])
        self.chat.say(self.ann, "six")
        self.assertEqual(self.hear(self.bob), [])
        self.delivery.drain_next()
        self.assertEqual(seqs(self.hear(self.bob)), [3, 4])
        self.chat.say(self.ann, "seven")
        self.assertEqual(self.hear(self.bob), [])
        self.assertNoResult(done)
        self.delivery.drain_next()
        self.delivery.drain_next()
        self.successResultOf(done)
        self.chat.say(self.ann, "eight")
        self.assertEqual(seqs(self.hear(self.bob)), [5, 6, 7, 8])

    def test_said_while_a_page_is_read(self):
        """A message stored while the last page is read is on the page, or follows it."""
        self.store.is_slow = True
        self.store.page = 10
        self.chat.say(self.ann, "six")
        self.chat.end_turn()  # appended before the page is read: on it
        self.chat.command(self.bob, "join", room="lobby", after=4)
        self.answer_until_read()
        self.assertEqual(self.bob.take(), [])  # ann has it already, or gets it at the turn's end
        self.chat.say(self.ann, "seven")
        self.chat.end_turn()  # after the page: live
        self.store.answer_next()
        self.assertEqual(seqs(self.bob.take()), [5, 6])
        self.store.answer_next()
        self.assertEqual(seqs(self.hear(self.bob)), [7])

    def test_vanished_in_the_middle(self):
        """A member that vanishes while it catches up leaves no state; no member gets an event."""
        self.hear(self.ann)
        done = self.chat.command(self.bob, "join", room="lobby", after=0)
        self.delivery.vanish(self.bob)
        self.successResultOf(done)
        self.assert_nothing_left()
        self.assertEqual(self.hear(self.ann), [])

    def test_vanished_while_the_store_reads(self):
        """A member that vanishes during a read leaves no state behind, and no more is read."""
        for answers in (0, 1):
            self.delivery.is_slow = False
            bob = self.chat.arrive("robert", rooms=())
            self.store.is_slow = True
            done = self.chat.command(bob, "join", room="lobby", after=0)
            for _ in range(answers):
                self.store.answer_next()
            self.delivery.vanish(bob)
            self.store.answer_next()
            self.store.is_slow = False
            self.successResultOf(done)
            self.assertFalse(self.store.owes_answers)
            self.assert_nothing_left()

    def test_vanished_while_the_room_is_opened(self):
        """A member that vanishes while a room is opened for it leaves no room behind."""
        for after in (None, 0):
            bob = self.chat.arrive("robert", rooms=())
            self.store.is_slow = True
            done = self.chat.command(bob, "join", room="tea", after=after)
            self.delivery.vanish(bob)
            self.chat.finish()
            self.store.is_slow = False
            self.successResultOf(done)
            self.assertEqual(list(self.chat.rooms), ["lobby"])
            self.assertFalse(self.store.has(room_stream("tea")))

    def assert_nothing_left(self):
        room = self.chat.rooms["lobby"]
        self.assertEqual((room.members, room.holds, room.count), ([self.ann.id], 0, 1))
