"""Changes of password files: line by line, and as a whole or not at all."""

import errno
import os
import resource
import stat
import threading

import pytest
from argon2 import PasswordHasher

from chatd.config.passwordedit import delete_account, set_password
from chatd.config.passwordfile import MAX_PASSWORD, load_passwords
from chatd.errors import ConfigurationError
from tests.config.passwordcases import COMPOSED, DECOMPOSED, HASH, SECRET, PasswordFileCase


class SetTests(PasswordFileCase):
    def test_new_file(self):
        """A new file has the account, and mode 0600 with any umask."""
        for umask in (0, 0o777):
            self.addCleanup(os.umask, os.umask(umask))
            path = self.path.with_name(f"users under {umask:o}")
            self.assertEqual(self.set(DECOMPOSED, path=path), COMPOSED)
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
            self.assertEqual(load_passwords(path).verify(COMPOSED, SECRET), COMPOSED)

    def test_parameters(self):
        """Hashes have the second choice of RFC 9106 unless the caller chooses other parameters."""
        set_password(self.path, "alice", SECRET)
        self.assertTrue(self.path.read_text().startswith("alice:$argon2id$v=19$m=65536,t=3,p=4$"))
        self.set("alice")
        self.assertTrue(self.path.read_text().startswith("alice:$argon2id$v=19$m=8,t=1,p=1$"))

    def test_replace(self):
        """An account's line is replaced, in its spelling; all other lines are unchanged."""
        lines = [b"# team\r", b"", f" bob:{HASH} ".encode(), f"Alice:{HASH}".encode(), b"\t#x"]
        for end in (b"", b"\n"):
            self.write(b"\n".join(lines) + end)
            self.assertEqual(self.set("aLICE", "new"), "Alice")
            after = self.path.read_bytes().split(b"\n")
            self.assertEqual(after[:3] + after[4:], [*lines[:3], lines[4], b""])
            loaded = self.load()
            self.assertEqual(loaded.verify("alice", "new"), "Alice")
            self.assertIsNone(loaded.verify("alice", SECRET))
            self.assertEqual(loaded.verify("bob", SECRET), "bob")

    def test_mark(self):
        """A byte order mark stays before the first line, after any replacement or addition."""
        self.write(f"\ufeffalice:{HASH}\r\n# team\r\n")
        before = self.path.read_bytes()
        self.set("bob")
        self.assertTrue(self.path.read_bytes().startswith(before + b"bob:$argon2id$"))
        self.set("alice", "new")
        after = self.path.read_bytes()
        self.assertTrue(after.startswith(b"\xef\xbb\xbfalice:$argon2id$"))
        self.assertEqual(after.split(b"\n")[1], b"# team\r")
        self.assertEqual(self.load().verify("alice", "new"), "alice")
        self.assertEqual(self.load().verify("bob", SECRET), "bob")

    def test_mounted_file(self):
        """A file that is mounted by itself, and so cannot be replaced, is overwritten."""
        self.write(f"bob:{HASH}\n# team\n")
        before = self.path.stat()

        def replace(*paths):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

        self.patch(os, "replace", replace)
        self.set("alice")
        self.assertEqual(self.path.stat().st_ino, before.st_ino)
        self.assertTrue(self.path.read_text().startswith(f"bob:{HASH}\n# team\nalice:$argon2id$"))
        self.assertEqual(os.listdir(self.path.parent), [self.path.name])

    def test_append(self):
        """A new account comes last, in a separate line."""
        for text in ("", "# x", "# x\n", "# x\n\n"):
            self.write(text)
            self.set("a:$argon2id$b")
            after = self.path.read_text()
            self.assertTrue(after.startswith(text))
            self.assertEqual(list(self.load()), ["a:$argon2id$b"])
            self.assertTrue(after.endswith("\n"))
            self.assertEqual(after.count("\n"), max(text.count("\n"), len(text.splitlines())) + 1)

    def test_mode_and_owner(self):
        """The change keeps the file's mode and owner."""
        self.write("", 0o400)
        before = self.path.stat()
        self.set("alice")
        after = self.path.stat()
        self.assertNotEqual(after.st_ino, before.st_ino)  # replaced as a whole
        self.assertEqual(
            (after.st_mode, after.st_uid, after.st_gid),
            (
                before.st_mode,
                before.st_uid,
                before.st_gid,
            ),
        )

    def test_link(self):
        """A link to the file stays a link, even if its target did not exist."""
        link = self.path.with_name("link")
        link.symlink_to(self.path.name)
        self.set("alice", path=link)
        self.set("bob", path=link)
        self.assertTrue(link.is_symlink())
        self.assertEqual(list(self.load()), ["alice", "bob"])

    def test_bad_password(self):
        """The edit refuses a password that is empty, too long or no text, without repeating it."""
        for password in ("", "s3cret" * MAX_PASSWORD, "s3cret\ud800"):
            with pytest.raises(ConfigurationError) as caught:
                self.set("alice", password)
            self.assertNotIn("s3cret", str(caught.value))
            self.assertIsNone(caught.value.__cause__)
        self.assertEqual(os.listdir(self.path.parent), [])

    def test_longest_password(self):
        """The longest password is allowed."""
        self.set("alice", "\u00eb" * (MAX_PASSWORD // 2))
        self.assertEqual(self.load().verify("alice", "\u00eb" * (MAX_PASSWORD // 2)), "alice")

    def test_bad_name(self):
        """A name that cannot be used makes no file."""
        self.refusal_of(self.set, "#alice")
        self.refusal_of(self.set, "a\nb")
        self.assertFalse(self.path.exists())

    def test_bad_file(self):
        """A file that is open to other users, or has a bad line, is not changed."""
        self.write("", 0o644)
        self.assertIn("chmod 600", self.refusal_of(self.set, "alice"))
        self.write("bob:s3cret\n")
        self.assertIn("line 1", self.refusal_of(self.set, "alice"))
        self.assertEqual(self.path.read_text(), "bob:s3cret\n")
        self.path.unlink()
        os.mkfifo(self.path, 0o600)
        self.assertIn("regular", self.refusal_of(self.set, "alice"))
        self.assertEqual(os.listdir(self.path.parent), [self.path.name])

    def test_cannot_be_written(self):
        """An error for a path that cannot be written has the reason."""
        text = self.refusal_of(self.set, "alice", SECRET, self.path / "nowhere")
        self.assertTrue(text.startswith(f"cannot write the password file {self.path}/nowhere: "))
        self.assertIn("null", self.refusal_of(self.set, "alice", SECRET, f"{self.path}\0"))

    def test_full_disk(self):
        """If the file cannot be written, the old file is unchanged, and no other file stays."""
        self.set("alice")
        before = self.path.read_bytes()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            text = self.refusal_of(self.set, "bob")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        self.assertEqual(text, f"cannot write the password file {self.path}: File too large")
        self.assertEqual(self.path.read_bytes(), before)
        self.assertEqual(os.listdir(self.path.parent), [self.path.name])

    def test_out_of_memory(self):
        """A hash that cannot be computed gives an error of one line."""
        hasher = PasswordHasher(time_cost=1, memory_cost=2**32 - 1, parallelism=1)
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (2**36, hard))
        try:
            with pytest.raises(ConfigurationError, match="cannot hash a password"):
                set_password(self.path, "alice", SECRET, hasher=hasher)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        self.assertFalse(self.path.exists())

    def test_at_once(self):
        """Two writers of one file at the same time lose no change."""
        names = [f"user{number}" for number in range(12)]
        writers = [threading.Thread(target=self.set, args=(name,)) for name in names]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        self.assertEqual(sorted(self.load()), sorted(names))


class DeleteTests(PasswordFileCase):
    def test_delete(self):
        """The account's line goes; the other lines, the mark and the mode stay."""
        self.write(f"\ufeff# the team\nZo\u00eb:{HASH}\n\nb:{HASH}\n", 0o400)
        self.assertEqual(delete_account(self.path, "ZOE\u0308"), (COMPOSED, 1))
        self.assertEqual(self.path.read_text("utf-8"), f"\ufeff# the team\n\nb:{HASH}\n")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o400)
        self.assertEqual(delete_account(self.path, "b"), ("b", 0))

    def test_unknown(self):
        """An account that the file does not have is an error, and the file is unchanged."""
        self.write(f"a:{HASH}\n")
        text = self.refusal_of(delete_account, self.path, "b")
        self.assertEqual(text, f"{self.path} has no account b")
        self.assertEqual(list(self.load()), ["a"])

    def test_no_file(self):
        """A missing file is an error, and chatd makes no file."""
        text = self.refusal_of(delete_account, self.path, "b")
        self.assertEqual(
            text, f"cannot read the password file {self.path}: No such file or directory"
        )
        self.assertFalse(self.path.exists())

    def test_full_disk(self):
        """If the file cannot be written, it keeps the account."""
        self.write(f"a:{HASH}\n")

        def fail(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(os, "fsync", fail)
        self.assertIn("No space left", self.refusal_of(delete_account, self.path, "a"))
        self.assertEqual(list(self.load()), ["a"])
