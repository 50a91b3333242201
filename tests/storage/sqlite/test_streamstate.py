"""The states of streams that the SQLite store keeps in memory."""

from chatd.storage.sqlite.streamstate import StreamCache
from chatd.storage.streamkeys import direct_stream
from chatd.storage.values import Retention
from tests.storage.stores import DIRECT, LOBBY, SqliteCase, count_of, entries, entry


class CacheTests(SqliteCase):
    """The cache changes only the time that calls take."""

    def test_tiny(self):
        """A cache of one stream gives the same results as a large cache."""
        streams, database = self.make_streams(Retention(max_messages=2), cache=StreamCache(1))
        held = streams.open_stream(LOBBY, "Lobby")
        names = [direct_stream("ann", f"b{number}") for number in range(5)]
        for id in range(4):
            streams.append([entry(str(id), stream=stream) for stream in (*names, LOBBY)])
        for stream in (*names, LOBBY):
            self.assertEqual(self.ids_in(streams, stream), ["2", "3"])
        self.assertEqual(streams.open_stream(LOBBY, "").epoch, held.epoch)
        self.assertEqual(count_of(database, "streams"), 6)

    def test_forgotten(self):
        """The least recently used stream that is not open is forgotten."""
        streams, _ = self.make_streams(cache=StreamCache(2))
        one, two, three = (direct_stream("ann", name) for name in ("b", "c", "d"))
        held = streams.open_stream(LOBBY, "Lobby")
        first, second = (streams.open_stream(stream, "") for stream in (one, two))
        self.assertEqual(streams.open_stream(one, ""), first)
        streams.open_stream(three, "")
        self.assertEqual(streams.open_stream(one, ""), first)
        self.assertEqual(streams.open_stream(LOBBY, ""), held)
        self.assertNotEqual(streams.open_stream(two, ""), second)

    def test_released(self):
        """A released room is cached like any other stream."""
        streams, _ = self.make_streams(cache=StreamCache(1))
        streams.open_stream(LOBBY, "Lobby")
        streams.append(entries(1))
        for _ in range(2):
            streams.release(LOBBY)
        streams.open_stream(DIRECT, "")
        self.assertEqual(self.ids_in(streams), ["1"])
