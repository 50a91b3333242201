"""Notes of each run in the database, and new epochs if the last run may have lost messages."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

from chatd.storage.sqlite.mark import Mark
from chatd.storage.values import Durability

__all__ = ["RunNotes", "read_boot_id"]

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def read_boot_id() -> str:
    """Return the id of the system's present boot; empty if the system has none."""
    try:
        return Path(_BOOT_ID).read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


class RunNotes:
    """The notes of runs in the table `meta`. Each method is called within a transaction.

    Args:
        mark: The mark beside the database.
        durability: The durability of this run's transactions.
        boot_id: Returns the id of the system's present boot; see `read_boot_id`.
    """

    def __init__(self, mark: Mark, durability: Durability, boot_id: Callable[[], str]) -> None:
        self._mark = mark
        self._durability = durability
        self._boot_id = boot_id

    def begin(self, connection: sqlite3.Connection) -> bool:
        """Note that a run begins; renew the epochs if places may be given out a second time.

        Returns:
            Whether the database has streams but is not the one that ran here last.
        """
        said = _count_said(connection)
        last = dict(connection.execute("SELECT name, value FROM meta"))
        was_put_back = False
        is_own = self._mark.is_of(last, said)
        if not is_own or self._may_have_lost(last):
            renewed = connection.execute("UPDATE streams SET epoch = lower(hex(randomblob(16)))")
            was_put_back = renewed.rowcount > 0 and not is_own
        self._write(connection, said, is_clean=False)
        return was_put_back

    def go_on(self, connection: sqlite3.Connection) -> None:
        """Note that the run goes on, with a new mark."""
        self._write(connection, _count_said(connection), is_clean=False)

    def end(self, connection: sqlite3.Connection) -> None:
        """Note that the run ends, and that none of its messages are lost."""
        self._write(connection, _count_said(connection), is_clean=True)

    def _write(self, connection: sqlite3.Connection, said: int, *, is_clean: bool) -> None:
        notes = {
            "boot_id": self._boot_id(),
            "durability": self._durability.value,
            "clean": "yes" if is_clean else "no",
            **self._mark.renew(said),
        }
        connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", notes.items())

    def _may_have_lost(self, last: Mapping[str, str]) -> bool:
        """Return whether a power cut may have taken messages that the last run had confirmed."""
        if last.get("clean", "yes") == "yes" or last["durability"] == Durability.FULL:
            return False
        return not last["boot_id"] or last["boot_id"] != self._boot_id()


def _count_said(connection: sqlite3.Connection) -> int:
    """Return the number of messages ever appended, also to deleted streams."""
    (said,) = connection.execute(
        "SELECT (SELECT coalesce(sum(seq), 0) FROM streams)"
        " + (SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'removed')"
    ).fetchone()
    return int(said)
