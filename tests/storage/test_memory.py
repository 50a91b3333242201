"""The store in memory: what it does beyond the contract."""

from heapq import heapify

from chatd.storage import memory
from chatd.storage.interface import Retention, direct_log, room_log
from chatd.storage.memory import MESSAGE_BYTES, MemoryStore
from tests.storage.stores import DIRECT, LOBBY, PLENTY, Calls, StoreCase, entries, entry

SMALL = MESSAGE_BYTES + 4 * len(entry("1").content_type)
"""What a message takes that says nothing."""


class MemoryStoreTests(StoreCase):
    def test_open_and_close(self):
        """Opening and closing it does nothing: what was said is still there."""
        store = Calls(self, self.make_memory())
        store.append(entries(1))
        store.close()
        self.assertEqual(store.ids(), ["1"])

    def test_bounds(self):
        """Unless it is set otherwise, it keeps less than a store on a disk would."""
        store = Calls(self, MemoryStore())
        store.append(entries(*range(1_001), time=2.0**40))
        self.assertEqual(store.head().oldest, 2)
        store.append(entries("a", "b", "c", content=b"x" * 2**21, time=2.0**40))
        self.assertEqual(store.ids(), ["b", "c"])

    def test_max_logs(self):
        """Of too many logs the one that has been silent for longest is forgotten."""
        store = Calls(self, self.make_memory(max_logs=2))
        for log in (LOBBY, DIRECT, LOBBY):
            store.append([entry(str(self.now), log=log)])
            self.now += 1
        store.append([entry("1", log=room_log("den"))])
        self.assertEqual(store.head().seq, 2)
        self.assertEqual(len(store.rooms()), 2)
        self.assertEqual(store.conversations("ann"), [])

    def test_open_logs_stay(self):
        """A room that somebody is in is not forgotten, however many there are."""
        store = Calls(self, self.make_memory(max_logs=1))
        rooms = [room_log(name) for name in ("a", "b", "c")]
        heads = [store.open_log(room, room[-1]) for room in rooms]
        self.assertEqual([store.open_log(room, "") for room in rooms], heads)
        store.release(rooms[0])
        store.open_log(room_log("d"), "d")
        self.assertNotEqual(store.open_log(rooms[0], "a"), heads[0])
        self.assertEqual(store.open_log(rooms[1], "b"), heads[1])

    def test_other_logs_do_not_stay(self):
        """A direct log is never released, so it is not held either."""
        store = Calls(self, self.make_memory(max_logs=1))
        head = store.open_log(DIRECT, "")
        store.open_log(LOBBY, "Lobby")
        self.assertNotEqual(store.open_log(DIRECT, "").epoch, head.epoch)

    def test_readers_push_out_nothing(self):
        """However many logs are read that are not there, those in which something is kept stay."""
        calls = Calls(self, self.make_memory(max_logs=3))
        for name in ("a", "b", "c"):
            calls.append([entry("1", log=direct_log(name, "z"))])
        for number in range(10):
            self.assertEqual(calls.ids(direct_log("x", f"y{number}")), [])
        self.assertEqual(len(calls.conversations("z")), 3)

    def test_too_much_in_all(self):
        """What is too much in all goes at once, the oldest of the largest log first."""
        calls = Calls(self, self.make_memory(max_bytes=130 + 3 * SMALL))
        calls.open_log(room_log("a"), "a")
        calls.append([entry("1", b"12345", log=direct_log("b", "z"))])
        for number in range(4):
            calls.append([entry(str(number), b"1234567890", log=room_log("a"))])
        self.assertEqual(calls.ids(room_log("a")), ["2", "3"])
        self.assertEqual(calls.ids(direct_log("b", "z")), ["1"])
        calls.append([entry("1", b"x" * 4 * MESSAGE_BYTES, log=direct_log("c", "z"))])
        self.assertEqual(calls.ids(room_log("a")), ["2", "3"])
        self.assertEqual([each.other for each in calls.conversations("z")], ["b"])
        self.assertEqual(calls.open_log(room_log("a"), "a").seq, 4)

    def test_many_small_messages(self):
        """Messages count in all though they say next to nothing: each takes its place."""
        calls = Calls(self, self.make_memory(max_bytes=10 * SMALL + 100))
        for number in range(20):
            calls.append([entry(str(number), b"", log=LOBBY)])
        self.assertEqual(calls.ids(), [str(number) for number in range(10, 20)])

    def test_long_texts(self):
        """So do the texts that a sender chooses beside the content."""
        calls = Calls(self, self.make_memory(max_bytes=10 * SMALL + 100))
        for number in range(4):
            calls.append([entry(str(number), b"", log=LOBBY, content_type="x" * 2000)])
        self.assertEqual(calls.ids(), ["3"])

    def test_trimmed_seldom(self):
        """Once there is too much, a little more goes, and all logs are looked at seldom."""
        store = self.make_memory(max_bytes=1024 * SMALL)
        calls = Calls(self, store)
        looks = []
        self.patch(memory, "heapify", lambda heap: looks.append(heapify(heap)))
        for number in range(1100):
            calls.append([entry(str(number), b"", log=direct_log("a", str(number)))])
        self.assertIn(len(calls.conversations("a", limit=2000)), range(1020, 1025))
        self.assertTrue(15 <= len(looks) <= 25)

    def test_names_forgotten(self):
        """Of logs that are gone nothing is left, of those with oneself neither."""
        store = self.make_memory(Retention(max_age_s=1))
        calls = Calls(self, store)
        for names in (("a", "b"), ("b", "c"), ("c", "c"), ("a", "a")):
            calls.append([entry("1", log=direct_log(*names))])
        self.now += 2
        calls.expire()
        self.assertEqual((store._direct, store._logs, store._idle), ({}, {}, {}))

    def test_forgotten_bytes(self):
        """What is forgotten for another reason does not count any more."""
        calls = Calls(self, self.make_memory(max_logs=1, max_bytes=10 + SMALL))
        for name in ("a", "b", "c"):
            calls.append([entry("1", b"1234567890", log=direct_log(name, "z"))])
        self.now += PLENTY.max_age_s + 1
        calls.expire()
        calls.append([entry("2", b"1234567890", log=LOBBY, time=self.now)])
        self.assertEqual(calls.ids(), ["2"])
