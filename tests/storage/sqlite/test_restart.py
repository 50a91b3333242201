"""The data that the SQLite store keeps when the process ends."""

from chatd.storage.privateroom import PrivateRoom
from chatd.storage.values import Retention
from tests.storage.stores import DIRECT, LOBBY, Calls, SqliteCase, entries, entry


class RestartTests(SqliteCase):
    """The data that outlives the process."""

    def test_everything(self):
        """Messages, places, epochs, names and topics outlive a restart."""
        store = Calls(self, self.make_sqlite())
        before = store.open_stream(LOBBY, "Lobby")
        store.set_topic(LOBBY, "topic")
        store.append([entry("1", b"\0"), entry("2"), entry("1", stream=DIRECT)])
        page, heads = store.page(), store.rooms()
        store.close()
        store = Calls(self, self.make_sqlite())
        self.assertEqual(store.page(), page)
        self.assertEqual(store.rooms(), heads)
        self.assertEqual(heads, [page.head])
        self.assertEqual((page.head.epoch, page.head.topic), (before.epoch, "topic"))
        self.assertEqual(store.open_stream(LOBBY, "other").name, "Lobby")
        self.assertEqual([each.other for each in store.conversations("bob")], ["ann"])
        repeated, new = store.append([entry("1", b"\0"), entry("3")])
        self.assertEqual((repeated.is_new, new.message.seq), (False, 3))

    def test_private_rooms(self):
        """Private rooms outlive a restart, also rooms without a message."""
        store = Calls(self, self.make_sqlite())
        den = PrivateRoom("den", "Den", frozenset({"ann", "bob"}))
        store.keep_private(den, instead_of=None)
        store.close()
        store = Calls(self, self.make_sqlite())
        self.assertEqual(store.private_rooms(), [den])

    def test_of_the_process_only(self):
        """If the process ends without closing the store, nothing changes."""
        streams, database = self.make_streams()
        head = streams.open_stream(LOBBY, "Lobby")
        streams.append(entries(1))
        database.let_go()
        streams, _ = self.make_streams()
        self.assertEqual(self.ids_in(streams), ["1"])
        self.assertEqual(streams.open_stream(LOBBY, "").epoch, head.epoch)

    def test_unsaid(self):
        """A room that never had a message ends with a restart."""
        store = Calls(self, self.make_sqlite())
        head = store.open_stream(LOBBY, "Lobby")
        store.set_topic(LOBBY, "topic")
        store.close()
        again = Calls(self, self.make_sqlite()).open_stream(LOBBY, "LOBBY")
        self.assertEqual((again.name, again.topic), ("LOBBY", ""))
        self.assertNotEqual(again.epoch, head.epoch)

    def test_all_too_old(self):
        """A room whose messages are all too old ends with a restart."""
        bounds = Retention(max_age_s=10)
        store = Calls(self, self.make_sqlite(bounds))
        head = store.open_stream(LOBBY, "Lobby")
        store.append([entry("1"), entry("1", stream=DIRECT)])
        store.close()
        self.now += 11
        store = Calls(self, self.make_sqlite(bounds))
        self.assertNotEqual(store.open_stream(LOBBY, "Lobby").epoch, head.epoch)
        self.assertEqual(store.append([entry("1", time=self.now)])[0].message.seq, 1)
        store.expire()
        self.assertEqual(store.ids(), ["1"])

    def test_other_bounds(self):
        """Narrower bounds apply at once, and wider bounds from then on."""
        for bounds, ids in (
            (Retention(), "12345"),
            (Retention(max_messages=3), "345"),
            (Retention(max_bytes=9), "5"),
            (Retention(), "5"),
        ):
            store = Calls(self, self.make_sqlite(bounds))
            if store.head().seq == 0:
                store.append(entries(*ids))
            self.assertEqual(store.ids(), list(ids))
            self.assertEqual([head.oldest for head in store.rooms()], [int(ids[0])])
            store.close()

    def test_topic_of_a_kept_room(self):
        """A topic that is set after the first message outlives a restart."""
        store = Calls(self, self.make_sqlite())
        store.append(entries(1))
        store.set_topic(LOBBY, "topic")
        store.close()
        self.assertEqual(Calls(self, self.make_sqlite()).head().topic, "topic")
