"""Tests of rooms: who is in one, the order of what is said, and what is said twice."""

from dataclasses import dataclass

from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.rooms import MAX_REMEMBERED, MAX_REMEMBERED_BYTES, Room
from chatd.errors import RequestError
from chatd.wire.messages import DEFAULT_CONTENT_TYPE, ChatHeader, Message, MessageType

PIECE = bytes(1024 * 1024)


@dataclass(frozen=True)
class Member:
    id: str
    name: str


ALICE = Member("1", "alice")
BOB = Member("2", "bob")


def said(id: str, content: bytes | str = "hello", **fields) -> Message:
    """Make a message as a client sends it."""
    return Message.chat(content, id=id, **fields)


class MembersTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room("lobby")

    def test_empty(self):
        """A new room has its name, nobody in it, and nothing said in it."""
        self.assertEqual((self.room.name, self.room.members, self.room.seq), ("lobby", {}, 0))

    def test_join(self):
        """Who joins is a member, by its id, and the others are told."""
        event = self.room.join(ALICE)
        header = {"event": "joined", "room": "lobby", "name": "alice"}
        self.assertEqual(event, Message(MessageType.EVENT, header))
        self.room.join(BOB)
        self.assertEqual(self.room.members, {"1": ALICE, "2": BOB})

    def test_leave(self):
        """Who leaves is a member no more, and the others are told."""
        self.room.join(ALICE)
        self.room.join(BOB)
        event = self.room.leave(ALICE)
        header = {"event": "left", "room": "lobby", "name": "alice"}
        self.assertEqual(event, Message(MessageType.EVENT, header))
        self.assertEqual(self.room.members, {"2": BOB})

    def test_same_name(self):
        """Members of the same name are told apart by their ids."""
        twin = Member("3", "alice")
        self.room.join(ALICE)
        self.room.join(twin)
        self.room.leave(ALICE)
        self.assertEqual(self.room.members, {"3": twin})

    def test_join_again(self):
        """After leaving one may come back; presence has no place in the order."""
        self.room.join(ALICE)
        self.room.leave(ALICE)
        self.room.join(ALICE)
        self.assertEqual(self.room.members, {"1": ALICE})
        self.assertEqual(self.room.seq, 0)


class OrderTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room("lobby")

    def test_accepted(self):
        """What is accepted bears the room, its sender, its place and its time."""
        message = said("m1", b"\xff\0", content_type="image/png")
        accepted, is_new = self.room.accept(message, "alice", 12.5)
        header = ChatHeader(
            id="m1", room="lobby", sender="alice", seq=1, time=12.5, content_type="image/png"
        )
        self.assertEqual(accepted, Message(MessageType.MESSAGE, header, b"\xff\0"))
        self.assertIs(is_new, True)

    def test_nothing_of_the_senders(self):
        """What only a server may say is never taken from a sender."""
        forged = ChatHeader(id="m1", room="other", to="x", sender="bob", seq=99, time=1.0)
        accepted, _ = self.room.accept(Message(MessageType.MESSAGE, forged), "alice", 12.5)
        self.assertEqual((accepted.sender, accepted.seq, accepted.time), ("alice", 1, 12.5))
        self.assertEqual((accepted.room, accepted.to), ("lobby", None))

    def test_content_type(self):
        """Where there is no content type, the default is told."""
        accepted, _ = self.room.accept(said("m1"), "alice", 0.0)
        self.assertEqual(accepted.header.content_type, DEFAULT_CONTENT_TYPE)

    def test_seq(self):
        """The place rises by one from 1, whoever speaks."""
        senders = ("alice", "bob", "alice", "carol")
        places = [
            self.room.accept(said(f"m{n}"), sender, 0.0)[0].seq for n, sender in enumerate(senders)
        ]
        self.assertEqual(places, [1, 2, 3, 4])
        self.assertEqual(self.room.seq, 4)

    def test_rooms_of_their_own(self):
        """Each room has an order and a memory of its own."""
        other = Room("other")
        self.room.accept(said("m0"), "alice", 0.0)
        self.room.accept(said("m1"), "alice", 0.0)
        accepted, is_new = other.accept(said("m1", "something else"), "alice", 0.0)
        self.assertEqual((accepted.seq, accepted.room, is_new), (1, "other", True))


class MemoryTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room("lobby")

    def test_receipt(self):
        """A message that is sent again is answered as it was the first time, and is not new."""
        first, _ = self.room.accept(said("m1"), "alice", 1.0)
        self.room.accept(said("m2"), "bob", 2.0)
        again, is_new = self.room.accept(said("m1"), "alice", 3.0)
        self.assertEqual(again, first)
        self.assertIs(is_new, False)
        self.assertEqual(self.room.seq, 2)

    def test_same_sender(self):
        """A sender is the same whatever the case of its name."""
        first, _ = self.room.accept(said("m1"), "Alice", 1.0)
        self.assertEqual(self.room.accept(said("m1"), "ALICE", 3.0), (first, False))

    def test_ids_are_the_senders(self):
        """Two senders may use the same id; ids that differ in case are different."""
        for n, (id, sender) in enumerate((("m1", "alice"), ("m1", "bob"), ("M1", "alice")), 1):
            accepted, is_new = self.room.accept(said(id, f"text {n}"), sender, 1.0)
            self.assertEqual((accepted.seq, is_new), (n, True))

    def test_id_reused(self):
        """An id that was given to another content is refused, with a ref, and takes no place."""
        self.room.accept(said("m1"), "alice", 1.0)
        for other in (said("m1", "other"), said("m1", content_type="text/html")):
            with self.assertRaises(RequestError) as caught:
                self.room.accept(other, "alice", 2.0)
            self.assertEqual((caught.exception.code, caught.exception.ref), ("id-reused", "m1"))
        self.assertEqual(self.room.seq, 1)
        self.assertIs(self.room.accept(said("m1"), "alice", 3.0)[1], False)

    def test_default_content_type(self):
        """To name the default content type or to leave it out is the same."""
        self.room.accept(said("m1"), "alice", 1.0)
        same = said("m1", content_type=DEFAULT_CONTENT_TYPE)
        self.assertIs(self.room.accept(same, "alice", 2.0)[1], False)

    def test_bound_by_count(self):
        """Only the last so many messages are remembered; the order goes on all the same."""
        self.room.accept(said("first"), "alice", 0.0)
        self.room.accept(said("second"), "alice", 0.0)
        for n in range(MAX_REMEMBERED - 1):
            self.room.accept(said(f"m{n}"), "alice", 0.0)
        self.assertIs(self.room.accept(said("second"), "alice", 0.0)[1], False)
        self.assertIs(self.room.accept(said("first"), "alice", 0.0)[1], True)
        self.assertEqual(self.room.seq, MAX_REMEMBERED + 2)
        self.assertIs(self.room.accept(said("second"), "alice", 0.0)[1], True)

    def test_bound_by_bytes(self):
        """Only the last so many bytes of content are remembered."""
        pieces = MAX_REMEMBERED_BYTES // len(PIECE)
        for n in range(pieces):
            self.room.accept(said(f"m{n}", PIECE), "alice", 0.0)
        self.assertIs(self.room.accept(said("m0", PIECE), "alice", 0.0)[1], False)
        self.room.accept(said("one more", b"x"), "alice", 0.0)
        self.assertIs(self.room.accept(said("m1", PIECE), "alice", 0.0)[1], False)
        self.assertIs(self.room.accept(said("m0", PIECE), "alice", 0.0)[1], True)

    def test_bytes_are_counted_down(self):
        """What was forgotten makes place: many times the bound may pass through a room."""
        for n in range(5 * MAX_REMEMBERED_BYTES // len(PIECE)):
            self.room.accept(said(f"m{n}", PIECE), "alice", 0.0)
            self.assertIs(self.room.accept(said(f"m{n}", PIECE), "alice", 0.0)[1], False)

    def test_receipts_do_not_count_twice(self):
        """A message that is sent again does not fill the memory."""
        self.room.accept(said("m1", PIECE), "alice", 0.0)
        for _ in range(2 * MAX_REMEMBERED_BYTES // len(PIECE)):
            self.room.accept(said("m1", PIECE), "alice", 0.0)
        self.room.accept(said("m2", PIECE), "alice", 0.0)
        self.assertIs(self.room.accept(said("m1", PIECE), "alice", 0.0)[1], False)

    def test_larger_than_the_memory(self):
        """The last message is remembered however large it is, until something else is said."""
        large = said("large", bytes(MAX_REMEMBERED_BYTES + 1))
        self.room.accept(large, "alice", 0.0)
        self.assertIs(self.room.accept(large, "alice", 0.0)[1], False)
        self.room.accept(said("m1"), "alice", 0.0)
        self.assertIs(self.room.accept(large, "alice", 0.0)[1], True)
