"""Tests of `chatd.config.ownfile`."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.config.ownfile import (
    absolute_path,
    may_become_mark,
    read_regular_file,
    read_trusted_file,
    replace_private_file,
    strip_mark,
    why,
)
from chatd.errors import ConfigurationError

FOREIGN_MARKS = {
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
}


class AbsolutePathTests(SynchronousTestCase):
    """Paths that an operator gives."""

    def test_directory_that_is_gone(self) -> None:
        """The loader refuses a path relative to a deleted directory in one line."""
        self.addCleanup(os.chdir, os.getcwd())
        with tempfile.TemporaryDirectory() as directory:
            os.chdir(directory)
            self.assertEqual(absolute_path("key"), os.path.join(os.getcwd(), "key"))
        error = self.assertRaises(ConfigurationError, absolute_path, "key")
        self.assertEqual(str(error), "cannot tell where key is: the current directory is gone")
        self.assertEqual(absolute_path(Path("/key")), "/key")


class MarkTests(SynchronousTestCase):
    """Byte order marks, which some editors write at the beginning of a file."""

    def test_utf_8(self) -> None:
        """The mark of UTF-8 is stripped, once and at the beginning only."""
        for text in (b"", b"hello", b"hello \xef\xbb\xbf", b"\xef\xbb\xbf", b"\xef\xbb", b"\xff"):
            self.assertEqual(strip_mark(b"\xef\xbb\xbf" + text, "it"), text)
            if not text.startswith(b"\xef\xbb\xbf"):
                self.assertEqual(strip_mark(text, "it"), text)

    def test_others(self) -> None:
        """The loader refuses any other mark, and the error names the encoding."""
        for mark, encoding in FOREIGN_MARKS.items():
            error = self.assertRaises(ConfigurationError, strip_mark, mark + b"h\0i\0", "it")
            self.assertEqual(str(error), f"it is {encoding}, not UTF-8 text; save it as UTF-8")

    def test_beginnings(self) -> None:
        """More bytes are needed if the bytes until now are the beginning of a longer mark."""
        for mark in (b"\xef\xbb\xbf", *FOREIGN_MARKS):
            for size in range(len(mark)):
                self.assertTrue(may_become_mark(mark[:size]), mark[:size])
        # The mark of UTF-16 is also the beginning of one of UTF-32.
        self.assertTrue(may_become_mark(b"\xff\xfe"))
        for start in (b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
            self.assertFalse(may_become_mark(start), start)
        for start in (b"h", b"\n", b"\xef\xbbh", b"\xff\xfeh", b"\0h"):
            self.assertFalse(may_become_mark(start), start)


class FileCase(SynchronousTestCase):
    """Tests that need a file."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name) / "file"

    def write(self, data: bytes, mode: int = 0o600) -> None:
        """Write the file."""
        self.path.write_bytes(data)
        self.path.chmod(mode)


class ReadRegularFileTests(FileCase):
    """Reading a path that may be of any kind."""

    def refusal(self, path: str | Path) -> str:
        """Return the reason for which the loader refuses a file."""
        return why(self.assertRaises(OSError, read_regular_file, path))

    def test_file(self) -> None:
        """The content comes with the mode, up to the requested size."""
        self.write(b"hello", 0o640)
        data, mode = read_regular_file(self.path)
        self.assertEqual((data, stat.S_IMODE(mode)), (b"hello", 0o640))
        self.assertEqual(read_regular_file(self.path, 3)[0], b"hel")

    def test_no_regular_file(self) -> None:
        """The loader refuses a pipe, with or without a writer, and a device, without waiting."""
        os.mkfifo(self.path, 0o600)
        self.assertEqual(self.refusal(self.path), "it is not a regular file")
        writer = os.open(self.path, os.O_RDWR)
        self.addCleanup(os.close, writer)
        for path in (self.path, "/dev/zero"):
            self.assertEqual(self.refusal(path), "it is not a regular file")

    def test_cannot_be_read(self) -> None:
        """The error for a bad path is in the system's words, or in Python's."""
        self.assertEqual(self.refusal(self.path), "No such file or directory")
        self.assertEqual(self.refusal(self.path.parent), "Is a directory")
        self.assertIn("null byte", self.refusal("a\0b"))


class ReadTrustedFileTests(FileCase):
    """Reading files on which security depends."""

    def read(self, *, is_secret: bool) -> bytes:
        """Read the file."""
        return read_trusted_file(self.path, "list", is_secret=is_secret)

    def test_modes(self) -> None:
        """A secret may have no right for other users; another file may not be writable by them."""
        for bit in (0o040, 0o020, 0o010, 0o004, 0o002, 0o001):
            self.write(b"x", 0o600 | bit)
            error = self.assertRaises(ConfigurationError, self.read, is_secret=True)
            told = f"others can read or write the list {self.path}: chmod 600 {self.path}"
            self.assertEqual(str(error), told)
            if bit & 0o022:
                error = self.assertRaises(ConfigurationError, self.read, is_secret=False)
                told = f"others can write the list {self.path}: chmod go-w {self.path}"
                self.assertEqual(str(error), told)
            else:
                self.assertEqual(self.read(is_secret=False), b"x")

    def test_owner(self) -> None:
        """The loader reads a file that only its owner can use."""
        for mode in (0o400, 0o600, 0o700):
            self.write(b"x", mode)
            self.assertEqual(self.read(is_secret=True), b"x")

    def test_marks(self) -> None:
        """The loader removes a byte order mark of UTF-8, unless the caller wants to keep it."""
        self.write(b"\xef\xbb\xbfx")
        self.assertEqual(self.read(is_secret=True), b"x")
        kept = read_trusted_file(self.path, "list", is_secret=True, keep_mark=True)
        self.assertEqual(kept, b"\xef\xbb\xbfx")
        for mark, encoding in FOREIGN_MARKS.items():
            self.write(mark + b"x")
            error = self.assertRaises(ConfigurationError, self.read, is_secret=False)
            self.assertIn(f"the list {self.path} is {encoding}, not UTF-8 text", str(error))

    def test_cannot_be_read(self) -> None:
        """The error has the kind of the file and the reason, in one line."""
        error = self.assertRaises(ConfigurationError, self.read, is_secret=True)
        self.assertEqual(str(error), f"cannot read the list {self.path}: No such file or directory")


class OwnerTests(FileCase):
    """Secrets that this process does not own, as in containers."""

    def read(
        self,
        mode: int,
        *,
        owner: int = 0,
        group: int = 5000,
        user: int = 1000,
        is_read_only: bool = False,
        is_secret: bool = True,
    ) -> bytes:
        """Read a file as a user, with another owner, group and mode."""
        self.write(b"x")
        status = list(self.path.stat())
        status[stat.ST_MODE] = stat.S_IFREG | mode
        status[stat.ST_UID], status[stat.ST_GID] = owner, group
        self.patch(os, "fstat", lambda descriptor: os.stat_result(status))
        flags = os.ST_RDONLY if is_read_only else 0
        file_system = os.statvfs_result((4096, 4096, 1, 1, 1, 1, 1, 1, flags, 255))
        self.patch(os, "fstatvfs", lambda descriptor: file_system)
        self.patch(os, "geteuid", lambda: user)
        return read_trusted_file(self.path, "key file", is_secret=is_secret)

    def refusal(self, mode: int, **options: Any) -> str:
        """Return the error that refuses a file, without its beginning."""
        error = self.assertRaises(ConfigurationError, self.read, mode, **options)
        text = str(error)
        self.assertEqual(len(text.splitlines()), 1)
        return text.partition(f"key file {self.path}: ")[2]

    def test_lent_by_root(self) -> None:
        """A file of root that a group may read, and do no more with, is read."""
        for mode in (0o440, 0o640):
            for is_read_only in (True, False):
                self.assertEqual(self.read(mode, is_read_only=is_read_only), b"x")
            self.assertEqual(self.read(mode, user=0), b"x")
            self.assertEqual(self.read(mode, group=0), b"x")

    def test_open_to_more(self) -> None:
        """The loader refuses a file of any owner that others may read, or its group write."""
        for mode in (0o444, 0o644, 0o660, 0o450, 0o441, 0o460, 0o442, 0o404):
            for owner in (0, 1000, 2000):
                self.refusal(mode, owner=owner)

    def test_lent_by_others(self) -> None:
        """The loader refuses a file that any other user, or this user, shares with a group."""
        for owner in (1000, 2000):
            for user in (0, 1000):
                self.refusal(0o440, owner=owner, user=user)

    def test_group_of_root(self) -> None:
        """A daemon of root gets the advice to chmod a file that root's own group can read."""
        self.assertEqual(self.refusal(0o440, group=0, user=0), f"chmod 600 {self.path}")

    def test_group_of_daemon(self) -> None:
        """As root, a file that root lends to another group keeps this group's right to read."""
        for mode in (0o644, 0o660, 0o444):
            self.assertEqual(self.refusal(mode, user=0), f"chmod 640 {self.path}")
        for mode, group in ((0o644, 0), (0o604, 5000), (0o620, 5000)):
            told = self.refusal(mode, group=group, user=0)
            self.assertEqual(told, f"chmod 600 {self.path}")

    def test_remedies(self) -> None:
        """A user that can run `chmod` gets that advice; others learn how containers set modes."""
        for user in (0, 1000):
            self.assertEqual(self.refusal(0o644, owner=1000, user=user), f"chmod 600 {self.path}")
        lend = f"chown root:{os.getegid()} {self.path}; chmod 640 {self.path}"
        for user, options, command in (
            (1000, {"owner": 0}, lend),
            (1000, {"owner": 2000}, "chmod 600"),
            (1000, {"owner": 1000, "is_read_only": True}, "chmod 600"),
            (0, {"owner": 0, "is_read_only": True}, "chmod 600"),
        ):
            text = self.refusal(0o444, user=user, **options)
            self.assertEqual(
                text,
                f"user {user} cannot change that; mount a Docker secret with mode 0400 and uid "
                f"{user}, a Kubernetes secret with defaultMode 0400 and fsGroup; the owner of any "
                f"other file: {command}",
            )

    def test_no_secret(self) -> None:
        """A file that is no secret may be readable by all; the error names who can chmod it."""
        self.assertEqual(self.read(0o444, is_secret=False), b"x")
        self.assertEqual(
            self.refusal(0o664, is_secret=False),
            f"user 1000 cannot change that; its owner can: chmod go-w {self.path}",
        )


class ReplacePrivateFileTests(FileCase):
    """Replacing a file by another."""

    def test_modes(self) -> None:
        """A new file is its owner's alone; a replaced file keeps its mode."""
        replace_private_file(self.path, b"1")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.path.chmod(0o640)
        replace_private_file(self.path, b"2", self.path.stat())
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o640)
        self.assertEqual(self.path.read_bytes(), b"2")

    def test_failure(self) -> None:
        """If the replacement fails, no file stays."""
        self.path.mkdir()
        self.assertRaises(OSError, replace_private_file, self.path, b"1")
        self.assertEqual(os.listdir(self.path.parent), ["file"])


class OverwriteTests(FileCase):
    """Writing over a file that cannot be replaced."""

    def setUp(self) -> None:
        super().setUp()
        self.write(b"what was there before", 0o640)

    def refuse(self, name: str, number: int) -> None:
        """Make replacing a file fail."""

        def fail(*arguments: object, **options: object) -> None:
            raise OSError(number, os.strerror(number))

        self.patch(*((tempfile, name) if name == "mkstemp" else (os, name)), fail)

    def check(self, data: bytes) -> None:
        """Check that the same file holds the data, and that no file is beside it."""
        inode = self.path.stat().st_ino
        replace_private_file(self.path, data, self.path.stat())
        self.assertEqual(self.path.read_bytes(), data)
        self.assertEqual(self.path.stat().st_ino, inode)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o640)
        self.assertEqual(os.listdir(self.path.parent), ["file"])

    def test_mounted(self) -> None:
        """A file that is mounted by itself is overwritten, by more, by less or by no bytes."""
        self.refuse("replace", errno.EBUSY)
        for data in (b"more than was there before", b"less", b"", b"x" * 100_000):
            self.check(data)
        replace_private_file(self.path, b"x")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o640)

    def test_directory_that_cannot_be_written(self) -> None:
        """A file in another user's directory, or on a read-only disk, is overwritten."""
        for number in (errno.EROFS, errno.EACCES, errno.EPERM):
            self.refuse("mkstemp", number)
            self.check(b"%d" % number)

    def test_on_the_disk(self) -> None:
        """The file is on the disk in the end, and the new text before the old text is lost."""
        self.refuse("replace", errno.EBUSY)
        self.patch(os, "fsync", lambda descriptor: synced.append(self.held()))
        synced: list[list[bytes]] = []
        replace_private_file(self.path, b"new")
        self.assertEqual(synced, [[b"new", b"what was there before"], [b"new", b"new"]])

    def held(self) -> list[bytes]:
        """Return the content of each file of the directory, those with a dot first."""
        return [path.read_bytes() for path in sorted(self.path.parent.iterdir())]

    def test_failure(self) -> None:
        """If writing fails, at any place, the file is restored."""
        self.refuse("replace", errno.EBUSY)
        real = os.pwrite
        for calls in range(2):
            left = [None] * calls

            def write(*arguments: Any, left: list[None] = left) -> int:
                if left:
                    left.pop()
                    return real(*arguments)
                self.patch(os, "pwrite", real)
                raise OSError(errno.ENOSPC, "No space left on device")

            self.patch(os, "pwrite", write)
            error = self.assertRaises(OSError, replace_private_file, self.path, b"x" * 1000)
            self.assertEqual(error.errno, errno.ENOSPC)
            self.assertEqual(self.held(), [b"what was there before"])

    def test_other_failures(self) -> None:
        """A missing file, a path that is no file, or a full disk: the old file stays unchanged."""
        self.refuse("replace", errno.ENOSPC)
        self.assertRaises(OSError, replace_private_file, self.path, b"x")
        self.assertEqual(self.held(), [b"what was there before"])
        self.refuse("replace", errno.EBUSY)
        for path in (self.path.with_name("none"), self.path.parent):
            self.assertRaises(OSError, replace_private_file, path, b"x")
        self.assertEqual(self.held(), [b"what was there before"])

    def test_cannot_be_written(self) -> None:
        """If the file itself cannot be written either, that is an error."""
        self.refuse("replace", errno.EBUSY)
        self.refuse("open", errno.EROFS)
        error = self.assertRaises(OSError, replace_private_file, self.path, b"x")
        self.assertEqual(error.errno, errno.EROFS)
