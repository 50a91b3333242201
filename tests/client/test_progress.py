"""Tests of the progress: the state that a client keeps between connections."""

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
    """Make a message as the server delivers it."""
    header = ChatHeader(id="i", room=None if to else room, to=to, sender=sender, seq=seq)
    return Message(MessageType.MESSAGE, header, b"x")


class LogbookTests(SynchronousTestCase):
    """The progress of a client with further connections."""

    def setUp(self) -> None:
        self.progress = Progress()
        self.progress.be_kept()

    def is_news(self, message: Message) -> bool:
        """Return whether a message is news, without a gap to fetch."""
        is_news, to_fetch = self.progress.take(message, "alice")
        self.assertIsNone(to_fetch)
        return is_news


class RoomTests(LogbookTests):
    """In a room, messages after the client's position are news."""

    def test_follows(self) -> None:
        """A message is news only once."""
        self.progress.joined("Lobby", "e", 4)
        self.assertEqual([self.is_news(said(seq)) for seq in (4, 5, 5, 6, 1)], [0, 1, 0, 1, 0])
        self.assertEqual(self.progress.rooms["lobby"].seq, 6)

    def test_gap(self) -> None:
        """A message after a gap is news too."""
        self.progress.joined("lobby", "e", 4)
        self.assertTrue(self.is_news(said(9)))
        self.assertFalse(self.is_news(said(8)))

    def test_place_not_known(self) -> None:
        """Without a position, the first message is news, and sets the position."""
        self.progress.joined("lobby", None, None)
        self.assertEqual([self.is_news(said(seq)) for seq in (7, 7, 8)], [1, 0, 1])

    def test_room_not_known(self) -> None:
        """A message in an unknown room is news, and not noted."""
        self.assertTrue(self.is_news(said(7, room="cellar")))
        self.assertEqual(self.progress.rooms, {})

    def test_without_a_place(self) -> None:
        """A message without a place is always news."""
        self.assertEqual([self.is_news(said(None)) for _ in range(2)], [True, True])

    def test_left(self) -> None:
        """The client forgets a room that it left, in any spelling of its name."""
        self.progress.joined("Straße", "e", 4)
        self.progress.left("STRASSE")
        self.progress.left("nowhere")
        self.assertEqual(self.progress.rooms, {})


class DirectTests(LogbookTests):
    """Only the next direct message is news; before a later one, the client fetches the gap."""

    def at(self, seq: int) -> Position:
        """Set the position in the direct messages with bob."""
        position = self.progress.direct["bob"] = Position("bob", "e", seq)
        return position

    def direct(self, seq: int) -> Message:
        return said(seq, to="alice")

    def test_next(self) -> None:
        """The next message is news, once."""
        self.at(4)
        taken = [self.progress.take(self.direct(seq), "alice")[0] for seq in (4, 5, 5, 6)]
        self.assertEqual(taken, [False, True, False, True])

    def test_old(self) -> None:
        """A message at an earlier place may begin a new order, so it triggers a fetch."""
        position = self.at(4)
        self.assertEqual(self.progress.take(self.direct(1), "alice"), (False, position))
        self.assertEqual(position.seq, 4)

    def test_very_many(self) -> None:
        """The number of remembered conversations is limited."""
        for number in range(MAX_DIRECT + 5):
            self.progress.take(said(1, sender=f"n{number}", to="alice"), "alice")
        self.assertEqual(len(self.progress.direct), MAX_DIRECT)
        self.assertNotIn("n4", self.progress.direct)
        self.assertIn("n5", self.progress.direct)

    def test_gap(self) -> None:
        """A message after a gap is not news: the gap must be fetched first."""
        position = self.at(4)
        self.assertEqual(self.progress.take(self.direct(6), "alice"), (False, position))
        self.assertEqual(position.seq, 4)

    def test_gap_that_is_being_filled(self) -> None:
        """During the fetch, no other fetch is triggered."""
        self.at(4).is_filling = True
        self.assertFalse(self.is_news(self.direct(6)))

    def test_first(self) -> None:
        """The first message with another name is news; its epoch is still unknown."""
        is_news, position = self.progress.take(self.direct(1), "alice")
        self.assertTrue(is_news)
        self.assertIs(position, self.progress.direct["bob"])
        self.assertEqual((position.name, position.epoch, position.seq), ("bob", None, 1))

    def test_own(self) -> None:
        """The client's own message belongs to its receiver, in any spelling."""
        self.at(4)
        self.assertTrue(self.is_news(said(5, to="BOB", sender="Alice")))
        self.assertEqual(self.progress.direct["bob"].seq, 5)

    def test_to_oneself(self) -> None:
        """Messages to oneself are a conversation, too."""
        self.progress.take(said(1, to="alice", sender="alice"), "alice")
        self.assertTrue(self.is_news(said(2, to="alice", sender="alice")))
        self.assertEqual(list(self.progress.direct), ["alice"])


class FirstRoomsTests(SynchronousTestCase):
    """Only the first greeting asks for rooms."""

    def test_chosen(self) -> None:
        """The chosen rooms are requested, up to the limit."""
        progress = Progress(str(number) for number in range(5))
        self.assertEqual(progress.first_rooms(3), ["0", "1", "2"])
        self.assertEqual(list(progress.rooms), ["0", "1", "2", "3", "4"])

    def test_none_chosen(self) -> None:
        """An empty choice of rooms differs from the server's choice."""
        self.assertEqual(Progress([]).first_rooms(3), [])
        self.assertIsNone(Progress().first_rooms(3))

    def test_later(self) -> None:
        """Later greetings ask for no room, since they cannot name a position."""
        for progress in (Progress(), Progress(["cellar"])):
            progress.was_connected = True
            self.assertEqual(progress.first_rooms(3), [])


class UnconfirmedTests(LogbookTests):
    """The client keeps messages without a receipt."""

    def keep(self, id: str) -> Deferred[Message]:
        return self.progress.keep(Message.chat("x", id=id))

    def test_kept(self) -> None:
        """The client keeps a message with the Deferred of its receipt."""
        answer = self.keep("m1")
        self.assertIs(self.progress.unconfirmed["m1"].answer, answer)
        self.assertNoResult(answer)

    def test_same_id(self) -> None:
        """Two messages cannot wait under the same id."""
        self.keep("m1")
        self.assertRaises(LocalProtocolError, self.keep, "m1")

    def test_cancelled(self) -> None:
        """The client keeps a cancelled message; the same message again gets its receipt."""
        answer = self.keep("m1")
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        for other in ({"content": "y"}, {"to": "bob"}, {"content_type": "a/b"}):
            message = Message.chat(**{"content": "x", "id": "m1", **other})
            self.assertRaises(LocalProtocolError, self.progress.keep, message)
        again = self.keep("m1")
        self.assertIs(self.progress.unconfirmed["m1"].answer, again)
        self.assertNoResult(again)

    def test_too_many(self) -> None:
        """The number of waiting messages is limited; a receipt frees a place."""
        for number in range(MAX_UNCONFIRMED):
            self.keep(str(number))
        self.assertRaises(LocalProtocolError, self.keep, "one more")
        del self.progress.unconfirmed["0"]
        self.keep("one more")


class CloseTests(LogbookTests):
    """When there will be no further connection, all waiting Deferreds end."""

    def test_senders(self) -> None:
        """Waiting messages fail with the reason, each with its own error."""
        answers = [self.progress.keep(Message.chat("x", id=id)) for id in ("m1", "m2")]
        self.progress.close(LOST)
        errors = [self.failureResultOf(answer, SessionEnded).value for answer in answers]
        self.assertEqual([error.code for error in errors], ["banned", "banned"])
        self.assertIsNot(errors[0], errors[1])
        self.assertEqual(self.progress.unconfirmed, {})

    def test_sender_that_speaks_again(self) -> None:
        """An errback may send at once: that message waits for the next connection."""
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
        """A taker gets the remaining messages, and then the end."""
        inbox = self.progress.inbox
        inbox.put(said(1))
        self.progress.close(LOST)
        self.assertEqual(self.take().text, "x")
        self.failureResultOf(Deferred.fromCoroutine(self.progress.inbox.take()), SessionEnded)

    def test_open_again(self) -> None:
        """With further connections after all, there is a new open inbox."""
        self.progress.close(LOST)
        self.progress.be_kept()
        self.assertNoResult(Deferred.fromCoroutine(self.progress.inbox.take()))

    def take(self) -> Message:
        return self.successResultOf(Deferred.fromCoroutine(self.progress.inbox.take()))

    def test_one_connection(self) -> None:
        """If each connection has its own inbox, the progress closes none."""
        progress = Progress()
        progress.close(LOST)
        self.assertIsNone(progress.inbox)

    def test_kept_twice(self) -> None:
        """A second service with the same factory uses the same inbox."""
        inbox = self.progress.inbox
        self.progress.be_kept()
        self.assertIs(self.progress.inbox, inbox)


class OneConnectionTests(SynchronousTestCase):
    """The progress of a client with a single connection."""

    def test_direct(self) -> None:
        """Every direct message is news, and the client fetches none."""
        progress = Progress()
        for seq in (7, 3):
            self.assertEqual(progress.take(said(seq, to="alice"), "alice"), (True, None))
        self.assertEqual(progress.direct, {})

    def test_rooms(self) -> None:
        """A message that the client has read in a room is not news."""
        progress = Progress()
        progress.joined("lobby", "e", 4)
        self.assertEqual(progress.take(said(4), "alice"), (False, None))
