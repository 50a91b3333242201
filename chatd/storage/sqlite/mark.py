"""The mark beside a database: it shows whether the database is the one that ran here last.

A database that was put back from a copy would give old places to new messages, under the same
epochs. So a file beside it, the mark, counts the messages that were ever appended, and each run
makes a new mark. The database holds the name of its mark, the mark's inode and its time of birth:

=============================================  ===================================================
put back                                       difference
=============================================  ===================================================
the database alone                             its mark is missing or has a higher count
the directory, in the place of another         the mark is another file, which was born later
the directory, over the files of another       a later mark is beside it, with a higher count
=============================================  ===================================================

A snapshot of a whole machine or file system puts back the marks too: nothing here can detect it.
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
"""Prefix of the names of marks."""
INTERVAL_S = 0.1
"""The shortest time between two writes of the mark, in seconds; restoring a copy takes longer."""
_UNFINISHED = "chatd.unfinished-mark"
_DIGITS = 20
_UNREADABLE: int = 10**_DIGITS  # more messages than any database has


class Mark:
    """The mark in a directory that this process alone uses.

    Args:
        directory: The directory.
        monotonic: Returns a monotonic time, in seconds.
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
        """Return whether a database is the one that ran in the directory last.

        Args:
            notes: The notes that `renew` returned to that database last; other keys are ignored.
            said: How many messages were ever appended to the database.

        Raises:
            OSError: The directory cannot be read.
        """
        marks = self._marks()
        if "mark" not in notes:  # the database is new, or older than marks
            return not marks
        own = marks.get(notes["mark"])
        is_own_file = own is not None and own[0] == notes["mark_birth"]
        return is_own_file and all(count <= said for _, count in marks.values())

    def is_left_alone(self) -> bool:
        """Return whether there is a mark of a database that had messages.

        Raises:
            OSError: The directory cannot be read.
        """
        return any(count > 0 for _, count in self._marks().values())

    def renew(self, said: int) -> dict[str, str]:
        """Make a new mark beside the present one.

        Args:
            said: How many messages were ever appended to the database.

        Returns:
            The notes that the database must hold; once it does, call `drop_others`.

        Raises:
            OSError: The mark cannot be made.
        """
        self.let_go()
        self._name = f"{PREFIX}{uuid4().hex}"
        self._said = self._made_at = said
        path, unfinished = self._directory / self._name, self._directory / _UNFINISHED
        unfinished.unlink(missing_ok=True)  # from a run that was killed
        self._descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._write()
        os.fsync(self._descriptor)
        unfinished.rename(path)  # so that no mark is ever without its count
        return {"mark": self._name, "mark_birth": birth_of(path)}

    def drop_others(self) -> None:
        """Remove all marks but the new one, which the database holds now."""
        for name in self._marks():
            if name != self._name:
                with suppress(OSError):
                    os.unlink(self._directory / name)

    def add(self, messages: int) -> None:
        """Count messages that were appended to the database."""
        self._said += messages
        now = self._monotonic()
        if now - self._written_at >= INTERVAL_S:
            self._written_at = now
            with suppress(OSError):  # the mark only falls behind until the next write
                self._write()

    @property
    def has_moved(self) -> bool:
        """Whether messages were appended since the mark was made."""
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
        """Return the birth and the count of each mark, by their names."""
        return {path.name: _look_at(path) for path in self._directory.glob(f"{PREFIX}*")}


def _look_at(path: Path) -> tuple[str, int]:
    """Return the birth and the count of a mark; a file that is no mark has the highest count."""
    try:
        born = birth_of(path)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # for pipes
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
