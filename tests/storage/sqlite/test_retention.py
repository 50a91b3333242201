"""Deleting the messages that the SQLite store no longer keeps."""

from itertools import pairwise

from chatd.storage.memory import MAX_STREAMS
from chatd.storage.sqlite import retention
from chatd.storage.streamkeys import direct_stream, room_stream
from chatd.storage.values import Retention
from tests.storage.stores import LOBBY, NOW, SqliteCase, count_of, entries, entry


class DeletingTests(SqliteCase):
    """The store deletes messages that it no longer keeps, many together, but never too many."""

    def test_amortized(self):
        """Appends leave a bounded number of messages that are no longer kept."""
        streams, database = self.make_streams(Retention(max_messages=10))
        counts = []
        for batch in range(150):
            streams.append(entries(*range(batch * 10, batch * 10 + 10)))
            counts.append(count_of(database))
        self.assertEqual(counts[:40], list(range(10, 410, 10)))
        self.assertEqual(max(counts), retention.SWEEP_ROWS)
        self.assertEqual(sum(after < before for before, after in pairwise(counts)), 2)
        self.assertEqual(self.ids_in(streams), [str(id) for id in range(1490, 1500)])

    def test_left_on_the_disk(self):
        """The files have a message for a while after the store has deleted it."""
        self.patch(retention, "SWEEP_ROWS", 1)
        streams, database = self.make_streams(Retention(max_messages=1))
        streams.append([entry("1", b"a word to forget")])
        streams.append(entries(2, 3, 4))
        self.assertEqual(self.ids_in(streams), ["4"])
        kept = database.connection.execute("SELECT id FROM messages").fetchall()
        self.assertNotIn(("1",), kept)
        stored = b"".join(path.read_bytes() for path in self.directory.iterdir())
        self.assertIn(b"a word to forget", stored)

    def test_large(self):
        """Large contents are deleted sooner."""
        self.patch(retention, "SWEEP_BYTES", 10_000)
        streams, database = self.make_streams(Retention(max_messages=1))
        counts = []
        for id in range(30):
            streams.append([entry(str(id), b"x" * 1_000)])
            counts.append(count_of(database))
        self.assertEqual(max(counts), 10)
        self.assertEqual(counts.count(1), 3)

    def test_much_at_once(self):
        """When many messages have become too old at once, an append deletes only some of them."""
        streams, database = self.make_streams(Retention(max_age_s=10))
        streams.append(entries(*range(1_200)))
        self.now += 11
        self.assertEqual(self.ids_in(streams), [])
        counts = []
        for id in range(4):
            streams.append([entry(f"new {id}", time=self.now)])
            counts.append(count_of(database))
        self.assertEqual(counts, [700, 200, 201, 202])
        self.assertEqual(self.ids_in(streams), [f"new {id}" for id in range(4)])

    def test_expire_in_steps(self):
        """A step of dropping old messages deletes a bounded number of rows and bytes."""
        streams, database = self.make_streams(Retention(max_age_s=10))
        for number in range(3):
            stream = direct_stream("ann", f"b{number}")
            streams.append(entries(*range(1_200), stream=stream))
        streams.append([entry("1"), entry("2", time=NOW + 5)])
        self.now += 11
        counts, place = [count_of(database)], 0
        while place is not None:
            place = streams.expire_some(place)
            counts.append(count_of(database))
        steps = [before - after for before, after in pairwise(counts)]
        self.assertEqual(max(steps), retention.SWEEP_ROWS)
        self.assertEqual(counts[-1], 1)
        self.assertEqual(count_of(database, "streams"), 1)
        self.assertEqual(self.ids_in(streams), ["2"])

    def test_expire_large(self):
        """A few large contents are enough for a step."""
        self.patch(retention, "SWEEP_BYTES", 2_500)
        streams, database = self.make_streams(Retention(max_age_s=10))
        streams.append(entries(*range(6), content=b"x" * 1_000))
        self.now += 11
        streams.expire_some()
        self.assertEqual(count_of(database), 3)
        self.expire_all(streams)
        self.assertEqual(count_of(database), count_of(database, "streams"))
        self.assertEqual(count_of(database, "streams"), 0)

    def test_expire_large_of_several(self):
        """A step whose bytes end with the last message of a stream leaves the next stream."""
        self.patch(retention, "SWEEP_BYTES", 2_000)
        streams, database = self.make_streams(Retention(max_age_s=10))
        for stream in (LOBBY, room_stream("cellar")):
            streams.append(entries(1, 2, content=b"x" * 1_000, stream=stream))
        self.now += 11
        streams.expire_some()
        self.assertEqual(count_of(database), 2)
        self.expire_all(streams)
        self.assertEqual(count_of(database), 0)

    def test_expire_many_streams(self):
        """A step searches only some of many streams."""
        streams, database = self.make_streams(Retention(max_age_s=10))
        streams.append([entry("1", stream=room_stream(str(number))) for number in range(450)])
        self.assertEqual(self.expire_all(streams), 4)
        self.assertEqual(count_of(database, "streams"), 450)
        self.now += 11
        self.assertEqual(self.expire_all(streams), 4)
        self.assertEqual(count_of(database, "streams"), 0)
        self.assertEqual(streams.rooms("", 1), [])

    def test_expire_what_is_open(self):
        """An open room whose messages are all too old goes on in its order."""
        streams, database = self.make_streams(Retention(max_age_s=10))
        head = streams.open_stream(LOBBY, "Lobby")
        streams.append(entries(*range(700)))
        self.now += 11
        self.assertEqual(self.expire_all(streams), 3)
        self.assertEqual(count_of(database), 0)
        after = streams.open_stream(LOBBY, "")
        self.assertEqual((after.epoch, after.seq, after.oldest), (head.epoch, 700, 701))

    def test_released_while_much_is_left(self):
        """A room that ended can begin again before the deletion of all its messages."""
        streams, database = self.make_streams(Retention(max_age_s=10))
        head = streams.open_stream(LOBBY, "Lobby")
        streams.append(entries(*range(1_200)))
        self.now += 11
        streams.release(LOBBY)
        self.assertEqual(count_of(database), 700)
        self.assertEqual(streams.append(entries(1, time=self.now))[0].message.seq, 1)
        self.assertNotEqual(streams.open_stream(LOBBY, "").epoch, head.epoch)
        self.expire_all(streams)
        self.assertEqual(count_of(database), 1)
        self.assertEqual(self.ids_in(streams), ["1"])


class RoomsTests(SqliteCase):
    """The number of rooms, which nothing bounds."""

    def test_many(self):
        """Each room keeps its message, also if there are more than a store in memory keeps."""
        streams, database = self.make_streams(Retention(max_messages=1))
        names = [f"r{number:05}" for number in range(MAX_STREAMS + 1)]
        streams.append([entry("1", stream=room_stream(name)) for name in names])
        self.assertEqual(len(streams.rooms("", 2 * MAX_STREAMS)), MAX_STREAMS + 1)
        self.assertEqual(count_of(database), MAX_STREAMS + 1)
