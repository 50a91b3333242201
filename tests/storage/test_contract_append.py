"""The contract of every store for appending: an order, and each message once."""

from typing import Any

import msgspec

from chatd.errors import ErrorCode, RequestError
from chatd.storage.streamkeys import room_stream
from chatd.storage.values import Entry, Retention, Stored
from chatd.wire.messages import ChatHeader, MessageType
from tests.storage.contract import ContractCase, ContractMixin, InMemory, InRedis, InSqlite
from tests.storage.stores import DIRECT, LOBBY, NOW, TEXT, entries, entry

DEN = room_stream("den")


class AppendingContract(ContractMixin):
    """The contract, for any store."""

    def test_append(self):
        """Messages get places that rise by one, and readers get them unchanged."""
        store = self.store_with()
        head = store.open_stream(LOBBY, "Lobby")
        self.now += 0.25
        first, second = store.append(
            [entry(id, text, time=self.now) for id, text in (("1", b"\0one"), ("2", b""))]
        )
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

    def test_header(self):
        """The store keeps every field of the header; `seq` is the place, and it drops `ref`."""
        store = self.store_with()
        fields: dict[str, Any] = dict.fromkeys(ChatHeader.__struct_fields__, "x") | {"time": NOW}
        header = ChatHeader(**fields | {"seq": None, "ref": None})
        store.append([Entry(LOBBY, "ann", header, b"hello")])
        (message,) = store.page().messages
        self.assertEqual(message.header, msgspec.structs.replace(header, seq=1))

    def test_append_begins(self):
        """The first message of a stream begins the stream."""
        store = self.store_with()
        (outcome,) = store.append([entry("1", stream=DIRECT)])
        self.assertEqual((outcome.message.room, outcome.message.to), (None, "Bob"))
        self.assertEqual(store.head(DIRECT).seq, 1)

    def test_nothing(self):
        """An append may have no entries."""
        self.assertEqual(self.store_with().append([]), [])

    def test_unusual_text(self):
        """Readers get any text unchanged, and only equal ids count as the same."""
        store = self.store_with()
        ids = ["a", "A", "ä", "a\u0308", "'; DROP TABLE streams --", "a\0b", "a\0", "\U0001f600"]
        store.append([entry(id, id.encode()) for id in ids])
        self.assertEqual(store.ids(), ids)

    def test_streams_apart(self):
        """Each stream has its own order and epoch, also in one batch."""
        store = self.store_with()
        batch = [entry("1"), entry("1", stream=DEN), entry("2"), entry("1", stream=DIRECT)]
        self.assertEqual([outcome.message.seq for outcome in store.append(batch)], [1, 1, 2, 1])
        self.assertEqual(len({store.head(stream).epoch for stream in (LOBBY, DEN, DIRECT)}), 3)
        self.assertEqual(store.ids(DEN), ["1"])

    def test_order_of_batches(self):
        """Messages of a later append come later, and the epoch stays."""
        store = self.store_with()
        epoch = store.open_stream(LOBBY, "Lobby").epoch
        for id in range(20):
            store.append(entries(id))
        self.assertEqual(store.ids(), [str(id) for id in range(20)])
        self.assertEqual(store.head().epoch, epoch)

    def test_repeated(self):
        """A repeated message brings the first message, and the store does not append it."""
        store = self.store_with()
        (first,) = store.append([entry("1")])
        again = store.append([entry("0"), entry("1", time=NOW + 9), entry("2")])
        self.assertEqual(again[1], Stored(first.message, False))
        self.assertEqual([each.is_new for each in again], [True, False, True])
        self.assertEqual(store.ids(), ["1", "0", "2"])
        self.assertEqual(store.append([entry("1")]), [Stored(first.message, False)])
        self.assertEqual(store.head().seq, 3)

    def test_repeated_in_batch(self):
        """A message that comes again in one batch is not appended twice either."""
        store = self.store_with()
        outcomes = store.append(entries(1, 1, 2, 1))
        self.assertEqual([each.is_new for each in outcomes], [True, False, True, False])
        self.assertEqual(outcomes[1].message, outcomes[3].message)
        self.assertEqual(outcomes[3].message, outcomes[0].message)
        self.assertEqual(store.ids(), ["1", "2"])

    def test_repeated_beyond_bounds(self):
        """Earlier entries of the batch count, even if the store keeps only later ones."""
        store = self.store_with(Retention(max_messages=1))
        outcomes = store.append(entries(1, 2, 1))
        self.assertEqual([each.is_new for each in outcomes], [True, True, False])
        self.assertEqual(store.ids(), ["2"])

    def test_reused(self):
        """The store refuses another content or type under the same id, and appends the rest."""
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


class OldEntriesContract(ContractMixin):
    """The contract, for a store that keeps the times of the entries."""

    def test_repeated_and_old(self):
        """Earlier entries of the batch count, even if they are too old to be kept."""
        store = self.store_with(Retention(max_age_s=10))
        outcomes = store.append(entries(1, 1, time=NOW - 11))
        self.assertEqual([each.is_new for each in outcomes], [True, False])
        self.assertEqual(store.ids(), [])


class MemoryAppendingTests(AppendingContract, OldEntriesContract, InMemory, ContractCase):
    """The store in memory."""


class SqliteAppendingTests(AppendingContract, OldEntriesContract, InSqlite, ContractCase):
    """The store in a database."""


class RedisAppendingTests(AppendingContract, InRedis, ContractCase):
    """The store in Redis."""
