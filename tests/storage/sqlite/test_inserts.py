"""The statements that write messages."""

import sqlite3
from unittest import skipUnless

from chatd.storage.sqlite.inserts import INSERT_BYTES, RUN_ROWS, SIZES
from tests.storage.stores import LOBBY, SqliteCase, entry

_VARIABLE_NUMBER = 9  # SQLITE_LIMIT_VARIABLE_NUMBER; Python names it since 3.11
LARGE = INSERT_BYTES // 3


class ManyTests(SqliteCase):
    """Many messages of one transaction: all are kept as they were said, in order."""

    def check(self, said):
        """Append entries to a new database, and check that a restarted store has them."""
        self.directory = self.make_directory()
        streams, _ = self.make_streams()
        placed = [outcome.message for outcome in streams.append(said)]
        streams.close()
        streams, _ = self.make_streams()
        page = streams.read(LOBBY, after=0, before=None, limit=10_000, max_bytes=10**9)
        self.assertEqual(page.messages, placed)
        self.assertEqual(
            [(each.seq, each.id, each.content) for each in page.messages],
            [(seq, each.header.id, each.content) for seq, each in enumerate(said, 1)],
        )

    def counts(self):
        """Return numbers of messages below, at and above the sizes of statements."""
        near = (RUN_ROWS, *SIZES)
        return sorted({count + more for count in near for more in (-1, 0, 1)} - {0, -1})

    def test_one_author(self):
        """A run of messages that differ in id and content alone."""
        for count in self.counts():
            self.check([entry(str(number), b"%d" % number) for number in range(count)])

    def test_many_authors(self):
        """Messages of many authors, none of which follows another of the same author."""
        for count in self.counts():
            self.check(
                [entry(str(number), author=f"author{number % 2}") for number in range(count)]
            )

    def test_mixed(self):
        """Runs and single messages in turn."""
        authors = [f"author{number}" for number in range(5)] + ["ann"] * 600 + ["bob"] * 3
        self.check([entry(str(n), author=author) for n, author in enumerate(authors * 2)])

    def test_large(self):
        """Contents that together, or each by itself, have more bytes than a statement takes."""
        for size in (LARGE, INSERT_BYTES + 1):
            self.check([entry(str(number), bytes(size)) for number in range(RUN_ROWS)])
            self.check([entry(str(number), bytes(size)) for number in range(RUN_ROWS // 2)])

    def test_empty(self):
        """Contents without a byte."""
        self.check([entry(str(number), b"") for number in range(SIZES[-1] + RUN_ROWS)])

    @skipUnless(hasattr(sqlite3.Connection, "setlimit"), "needs Python 3.11")
    def test_older_sqlite(self):
        """A version of SQLite that takes fewer values gets smaller statements."""
        self.patch(sqlite3, "sqlite_version_info", (3, 31, 1))
        streams, database = self.make_streams()
        database.connection.setlimit(_VARIABLE_NUMBER, 999)
        said = [entry(str(number), author=f"author{number % 2}") for number in range(100)]
        said += [entry(f"run {number}") for number in range(600)]
        streams.append(said)
        self.assertEqual(self.ids_in(streams, after=0), [each.header.id for each in said])


class StatementTests(SqliteCase):
    """How many statements a transaction takes: Python may lose its lock at each."""

    def setUp(self):
        super().setUp()
        self.streams, database = self.make_streams()
        self.streams.append([entry("first")])
        self.statements: list[str] = []
        database.connection.set_trace_callback(self.statements.append)

    def count_of_inserts(self, said):
        """Append entries, and return the number of statements that wrote them."""
        self.statements.clear()
        self.streams.append(said)
        return sum(statement.startswith("INSERT INTO messages") for statement in self.statements)

    def test_run(self):
        """A run takes one statement."""
        for count in (1, RUN_ROWS, SIZES[-1]):
            said = [entry(f"{count} {number}") for number in range(count)]
            self.assertEqual(self.count_of_inserts(said), 1)

    def test_bytes(self):
        """A statement takes no more bytes than the bound, but a message at least."""
        for size, count in ((INSERT_BYTES // 2, 8), (LARGE, 6), (LARGE + 1, 8), (INSERT_BYTES, 16)):
            for authors in (1, 2):  # as a run, and each by itself
                said = [
                    entry(f"{size} {number}", bytes(size), author=f"{authors} {number % authors}")
                    for number in range(RUN_ROWS)
                ]
                self.assertEqual(self.count_of_inserts(said), count)

    def test_short_runs(self):
        """Short runs of many authors take one statement together."""
        said = [entry(str(number), author=f"author{number // 2}") for number in range(SIZES[-1])]
        self.assertEqual(self.count_of_inserts(said), 1)
