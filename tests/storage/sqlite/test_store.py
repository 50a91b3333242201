"""The store in a database: what it does beyond the contract."""

import os
import sqlite3
import stat
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from chatd.errors import ConfigurationError, StoreError
from chatd.storage.sqlite import retention, runs
from chatd.storage.sqlite.database import Database
from chatd.storage.sqlite.mark import PREFIX
from chatd.storage.sqlite.messagetable import INSERT_ROWS
from chatd.storage.sqlite.runs import Durability, read_boot_id
from chatd.storage.sqlite.schema import MIGRATIONS
from chatd.storage.sqlite.store import SqliteStore
from chatd.storage.sqlite.streamstate import StreamCache
from chatd.storage.streamkeys import direct_stream, room_stream
from chatd.storage.values import Retention
from tests.storage.stores import DIRECT, LOBBY, NOW, AtOnce, Calls, StoreCase, entries, entry

DEN = room_stream("den")


def count_of(database, table="messages"):
    """How many rows a table has."""
    return database.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


class SqliteCase(StoreCase):
    def ids_in(self, streams, key=LOBBY, **where):
        """The ids of the messages of a stream, as the part that blocks reads them."""
        values = {"after": None, "before": None, "limit": 10**6, "max_bytes": 10**9, **where}
        return [message.id for message in streams.read(key, **values).messages]

    def expire_all(self, streams):
        """Drop all that is too old, and return in how many steps."""
        place, steps = streams.expire_some(), 1
        while place is not None:
            place, steps = streams.expire_some(place), steps + 1
        return steps


class RestartTests(SqliteCase):
    """What outlives the process."""

    def test_everything(self):
        """Messages, places, epochs, names and topics are there after a restart."""
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

    def test_of_the_process_only(self):
        """The end of the process without a word changes nothing."""
        streams, database = self.make_streams()
        head = streams.open_stream(LOBBY, "Lobby")
        streams.append(entries(1))
        database.let_go()
        streams, _ = self.make_streams()
        self.assertEqual(self.ids_in(streams), ["1"])
        self.assertEqual(streams.open_stream(LOBBY, "").epoch, head.epoch)

    def test_unsaid(self):
        """A room in which nothing was said is not there after a restart."""
        store = Calls(self, self.make_sqlite())
        head = store.open_stream(LOBBY, "Lobby")
        store.set_topic(LOBBY, "topic")
        store.close()
        again = Calls(self, self.make_sqlite()).open_stream(LOBBY, "LOBBY")
        self.assertEqual((again.name, again.topic), ("LOBBY", ""))
        self.assertNotEqual(again.epoch, head.epoch)

    def test_all_too_old(self):
        """A room in which all is too old is not there after a restart."""
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
        """Bounds that are narrower apply at once, and those that are wider from then on."""
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
        """A topic that is set when something was said is there after a restart."""
        store = Calls(self, self.make_sqlite())
        store.append(entries(1))
        store.set_topic(LOBBY, "topic")
        store.close()
        self.assertEqual(Calls(self, self.make_sqlite()).head().topic, "topic")


class PowerCutTests(SqliteCase):
    """What is answered under an epoch is never another message under the same epoch."""

    def epoch_after(self, first, then, *, boots=("a", "b"), is_closed=False):
        """Say whether an epoch is the same after a second start."""
        self.directory = self.make_directory()
        streams, _ = self.make_streams(durability=first, boot_id=lambda: boots[0])
        streams.append(entries(1))
        epoch = streams.open_stream(LOBBY, "").epoch
        if is_closed:
            streams.close()
        else:
            streams._database.let_go()
        streams, database = self.make_streams(durability=then, boot_id=lambda: boots[1])
        self.addCleanup(database.let_go)
        self.assertEqual(self.ids_in(streams), ["1"])
        is_same = streams.open_stream(LOBBY, "").epoch == epoch
        streams.append(entries(2))
        epoch = streams.open_stream(LOBBY, "").epoch
        streams.close()
        streams, _ = self.make_streams(durability=then, boot_id=lambda: "c")
        self.assertEqual(
            streams.open_stream(LOBBY, "").epoch, epoch, "closed, and still another epoch"
        )
        return is_same

    def test_normal(self):
        """With durability normal, a boot between two runs gives every stream a new epoch."""
        for then in Durability:
            self.assertFalse(self.epoch_after(Durability.NORMAL, then))

    def test_full(self):
        """With durability full, nothing can be lost, so the epochs stay."""
        for then in Durability:
            self.assertTrue(self.epoch_after(Durability.FULL, then))

    def test_closed(self):
        """What was closed was on the disk."""
        self.assertTrue(self.epoch_after(Durability.NORMAL, Durability.NORMAL, is_closed=True))

    def test_same_boot(self):
        """The end of the process alone loses nothing."""
        same = ("a", "a")
        self.assertTrue(self.epoch_after(Durability.NORMAL, Durability.NORMAL, boots=same))

    def test_unknown_boot(self):
        """Where boots cannot be told apart, there may have been one."""
        self.assertFalse(self.epoch_after(Durability.NORMAL, Durability.NORMAL, boots=("", "")))

    def test_twice(self):
        """A second run of the same boot does not hide what the first may have lost."""
        epochs = []
        for boot, said in (("a", 1), ("a", 2), ("b", 3)):
            streams, database = self.make_streams(boot_id=lambda boot=boot: boot)
            streams.append(entries(said))
            epochs.append(streams.open_stream(LOBBY, "").epoch)
            database.let_go()
        self.assertTrue(epochs[0] == epochs[1] != epochs[2])

    def test_durability_of_the_connection(self):
        """Only durability full waits for the disk at each transaction."""
        for durability, level in ((Durability.FULL, 2), (Durability.NORMAL, 1)):
            self.directory = self.make_directory()
            _, database = self.make_streams(durability=durability)
            self.assertEqual(database.connection.execute("PRAGMA synchronous").fetchone(), (level,))
            self.assertEqual(
                database.connection.execute("PRAGMA journal_mode").fetchone(), ("wal",)
            )

    def test_notes_are_on_the_disk(self):
        """What is noted of a run waits for the disk, whatever the durability."""
        levels = []

        class Watched(Database):
            def _note(self, note):
                levels.extend(self.connection.execute("PRAGMA synchronous").fetchone())
                return super()._note(note)

        for durability in Durability:
            database = Watched(self.directory, durability)
            with database.opening():
                pass
            database.close()
        self.assertEqual(levels, [2, 2, 2, 2])

    def test_boot_id(self):
        """The operating system names its boots; where it does not, the name is empty."""
        self.assertEqual(len(read_boot_id()), 36)
        for path in (self.directory / "missing", Path("/dev/null")):
            self.patch(runs, "_BOOT_ID", str(path))
            self.assertEqual(read_boot_id(), "")


class FilesTests(SqliteCase):
    """The directory and what is in it."""

    def test_modes(self):
        """Only the owner can look into what the store makes, whatever the umask."""
        for umask in (0, 0o077):
            self.addCleanup(os.umask, os.umask(umask))
            self.directory = self.make_directory() / "parent" / "data"
            self.make_streams()[0].append(entries(1))
            self.assertEqual(mode_of(self.directory), 0o700)
            names = {path.name: mode_of(path) for path in self.directory.iterdir()}
            (mark,) = (name for name in names if name.startswith(PREFIX))
            self.assertEqual(names.pop(mark), 0o600)
            self.assertEqual(
                names,
                {
                    "chatd.db": 0o600,
                    "chatd.db-wal": 0o600,
                    "chatd.db-shm": 0o600,
                    "chatd.lock": 0o600,
                },
            )

    def test_directory_that_is_there(self):
        """A directory that is there keeps its mode."""
        self.directory.chmod(0o750)
        self.make_streams()
        self.assertEqual(mode_of(self.directory), 0o750)

    def test_relative(self):
        """A directory is that of where the daemon was started."""
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(self.directory)
        store = SqliteStore("data", durability=Durability.FULL, run=AtOnce())
        os.chdir("/")
        store.open()
        self.successResultOf(Deferred.fromCoroutine(store.close()))
        self.assertTrue((self.directory / "data" / "chatd.db").is_file())

    def test_readable(self):
        """An operator finds the messages that are kept, as text, in one view."""
        streams, database = self.make_streams(Retention(max_messages=1))
        streams.append([entry("1"), entry("2", b"caf\xc3\xa9"), entry("1", stream=DIRECT)])
        with closing(sqlite3.connect(database.path)) as connection:
            rows = connection.execute("SELECT * FROM said ORDER BY stream DESC").fetchall()
        self.assertEqual(
            rows,
            [
                (LOBBY, 2, "1970-01-12 13:46:40", "Ann", None, "text/plain", "café"),
                (DIRECT, 1, "1970-01-12 13:46:40", "Ann", "Bob", "text/plain", "hello"),
            ],
        )

    def test_indexes(self):
        """Nothing that is asked of the tables is looked for row by row."""
        _, database = self.make_streams()
        for table, where in (
            ("messages", "stream = 1 AND author = 'ann' AND id = '1'"),
            ("messages", "stream = 1 AND seq >= 1 AND time >= 0 ORDER BY seq LIMIT 1"),
            ("streams", "key = 'room lobby'"),
            ("streams", "key >= 'room ' AND key < 'room!'"),
            ("streams", "(one = 'ann' OR other = 'ann')"),
        ):
            rows = database.connection.execute(
                f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE {where}"
            )
            steps = [step for *_, step in rows]
            self.assertFalse(any(step.startswith(("SCAN", "USE TEMP")) for step in steps), steps)


class ClosedTests(SqliteCase):
    def calls(self, store):
        return (
            store.open_stream(LOBBY, "Lobby"),
            store.append(entries(1)),
            store.read(LOBBY, limit=1, max_bytes=1),
            store.set_topic(LOBBY, "topic"),
            store.release(LOBBY),
            store.rooms(limit=1),
            store.conversations("ann", limit=1),
            store.expire(),
        )

    def assert_not_open(self, store):
        for call in self.calls(store):
            self.failureResultOf(Deferred.fromCoroutine(call), StoreError)

    def test_closed(self):
        """A store that is closed, or not open yet, answers everything with an error."""
        self.assert_not_open(SqliteStore(self.directory, durability="full", run=AtOnce()))
        store = self.make_sqlite()
        for _ in range(2):
            self.successResultOf(Deferred.fromCoroutine(store.close()))
            self.assert_not_open(store)

    def test_parts_closed(self):
        """So do the parts of it, and closing them again is fine."""
        streams, database = self.make_streams()
        for _ in range(2):
            streams.close()
        for part in (lambda: streams.rooms("", 1), lambda: database.connection):
            with pytest.raises(StoreError, match=r"chatd\.db is not open$"):
                part()

    def test_no_write_ahead_log_is_left(self):
        """Closing the store removes the write-ahead log: everything is in the one file."""
        streams, database = self.make_streams()
        streams.append(entries(1))
        streams.close()
        names = {path.name for path in self.directory.iterdir()}
        self.assertEqual(
            {name for name in names if not name.startswith(PREFIX)}, {"chatd.db", "chatd.lock"}
        )
        self.assertGreater(database.path.stat().st_size, 0)


class DeletingTests(SqliteCase):
    """What is no longer kept is deleted many at a time, and never too many."""

    def test_amortized(self):
        """Appends leave some of what is too much, and no more than that."""
        streams, database = self.make_streams(Retention(max_messages=10))
        counts = []
        for batch in range(150):
            streams.append(entries(*range(batch * 10, batch * 10 + 10)))
            counts.append(count_of(database))
        self.assertEqual(counts[:40], list(range(10, 410, 10)))
        self.assertEqual(max(counts), retention.SWEEP_ROWS)
        self.assertEqual(sum(after < before for before, after in pairwise(counts)), 2)
        self.assertEqual(self.ids_in(streams), [str(id) for id in range(1490, 1500)])

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
        """When much has become too old at once, an append deletes only some of it."""
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
        """Dropping what is old takes no more than some rows, or bytes, a step."""
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

    def test_expire_many_streams(self):
        """Many streams are looked at some at a time."""
        streams, database = self.make_streams(Retention(max_age_s=10))
        streams.append([entry("1", stream=room_stream(str(number))) for number in range(450)])
        self.assertEqual(self.expire_all(streams), 4)
        self.assertEqual(count_of(database, "streams"), 450)
        self.now += 11
        self.assertEqual(self.expire_all(streams), 4)
        self.assertEqual(count_of(database, "streams"), 0)
        self.assertEqual(streams.rooms("", 1), [])

    def test_expire_what_is_open(self):
        """An open room in which all is too old keeps its place in its order."""
        streams, database = self.make_streams(Retention(max_age_s=10))
        head = streams.open_stream(LOBBY, "Lobby")
        streams.append(entries(*range(700)))
        self.now += 11
        self.assertEqual(self.expire_all(streams), 3)
        self.assertEqual(count_of(database), 0)
        after = streams.open_stream(LOBBY, "")
        self.assertEqual((after.epoch, after.seq, after.oldest), (head.epoch, 700, 701))

    def test_released_while_much_is_left(self):
        """A room that is gone can be begun again before all of it is deleted."""
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

    def test_expire_ends_when_closed(self):
        """Closing the store does not wait for all that is old, nor fail over it."""
        waiting = []

        class Later(AtOnce):
            def __call__(self, function):
                result = Deferred()
                waiting.append((function, result))
                return result

        store = SqliteStore(
            self.directory,
            Retention(max_age_s=10),
            durability=Durability.NORMAL,
            run=Later(),
            unix_time=lambda: self.now,
        )

        def answer():
            function, result = waiting.pop(0)
            result.callback(function())

        store.open()
        appended = Deferred.fromCoroutine(store.append(entries(*range(1_200))))
        answer()
        self.successResultOf(appended)
        self.now += 11
        expired = Deferred.fromCoroutine(store.expire())
        closed = Deferred.fromCoroutine(store.close())
        answer()
        self.successResultOf(expired)
        answer()
        self.successResultOf(closed)
        self.assertEqual(waiting, [])


class CacheTests(SqliteCase):
    """What is kept in mind makes no difference but in time."""

    def test_tiny(self):
        """With room for one stream in mind, all goes as with room for many."""
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
        """The stream that nobody has open and that was asked for longest ago is forgotten."""
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
        """A room that is released is kept in mind like any other."""
        streams, _ = self.make_streams(cache=StreamCache(1))
        streams.open_stream(LOBBY, "Lobby")
        streams.append(entries(1))
        for _ in range(2):
            streams.release(LOBBY)
        streams.open_stream(DIRECT, "")
        self.assertEqual(self.ids_in(streams), ["1"])


class RepeatingTests(SqliteCase):
    def test_nothing_new(self):
        """What was all said before is answered without a change of the database."""
        streams, database = self.make_streams()
        streams.append(entries(1, 2))
        before = database.connection.total_changes
        self.assertEqual([each.is_new for each in streams.append(entries(1, 2))], [False, False])
        self.assertEqual(database.connection.total_changes, before)

    def test_not_deleted_yet(self):
        """The id of what is no longer kept is free, though it is still in the database."""
        streams, database = self.make_streams(Retention(max_messages=1))
        streams.append(entries(1, 2))
        self.assertEqual(count_of(database), 2)
        (outcome,) = streams.append(entries(1))
        self.assertEqual((outcome.is_new, outcome.message.seq), (True, 3))
        self.assertEqual(count_of(database), 2)


class OpeningTests(SqliteCase):
    def test_failing_step(self):
        """A step to a new version that fails is a refusal, and leaves the old version."""
        streams, _ = self.make_streams()
        streams.append(entries(1))
        streams.close()
        steps = [*MIGRATIONS, ("DROP TABLE messages", "INSERT INTO nowhere VALUES (1)")]
        broken = Database(self.directory, Durability.FULL, migrations=steps)
        refused = pytest.raises(ConfigurationError, match=r"chatd\.db: no such table: nowhere$")
        with refused, broken.opening():
            pass
        streams, _ = self.make_streams()
        self.assertEqual(self.ids_in(streams), ["1"])

    def test_no_write_ahead_log(self):
        """A database that cannot have a write-ahead log is refused."""
        connect = sqlite3.connect

        class NoLog(sqlite3.Connection):
            def execute(self, statement, *values):
                return super().execute(statement.replace("= WAL", "= DELETE"), *values)

        self.patch(sqlite3, "connect", lambda *args, **kw: connect(*args, factory=NoLog, **kw))
        with pytest.raises(ConfigurationError, match=r"no write-ahead log beside it$"):
            self.make_streams()


class ManyTests(SqliteCase):
    """Many messages of one transaction."""

    def test_sizes(self):
        """They are all kept, in order, whether few or many go into a statement, small or large."""
        for count, size in ((INSERT_ROWS - 1, 1), (2 * INSERT_ROWS + 1, 1), (INSERT_ROWS, 10_000)):
            self.directory = self.make_directory()
            streams, _ = self.make_streams()
            said = [entry(str(number), bytes(size)) for number in range(count)]
            streams.append(said)
            self.assertEqual(self.ids_in(streams, after=0), [each.id for each in said])
