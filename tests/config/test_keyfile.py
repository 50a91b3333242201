"""Key files: made for their owner alone, and refused if other users could read them."""

import base64
import os
import resource
import stat
import tempfile
from pathlib import Path

import pytest
from twisted.trial.unittest import SynchronousTestCase

from chatd.config.keyfile import generate_key, load_key, write_key_file
from chatd.errors import ConfigurationError

KEY = bytes(range(224, 256))  # in base64 it has a - and a _
TEXT = b"4OHi4-Tl5ufo6err7O3u7_Dx8vP09fb3-Pn6-_z9_v8="


class KeyFileTestCase(SynchronousTestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name, "key")

    def write(self, data, mode=0o600):
        """Write the file by hand."""
        self.path.write_bytes(data)
        self.path.chmod(mode)

    def refusal_of(self, function, path=None):
        """Return the line that refuses a file."""
        with pytest.raises(ConfigurationError) as caught:
            function(path or self.path)
        text = str(caught.value)
        self.assertNotIn("\n", text)
        return text


class GenerateKeyTests(SynchronousTestCase):
    def test_random(self):
        """Every key is 32 new bytes."""
        keys = {generate_key() for _ in range(10)}
        self.assertEqual(len(keys), 10)
        self.assertEqual({len(key) for key in keys}, {32})


class WriteKeyFileTests(KeyFileTestCase):
    def test_contents(self):
        """The file holds the returned key in URL-safe base64, and a line's end."""
        key = write_key_file(self.path)
        self.assertEqual(len(key), 32)
        self.assertEqual(self.path.read_bytes(), base64.urlsafe_b64encode(key) + b"\n")

    def test_mode(self):
        """Only the owner may read and write the file, with any umask."""
        for umask in (0, 0o777):
            self.addCleanup(os.umask, os.umask(umask))
            path = self.path.with_name(f"key under {umask:o}")
            write_key_file(path)
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)

    def test_read_back(self):
        """The loader reads a written key again."""
        key = write_key_file(self.path)
        self.assertEqual(load_key(self.path), key)

    def test_never_overwrites(self):
        """An existing file of that name is not changed."""
        self.write(b"precious")
        self.assertIn("exists already", self.refusal_of(write_key_file))
        self.assertEqual(self.path.read_bytes(), b"precious")

    def test_does_not_follow_a_link(self):
        """A link of that name is not followed, even if its target does not exist."""
        self.path.symlink_to("elsewhere")
        self.assertIn("exists already", self.refusal_of(write_key_file))
        self.assertFalse(self.path.exists())

    def test_cannot_be_written(self):
        """An error for a path that cannot be written has the reason."""
        text = self.refusal_of(write_key_file, self.path / "nowhere")
        self.assertIn(f"cannot write the key file {self.path}/nowhere: No such file", text)
        self.assertIn("null", self.refusal_of(write_key_file, f"{self.path}\0"))

    def test_full_disk(self):
        """If the key cannot be written, the error has the reason, and no file stays."""
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            text = self.refusal_of(write_key_file)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        self.assertEqual(text, f"cannot write the key file {self.path}: File too large")
        self.assertFalse(self.path.exists())


class LoadKeyTests(KeyFileTestCase):
    def test_by_hand(self):
        """The loader reads a handmade file, with or without a line's end, by any type of path."""
        for data in (TEXT, TEXT + b"\n", b" " + TEXT + b"\r\n"):
            self.write(data)
            self.assertEqual(load_key(self.path), load_key(str(self.path)))
            self.assertEqual(load_key(str(self.path)), KEY)

    def test_read_only(self):
        """A file that even its owner may only read is allowed."""
        self.write(TEXT, 0o400)
        self.assertEqual(load_key(self.path), KEY)

    def test_open_to_others(self):
        """The loader refuses a file that other users may read, write or run, with the remedy."""
        for bit in (0o040, 0o020, 0o010, 0o004, 0o002, 0o001):
            self.write(TEXT, 0o600 | bit)
            self.assertTrue(self.refusal_of(load_key).endswith(f": chmod 600 {self.path}"))

    def test_link(self):
        """The mode of the file counts, not that of a link to it."""
        self.write(TEXT)
        link = self.path.with_name("link")
        link.symlink_to(self.path)
        self.assertEqual(load_key(link), KEY)
        self.path.chmod(0o644)
        self.assertIn("others can read", self.refusal_of(load_key, link))

    def test_without_padding(self):
        """Base64 without its padding, as other tools write it, is the same key."""
        self.write(TEXT.rstrip(b"=\n"))
        self.assertEqual(load_key(self.path), KEY)

    def test_mark(self):
        """The reader ignores a byte order mark, and the error names another encoding."""
        self.write(b"\xef\xbb\xbf" + TEXT + b"\r\n")
        self.assertEqual(load_key(self.path), KEY)
        for encoding in ("utf-16-le", "utf-16-be"):
            self.write(f"\ufeff{TEXT.decode()}".encode(encoding))
            text = self.refusal_of(load_key)
            self.assertEqual(
                text, f"the key file {self.path} is UTF-16, not UTF-8 text; save it as UTF-8"
            )

    def test_pipe(self):
        """The loader refuses a pipe as a key file, without waiting for its writer."""
        pipe = self.path.with_name("pipe")
        os.mkfifo(pipe, 0o600)
        self.assertIn("it is not a regular file", self.refusal_of(load_key, pipe))

    def test_no_key(self):
        """The loader refuses a file that does not have exactly one key, and names the remedy."""
        for data in (
            b"",
            b"\n",
            KEY,
            TEXT[:-4],
            TEXT + TEXT,
            b"!" + TEXT,
            TEXT[:20] + b"\n" + TEXT[20:],
            base64.urlsafe_b64encode(KEY[:31]),
            base64.urlsafe_b64encode(KEY + b"\0"),
            KEY.hex().encode(),
            b"\xff" * 44,
            TEXT * 1000,
        ):
            self.write(data)
            self.assertTrue(
                self.refusal_of(load_key).endswith("make one with: chatd keygen PATH"), data
            )

    def test_no_key_and_open_to_others(self):
        """A file without a key is refused as such even if its mode is wrong as well."""
        self.write(b"# notes\n", 0o644)
        self.assertIn("holds no key", self.refusal_of(load_key))
        self.write(f"\ufeff{TEXT.decode()}".encode("utf-16-le"), 0o644)
        self.assertIn("is UTF-16", self.refusal_of(load_key))

    def test_cannot_be_read(self):
        """An error for a path that cannot be read has the reason."""
        text = self.refusal_of(load_key)
        self.assertEqual(text, f"cannot read the key file {self.path}: No such file or directory")
        self.assertIn("directory", self.refusal_of(load_key, self.path.parent))
        self.assertIn("null", self.refusal_of(load_key, f"{self.path}\0"))

    def test_never_shows_the_key(self):
        """No error repeats the content of the file."""
        self.write(TEXT, 0o644)
        self.assertNotIn(TEXT.decode()[:8], self.refusal_of(load_key))
        self.write(TEXT + b"x")
        self.assertNotIn(TEXT.decode()[:8], self.refusal_of(load_key))
