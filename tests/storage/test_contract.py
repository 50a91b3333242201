"""What every store promises: the same tests for each of them."""

import msgspec
from zope.interface.verify import verifyObject

from chatd.errors import ErrorCode, RequestError
from chatd.storage.interface import IMessageStore
from chatd.storage.streamkeys import direct_stream, room_stream
from chatd.storage.values import Retention, Stored, StreamPosition
from chatd.wire.messages import MessageType
from tests.storage.stores import DIRECT, LOBBY, NOW, TEXT, Calls, StoreCase, entries, entry

DEN = room_stream("den")


class ContractTests:
    """The promises; a subclass has `make_store(retention)`."""

    def store_with(self, retention=None, *said):
        """A store that is open, with something said in it."""
        self.store = Calls(self, self.make_store(retention or Retention()))
        if said:
            self.store.append(list(said))
        return self.store

    def test_interface(self):
        """It provides the whole interface."""
        verifyObject(IMessageStore, self.make_store(Retention()))

    def test_begun(self):
        """A stream that is opened is empty, and keeps its name, its epoch and its topic."""
        store = self.store_with()
        head = store.open_stream(LOBBY, "Lobby")
        self.assertEqual((head.name, head.seq, head.oldest, head.topic), ("Lobby", 0, 1, ""))
        self.assertTrue(head.epoch)
        self.assertEqual(store.open_stream(LOBBY, "LOBBY"), head)
        page = store.page()
        self.assertEqual((page.messages, page.head, page.is_complete), ([], head, True))

    def test_named_late(self):
        """A stream that something else began takes the first name that it is opened with."""
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

    def test_append(self):
        """Messages get places that rise by one, and are read as they were said."""
        store = self.store_with()
        head = store.open_stream(LOBBY, "Lobby")
        first, second = store.append([entry("1", b"\0one", time=NOW + 0.25), entry("2", b"")])
        self.assertTrue(first.is_new)
        self.assertTrue(second.is_new)
        message = first.message
        self.assertEqual(
            (message.type, message.id, message.room, message.to),
            (
                MessageType.MESSAGE,
                "1",
                "Lobby",
                None,
            ),
        )
        self.assertEqual((message.sender, message.seq, message.time), ("Ann", 1, NOW + 0.25))
        self.assertEqual((message.content_type, message.content), (TEXT, b"\0one"))
        self.assertEqual(second.message.seq, 2)
        page = store.page()
        self.assertEqual(page.messages, [first.message, second.message])
        self.assertEqual(page.head, msgspec.structs.replace(head, seq=2, oldest=1, last_id="2"))

    def test_append_begins(self):
        """A stream that is not there is begun by what is said in it."""
        store = self.store_with()
        (outcome,) = store.append([entry("1", stream=DIRECT)])
        self.assertEqual((outcome.message.room, outcome.message.to), (None, "Bob"))
        self.assertEqual(store.head(DIRECT).seq, 1)

    def test_nothing(self):
        """Nothing can be appended."""
        self.assertEqual(self.store_with().append([]), [])

    def test_unusual_text(self):
        """Any text comes back as it was, and only the same id counts as the same."""
        store = self.store_with()
        ids = ["a", "A", "ä", "a\u0308", "'; DROP TABLE streams --", "a\0b", "a\0", "\U0001f600"]
        store.append([entry(id, id.encode()) for id in ids])
        self.assertEqual(store.ids(), ids)

    def test_streams_apart(self):
        """Each stream has an order and an epoch of its own, also in one batch."""
        store = self.store_with()
        batch = [entry("1"), entry("1", stream=DEN), entry("2"), entry("1", stream=DIRECT)]
        self.assertEqual([outcome.message.seq for outcome in store.append(batch)], [1, 1, 2, 1])
        self.assertEqual(len({store.head(stream).epoch for stream in (LOBBY, DEN, DIRECT)}), 3)
        self.assertEqual(store.ids(DEN), ["1"])

    def test_order_of_batches(self):
        """What is appended later comes later, and the epoch stays."""
        store = self.store_with()
        epoch = store.open_stream(LOBBY, "Lobby").epoch
        for id in range(20):
            store.append(entries(id))
        self.assertEqual(store.ids(), [str(id) for id in range(20)])
        self.assertEqual(store.head().epoch, epoch)

    def test_repeated(self):
        """The same said again is answered with the first message, and not appended."""
        store = self.store_with()
        (first,) = store.append([entry("1")])
        again = store.append([entry("0"), entry("1", time=NOW + 9), entry("2")])
        self.assertEqual(again[1], Stored(first.message, False))
        self.assertEqual([each.is_new for each in again], [True, False, True])
        self.assertEqual(store.ids(), ["1", "0", "2"])
        self.assertEqual(store.append([entry("1")]), [Stored(first.message, False)])
        self.assertEqual(store.head().seq, 3)

    def test_repeated_in_batch(self):
        """The same said again in one batch is not appended twice either."""
        store = self.store_with()
        outcomes = store.append(entries(1, 1, 2, 1))
        self.assertEqual([each.is_new for each in outcomes], [True, False, True, False])
        self.assertEqual(outcomes[1].message, outcomes[3].message)
        self.assertEqual(outcomes[3].message, outcomes[0].message)
        self.assertEqual(store.ids(), ["1", "2"])

    def test_repeated_beyond_bounds(self):
        """What is before it in the batch counts, even if no more than what follows is kept."""
        store = self.store_with(Retention(max_messages=1))
        outcomes = store.append(entries(1, 2, 1))
        self.assertEqual([each.is_new for each in outcomes], [True, True, False])
        self.assertEqual(store.ids(), ["2"])

    def test_repeated_and_old(self):
        """What is before it in the batch counts, even if it is too old to be kept."""
        store = self.store_with(Retention(max_age_s=10))
        outcomes = store.append(entries(1, 1, time=NOW - 11))
        self.assertEqual([each.is_new for each in outcomes], [True, False])
        self.assertEqual(store.ids(), [])

    def test_reused(self):
        """Another content or content type under the same id is refused; the rest is appended."""
        store = self.store_with(None, entry("1"))
        outcomes = store.append(
            [entry("1", b"else"), entry("1", content_type="text/html"), entry("2"), entry("2", b"")]
        )
        for outcome, ref in zip((outcomes[0], outcomes[1], outcomes[3]), "112", strict=True):
            self.assertIsInstance(outcome, RequestError)
            self.assertEqual((outcome.code, outcome.ref), (ErrorCode.ID_REUSED, ref))
        self.assertEqual(outcomes[2].message.seq, 2)
        self.assertEqual(store.ids(), ["1", "2"])

    def test_same_id_elsewhere(self):
        """The same id of another author, or in another stream, is another message."""
        store = self.store_with(None, entry("1"))
        outcomes = store.append([entry("1", author="bob"), entry("1", stream=DEN)])
        self.assertEqual([each.is_new for each in outcomes], [True, True])

    def test_id_forgotten(self):
        """The id of a message that is no longer kept is free."""
        store = self.store_with(Retention(max_messages=2), *entries(1, 2, 3))
        (outcome,) = store.append(entries(1))
        self.assertEqual((outcome.is_new, outcome.message.seq), (True, 4))
        self.assertEqual(store.ids(), ["3", "1"])

    def test_id_too_old(self):
        """The id of a message that has become too old is free."""
        store = self.store_with(Retention(max_age_s=10), entry("1"))
        self.now += 11
        (outcome,) = store.append([entry("1", time=self.now)])
        self.assertEqual((outcome.is_new, outcome.message.seq), (True, 2))
        self.assertEqual(store.ids(), ["1"])

    def test_read_after(self):
        """What comes after a place is read from there on, the oldest first."""
        store = self.store_with(None, *entries(*range(1, 10)))
        self.assertEqual(store.ids(after=7), ["8", "9"])
        self.assertEqual(store.ids(after=0, limit=2), ["1", "2"])
        self.assertIs(store.page(after=0, limit=8).is_complete, False)
        self.assertIs(store.page(after=0, limit=9).is_complete, True)
        for place in (9, 10, 2**70):
            page = store.page(after=place)
            self.assertEqual((page.messages, page.is_complete), ([], True))
        self.assertEqual(len(store.ids(after=-(2**70))), 9)

    def test_read_before(self):
        """What comes before a place is read up to there, the newest of it."""
        store = self.store_with(None, *entries(*range(1, 10)))
        self.assertEqual(store.ids(before=3), ["1", "2"])
        self.assertEqual(store.ids(before=9, limit=2), ["7", "8"])
        self.assertIs(store.page(before=9, limit=7).is_complete, False)
        self.assertIs(store.page(before=9, limit=8).is_complete, True)
        for place in (1, 0, -(2**70)):
            page = store.page(before=place)
            self.assertEqual((page.messages, page.is_complete), ([], True))
        self.assertEqual(len(store.ids(before=2**70)), 9)

    def test_read_newest(self):
        """Without a place the newest are read."""
        store = self.store_with(None, *entries(*range(1, 10)))
        self.assertEqual(store.ids(limit=3), ["7", "8", "9"])
        self.assertIs(store.page(limit=8).is_complete, False)
        self.assertIs(store.page(limit=9).is_complete, True)

    def test_read_bytes(self):
        """A page holds as many bytes as asked for, but one message in any case."""
        store = self.store_with(None, *entries(1, 2, 3, content=b"x" * 10))
        self.assertEqual(store.ids(after=0, max_bytes=29), ["1", "2"])
        self.assertEqual(store.ids(max_bytes=20), ["2", "3"])
        self.assertEqual(store.ids(after=0, max_bytes=30), ["1", "2", "3"])
        self.assertEqual(store.ids(after=1, max_bytes=0), ["2"])
        self.assertIs(store.page(max_bytes=9).is_complete, False)

    def test_max_messages(self):
        """No more messages are kept than are allowed, the newest."""
        store = self.store_with(Retention(max_messages=3))
        for id in range(1, 6):
            store.append(entries(id))
        self.assertEqual(store.ids(after=0), ["3", "4", "5"])
        head = store.head()
        self.assertEqual((head.seq, head.oldest), (5, 3))
        self.assertEqual(store.ids(before=5), ["3", "4"])
        self.assertIs(store.page(before=2).is_complete, True)

    def test_max_messages_in_batch(self):
        """A batch of more than is kept is answered all the same."""
        store = self.store_with(Retention(max_messages=3))
        self.assertTrue(all(each.is_new for each in store.append(entries(*range(50)))))
        self.assertEqual(store.ids(), ["47", "48", "49"])

    def test_max_bytes(self):
        """No more bytes are kept than are allowed."""
        store = self.store_with(Retention(max_bytes=25), *entries(1, 2, content=b"x" * 10))
        self.assertEqual(store.ids(), ["1", "2"])
        store.append(entries(3, content=b"x" * 6))
        self.assertEqual(store.ids(), ["2", "3"])
        store.append(entries(4, content=b"x" * 9))
        self.assertEqual(store.ids(), ["2", "3", "4"])

    def test_newest_is_kept(self):
        """The newest message is kept whatever its size."""
        store = self.store_with(Retention(max_bytes=5))
        for id, size in enumerate((1, 100, 200)):
            store.append(entries(id, content=b"x" * size))
            self.assertEqual(store.ids(), [str(id)])
        store.append(entries(3, content=b"x"))
        self.assertEqual(store.ids(), ["3"])

    def test_max_age(self):
        """What has become too old is not read, though nobody has dropped it yet."""
        store = self.store_with(Retention(max_age_s=10), entry("1"), entry("2", time=NOW + 5))
        self.now += 10
        self.assertEqual(store.ids(), ["1", "2"])
        self.now += 1
        self.assertEqual(store.ids(after=0), ["2"])
        head = store.head()
        self.assertEqual((head.seq, head.oldest), (2, 2))
        self.now += 10
        page = store.page()
        self.assertEqual((page.messages, page.is_complete), ([], True))
        self.assertEqual((page.head.seq, page.head.oldest), (2, 3))

    def test_age_out_of_order(self):
        """A clock that was set back leaves no hole: what is behind a newer message stays."""
        store = self.store_with(Retention(max_age_s=10), entry("1"), entry("2", time=NOW - 5))
        self.now += 8
        self.assertEqual(store.ids(), ["1", "2"])

    def test_goes_on_after_all_is_old(self):
        """A room in which all is too old goes on in its order."""
        store = self.store_with(Retention(max_age_s=10))
        epoch = store.open_stream(LOBBY, "Lobby").epoch
        store.append(entries(1, 2))
        self.now += 11
        store.expire()
        (outcome,) = store.append([entry("1", time=self.now)])
        self.assertEqual((outcome.is_new, outcome.message.seq), (True, 3))
        self.assertEqual(store.head().epoch, epoch)

    def test_expire(self):
        """What is too old is dropped, and a stream of which nothing is left is gone."""
        store = self.store_with(
            Retention(max_age_s=10), entry("1"), entry("2", time=NOW + 5), entry("1", stream=DEN)
        )
        lobby, den = store.head(), store.head(DEN)
        self.now += 11
        store.expire()
        self.assertEqual(store.ids(), ["2"])
        self.assertEqual(store.head().epoch, lobby.epoch)
        self.assertNotEqual(store.head(DEN).epoch, den.epoch)
        self.assertEqual(store.head(DEN).seq, 0)

    def test_expire_unsaid(self):
        """A stream that nobody has open and in which nothing was said is gone as well."""
        store = self.store_with()
        unsaid, opened = store.head(), store.open_stream(DEN, "Den")
        store.expire()
        self.assertNotEqual(store.head().epoch, unsaid.epoch)
        self.assertEqual(store.head(DEN), opened)

    def test_topic(self):
        """A topic is told from then on, also before anything was said."""
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
        """A room in which nothing was said is gone when the last has left, topic and all."""
        store = self.store_with()
        head = store.open_stream(LOBBY, "Lobby")
        store.set_topic(LOBBY, "topic")
        store.release(LOBBY)
        again = store.open_stream(LOBBY, "LOBBY")
        self.assertEqual((again.name, again.topic), ("LOBBY", ""))
        self.assertNotEqual(again.epoch, head.epoch)

    def test_release_said(self):
        """A room in which something is kept stays when the last has left."""
        store = self.store_with()
        store.open_stream(LOBBY, "Lobby")
        store.append(entries(1))
        head = store.head()
        store.release(LOBBY)
        self.assertEqual(store.rooms(), [head])
        self.assertEqual(store.open_stream(LOBBY, "LOBBY"), head)

    def test_release_old(self):
        """A room in which all is too old is gone when the last has left."""
        store = self.store_with(Retention(max_age_s=10))
        head = store.open_stream(LOBBY, "Lobby")
        store.append(entries(1, 2))
        self.now += 11
        store.release(LOBBY)
        again = store.open_stream(LOBBY, "Lobby")
        self.assertEqual((again.seq, again.oldest), (0, 1))
        self.assertNotEqual(again.epoch, head.epoch)
        self.assertEqual(store.append([entry("1", time=self.now)])[0].message.seq, 1)

    def test_last_id(self):
        """Where a stream stands, there is the id of its last message, as long as that is kept."""
        store = self.store_with(Retention(max_age_s=10, max_messages=2))
        self.assertIsNone(store.open_stream(LOBBY, "Lobby").last_id)
        store.append([*entries(1, 2, 3), entry("a", stream=DIRECT)])
        store.append(entries(2))
        self.assertEqual([head.last_id for head in store.rooms()], ["3"])
        self.assertEqual([each.head.last_id for each in store.conversations("ann")], ["a"])
        self.assertEqual(store.head().last_id, "3")
        self.now += 11
        self.assertEqual((store.head().seq, store.head().last_id), (3, None))

    def test_positions(self):
        """Reading goes on after a position of the stream, and begins anew after another one."""
        store = self.store_with(Retention(), *entries(1, 2, 3, 4))
        epoch = store.head().epoch
        for position, ids, is_recovered in (
            (StreamPosition(2), ["3", "4"], True),
            (StreamPosition(2, epoch), ["3", "4"], True),
            (StreamPosition(2, epoch, "2"), ["3", "4"], True),
            (StreamPosition(4, None, "4"), [], True),
            (StreamPosition(0, epoch, "of another"), ["1", "2", "3", "4"], True),
            (StreamPosition(2, epoch, "of another"), ["1", "2", "3", "4"], False),
            (StreamPosition(4, epoch, "of another"), ["1", "2", "3", "4"], False),
            (StreamPosition(2, "of another", "2"), ["1", "2", "3", "4"], False),
            (StreamPosition(5, epoch), ["1", "2", "3", "4"], False),
            (StreamPosition(5, epoch, "5"), ["1", "2", "3", "4"], False),
        ):
            page = store.page(after=position)
            self.assertEqual([message.id for message in page.messages], ids, position)
            self.assertIs(page.is_recovered, is_recovered, position)
        page = store.page(after=StreamPosition(2, epoch, "2"), limit=1)
        self.assertEqual(
            ([message.id for message in page.messages], page.is_complete), (["3"], False)
        )

    def test_positions_not_kept(self):
        """A message that is not kept cannot tell another order; what follows it may be gone."""
        store = self.store_with(Retention(max_messages=2), *entries(1, 2, 3, 4))
        for seq, is_recovered in ((1, False), (2, True)):
            page = store.page(after=StreamPosition(seq, None, "unknown"))
            self.assertEqual([message.id for message in page.messages], ["3", "4"])
            self.assertIs(page.is_recovered, is_recovered)

    def test_release_unknown(self):
        """A room that is not there can be released."""
        store = self.store_with()
        store.release(LOBBY)
        self.assertEqual(store.rooms(), [])

    def test_rooms(self):
        """The rooms in which something is kept are listed, and nothing else."""
        store = self.store_with(Retention(max_age_s=10))
        for stream, name in ((LOBBY, "Lobby"), (DEN, "Den"), (room_stream("hall"), "Hall")):
            store.open_stream(stream, name)
        store.append([entry("1", stream=DEN), entry("1"), entry("1", stream=DIRECT)])
        store.append([entry("2", time=NOW + 5)])
        self.assertEqual({head.name for head in store.rooms()}, {"Lobby", "Den"})
        self.now += 11
        self.assertEqual(store.rooms(), [store.head()])
        self.assertEqual(store.head().oldest, 2)

    def test_conversations(self):
        """Everyone has their own conversations, those with themselves among them."""
        store = self.store_with(Retention(max_age_s=10))
        names = [("ann", "bob"), ("cy", "ann"), ("ann", "ann"), ("bob", "cy")]
        store.append([entry("1", stream=direct_stream(*pair)) for pair in names])
        store.append([entry("2", stream=DIRECT, time=NOW + 5), entry("1")])
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
            listed, after = [], ""
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
        """What is no longer kept takes no place on a page."""
        store = self.store_with(Retention(max_age_s=10))
        for number in range(6):
            at = NOW + 5 * (number % 2)
            streams = room_stream(f"r{number}"), direct_stream("m", f"n{number}")
            store.open_stream(streams[0], f"R{number}")
            store.append([entry("1", stream=stream, time=at) for stream in streams])
        self.now += 11
        self.assertEqual([head.name for head in store.rooms(limit=2)], ["R1", "R3"])
        found = store.conversations("m", "n1", limit=2)
        self.assertEqual([each.other for each in found], ["n3", "n5"])


class MemoryContractTests(ContractTests, StoreCase):
    """The store in memory."""

    def make_store(self, retention):
        return self.make_memory(retention)


class SqliteContractTests(ContractTests, StoreCase):
    """The store in a database."""

    def make_store(self, retention):
        return self.make_sqlite(retention)
