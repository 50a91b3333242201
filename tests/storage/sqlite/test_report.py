"""The log lines of a store that opens: where the messages are, and what the start does to them."""

import re
import shutil
import sqlite3
from contextlib import closing

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from chatd.storage.sqlite.schema import MIGRATIONS
from chatd.storage.sqlite.store import SqliteStore
from chatd.storage.values import Durability, Retention
from tests.docs.pages import first_cells, page, section
from tests.storage.stores import DIRECT, NOW, AtOnce, StoreCase, entries

DAY_S = 86_400
# The lines that the page on the log lists.
PATTERNS = [
    re.sub("[A-Z]{4,}", ".+", re.escape(cell.strip("`")).replace("…", ".*"))
    for cell in first_cells(section(page("docs/reference/log.md"), "The start"))
]
BOUNDS = "each room and pair keeps at most"


class ReportTests(StoreCase):
    """Opens stores in one directory, one after the other."""

    def opened(self, *said, directory=None, is_killed=False, **bounds):
        """Open a store, append messages, and close it; return the lines of the start."""
        directory = directory or self.directory
        store = SqliteStore(
            directory,
            Retention(**bounds),
            durability=Durability.NORMAL,
            run=AtOnce(),
            unix_time=lambda: self.now,
        )
        with capturedLogs() as events:
            store.open()
        lines = [formatEvent(event).replace(str(directory), "DIR") for event in events]
        for line in lines:
            self.assertTrue(any(re.fullmatch(each, line) for each in PATTERNS), line)
        self.successResultOf(Deferred.fromCoroutine(store.expire()))  # as the daemon does
        if said:
            self.successResultOf(Deferred.fromCoroutine(store.append(said)))
        if is_killed:
            store._database.let_go()
        else:
            self.successResultOf(Deferred.fromCoroutine(store.close()))
        return lines

    def test_found(self):
        """The log says whether the directory is new, or how much is in it."""
        self.assertEqual(
            self.opened(*entries(1, 2), *entries(3, stream=DIRECT)),
            ["DIR is new, and has no messages"],
        )
        self.assertEqual(self.opened(), ["messages in DIR: 3 (rooms: 1, pairs of names: 1)"])

    def test_dropped(self):
        """The log says how many messages are beyond the bounds, for each of the bounds."""
        day = [*entries(*range(4), time=NOW), *entries(9, time=NOW, stream=DIRECT)]
        for later_s, bounds, left, words in (
            (0, {"max_messages": 3}, 4, "3 messages (--keep-messages), 30 days (--keep-days)"),
            (0, {"max_bytes": 10}, 3, "and 10 bytes (--keep-bytes)"),
            (DAY_S, {"max_age_s": DAY_S / 2}, 2, "0.5 days (--keep-days)"),
        ):
            self.now, self.directory = NOW, self.make_directory()
            self.opened(*day, *entries("new", "newer", time=NOW + DAY_S))
            self.now += later_s
            found, dropped = self.opened(**bounds)
            self.assertIn(f"messages in DIR: {left} (rooms: 1, ", found)
            self.assertTrue(dropped.startswith(f"messages deleted: {7 - left}; {BOUNDS}"))
            self.assertIn(words, dropped)
            self.assertEqual(len(self.opened(**bounds)), 1, "told a second time")

    def test_updated(self):
        """The log says that the tables were updated."""
        with closing(sqlite3.connect(self.directory / "chatd.db")) as connection:
            for number, statements in enumerate(MIGRATIONS[:2], 1):
                for statement in (*statements, f"PRAGMA user_version = {number}"):
                    connection.execute(statement)
        self.assertEqual(
            self.opened()[1],
            f"the tables of DIR/chatd.db were updated from version 2 to {len(MIGRATIONS)}",
        )

    def test_copied(self):
        """The log says that a directory is a copy, and that it may lack its newest part."""
        self.opened(*entries(1))
        copy = self.make_directory() / "copy"
        for is_killed in (False, True):
            self.opened(is_killed=is_killed)
            shutil.copytree(self.directory, copy)
            lines = self.opened(directory=copy)
            shutil.rmtree(copy)
            self.assertIn("is not as its last run left it, but a copy", lines[1])
            self.assertEqual(len(lines), 3 if is_killed else 2)
        self.assertIn("without chatd.db-wal, the newest messages are missing", lines[2])
