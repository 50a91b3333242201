"""Tests of the progress: what a client remembers from one connection to the next."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.progress import MAX_DIRECT, MAX_UNCONFIRMED, Position, Progress
from chatd.errors import LocalProtocolError, SessionEnded
from chatd.wire.messages import ChatHeader, Message, MessageType

LOST = SessionEnded("banned", "go away")


def said(
    seq: int | None, *, room: str | None = "lobby", to: str | None = None, sender: str = "bob"
):
    """Make a message as it is delivered."""
    header = ChatHeader(id="i", room=None if to else room, to=to, sender=sender, seq=seq)
    return Message(MessageType.MESSAGE, header, b"x")


class LogbookTests(SynchronousTestCase):
    """A progress of a client that will have further connections."""

    def setUp(self) -> None:
        self.progress = Progress()
        self.progress.be_kept()

    def is_news(self, message: Message) -> bool:
        """Say whether a message is news, of which nothing else is to be fetched."""
        is_news, to_fetch = self.progress.take(message, "alice")
        self.assertIsNone(to_fetch)
        return is_news


class RoomTests(LogbookTests):
    """In a room, what follows the place up to which the client has read is news."""

    def test_follows(self) -> None:
        """A message is news once."""
        self.progress.joined("Lobby", "e", 4)
        self.assertEqual([self.is_news(said(seq)) for seq in (4, 5, 5, 6, 1)], [0, 1, 0, 1, 0])
        self.assertEqual(self.progress.rooms["lobby"].seq, 6)

    def test_gap(self) -> None:
        """A message that comes after others that are not told is news all the same."""
        self.progress.joined("lobby", "e", 4)
        self.assertTrue(self.is_news(said(9)))
        self.assertFalse(self.is_news(said(8)))

    def test_place_not_known(self) -> None:
        """Where no place is known, whatever comes first is news and gives the place."""
        self.progress.joined("lobby", None, None)
        self.assertEqual([self.is_news(said(seq)) for seq in (7, 7, 8)], [1, 0, 1])

    def test_room_not_known(self) -> None:
        """What is said in a room of which the client does not know is news, and not noted."""
        self.assertTrue(self.is_news(said(7, room="cellar")))
        self.assertEqual(self.progress.rooms, {})

    def test_without_a_place(self) -> None:
        """What has no place in any order is always news."""
        self.assertEqual([self.is_news(said(None)) for _ in range(2)], [True, True])

    def test_left(self) -> None:
        """A room that was left is forgotten, however its name is spelled."""
        self.progress.joined("Straße", "e", 4)
        self.progress.left("STRASSE")
        self.progress.left("nowhere")
        self.assertEqual(self.progress.rooms, {})


class DirectTests(LogbookTests):
    """Of direct messages exactly the next one is news; before what comes later the rest is due."""

    def at(self, seq: int) -> Position:
        """Have read the direct messages with bob up to a place."""
        position = self.progress.direct["bob"] = Position("bob", "e", seq)
        return position

    def direct(self, seq: int) -> Message:
        return said(seq, to="alice")

    def test_next(self) -> None:
        """The next one is news, once."""
        self.at(4)
        taken = [self.progress.take(self.direct(seq), "alice")[0] for seq in (4, 5, 5, 6)]
        self.assertEqual(taken, [False, True, False, True])

    def test_old(self) -> None:
        """One that was there before may be the beginning of another order: that is looked at."""
        position = self.at(4)
        self.assertEqual(self.progress.take(self.direct(1), "alice"), (False, position))
        self.assertEqual(position.seq, 4)

    def test_very_many(self) -> None:
        """However many others there are, only so many are remembered."""
        for number in range(MAX_DIRECT + 5):
            self.progress.take(said(1, sender=f"n{number}", to="alice"), "alice")
        self.assertEqual(len(self.progress.direct), MAX_DIRECT)
        self.assertNotIn("n4", self.progress.direct)
        self.assertIn("n5", self.progress.direct)

    def test_gap(self) -> None:
        """One that comes too early is not news: what is before it is to be fetched first."""
        position = self.at(4)
        self.assertEqual(self.progress.take(self.direct(6), "alice"), (False, position))
        self.assertEqual(position.seq, 4)

    def test_gap_that_is_being_filled(self) -> None:
        """While that is done nothing else is to be fetched."""
        self.at(4).is_filling = True
        self.assertFalse(self.is_news(self.direct(6)))

    def test_first(self) -> None:
        """The first with someone is news, and its epoch is still to be learnt."""
        is_news, position = self.progress.take(self.direct(1), "alice")
        self.assertTrue(is_news)
        self.assertIs(position, self.progress.direct["bob"])
        self.assertEqual((position.name, position.epoch, position.seq), ("bob", None, 1))

    def test_own(self) -> None:
        """What the client itself said belongs to who it was said to, under any spelling."""
        self.at(4)
        self.assertTrue(self.is_news(said(5, to="BOB", sender="Alice")))
        self.assertEqual(self.progress.direct["bob"].seq, 5)

    def test_to_oneself(self) -> None:
        """What one says to oneself is a conversation, too."""
        self.progress.take(said(1, to="alice", sender="alice"), "alice")
        self.assertTrue(self.is_news(said(2, to="alice", sender="alice")))
        self.assertEqual(list(self.progress.direct), ["alice"])


class FirstRoomsTests(SynchronousTestCase):
    """The greeting asks for rooms the first time only."""

    def test_chosen(self) -> None:
        """The rooms that were chosen are asked for, as many as may be."""
        progress = Progress(str(number) for number in range(5))
        self.assertEqual(progress.first_rooms(3), ["0", "1", "2"])
        self.assertEqual(list(progress.rooms), ["0", "1", "2", "3", "4"])

    def test_none_chosen(self) -> None:
        """No room is not the same as the server's choice."""
        self.assertEqual(Progress([]).first_rooms(3), [])
        self.assertIsNone(Progress().first_rooms(3))

    def test_later(self) -> None:
        """Later no room is asked for in the greeting, which cannot say where one left off."""
        for progress in (Progress(), Progress(["cellar"])):
            progress.was_connected = True
            self.assertEqual(progress.first_rooms(3), [])


class UnconfirmedTests(LogbookTests):
    """What has no receipt is kept."""

    def keep(self, id: str) -> Deferred[Message]:
        return self.progress.keep(Message.chat("x", id=id))

    def test_kept(self) -> None:
        """It is kept with who waits for the receipt."""
        answer = self.keep("m1")
        self.assertIs(self.progress.unconfirmed["m1"].answer, answer)
        self.assertNoResult(answer)

    def test_same_id(self) -> None:
        """Two cannot wait under one id."""
        self.keep("m1")
        self.assertRaises(LocalProtocolError, self.keep, "m1")

    def test_cancelled(self) -> None:
        """What nobody waits for any more is forgotten, and its id may be used again."""
        answer = self.keep("m1")
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertEqual(self.progress.unconfirmed, {})
        self.keep("m1")

    def test_too_many(self) -> None:
        """There is a bound to how many may wait; a receipt makes room."""
        for number in range(MAX_UNCONFIRMED):
            self.keep(str(number))
        self.assertRaises(LocalProtocolError, self.keep, "one more")
        del self.progress.unconfirmed["0"]
        self.keep("one more")


class CloseTests(LogbookTests):
    """When there will be no further connection, all who wait are told."""

    def test_senders(self) -> None:
        """Who waits for a receipt is told why there is none, each with an error of its own."""
        answers = [self.progress.keep(Message.chat("x", id=id)) for id in ("m1", "m2")]
        self.progress.close(LOST)
        errors = [self.failureResultOf(answer, SessionEnded).value for answer in answers]
        self.assertEqual([error.code for error in errors], ["banned", "banned"])
        self.assertIsNot(errors[0], errors[1])
        self.assertEqual(self.progress.unconfirmed, {})

    def test_sender_that_speaks_again(self) -> None:
        """Who is told may say something at once: it waits for whatever comes next."""
        again: list[Deferred[Message]] = []
        first = self.progress.keep(Message.chat("x", id="m1"))
        first.addErrback(lambda _: again.append(self.progress.keep(Message.chat("x", id="m1"))))
        self.progress.close(LOST)
        self.assertNoResult(again[0])

    def test_cancelled_meanwhile(self) -> None:
        """A program may cancel the other messages when the first fails."""
        one, two = (self.progress.keep(Message.chat("x", id=id)) for id in ("m1", "m2"))
        one.addErrback(lambda _: two.cancel())
        self.progress.close(LOST)
        self.successResultOf(one)
        self.failureResultOf(two, CancelledError)

    def test_reader(self) -> None:
        """Who takes messages is given what is there, and then told."""
        inbox = self.progress.inbox
        inbox.put(said(1))
        self.progress.close(LOST)
        self.assertEqual(self.take().text, "x")
        self.failureResultOf(Deferred.fromCoroutine(self.progress.inbox.take()), SessionEnded)

    def test_open_again(self) -> None:
        """Where there will be further connections after all, it has an inbox that waits."""
        self.progress.close(LOST)
        self.progress.be_kept()
        self.assertNoResult(Deferred.fromCoroutine(self.progress.inbox.take()))

    def take(self) -> Message:
        return self.successResultOf(Deferred.fromCoroutine(self.progress.inbox.take()))

    def test_one_connection(self) -> None:
        """Where each connection has its own inbox there is none to close."""
        progress = Progress()
        progress.close(LOST)
        self.assertIsNone(progress.inbox)

    def test_kept_twice(self) -> None:
        """A second service of the same clients goes on with the same inbox."""
        inbox = self.progress.inbox
        self.progress.be_kept()
        self.assertIs(self.progress.inbox, inbox)


class OneConnectionTests(SynchronousTestCase):
    """A client of one connection is told all that comes."""

    def test_direct(self) -> None:
        """Direct messages are news whatever their place, and nothing is fetched."""
        progress = Progress()
        for seq in (7, 3):
            self.assertEqual(progress.take(said(seq, to="alice"), "alice"), (True, None))
        self.assertEqual(progress.direct, {})

    def test_rooms(self) -> None:
        """What was read in a room already is not news."""
        progress = Progress()
        progress.joined("lobby", "e", 4)
        self.assertEqual(progress.take(said(4), "alice"), (False, None))
