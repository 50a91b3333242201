"""The ban file."""

import errno
import json
import os
import resource
import signal
import stat
from pathlib import Path

import pytest

from chatd.chat.moderation import Ban
from chatd.config.banfile import BanFile
from chatd.errors import ConfigurationError, StoreError
from tests.storage.stores import StoreCase

BANS = [
    Ban(name="eve", address=None, until=None, by="ann", made=1000.5),
    Ban(name=None, address="192.0.2.1", until=2000.0, by="ann", made=1001.0),
    Ban(name="mallory", address="::1", until=None, by="Zoë", made=1002.0, reason="be kind"),
]


class BanTests(StoreCase):
    def test_of_somebody(self):
        """A ban has a name, an address or both."""
        self.assertIsNone(Ban(name="eve").until)
        self.assertIsNone(Ban(address="::1").name)
        with pytest.raises(ValueError, match="a name or an address"):
            Ban(until=1.0)


class BanFileTests(StoreCase):
    def setUp(self):
        super().setUp()
        self.path = self.directory / "bans.json"
        self.file = BanFile(self.path)

    def refusal(self, data):
        """Return the line that refuses the contents of a file."""
        self.path.write_bytes(data)
        with pytest.raises(ConfigurationError) as caught:
            self.file.load()
        text = str(caught.value)
        self.assertTrue(text.startswith(f"cannot read the bans in {self.path}: "))
        self.assertNotIn("\n", text)
        return text.removeprefix(f"cannot read the bans in {self.path}: ")

    def test_round_trip(self):
        """Saved bans are loaded again, and replace the old bans."""
        for bans in (BANS, [], BANS[:1]):
            self.file.save(bans)
            self.assertEqual(BanFile(str(self.path)).load(), bans)
        self.assertEqual(os.listdir(self.directory), ["bans.json"])

    def test_without_a_reason(self):
        """A ban without a reason is as in a file of an earlier version, and the other way round."""
        self.file.save(BANS)
        written = json.loads(self.path.read_text("utf-8"))
        self.assertEqual(["reason" in each for each in written], [False, False, True])

    def test_wrong_reason(self):
        """A reason that is not one short line is refused."""
        for reason in ("x" * 257, "a\nb"):
            said = self.refusal(json.dumps([{"name": "eve", "reason": reason}]).encode())
            self.assertIn("A reason is one line of up to 256 characters", said)

    def test_readable(self):
        """A person can read the file: it has a line for each field."""
        self.file.save(BANS)
        text = self.path.read_text("utf-8")
        self.assertIn('    "by": "Zoë"', text.replace(",\n", "\n").splitlines())
        self.assertTrue(text.endswith("]\n"))
        self.assertEqual(json.loads(text)[1]["until"], 2000.0)

    def test_by_hand(self):
        """A person can write the file, and leave out optional fields."""
        self.path.write_text('[ {"name": "eve"},\n {"address": "::1", "until": 5} ]')
        self.assertEqual(self.file.load(), [Ban(name="eve"), Ban(address="::1", until=5.0)])

    def test_mark(self):
        """The reader ignores a byte order mark before the list; an error names another encoding."""
        self.path.write_bytes(b'\xef\xbb\xbf[{"name": "eve"}]')
        self.assertEqual(self.file.load(), [Ban(name="eve")])
        self.path.write_bytes('\ufeff[{"name": "eve"}]'.encode("utf-16-le"))
        with pytest.raises(ConfigurationError) as caught:
            self.file.load()
        self.assertEqual(
            str(caught.value),
            f"the ban file {self.path} is UTF-16, not UTF-8 text; save it as UTF-8",
        )

    def test_mode(self):
        """Only the owner can read the file, with any umask and any mode of the old file."""
        for umask in (0, 0o777):
            self.addCleanup(os.umask, os.umask(umask))
            self.file.save(BANS)
            self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
            self.path.chmod(0o644)

    def test_missing(self):
        """A missing file has no bans."""
        self.assertEqual(self.file.load(), [])

    def test_missing_although_needed(self):
        """Once bans are in force, the loader refuses a missing file."""
        self.assertEqual(self.file.load_again([]), [])
        with pytest.raises(ConfigurationError, match=r"there is no .*; put it back, or write"):
            self.file.load_again(BANS)
        self.file.save(BANS)
        self.assertEqual(self.file.load_again(BANS), BANS)

    def test_directory_that_cannot_be_entered(self):
        """A directory that cannot be used is the store's to report at the start."""
        for directory in (self.directory / ("x" * 300), self.path):
            self.path.touch(0o777)
            self.assertEqual(BanFile(directory / "bans.json").load(), [])
        with pytest.raises(ConfigurationError, match="Not a directory"):
            BanFile(self.path / "bans.json").load_again([])

    def test_nowhere(self):
        """Without a path, the file saves no ban."""
        file = BanFile(None)
        file.save(BANS)
        self.assertEqual((file.load(), file.load_again([])), ([], []))

    def test_link(self):
        """A link stays a link: its target is replaced."""
        link = self.directory / "link"
        link.symlink_to(self.path)
        BanFile(link).save(BANS)
        self.assertTrue(link.is_symlink())
        self.assertEqual(self.file.load(), BANS)

    def test_relative(self):
        """A relative path starts at the daemon's first directory."""
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(self.directory)
        file = BanFile("bans.json")
        os.chdir("/")
        file.save(BANS)
        self.assertEqual(self.file.load(), BANS)

    def test_invalid(self):
        """The loader refuses a file that is not a list of bans, and the error names the place."""
        for text, place in (
            (b"{}", "`array`"),
            (b'[{"name": 1}]', "`$[0].name`"),
            (b'[{"name": "eve", "adress": "::1"}]', "`adress`"),
            (b'[{"by": "ann"}]', "A ban needs a name or an address"),
        ):
            refusal = self.refusal(text)
            self.assertTrue(refusal.startswith("it is not a list of bans: "), refusal)
            self.assertIn(place, refusal)

    def test_no_json(self):
        """The error of a file that is not JSON says so first, and names the place."""
        for text, place in (
            (b"{", "truncated"),
            (b"", "truncated"),
            (b"[{]", "object keys must be strings (byte 2)"),
            (b'[{"name": "eve"},]', "trailing comma in array (byte 17)"),
            (b'{"name": "eve"', "truncated"),
            (b"[" * 100_000, "it is nested too deeply"),
        ):
            refusal = self.refusal(text)
            self.assertTrue(refusal.startswith("it is not valid JSON: "), refusal)
            self.assertIn(place, refusal)
            self.assertNotIn("malformed", refusal)
        self.assertEqual(self.refusal(b'[{"name": "\xff"}]'), "it is not UTF-8 text")

    def test_unreadable(self):
        """The loader refuses a path that is not a file."""
        with pytest.raises(ConfigurationError, match=r"cannot read the bans in .*: Is a directory"):
            BanFile(self.directory).load()

    def test_no_directory(self):
        """A file that cannot be written is a `StoreError`."""
        file = BanFile(self.directory / "missing" / "bans.json")
        with pytest.raises(StoreError, match=os.strerror(errno.ENOENT)):
            file.save(BANS)

    def test_power_cut(self):
        """The new file is on the disk before the rename, and its name is afterwards."""
        order = []
        for name in ("fsync", "replace"):
            real = getattr(os, name)

            def noted(*args, name=name, real=real):
                order.append(name)
                return real(*args)

            self.patch(os, name, noted)
        self.file.save(BANS)
        self.assertEqual(order, ["fsync", "replace", "fsync"])

    def test_mounted_file(self):
        """A file that is mounted by itself, and so cannot be replaced, is overwritten."""
        self.file.save(BANS)
        inode = self.path.stat().st_ino

        def replace(*paths):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

        self.patch(os, "replace", replace)
        self.file.save(BANS[:1])
        self.assertEqual(self.file.load(), BANS[:1])
        self.assertEqual(self.path.stat().st_ino, inode)
        self.assertEqual(os.listdir(self.directory), ["bans.json"])

    def test_name_not_on_the_disk(self):
        """If the directory cannot be synced, saving fails, and the file is unchanged."""
        real = os.fsync

        def fsync(descriptor):
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            real(descriptor)

        for before in ([], BANS[:1]):
            if before:
                self.file.save(before)
            self.patch(os, "fsync", fsync)
            with pytest.raises(StoreError, match=os.strerror(errno.EIO)):
                self.file.save(BANS)
            self.patch(os, "fsync", real)
            self.assertEqual(self.file.load(), before)
            self.assertEqual(os.listdir(self.directory), ["bans.json"] * bool(before))

    def test_disk_full(self):
        """If the disk is full, the file is unchanged, and no other file stays beside it."""
        self.file.save(BANS[:1])
        self.addCleanup(
            signal.signal, signal.SIGXFSZ, signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        )
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, hard))
        try:
            with pytest.raises(StoreError, match=os.strerror(errno.EFBIG)):
                self.file.save(BANS)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        self.assertEqual(self.file.load(), BANS[:1])
        self.assertEqual(os.listdir(self.directory), ["bans.json"])


class NoFileTests(StoreCase):
    def test_pipe(self):
        """The loader refuses a pipe as a ban file, without waiting for its writer."""
        path = self.make_directory() / "bans.json"
        os.mkfifo(path)
        with pytest.raises(ConfigurationError, match="it is not a regular file"):
            BanFile(path).load()
        with pytest.raises(StoreError, match="it is not a regular file"):
            BanFile(path).save(BANS)
