"""The store in memory: its properties beyond the contract."""

from heapq import heapify
from typing import Any

from chatd.storage import memory
from chatd.storage.memory import MemoryStore
from chatd.storage.memorystream import MESSAGE_BYTES
from chatd.storage.streamkeys import direct_stream, room_stream
from chatd.storage.values import Retention
from tests.storage.stores import DIRECT, LOBBY, PLENTY, Calls, StoreCase, entries, entry

SMALL = MESSAGE_BYTES + 4 * len(entry("1").header.content_type)
"""The bytes that a message with an empty content takes."""


class MemoryStoreTests(StoreCase):
    def test_open_and_close(self):
        """Opening and closing the store changes nothing: it still has the messages."""
        store = Calls(self, self.make_memory())
        store.append(entries(1))
        store.close()
        self.assertEqual(store.ids(), ["1"])

    def test_bounds(self):
        """By default, it keeps less than a store on a disk does."""
        store = Calls(self, MemoryStore())
        store.append(entries(*range(1_001), time=2.0**40))
        self.assertEqual(store.head().oldest, 2)
        store.append(entries("a", "b", "c", content=b"x" * 2**21, time=2.0**40))
        self.assertEqual(store.ids(), ["b", "c"])

    def test_max_streams(self):
        """If there are too many streams, the store drops the stream with the longest silence."""
        store = Calls(self, self.make_memory(max_streams=2))
        for stream in (LOBBY, DIRECT, LOBBY):
            store.append([entry(str(self.now), stream=stream)])
            self.now += 1
        store.append([entry("1", stream=room_stream("den"))])
        self.assertEqual(store.head().seq, 2)
        self.assertEqual(len(store.rooms()), 2)
        self.assertEqual(store.conversations("ann"), [])

    def test_open_streams_stay(self):
        """The store does not forget an open room, among any number of them."""
        store = Calls(self, self.make_memory(max_streams=1))
        rooms = [room_stream(name) for name in ("a", "b", "c")]
        heads = [store.open_stream(room, room[-1]) for room in rooms]
        self.assertEqual([store.open_stream(room, "") for room in rooms], heads)
        store.release(rooms[0])
        store.open_stream(room_stream("d"), "d")
        self.assertNotEqual(store.open_stream(rooms[0], "a"), heads[0])
        self.assertEqual(store.open_stream(rooms[1], "b"), heads[1])

    def test_other_streams_do_not_stay(self):
        """A direct stream is never released, so opening it does not hold it."""
        store = Calls(self, self.make_memory(max_streams=1))
        head = store.open_stream(DIRECT, "")
        store.open_stream(LOBBY, "Lobby")
        self.assertNotEqual(store.open_stream(DIRECT, "").epoch, head.epoch)

    def test_readers_push_out_nothing(self):
        """Reading streams that do not exist pushes out no stream with kept messages."""
        calls = Calls(self, self.make_memory(max_streams=3))
        for name in ("a", "b", "c"):
            calls.append([entry("1", stream=direct_stream(name, "z"))])
        for number in range(10):
            self.assertEqual(calls.ids(direct_stream("x", f"y{number}")), [])
        self.assertEqual(len(calls.conversations("z")), 3)

    def test_too_much_in_all(self):
        """Messages beyond the total go at once, the oldest of the largest stream first."""
        calls = Calls(self, self.make_memory(max_bytes=130 + 3 * SMALL))
        calls.open_stream(room_stream("a"), "a")
        calls.append([entry("1", b"12345", stream=direct_stream("b", "z"))])
        for number in range(4):
            calls.append([entry(str(number), b"1234567890", stream=room_stream("a"))])
        self.assertEqual(calls.ids(room_stream("a")), ["2", "3"])
        self.assertEqual(calls.ids(direct_stream("b", "z")), ["1"])
        calls.append([entry("1", b"x" * 4 * MESSAGE_BYTES, stream=direct_stream("c", "z"))])
        self.assertEqual(calls.ids(room_stream("a")), ["2", "3"])
        self.assertEqual([each.other for each in calls.conversations("z")], ["b"])
        self.assertEqual(calls.open_stream(room_stream("a"), "a").seq, 4)

    def test_many_small_messages(self):
        """Very small messages count too, because each takes some memory."""
        calls = Calls(self, self.make_memory(max_bytes=10 * SMALL + 100))
        for number in range(20):
            calls.append([entry(str(number), b"", stream=LOBBY)])
        self.assertEqual(calls.ids(), [str(number) for number in range(10, 20)])

    def test_long_texts(self):
        """The texts that a sender chooses beside the content count too."""
        calls = Calls(self, self.make_memory(max_bytes=10 * SMALL + 100))
        for number in range(4):
            calls.append([entry(str(number), b"", stream=LOBBY, content_type="x" * 2000)])
        self.assertEqual(calls.ids(), ["3"])

    def test_trimmed_seldom(self):
        """Beyond the total, the store drops a little more than it must, so searches are rare."""
        store = self.make_memory(max_bytes=1024 * SMALL)
        calls = Calls(self, store)
        looks: list[Any] = []

        def look(heap):
            looks.append(heap)
            heapify(heap)

        self.patch(memory, "heapify", look)
        for number in range(1100):
            calls.append([entry(str(number), b"", stream=direct_stream("a", str(number)))])
        self.assertIn(len(calls.conversations("a", limit=2000)), range(1020, 1025))
        self.assertTrue(15 <= len(looks) <= 25)

    def test_names_forgotten(self):
        """A deleted stream leaves no state, not even that of a name with itself."""
        store = self.make_memory(Retention(max_age_s=1))
        calls = Calls(self, store)
        for names in (("a", "b"), ("b", "c"), ("c", "c"), ("a", "a")):
            calls.append([entry("1", stream=direct_stream(*names))])
        self.now += 2
        calls.expire()
        self.assertEqual((store._direct, store._streams, store._idle), ({}, {}, {}))

    def test_forgotten_bytes(self):
        """Messages forgotten for another reason no longer count."""
        calls = Calls(self, self.make_memory(max_streams=1, max_bytes=10 + SMALL))
        for name in ("a", "b", "c"):
            calls.append([entry("1", b"1234567890", stream=direct_stream(name, "z"))])
        self.now += PLENTY.max_age_s + 1
        calls.expire()
        calls.append([entry("2", b"1234567890", stream=LOBBY, time=self.now)])
        self.assertEqual(calls.ids(), ["2"])
