"""The contract of every store for reading: pages, and positions of returning readers."""

from chatd.storage.values import Retention, StreamPosition
from tests.storage.contract import ContractCase, ContractMixin, InMemory, InRedis, InSqlite
from tests.storage.stores import DIRECT, LOBBY, entries, entry


class ReadingContract(ContractMixin):
    """The contract, for any store."""

    def test_read_after(self):
        """With `after`, the store reads the messages after a place, the oldest first."""
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
        """With `before`, the store reads the newest messages before a place."""
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
        """Without a place, the store reads the newest messages."""
        store = self.store_with(None, *entries(*range(1, 10)))
        self.assertEqual(store.ids(limit=3), ["7", "8", "9"])
        self.assertIs(store.page(limit=8).is_complete, False)
        self.assertIs(store.page(limit=9).is_complete, True)

    def test_read_bytes(self):
        """A page has up to the requested bytes, but at least one message."""
        store = self.store_with(None, *entries(1, 2, 3, content=b"x" * 10))
        self.assertEqual(store.ids(after=0, max_bytes=29), ["1", "2"])
        self.assertEqual(store.ids(max_bytes=20), ["2", "3"])
        self.assertEqual(store.ids(after=0, max_bytes=30), ["1", "2", "3"])
        self.assertEqual(store.ids(after=1, max_bytes=0), ["2"])
        self.assertIs(store.page(max_bytes=9).is_complete, False)

    def test_last_id(self):
        """A stream's head has the id of its last message, as long as that message is kept."""
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
        """A read goes on after a position of the stream, and begins anew after another position."""
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
        """A dropped message cannot show another order; the messages after it may be missing."""
        store = self.store_with(Retention(max_messages=2), *entries(1, 2, 3, 4))
        for seq, is_recovered in ((1, False), (2, True)):
            page = store.page(after=StreamPosition(seq, None, "unknown"))
            self.assertEqual([message.id for message in page.messages], ["3", "4"])
            self.assertIs(page.is_recovered, is_recovered)


class MemoryReadingTests(ReadingContract, InMemory, ContractCase):
    """The store in memory."""


class SqliteReadingTests(ReadingContract, InSqlite, ContractCase):
    """The store in a database."""


class RedisReadingTests(ReadingContract, InRedis, ContractCase):
    """The store in Redis."""
