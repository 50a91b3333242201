"""The open rooms of a node: each message is heard once, in order, whatever is lost or late."""

import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.backplane.redis.openrooms import OpenRoom, OpenRooms
from chatd.backplane.redis.packing import pack, read_push, unpack
from chatd.errors import StoreError
from chatd.storage.values import Head
from tests.backplane.redis.listeners import Notes
from tests.storage.stores import LOBBY, entry


def element(seq):
    """Return a message as it is kept."""
    _, kept = pack(entry(str(seq)))
    return struct.pack(">d", 1.5) + kept


def push_of(node, epoch, first, last, elements):
    """Return a push, as a script makes it."""
    texts = (text.encode() for text in (node, epoch, LOBBY))
    data = b"".join(struct.pack(">H", len(text)) + text for text in texts)
    data += struct.pack(">QQ", first, last)
    return data + b"".join(struct.pack(">I", len(each)) + each for each in elements)


class Shared:
    """A stream that this node and another append to, and whose answers come later, in order."""

    def __init__(self):
        self.elements = []
        self.epoch = "e"
        self.oldest = 1
        self.cursor = None
        self.is_lost = False
        self.own = set()
        self.pushes = []
        self.answers = []  # functions that deliver the answers of the command connection
        self.notes = Notes()
        self.rooms = OpenRooms("own", lambda: self.notes, self.fill, lambda data: None)

    @property
    def head(self):
        return Head(name="Lobby", epoch=self.epoch, seq=len(self.elements), oldest=self.oldest)

    def untold(self, position):
        first = max(position, self.cursor) + 1
        self.cursor = len(self.elements)
        return max(first, self.oldest), self.elements[max(first, self.oldest) - 1 :]

    def add(self, count, node):
        first = len(self.elements) + 1
        self.elements += [element(seq) for seq in range(first, first + count)]
        new = self.elements[first - 1 :]
        self.pushes.append(push_of(node, self.epoch, first, first + count - 1, new))
        return first

    def open(self):
        self.rooms[LOBBY] = OpenRoom("Lobby")
        self.cursor = len(self.elements)
        head = self.head
        self.opened_at = head.seq
        self.answers.append(lambda: self.rooms.opened(LOBBY, head, 0, []))

    def append(self, count):
        told_from, told = self.untold(self.rooms[LOBBY].position)
        first = self.add(count, "own")
        self.cursor = len(self.elements)
        self.own |= set(range(first, first + count))

        def answer():
            self.rooms.told(LOBBY, self.epoch, told_from, told)
            self.rooms.appended(LOBBY, self.epoch, first + count - 1)

        self.answers.append(answer)

    async def fill(self, stream, after):
        if self.is_lost:
            raise StoreError("the link is lost")
        start = max(after + 1, self.oldest) - 1
        answer = self.head, self.elements[start : start + 3]
        waiting: Deferred[tuple[Head, list[bytes]]] = Deferred()
        self.answers.append(lambda: waiting.callback(answer))
        return await waiting

    def answer_all(self):
        while self.answers:
            self.answers.pop(0)()


class OrderedNotes(Notes):
    """Checks that missed messages are told before later ones."""

    def missed(self, stream, seq):
        before = [message.seq for message in self.messages.get(stream, ())]
        assert not before or before[-1] < seq
        super().missed(stream, seq)

    def covers(self, seq):
        """Return whether a message was told to be missed."""
        return any(seq <= last for _, last in self.misses)


class OpenRoomsTests(SynchronousTestCase):
    def setUp(self):
        self.shared = Shared()
        self.rooms, self.notes = self.shared.rooms, self.shared.notes

    def seqs(self):
        return [message.seq for message in self.notes.messages.get(LOBBY, ())]

    @given(
        st.integers(0, 3),
        st.lists(
            st.tuples(
                st.sampled_from(["other", "own", "answer", "push", "again", "drop"]),
                st.integers(1, 6),
            ),
            max_size=50,
        ),
    )
    def test_each_once(self, before, steps):
        """Pushes may be lost, late, repeated or reordered, and answers may be late."""
        shared = Shared()
        shared.elements += [element(seq) for seq in range(1, before + 1)]
        shared.open()
        for kind, number in steps:
            if kind == "other":
                shared.add(number % 3 + 1, "other")
            elif kind == "own":
                shared.append(number % 3 + 1)
            elif kind == "answer" and shared.answers:
                shared.answers.pop(0)()
            elif kind in ("push", "again", "drop") and shared.pushes:
                at = number % len(shared.pushes)
                if kind != "drop":
                    shared.rooms.pushed(shared.pushes[at])
                if kind != "again":
                    del shared.pushes[at]
        shared.answer_all()
        for push in shared.pushes:
            shared.rooms.pushed(push)
        shared.answer_all()
        shared.add(1, "other")
        shared.rooms.pushed(shared.pushes[-1])
        shared.answer_all()
        heard = [message.seq for message in shared.notes.messages.get(LOBBY, ())]
        last = len(shared.elements)
        expected = [seq for seq in range(before + 1, last + 1) if seq not in shared.own]
        self.assertEqual(heard, expected)
        self.assertEqual(shared.notes.moves, [])

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["other", "own", "answer", "push", "drop", "retain"]),
                st.integers(1, 6),
            ),
            max_size=50,
        )
    )
    def test_not_kept(self, steps):
        """The listener learns of each message that is not kept any more, before any later one."""
        shared = Shared()
        shared.notes = notes = OrderedNotes()
        shared.open()
        for kind, number in steps:
            if kind == "other":
                shared.add(number % 3 + 1, "other")
            elif kind == "own":
                shared.append(number % 3 + 1)
            elif kind == "answer" and shared.answers:
                shared.answers.pop(0)()
            elif kind in ("push", "drop") and shared.pushes:
                push = shared.pushes.pop(number % len(shared.pushes))
                if kind == "push":
                    shared.rooms.pushed(push)
            elif kind == "retain":  # only the newest messages are kept
                shared.oldest = max(shared.oldest, len(shared.elements) - number + 2)
        shared.answer_all()
        shared.add(1, "other")
        shared.rooms.pushed(shared.pushes[-1])
        shared.answer_all()
        heard = [message.seq for message in notes.messages.get(LOBBY, ())]
        self.assertEqual(heard, sorted(set(heard)))
        lost = set(range(1, len(shared.elements) + 1)) - set(heard) - shared.own
        self.assertEqual([seq for seq in lost if seq >= shared.oldest], [])
        self.assertEqual([seq for seq in lost if not notes.covers(seq)], [])
        self.assertEqual(shared.rooms[LOBBY].position, len(shared.elements))
        self.assertEqual(notes.moves, [])

    def test_announced_while_read(self):
        """A message that is pushed while a gap is read is read too, if the read was before it."""
        self.shared.open()
        self.shared.answer_all()
        self.shared.add(1, "other")
        self.shared.add(1, "other")
        self.rooms.pushed(self.shared.pushes[1])  # begins a fill, which reads both
        self.shared.add(1, "other")
        self.rooms.pushed(self.shared.pushes[2])
        self.shared.answer_all()
        self.assertEqual(self.seqs(), [1, 2, 3])

    def test_opened_twice(self):
        """A room that is opened twice at once hears a message between the two, and stays."""
        self.shared.open()
        self.shared.add(1, "other")
        head = self.shared.head
        self.shared.answers.append(lambda: self.rooms.opened(LOBBY, head, 0, []))
        self.shared.answer_all()
        self.assertEqual((self.seqs(), self.notes.moves, self.notes.misses), ([1], [], []))

    def test_wrong_push(self):
        """In place of a push with a wrong message, the kept messages are read."""
        self.shared.open()
        self.shared.answer_all()
        self.shared.add(3, "other")
        wrong = [element(1), b"no message", element(3)]
        push = push_of("other", "e", 1, 3, wrong)
        self.assertRaises(StoreError, self.rooms.pushed, push)
        self.assertEqual(self.seqs(), [])
        self.shared.answer_all()
        self.assertEqual(self.seqs(), [1, 2, 3])

    def test_wrong_record(self):
        """A kept record that is no message is left out, and the others are heard."""
        self.shared.open()
        self.shared.answer_all()
        self.shared.add(4, "other")
        for seq in (2, 4):
            self.shared.elements[seq - 1] = b"no message"
        self.rooms.pushed(push_of("other", "e", 1, 4, []))
        with capturedLogs() as events:
            self.shared.answer_all()
        self.assertEqual(self.seqs(), [1, 3])
        self.assertEqual(self.rooms[LOBBY].position, 4)
        told = [formatEvent(event)[:35] for event in events]
        self.assertEqual(told, [f"message {seq} of room lobby is left out" for seq in (2, 4)])

    def test_announced(self):
        """An announced message is read."""
        self.shared.open()
        self.shared.answer_all()
        self.shared.add(2, "other")
        self.rooms.pushed(push_of("other", "e", 1, 2, []))
        self.shared.answer_all()
        self.assertEqual(self.seqs(), [1, 2])

    def test_moved_while_read(self):
        """A fill that finds another epoch, or less than before, moves the room."""
        for epoch, count in (("f", 5), ("e", 0)):
            shared = Shared()
            shared.elements += [element(1)]
            shared.open()
            shared.answer_all()
            shared.rooms.pushed(push_of("other", "e", 3, 3, []))
            shared.answers.clear()
            shared.rooms.pushed(push_of("other", "e", 4, 4, []))
            self.assertEqual(shared.answers, [])  # only one fill at a time
            shared = Shared()
            shared.elements += [element(1)]
            shared.open()
            shared.answer_all()
            shared.epoch = epoch
            shared.elements = [element(seq) for seq in range(1, count + 1)]
            shared.rooms.pushed(push_of("other", "e", 3, 3, []))
            shared.answer_all()
            self.assertEqual(shared.notes.moves, [(LOBBY, shared.head)])
            self.assertFalse(shared.rooms[LOBBY].merge.has_gap)

    def test_overtaken(self):
        """Pushes that overtake the answer of a fill leave nothing to hear in it."""
        self.shared.open()
        self.shared.answer_all()
        for _ in range(2):
            self.shared.add(1, "other")
        early, late = self.shared.pushes
        self.rooms.pushed(late)  # begins a fill
        self.shared.add(1, "other")
        for push in (early, late, self.shared.pushes[-1]):
            self.rooms.pushed(push)
        self.shared.answer_all()
        self.assertEqual(self.seqs(), [1, 2, 3])
        self.assertEqual(self.notes.moves, [])
        self.assertEqual(self.rooms[LOBBY].position, 3)

    def test_gap_vanished(self):
        """A gap that no read shows is none."""
        self.shared.open()
        self.shared.answer_all()
        self.rooms.pushed(push_of("other", "e", 3, 3, []))
        self.shared.answer_all()
        self.assertFalse(self.rooms[LOBBY].merge.has_gap)

    def test_not_open(self):
        """What is pushed or answered for a room that is not open is dropped."""
        self.rooms.pushed(push_of("other", "e", 1, 1, [element(1)]))
        self.rooms.told(LOBBY, "e", 1, [element(1)])
        self.rooms.appended(LOBBY, "e", 1)
        self.rooms.opened(LOBBY, self.shared.head, 0, [])
        self.assertEqual((self.notes.messages, self.notes.moves), ({}, []))

    def test_other_epoch(self):
        """What is pushed or answered of another epoch is dropped."""
        self.shared.open()
        self.shared.answer_all()
        self.rooms.pushed(push_of("other", "f", 1, 1, [element(1)]))
        self.rooms.told(LOBBY, "f", 1, [element(1)])
        self.rooms.appended(LOBBY, "f", 1)
        self.assertEqual((self.notes.messages, self.rooms[LOBBY].position), ({}, 0))

    def test_released_while_read(self):
        """A room that is released while a gap is read hears nothing more."""
        self.shared.open()
        self.shared.answer_all()
        self.shared.add(2, "other")
        self.rooms.pushed(push_of("other", "e", 2, 2, [element(2)]))
        del self.rooms[LOBBY]
        self.shared.answer_all()
        self.assertEqual(self.notes.messages, {})

    def test_link_lost_while_read(self):
        """A gap whose read fails is left to the next attachment, or the next push."""
        self.shared.open()
        self.shared.answer_all()
        self.shared.add(2, "other")
        self.shared.is_lost = True
        self.rooms.pushed(push_of("other", "e", 2, 2, [element(2)]))
        self.shared.is_lost = False
        self.rooms.opened(LOBBY, self.shared.head, 1, self.shared.elements)
        self.assertEqual(self.seqs(), [1, 2])


class PackingTests(SynchronousTestCase):
    @given(st.binary(max_size=60))
    def test_garbage(self, data):
        """Bytes that are no message or push are a `StoreError`."""
        for read in (read_push, lambda data: unpack(data, 1)):
            try:
                read(data)
            except StoreError as error:
                self.assertNotIn("\n", str(error))

    def test_cut_short(self):
        """A message or a push that is cut short is a `StoreError`."""
        push = push_of("node", "e", 1, 1, [element(1)])
        for end in range(len(push) - len(element(1)) - 4):
            self.assertRaises(StoreError, read_push, push[:end])
        for end in range(len(element(1))):
            self.assertRaises(StoreError, unpack, element(1)[:end], 1)

    def test_message(self):
        """A message is unpacked as it was packed, with its place and time."""
        message = unpack(element(7), 7)
        self.assertEqual((message.id, message.seq, message.time), ("7", 7, 1.5))
        self.assertEqual((message.content, message.sender), (b"hello", "Ann"))

    def test_push(self):
        """A push has the node, the epoch, the stream, the places and the messages."""
        push = read_push(push_of("node", "e", 2**40, 2**40 + 1, [b"one", b""]))
        self.assertEqual((push.node, push.epoch, push.stream), ("node", "e", LOBBY))
        self.assertEqual((push.first, push.last), (2**40, 2**40 + 1))
        self.assertEqual(push.elements, [b"one", b""])
