"""Shared by tests that kill a store, copy its database and put the copy back."""

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from chatd.storage.sqlite import mark
from chatd.storage.sqlite.mark import PREFIX
from tests.storage.stores import DIRECT, LOBBY, StoreCase, entry


def over(source, target):
    """Copy a directory's files over those of another, into the same inodes, as ``cp`` does."""
    for path in source.iterdir():
        with (target / path.name).open("wb") as file:
            file.write(path.read_bytes())


class MarkCase(StoreCase):
    """A store that is started, stopped and copied.

    Attributes:
        before: The epochs from before the copy was put back; set by the tests.
    """

    before: Sequence[Any]

    def setUp(self):
        super().setUp()
        self.copies = self.make_directory()
        self.patch(mark, "INTERVAL_S", 0.0)

    def start(self, **options):
        self.streams, self.database = self.make_streams(**options)

    def stop(self, *, is_killed=False):
        if is_killed:
            self.database.let_go()
        else:
            self.streams.close()

    def say(self, *ids):
        self.streams.append([each for id in ids for each in (entry(id), entry(id, stream=DIRECT))])

    def epochs(self):
        named = ((LOBBY, "Lobby"), (DIRECT, ""))
        return tuple(self.streams.open_stream(*each).epoch for each in named)

    def copy(self, name="copy"):
        """Copy the directory as it is, even if a store runs in it."""
        shutil.copytree(self.directory, self.copies / name)
        return self.copies / name

    def back_up(self):
        """Copy the database alone, as SQLite's ``.backup`` does."""
        target = self.copies / "chatd.db"
        with (
            closing(sqlite3.connect(self.database.path)) as source,
            closing(sqlite3.connect(target)) as connection,
        ):
            source.backup(connection)
        return target

    def expire(self):
        """Drop all messages that are too old."""
        place = self.streams.expire_some()
        while place is not None:
            place = self.streams.expire_some(place)

    def marks(self):
        return [path for path in self.directory.iterdir() if path.name.startswith(PREFIX)]

    def assert_put_back(self, *, is_put_back=True):
        """Start; check by the epochs and by `was_put_back` whether the store noticed a copy."""
        self.start()
        self.assertIs(self.database.was_put_back, is_put_back)
        now = self.epochs()
        if is_put_back:
            self.assertFalse(set(now) & set(self.before))
        else:
            self.assertEqual(now, self.before)
        self.say("more")
        for is_killed in (False, True):  # and the epochs are not renewed a second time
            self.stop(is_killed=is_killed)
            self.start()
            self.assertEqual((self.epochs(), self.database.was_put_back), (now, False))
        self.assertEqual(len(self.marks()), 1)
