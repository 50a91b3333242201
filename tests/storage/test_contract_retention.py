"""The contract of every store for keeping and dropping messages."""

from chatd.storage.streamkeys import room_stream
from chatd.storage.values import Retention
from tests.storage.contract import ContractCase, ContractMixin, InMemory, InRedis, InSqlite
from tests.storage.stores import LOBBY, NOW, entries, entry

DEN = room_stream("den")


class RetentionContract(ContractMixin):
    """The contract, for any store."""

    def test_max_messages(self):
        """The store keeps only the newest messages, up to the bound."""
        store = self.store_with(Retention(max_messages=3))
        for id in range(1, 6):
            store.append(entries(id))
        self.assertEqual(store.ids(after=0), ["3", "4", "5"])
        head = store.head()
        self.assertEqual((head.seq, head.oldest), (5, 3))
        self.assertEqual(store.ids(before=5), ["3", "4"])
        self.assertIs(store.page(before=2).is_complete, True)

    def test_max_messages_in_batch(self):
        """The store answers a batch with more messages than it keeps."""
        store = self.store_with(Retention(max_messages=3))
        self.assertTrue(all(each.is_new for each in store.append(entries(*range(50)))))
        self.assertEqual(store.ids(), ["47", "48", "49"])

    def test_max_bytes(self):
        """The store keeps no more bytes than the bound."""
        store = self.store_with(Retention(max_bytes=25), *entries(1, 2, content=b"x" * 10))
        self.assertEqual(store.ids(), ["1", "2"])
        store.append(entries(3, content=b"x" * 6))
        self.assertEqual(store.ids(), ["2", "3"])
        store.append(entries(4, content=b"x" * 9))
        self.assertEqual(store.ids(), ["2", "3", "4"])

    def test_newest_is_kept(self):
        """The store keeps the newest message of any size."""
        store = self.store_with(Retention(max_bytes=5))
        for id, size in enumerate((1, 100, 200)):
            store.append(entries(id, content=b"x" * size))
            self.assertEqual(store.ids(), [str(id)])
        store.append(entries(3, content=b"x"))
        self.assertEqual(store.ids(), ["3"])

    def test_max_age(self):
        """The store does not return a message that is too old, even before it drops it."""
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
        """A clock that was set back leaves no gap: messages behind a newer message stay."""
        store = self.store_with(Retention(max_age_s=10), entry("1"), entry("2", time=NOW - 5))
        self.now += 8
        self.assertEqual(store.ids(), ["1", "2"])

    def test_goes_on_after_all_is_old(self):
        """A room whose messages are all too old goes on in its order."""
        store = self.store_with(Retention(max_age_s=10))
        epoch = store.open_stream(LOBBY, "Lobby").epoch
        store.append(entries(1, 2))
        self.now += 11
        store.expire()
        (outcome,) = store.append([entry("1", time=self.now)])
        self.assertEqual((outcome.is_new, outcome.message.seq), (True, 3))
        self.assertEqual(store.head().epoch, epoch)

    def test_expire(self):
        """The store drops messages that are too old, and a stream without messages."""
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
        """The store also drops a stream that is not open and never had a message."""
        store = self.store_with()
        unsaid, opened = store.head(), store.open_stream(DEN, "Den")
        store.expire()
        self.assertNotEqual(store.head().epoch, unsaid.epoch)
        self.assertEqual(store.head(DEN), opened)


class MemoryRetentionTests(RetentionContract, InMemory, ContractCase):
    """The store in memory."""


class SqliteRetentionTests(RetentionContract, InSqlite, ContractCase):
    """The store in a database."""


class RedisRetentionTests(RetentionContract, InRedis, ContractCase):
    """The store in Redis."""
