"""Notes of each run in the database, and new epochs if the last run may have lost messages."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from chatd.storage.sqlite.mark import Mark
from chatd.storage.values import Durability

__all__ = ["LastRun", "RunNotes", "read_boot_id"]

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def read_boot_id() -> str:
    """Return the id of the system's present boot; empty if the system has none."""
    try:
        return Path(_BOOT_ID).read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


class LastRun(NamedTuple):
    """What the notes in a database say of its last run.

    Attributes:
        was_here: Whether the database is the one that ran in the directory last. If not, it was
            put back from a copy.
        has_ended: Whether the run had ended when the database was written last.
    """

    was_here: bool
    has_ended: bool


class _Notes(dict[str, str]):
    """The notes in a database."""

    def __missing__(self, name: str) -> str:
        raise _missing(name)


class RunNotes:
    """The notes of runs in the table `meta`. Each method is called within a transaction.

    Each method raises `sqlite3.DatabaseError` if a note is missing, as after an edit by hand.

    Args:
        mark: The mark beside the database.
        durability: The durability of this run's transactions.
        boot_id: Returns the id of the system's present boot; see `read_boot_id`.
    """

    def __init__(self, mark: Mark, durability: Durability, boot_id: Callable[[], str]) -> None:
        self._mark = mark
        self._durability = durability
        self._boot_id = boot_id

    def begin(self, connection: sqlite3.Connection) -> LastRun:
        """Note that a run begins; renew the epochs if places may be given out a second time."""
        said = _count_said(connection)
        last = _Notes(connection.execute("SELECT name, value FROM meta"))
        is_own = self._mark.is_of(last, said)
        has_run = "mark" in last  # an empty database may be a copy without its write-ahead log
        if not is_own or self._may_have_lost(last):
            renewed = connection.execute("UPDATE streams SET epoch = lower(hex(randomblob(16)))")
            has_run = has_run or renewed.rowcount > 0
        self._write(connection, said, is_clean=False)
        return LastRun(is_own or not has_run, last.get("clean", "yes") == "yes")

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
    row = connection.execute(
        "SELECT (SELECT coalesce(sum(seq), 0) FROM streams) + CAST(value AS INTEGER)"
        " FROM meta WHERE name = 'removed'"
    ).fetchone()
    if row is None:
        raise _missing("removed")
    return int(row[0])


def _missing(name: str) -> sqlite3.DatabaseError:
    """Return the error for a missing note, of the class of damaged databases; see `why`."""
    return sqlite3.DatabaseError(f"the table meta has no row '{name}'")
