"""The contract of every store for rooms and for lists of streams."""

from typing import Any

import msgspec
from zope.interface.verify import verifyObject

from chatd.storage.interface import IMessageStore
from chatd.storage.streamkeys import direct_stream, room_stream
from chatd.storage.values import Retention
from tests.storage.contract import ContractCase, ContractMixin, InMemory, InRedis, InSqlite
from tests.storage.stores import DIRECT, LOBBY, NOW, entries, entry

DEN = room_stream("den")


class RoomsContract(ContractMixin):
    """The contract, for any store."""

    def test_interface(self):
        """The store provides the whole interface."""
        verifyObject(IMessageStore, self.make_store(Retention()))

    def test_begun(self):
        """A new stream is empty, and keeps its name, its epoch and its topic."""
        store = self.store_with()
        head = store.open_stream(LOBBY, "Lobby")
        self.assertEqual((head.name, head.seq, head.oldest, head.topic), ("Lobby", 0, 1, ""))
        self.assertTrue(head.epoch)
        self.assertEqual(store.open_stream(LOBBY, "LOBBY"), head)
        page = store.page()
        self.assertEqual((page.messages, page.head, page.is_complete), ([], head, True))

    def test_named_late(self):
        """A stream that another method began takes the first name that it is opened with."""
        store = self.store_with()
        epoch = store.head().epoch
        self.assertEqual(
            store.open_stream(LOBBY, "Lobby"),
            msgspec.structs.replace(store.head(), name="Lobby", epoch=epoch),
        )
        store.append([entry("1", stream=DEN)])
        self.assertEqual(store.head(DEN).name, "")
        self.assertEqual(store.open_stream(DEN, "Den").name, "Den")
        self.assertEqual(store.open_stream(DEN, "DEN").name, "Den")
        self.assertEqual({head.name for head in store.rooms()}, {"Den"})

    def test_topic(self):
        """A topic is in the head from then on, even before the first message."""
        store = self.store_with()
        store.open_stream(LOBBY, "Lobby")
        store.set_topic(LOBBY, "one")
        self.assertEqual(store.head().topic, "one")
        store.append(entries(1))
        self.assertEqual([head.topic for head in store.rooms()], ["one"])
        store.set_topic(LOBBY, "two")
        self.assertEqual([head.topic for head in store.rooms()], ["two"])
        self.assertEqual(store.open_stream(LOBBY, "Lobby").topic, "two")

    def test_release_unsaid(self):
        """The store drops a released room that never had a message, with its topic."""
        store = self.store_with()
        head = store.open_stream(LOBBY, "Lobby")
        store.set_topic(LOBBY, "topic")
        store.release(LOBBY)
        again = store.open_stream(LOBBY, "LOBBY")
        self.assertEqual((again.name, again.topic), ("LOBBY", ""))
        self.assertNotEqual(again.epoch, head.epoch)

    def test_release_said(self):
        """A released room with kept messages stays."""
        store = self.store_with()
        store.open_stream(LOBBY, "Lobby")
        store.append(entries(1))
        head = store.head()
        store.release(LOBBY)
        self.assertEqual(store.rooms(), [head])
        self.assertEqual(store.open_stream(LOBBY, "LOBBY"), head)

    def test_release_old(self):
        """The store drops a released room whose messages are all too old."""
        store = self.store_with(Retention(max_age_s=10))
        head = store.open_stream(LOBBY, "Lobby")
        store.append(entries(1, 2))
        self.now += 11
        store.release(LOBBY)
        again = store.open_stream(LOBBY, "Lobby")
        self.assertEqual((again.seq, again.oldest), (0, 1))
        self.assertNotEqual(again.epoch, head.epoch)
        self.assertEqual(store.append([entry("1", time=self.now)])[0].message.seq, 1)

    def test_release_unknown(self):
        """A room that does not exist can be released."""
        store = self.store_with()
        store.release(LOBBY)
        self.assertEqual(store.rooms(), [])

    def test_rooms(self):
        """The list has the rooms with kept messages, and no others."""
        store = self.store_with(Retention(max_age_s=10))
        for stream, name in ((LOBBY, "Lobby"), (DEN, "Den"), (room_stream("hall"), "Hall")):
            store.open_stream(stream, name)
        store.append([entry("1", stream=DEN), entry("1"), entry("1", stream=DIRECT)])
        self.say(entry("2", time=NOW + 5))
        self.assertEqual({head.name for head in store.rooms()}, {"Lobby", "Den"})
        self.now += 11
        self.assertEqual(store.rooms(), [store.head()])
        self.assertEqual(store.head().oldest, 2)

    def test_conversations(self):
        """Each name has its own conversations, also with itself."""
        store = self.store_with(Retention(max_age_s=10))
        names = [("ann", "bob"), ("cy", "ann"), ("ann", "ann"), ("bob", "cy")]
        store.append([entry("1", stream=direct_stream(*pair)) for pair in names])
        self.say(entry("2", stream=DIRECT, time=NOW + 5), entry("1"))
        store.head(direct_stream("ann", "dan"))
        found = {each.other: each.head for each in store.conversations("ann")}
        self.assertEqual(
            found,
            {
                "bob": store.head(DIRECT),
                "cy": store.head(direct_stream("ann", "cy")),
                "ann": store.head(direct_stream("ann", "ann")),
            },
        )
        self.assertEqual({each.other for each in store.conversations("bob")}, {"ann", "cy"})
        self.assertEqual(store.conversations("an"), [])
        self.now += 11
        (left,) = store.conversations("ann")
        self.assertEqual((left.other, left.head.oldest), ("bob", 2))

    def test_pages(self):
        """Rooms and conversations are listed a page at a time, in the order of folded names."""
        store = self.store_with()
        names = ["b", "a", "\U0001f600", "\uffee", "z", "c", "straße"]
        for name in names:
            store.open_stream(room_stream(name), name.title())
            store.append(
                [entry("1", stream=room_stream(name)), entry("1", stream=direct_stream("m", name))]
            )
        store.append(
            [entry("1", stream=direct_stream("m", "m")), entry("1", stream=direct_stream("a", "b"))]
        )

        def pages(ask, name_of):
            listed: list[Any] = []
            after = ""
            while page := ask(after):
                self.assertLessEqual(len(page), 3)
                listed += map(name_of, page)
                after = listed[-1]
            return listed

        rooms = pages(lambda after: store.rooms(after, limit=3), lambda head: head.name.lower())
        self.assertEqual(rooms, sorted(names))
        others = pages(
            lambda after: store.conversations("m", after, limit=3), lambda each: each.other
        )
        self.assertEqual(others, sorted([*names, "m"]))
        self.assertEqual(store.rooms("z", limit=1)[0].name, "\uffee")

    def test_pages_of_what_is_kept(self):
        """Streams without kept messages take no place on a page."""
        store = self.store_with(Retention(max_age_s=10))
        for number in range(6):
            at = NOW + 5 * (number % 2)
            streams = room_stream(f"r{number}"), direct_stream("m", f"n{number}")
            store.open_stream(streams[0], f"R{number}")
            self.say(*(entry("1", stream=stream, time=at) for stream in streams))
        self.now += 11
        self.assertEqual([head.name for head in store.rooms(limit=2)], ["R1", "R3"])
        found = store.conversations("m", "n1", limit=2)
        self.assertEqual([each.other for each in found], ["n3", "n5"])


class MemoryRoomsTests(RoomsContract, InMemory, ContractCase):
    """The store in memory."""


class SqliteRoomsTests(RoomsContract, InSqlite, ContractCase):
    """The store in a database."""


class RedisRoomsTests(RoomsContract, InRedis, ContractCase):
    """The store in Redis."""
