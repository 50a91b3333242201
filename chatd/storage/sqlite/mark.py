"""The mark beside a database: it tells whether the database is the one that ran here last.

A database that was put back from a copy would give places that it gave out before to other
messages, under the same epochs. So a file beside it, the mark, follows how much was ever said, and
each run makes a new one. The database holds the name of its mark, its inode and its time of birth:

=============================================  ===================================================
what was put back                              what then differs
=============================================  ===================================================
the database alone                             its mark is gone, or has come further than it
the directory, in the place of another         the mark is another file, which was born later
the directory, over the files of another       a later mark is beside it, which has come further
=============================================  ===================================================

A snapshot of a whole machine or file system looks as it did then: nothing here can tell it.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from chatd.storage.sqlite.birth import birth_of

__all__ = ["PREFIX", "Mark"]

PREFIX = "chatd.mark."
"""What the name of a mark's file begins with."""
INTERVAL_S = 0.1
"""How often the mark is written at most: a copy is not put back within that."""
_UNFINISHED = "chatd.unfinished-mark"
_DIGITS = 20
_UNREADABLE: int = 10**_DIGITS  # further than any database has come


class Mark:
    """The mark in a directory that this process has for itself.

    Args:
        directory: The directory.
        monotonic: What tells the time, in seconds.
    """

    def __init__(self, directory: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._directory = directory
        self._monotonic = monotonic
        self._name = ""
        self._descriptor: int | None = None
        self._written_at = -INTERVAL_S
        self._said = 0
        self._made_at = 0

    def is_of(self, notes: Mapping[str, str], said: int) -> bool:
        """Say whether a database is the one that ran in the directory last.

        Args:
            notes: What `renew` returned to that database last; other keys are ignored.
            said: How many messages were ever said in it.

        Raises:
            OSError: The directory cannot be read.
        """
        marks = self._marks()
        if "mark" not in notes:  # it is new, or from before there were marks
            return not marks
        own = marks.get(notes["mark"])
        is_own_file = own is not None and own[0] == notes["mark_birth"]
        return is_own_file and all(count <= said for _, count in marks.values())

    def is_left_alone(self) -> bool:
        """Say whether there is a mark of a database in which something was said.

        Raises:
            OSError: The directory cannot be read.
        """
        return any(count > 0 for _, count in self._marks().values())

    def renew(self, said: int) -> dict[str, str]:
        """Make a new mark beside the present one.

        Args:
            said: How many messages were ever said in the database.

        Returns:
            What the database is to hold of it; when it does, call `drop_others`.

        Raises:
            OSError: It cannot be made.
        """
        self.let_go()
        self._name = f"{PREFIX}{uuid4().hex}"
        self._said = self._made_at = said
        path, unfinished = self._directory / self._name, self._directory / _UNFINISHED
        unfinished.unlink(missing_ok=True)  # of a run that was killed
        self._descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._write()
        os.fsync(self._descriptor)
        unfinished.rename(path)  # so that there is no mark that says nothing yet
        return {"mark": self._name, "mark_birth": birth_of(path)}

    def drop_others(self) -> None:
        """Remove all marks but the new one, which the database holds now."""
        for name in self._marks():
            if name != self._name:
                with suppress(OSError):
                    os.unlink(self._directory / name)

    def add(self, messages: int) -> None:
        """Follow the database, in which messages were said and are kept."""
        self._said += messages
        now = self._monotonic()
        if now - self._written_at >= INTERVAL_S:
            self._written_at = now
            with suppress(OSError):  # it only falls behind, until the next time
                self._write()

    @property
    def has_moved(self) -> bool:
        """Whether anything was said since it was made."""
        return self._said > self._made_at

    def let_go(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _write(self) -> None:
        if self._descriptor is not None:
            os.pwrite(self._descriptor, b"%0*d\n" % (_DIGITS, self._said), 0)

    def _marks(self) -> dict[str, tuple[str, int]]:
        """Return the birth of each mark, and how far it has come, by their names."""
        return {path.name: _look_at(path) for path in self._directory.glob(f"{PREFIX}*")}


def _look_at(path: Path) -> tuple[str, int]:
    """Return the birth of a mark, and how far it has come; what is no mark has come furthest."""
    try:
        born = birth_of(path)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # no pipe holds it
    except OSError:
        return "", _UNREADABLE
    try:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        data = os.read(descriptor, _DIGITS + 2) if is_file else b""
    finally:
        os.close(descriptor)
    digits = data.removesuffix(b"\n")
    is_whole = len(digits) == _DIGITS and digits.isdigit()
    return born, int(digits) if is_whole else _UNREADABLE
