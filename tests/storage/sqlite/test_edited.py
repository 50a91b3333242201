"""A database whose rows were edited by hand: SQLite keeps values of any type in its columns."""

import sqlite3
from contextlib import closing

import pytest

from chatd.errors import ConfigurationError, StoreError
from tests.storage.stores import LOBBY, NOW, SqliteCase, entries


class EditedTests(SqliteCase):
    def edit(self, statement):
        """Change a new database with two messages, and start again."""
        self.directory = self.make_directory()
        streams, self.database = self.make_streams()
        streams.append(entries(1, 2))
        streams.close()
        with closing(sqlite3.connect(self.database.path, isolation_level=None)) as connection:
            connection.execute(statement)
        self.streams, _ = self.make_streams()

    def read(self):
        """Return the messages of the room."""
        page = self.streams.read(LOBBY, after=0, before=None, limit=10, max_bytes=10**6)
        return page.messages

    def test_content(self):
        """Text or a number in place of a content is read as the bytes of the text."""
        for value, content in (("'gone é'", "gone é".encode()), ("5", b"5"), ("''", b"")):
            self.edit(f"UPDATE messages SET content = {value} WHERE seq = 1")
            self.assertEqual([message.content for message in self.read()], [content, b"hello"])

    def test_time(self):
        """A time that is no number is the earliest, as SQLite has it."""
        self.edit("UPDATE messages SET time = 'noon' WHERE seq = 2")
        self.assertEqual([message.header.time for message in self.read()], [NOW, 0.0])

    def test_place(self):
        """A call on a stream without a number for a place fails in one line; others go on."""
        self.edit("UPDATE streams SET seq = 'last'")
        for call in (self.read, lambda: self.streams.append(entries(3))):
            with pytest.raises(StoreError) as caught:
                call()
            self.assertEqual(
                str(caught.value),
                f"{self.database.path}: the row 1 of the table streams has a value that is no "
                "whole number; restore it from a copy",
            )
        self.streams.append(entries(1, stream="room den"))
        self.assertEqual(self.ids_in(self.streams, "room den"), ["1"])

    def test_at_the_start(self):
        """The start names a row that it cannot count in one line."""
        for value, why in (
            ("bytes = 'many'", "the row 1 of the table streams has a value that is no"),
            ("seq = 9e999", "cannot convert float infinity"),
        ):
            with pytest.raises(ConfigurationError, match=rf"chatd\.db: {why}"):
                self.edit(f"UPDATE streams SET {value}")
