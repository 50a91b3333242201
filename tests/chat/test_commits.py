"""Tests of group commits: the store gets a turn's messages together; answers have their order."""

from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from chatd.chat.commits import MAX_BATCH
from chatd.errors import StoreError
from chatd.wire.messages import DEFAULT_CONTENT_TYPE, Message
from tests.chat.cases import ChatCase
from tests.chat.recorder import Person
from tests.chat.wiring import codes, is_said, seqs, texts


class JournalCase(ChatCase):
    def setUp(self):
        super().setUp()
        self.ann = self.chat.arrive("ann")
        self.bob = self.chat.arrive("bob")
        self.hub = self.ann.daemon.hub
        self.hear(self.ann)
        self.store.is_slow = True

    def say_all(self, person, *texts):
        for text in texts:
            self.chat.say(person, text, id=text)


class StoredTests(JournalCase):
    def test_not_before_it_is_stored(self):
        """No member gets a message before the store has it; then all get it, also the sender."""
        self.say_all(self.ann, "one", "two")
        self.assertEqual((self.hear(self.ann), self.hear(self.bob)), ([], []))
        self.assertEqual(self.ann.answers.owed, 2)
        self.store.answer_next()
        heard = self.hear(self.ann)
        self.assertEqual((texts(heard), seqs(heard)), (["one", "two"], [1, 2]))
        self.assertEqual(self.bob.take(), heard)
        self.assertEqual(self.ann.answers.owed, 0)

    def test_together(self):
        """Messages that arrive during an append wait, and the store gets them together after it."""
        self.say_all(self.ann, "one")
        self.chat.end_turn()
        for text in ("two", "three", "four"):
            self.say_all(self.ann, text)
            self.chat.end_turn()
        self.assertEqual(self.store.appends, [1])
        self.store.answer_next()
        self.assertEqual(self.store.appends, [1, 3])
        self.assertEqual(texts(self.hear(self.bob)), ["one"])
        self.store.answer_next()
        self.assertEqual(seqs(self.hear(self.bob)), [2, 3, 4])
        self.assertEqual(self.store.appends, [1, 3])

    def test_header(self):
        """The server sets the header of a delivered message, except the sender's own fields."""
        sent = Message.chat(b"\xff\0", id="m1", room="LOBBY", content_type="image/png")
        header: Any = sent.header
        forged = msgspec.structs.replace(header, sender="bob", seq=99, time=1.0, ref="9")
        self.hub.say(self.ann, (Message(sent.type, forged, sent.content),))
        self.say_all(self.ann, "two")
        self.chat.finish()
        said, second = self.bob.take()
        header = said.header
        told = (header.id, header.room, header.to, header.sender, header.seq, header.time)
        self.assertEqual(told, ("m1", "lobby", None, "ann", 1, self.chat.now))
        self.assertEqual(header.ref, None)
        self.assertEqual((header.content_type, said.content), ("image/png", b"\xff\0"))
        self.assertEqual(second.header.content_type, DEFAULT_CONTENT_TYPE)

    def test_gone_meanwhile(self):
        """The others get a message even if its author has left."""
        self.say_all(self.ann, "one")
        self.chat.end_turn()
        self.delivery.vanish(self.ann)
        self.chat.finish()
        self.assertEqual(texts(self.bob.take()), ["one"])
        self.assertEqual((self.ann.answers.owed, self.chat.rooms["lobby"].holds), (0, 0))

    def test_receipt_before_the_rename(self):
        """A rename that waits for the answers comes after the receipts."""
        self.ann.then = lambda: self.chat.command(self.ann, "name", name="anna")
        self.chat.say(self.ann, "psst", to="bob")
        self.chat.finish()
        said, result = self.ann.take()
        self.assertEqual((said.text, result.header["name"]), ("psst", "anna"))


class BatchTests(JournalCase):
    only_one_daemon = "each daemon stores what its own members say"

    def test_one_append(self):
        """The store gets all messages of a turn, to any rooms and names, in one append."""
        self.say_all(self.ann, "one", "two")
        self.say_all(self.bob, "three")
        self.chat.say(self.bob, "four", to="ann")
        self.assertEqual(self.store.appends, [])
        self.chat.end_turn()
        self.assertEqual(self.store.appends, [4])

    def test_bounded(self):
        """If too many messages wait for one append, the store gets them in parts, in order."""
        self.say_all(self.ann, "first")
        self.chat.end_turn()
        self.say_all(self.bob, *(str(number) for number in range(MAX_BATCH + 2)))
        called = []
        self.hub.commits.call_when_stored(lambda: called.append(len(self.hear(self.ann))))
        self.chat.say(self.ann, "later")
        self.store.answer_next()
        self.assertEqual(self.store.appends, [1, MAX_BATCH])
        self.store.answer_next()
        self.assertEqual((self.store.appends, called), ([1, MAX_BATCH, 3], []))
        self.assertEqual(len(self.hear(self.ann)), 1 + MAX_BATCH)
        self.store.answer_next()
        self.assertEqual(called, [3])

    def test_fair(self):
        """A message of a quiet author is in the next transaction, however many others wait."""
        flooders = [self.chat.arrive(f"flooder{number}") for number in range(5)]
        self.say_all(self.ann, "first")
        self.chat.end_turn()
        for flooder in flooders:
            self.say_all(flooder, *(f"{flooder.name} {number}" for number in range(900)))
        self.store.answer_next()
        self.chat.say(self.bob, "quiet", id="quiet")
        self.hear(self.ann)
        for _ in range(2):
            self.store.answer_next()
        self.assertEqual(self.store.appends[:3], [1, MAX_BATCH, MAX_BATCH])
        heard = texts(self.hear(self.ann))
        self.assertIn("quiet", heard[MAX_BATCH:])
        self.assertEqual(len(heard), 2 * MAX_BATCH)
        while self.store.owes_answers:
            self.store.answer_next()
        heard += texts(self.hear(self.ann))
        for flooder in flooders:
            said = [text for text in heard if text.startswith(f"{flooder.name} ")]
            self.assertEqual(said, [f"{flooder.name} {number}" for number in range(900)])
        self.assertLessEqual(max(self.store.appends), MAX_BATCH)

    def test_all_until_now(self):
        """In fair turns, too, a callback waits for every message until now, and for no other."""
        called = []
        commits = self.hub.commits
        self.say_all(self.ann, "first")
        self.chat.end_turn()
        self.say_all(self.ann, *map(str, range(900)))
        self.say_all(self.bob, *map(str, range(900)))
        commits.call_when_stored(lambda: called.append("bob"))
        carl = self.chat.arrive("carl")
        self.say_all(carl, *map(str, range(900)))
        commits.call_when_stored(lambda: called.append("carl"))
        self.say_all(self.chat.arrive("dora"), *map(str, range(900)))
        owed = []
        while self.store.owes_answers:
            self.store.answer_next()
            owed.append((called[-1:], self.ann.answers.owed, self.bob.answers.owed > 0))
        self.assertEqual(called, ["bob", "carl"])
        self.assertEqual(next(each for each in owed if each[0])[1:], (0, False))
        self.assertIn(([], 400, True), owed)  # later authors did not go first


class RefusalTests(JournalCase):
    def test_in_order(self):
        """The server answers a refusal in order, between the receipts of stored messages."""
        self.say_all(self.ann, "one")
        self.chat.say(self.ann, "lost", room="tea", id="lost")
        self.say_all(self.ann, "two")
        self.assertEqual(self.hear(self.ann), [])
        self.assertEqual(self.ann.answers.owed, 3)
        self.store.answer_next()
        one, refused, two = self.hear(self.ann)
        self.assertEqual((one.seq, refused.code, refused.ref), (1, "not-in-room", "lost"))
        self.assertEqual((two.seq, self.ann.answers.owed), (2, 0))

    def test_at_once(self):
        """If no message waits, the server answers a refusal at once, without the store."""
        self.chat.say(self.ann, "lost", room="tea")
        self.assertEqual(codes(self.ann.take()), ["not-in-room"])
        self.assertEqual((self.store.appends, self.ann.answers.owed), ([], 0))

    def test_alone_in_its_batch(self):
        """The server answers a refusal that waited for other answers without the store."""
        self.say_all(self.ann, "one")
        self.chat.end_turn()
        self.chat.say(self.ann, "lost", room="tea")
        self.store.answer_next()
        self.assertEqual(codes(self.hear(self.ann)), ["not-in-room"])
        self.assertEqual((self.store.appends, self.store.owes_answers), ([1], False))


class BrokenStoreTests(JournalCase):
    def test_not_stored(self):
        """If the store fails, each author gets an error, and no member gets a message."""
        for error in (StoreError("the disk is full"), ValueError("a bug")):
            self.say_all(self.ann, "one", "two")
            self.say_all(self.bob, "three")
            self.chat.say(self.bob, "four", to="ann", id="four")
            self.chat.end_turn()
            while self.store.owes_answers:
                self.store.answer_next(error)
            for person, refs in ((self.ann, ["one", "two"]), (self.bob, ["three", "four"])):
                told = self.hear(person)
                self.assertEqual(codes(told), ["not-stored"] * 2)
                self.assertEqual([each.ref for each in told], refs)
                self.assertEqual(person.answers.owed, 0)
            self.assertEqual(set(self.chat.store_failures), {error})
            self.chat.store_failures.clear()
        self.assertEqual(self.chat.rooms["lobby"].holds, 0)

    def test_goes_on(self):
        """The store gets later messages, the order has no gap, and the failed ids are free."""
        self.say_all(self.ann, "one")
        self.chat.finish()
        self.say_all(self.ann, "two")
        self.chat.end_turn()
        self.say_all(self.bob, "three")
        self.store.answer_next(StoreError("the disk is full"))
        self.chat.finish()
        self.say_all(self.ann, "two")
        self.chat.finish()
        heard = self.bob.take()
        self.assertEqual((texts(heard), seqs(heard)), (["one", "three", "two"], [1, 2, 3]))

    def test_refusals_among_it(self):
        """A message refused for another reason gets that reason, in order."""
        self.say_all(self.ann, "one")
        self.chat.say(self.ann, "lost", room="tea")
        self.chat.end_turn()
        self.store.answer_next(StoreError("the disk is full"))
        self.assertEqual(codes(self.hear(self.ann)), ["not-stored", "not-in-room"])


class BehindTests(JournalCase):
    """Messages that wait while the store fails."""

    only_one_daemon = "each daemon stores the messages of its own members"

    def test_behind(self):
        """An author's messages that wait behind a lost one are refused too; others' are stored."""
        self.say_all(self.ann, "one")
        self.chat.end_turn()
        self.say_all(self.ann, "two")
        self.say_all(self.bob, "three")
        self.chat.say(self.ann, "four", to="bob", id="four")
        called = []
        self.hub.commits.call_when_stored(lambda: called.append(self.ann.answers.owed))
        self.store.answer_next(StoreError("the disk is full"))
        self.assertEqual([each.ref for each in self.hear(self.ann)], ["one", "two", "four"])
        self.assertEqual(called, [])
        self.chat.finish()
        self.assertEqual((texts(self.bob.take()), called), (["three"], [0]))
        self.assertEqual((self.store.appends, self.chat.rooms["lobby"].holds), ([1, 1], 0))
        self.say_all(self.ann, "one", "two")
        self.chat.finish()
        self.assertEqual(texts(self.bob.take()), ["one", "two"])

    def test_all_behind(self):
        """The store is not asked if all that waits is refused."""
        self.say_all(self.ann, "one")
        self.chat.end_turn()
        self.say_all(self.ann, "two")
        self.store.answer_next(StoreError("the disk is full"))
        self.assertEqual([each.ref for each in self.hear(self.ann)], ["one", "two"])
        self.assertEqual((self.store.appends, self.store.owes_answers), ([1], False))
        self.assertTrue(self.hub.commits.is_idle)

    def test_behind_in_a_crowd(self):
        """So it is for messages that wait for their fair turns."""
        self.say_all(self.ann, "one")
        self.chat.end_turn()
        mine = [f"a{number}" for number in range(MAX_BATCH)]
        self.say_all(self.ann, *mine)
        self.say_all(self.bob, *mine)
        self.store.answer_next()
        self.chat.end_turn()
        self.ann.take()
        self.bob.take()
        self.store.answer_next(StoreError("the disk is full"))
        self.chat.finish()
        self.assertEqual(self.store.appends[2:], [])
        for person in (self.ann, self.bob):
            told = self.hear(person)
            self.assertEqual([each.ref for each in told], mine)
            self.assertEqual(codes(told), ["not-stored"] * MAX_BATCH)


class SameIdTests(JournalCase):
    is_over_redis = True

    def say(self, text, id="m1", person=None, **fields):
        self.chat.say(person or self.ann, text, id=id, **fields)

    def test_again(self):
        """The server answers a message sent again with the first receipt, to its sender alone."""
        self.say("hello")
        self.chat.finish()
        (first,) = self.ann.take()
        self.bob.take()
        self.chat.now += 1
        self.say("hello")
        self.chat.finish()
        self.assertEqual(self.ann.take(), [first])
        self.assertEqual((self.bob.take(), self.ann.answers.owed), ([], 0))
        self.assertEqual(self.chat.rooms["lobby"].seq, 1)

    def test_again_in_the_same_batch(self):
        """A message sent again gets the first receipt, also before the first message is stored."""
        for _ in range(3):
            self.say("hello")
        self.chat.finish()
        self.assertEqual(seqs(self.ann.take()), [1, 1, 1])
        self.assertEqual(seqs(self.bob.take()), [1])

    def test_other_content(self):
        """The server refuses the same id for another content, also before the first is stored."""
        self.say("hello")
        self.say("good-bye")
        self.chat.finish()
        self.say("hello", id="m2")
        self.say("hello", id="m2", to="bob")  # another stream, so another message
        self.say("hello", room="lobby", id="m1")
        self.say("good-bye")
        self.chat.finish()
        said = [each.seq if is_said(each) else each.ref for each in self.ann.take()]
        self.assertEqual(said, [1, "m1", 2, 1, 1, "m1"])
        self.assertEqual(sorted(seqs(self.bob.take())), [1, 1, 2])

    def test_another_sender(self):
        """The same id from another name is another message; another spelling is the same name."""
        self.say("hello")
        self.say("hi", person=self.bob)
        self.chat.finish()
        self.chat.command(self.ann, "name", name="ANN")
        self.ann.take()
        self.say("hello")
        self.chat.finish()
        self.assertEqual(seqs(self.ann.take()), [1])
        self.assertEqual(self.chat.rooms["lobby"].seq, 2)


class ServerTests(JournalCase):
    """Messages of the server itself."""

    def say(self, *messages):
        told: list[Any] = []
        opened = self.successResultOf(Deferred.fromCoroutine(self.hub.roster.open("lobby")))
        speaker = Person("server", "server")
        for message in messages:
            self.hub.say_as(speaker, opened, message, told.append)
        self.hub.roster.close(opened)
        self.chat.end_turn()
        return told

    def test_stored(self):
        """The server delivers the message to all, and the speaker gets its place."""
        told = self.say(Message.chat("hello", id="m1"))
        self.assertEqual(told, [])
        self.store.answer_next()
        (outcome,) = told
        self.assertEqual(self.hear(self.bob), [outcome.message])
        self.assertEqual((outcome.message.sender, outcome.message.seq), ("server", 1))

    def test_again_and_reused(self):
        """A message sent again is not delivered again, and only the outcome tells of a refusal."""
        messages = [Message.chat(text, id="m1") for text in ("hello", "hello", "other")]
        told = self.say(*messages)
        self.store.answer_next()
        self.assertEqual([told[0].is_new, told[1].is_new, told[2].code], [True, False, "id-reused"])
        self.assertEqual(seqs(self.hear(self.bob)), [1])
        self.assertEqual(self.chat.rooms["lobby"].holds, 0)


class IdleTests(JournalCase):
    only_one_daemon = "each daemon waits for what its own members say"

    def test_idle(self):
        """If no message waits for the store, the callback runs at once."""
        called = []
        self.hub.commits.call_when_stored(lambda: called.append(1))
        self.assertEqual((called, self.hub.commits.is_idle), ([1], True))

    def test_waits(self):
        """Otherwise the callback runs once, after the answers to all earlier messages."""
        called = []
        self.say_all(self.ann, "one")
        self.hub.commits.call_when_stored(lambda: called.append(self.ann.answers.owed))
        self.assertEqual((called, self.hub.commits.is_idle), ([], False))
        self.say_all(self.ann, "two")
        self.store.answer_next()
        self.assertEqual((called, self.hub.commits.is_idle), ([1], False))
        self.store.answer_next()
        self.assertEqual((called, self.hub.commits.is_idle), ([1], True))
        self.say_all(self.ann, "three")
        self.chat.finish()
        self.assertEqual(called, [1])

    def test_waits_for_the_next(self):
        """Messages that wait for the next transaction are earlier messages, too."""
        called = []
        self.say_all(self.ann, "one")
        self.chat.begin()
        self.say_all(self.ann, "two")
        self.hub.commits.call_when_stored(lambda: called.append(self.ann.answers.owed))
        self.store.answer_next()
        self.assertEqual(called, [])
        self.store.answer_next()
        self.assertEqual((called, self.hub.commits.is_idle), ([0], True))


class FailureTests(JournalCase):
    """A failure of one message does not affect the others."""

    only_one_daemon = "each daemon delivers to its own members"

    def test_delivery(self):
        """If an action fails, the server delivers later messages, and no author waits for ever."""
        error = ValueError("no")

        def fail():
            raise error

        self.say_all(self.ann, "one")
        self.ann.answers.then(fail)
        self.say_all(self.ann, "two")
        self.chat.finish()
        self.assertEqual(self.chat.store_failures, [error])
        self.assertEqual(texts(self.bob.take()), ["one", "two"])
        self.assertEqual((self.ann.answers.owed, self.hub.commits.is_idle), (0, True))

    def test_broadcast(self):
        """If the delivery of a stored message fails, its author and later messages get answers."""
        error = ValueError("no")
        broadcast = self.delivery.broadcast

        def broadcast_some(audience, messages):
            if messages[0].text == "one":
                raise error
            broadcast(audience, messages)

        self.delivery.broadcast = broadcast_some
        self.say_all(self.ann, "one", "two")
        self.chat.finish()
        self.assertEqual(self.chat.store_failures, [error])
        refusal, said = self.ann.take()
        self.assertEqual((refusal.code, refusal.ref, said.text), ("internal-error", "one", "two"))
        self.assertEqual(self.ann.answers.owed, 0)

    def test_store_that_cannot_count(self):
        """If a store returns too few outcomes, all messages count as not stored."""
        append = self.store.append

        async def append_less(entries):
            return (await append(entries))[1:]

        self.store.append = append_less
        self.say_all(self.ann, "one", "two")
        self.chat.finish()
        self.assertEqual(codes(self.ann.take()), ["not-stored", "not-stored"])
        self.assertEqual((self.bob.take(), self.ann.answers.owed), ([], 0))
