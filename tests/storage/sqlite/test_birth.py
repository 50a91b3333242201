"""The birth of a file."""

import ctypes
import os

from chatd.storage.sqlite.birth import birth_of
from tests.storage.sqlite.marks import MarkCase


class BirthTests(MarkCase):
    """The text that distinguishes a file from a copy of it."""

    def test_same_file(self):
        """A file keeps its birth when it is written to or renamed."""
        path = self.directory / "file"
        path.write_bytes(b"1")
        born = birth_of(path)
        path.write_bytes(b"2")
        os.utime(path, (1, 1))
        renamed = path.rename(self.directory / "renamed")
        self.assertEqual(birth_of(renamed), born)

    def test_unknown(self):
        """If the time of birth is unknown, or the system has no call for it, the inode is used."""
        path = self.directory / "file"
        path.write_bytes(b"1")
        inode = str(path.stat().st_ino)

        class Refusing:
            def statx(self, *_):
                return -1

        class Ignorant:
            def statx(self, *_):
                return 0

        for library in (object(), Refusing(), Ignorant()):
            self.patch(ctypes, "CDLL", lambda _, library=library: library)
            self.assertEqual(birth_of(path), inode)

    def test_missing(self):
        """A file that does not exist has no birth."""
        self.assertRaises(OSError, birth_of, self.directory / "missing")
