"""Password files: refused if other users could use them, and changed line by line."""

import errno
import os
import resource
import stat
import tempfile
import threading
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from twisted.trial.unittest import SynchronousTestCase

from chatd.config import passwordhash
from chatd.config.passwordfile import (
    MAX_PASSWORD,
    check_account,
    delete_account,
    load_passwords,
    set_password,
)
from chatd.errors import ConfigurationError
from tests.fakes.passwords import CHEAP

DEARER = PasswordHasher(time_cost=2, memory_cost=16, parallelism=2)
SECRET = "correct horse"
HASH = CHEAP.hash(SECRET)
COMPOSED = "Zo\u00eb"
DECOMPOSED = "Zoe\u0308"


class PasswordFileTestCase(SynchronousTestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name, "users")

    def write(self, text, mode=0o600):
        """Write the file by hand."""
        self.path.write_bytes(text if isinstance(text, bytes) else text.encode())
        self.path.chmod(mode)

    def load(self):
        return load_passwords(self.path, hasher=CHEAP)

    def set(self, name, password=SECRET, path=None):
        return set_password(path or self.path, name, password, hasher=CHEAP)

    def refusal_of(self, function, *arguments):
        """Return the line of a refusal."""
        with pytest.raises(ConfigurationError) as caught:
            function(*arguments)
        text = str(caught.value)
        self.assertNotIn("\n", text)
        return text


class CheckAccountTests(SynchronousTestCase):
    def test_good(self):
        """An account may have any member's name, which is returned in the composed form."""
        self.assertEqual(check_account(DECOMPOSED), COMPOSED)
        self.assertEqual(check_account("a:b#c"), "a:b#c")

    def test_bad(self):
        """A name that no member can have is refused, and a name that begins like a comment too."""
        for name in ("", "two words", "x" * 33, "a\nb", "#alice"):
            with self.assertRaises(ConfigurationError):
                check_account(name)

    def test_guest(self):
        """A name that begins like a guest name, in any case, is refused: it could never log in."""
        for name in ("guest-", "guest-1", "GUEST-alice"):
            with pytest.raises(ConfigurationError, match="cannot begin with guest-"):
                check_account(name)
        self.assertEqual(check_account("guest"), "guest")


class LoadTests(PasswordFileTestCase):
    def test_accounts(self):
        """The names are those in the file, without comments, blank lines and spaces at the ends."""
        self.write(f"# team\n\n  alice:{HASH}\r\n \t\n#bob:{HASH}\nCarol:{HASH}")
        loaded = self.load()
        self.assertEqual(list(loaded), ["alice", "Carol"])
        self.assertEqual(len(loaded), 2)
        self.assertIn("ALICE", loaded)
        self.assertNotIn("bob", loaded)
        self.assertNotIn(None, loaded)

    def test_mark(self):
        """A byte order mark is no part of the first line; the error names UTF-16."""
        for first in (f"alice:{HASH}", "# team"):
            self.write(f"\ufeff{first}\r\nbob:{HASH}\r\n")
            self.assertIn("bob", self.load())
        self.assertIs("alice" in self.load(), False)
        self.path.write_bytes(f"\ufeffalice:{HASH}\n".encode("utf-16-le"))
        text = self.refusal_of(self.load)
        self.assertEqual(
            text, f"the password file {self.path} is no UTF-8 text but UTF-16; save it as UTF-8"
        )
        self.assertEqual(self.refusal_of(self.set, "bob"), text)

    def test_empty(self):
        """A file may have no accounts."""
        for text in ("", "\n", "# nobody\n"):
            self.write(text)
            self.assertEqual(list(self.load()), [])

    def test_colons(self):
        """A name may hold colons, and even the beginning of a hash."""
        names = ["a:b", ":", "x:$argon2id$y"]
        self.write("".join(f"{name}:{HASH}\n" for name in names))
        loaded = self.load()
        self.assertEqual(list(loaded), names)
        self.assertEqual(loaded.verify(names[-1], SECRET), names[-1])

    def test_bad_line(self):
        """The error for a line that is not an account has its number, and not its content."""
        prefix, _, digest = HASH.rpartition("$")
        for line in (
            "alice:s3cret",
            "s3cret",
            f"two words:{HASH}",
            f":{HASH}",
            f"alice:{HASH}$",
            f"alice:{HASH}:s3cret",
            f"alice:{HASH[:-1]}=",
            f"alice:{prefix}${digest[:5]}",  # base64 never has this length
            f"alice:{prefix}${digest[:4]}",  # base64 of too few bytes
            f"alice:{prefix}$",
            f"alice:{HASH.replace('m=8', 'm=7')}",
            f"alice:{HASH.replace('p=1', 'p=0')}",
            f"alice:{HASH.replace('argon2id', 'argon2i')}",
        ):
            self.write(f"# one\n\n{line}\n")
            text = self.refusal_of(self.load)
            self.assertTrue(text.startswith(f"{self.path}, line 3: not an account"), line)
            self.assertNotIn("s3cret", text)

    def test_no_text(self):
        """The error for a line that is not UTF-8 has its number."""
        self.write(b"# one\n\xff\n")
        self.assertEqual(self.refusal_of(self.load), f"{self.path}, line 2: it is no UTF-8 text")

    def test_twice(self):
        """Two lines for names that count as the same are refused."""
        self.write(f"{COMPOSED}:{HASH}\nbob:{HASH}\n{DECOMPOSED.upper()}:{HASH}\n")
        text = self.refusal_of(self.load)
        self.assertEqual(text, f"{self.path}, line 3: the account is in line 1 already")

    def test_open_to_others(self):
        """A file that other users may read, write or run is refused, with the remedy."""
        for bit in (0o040, 0o020, 0o010, 0o004, 0o002, 0o001):
            self.write(f"alice:{HASH}\n", 0o600 | bit)
            text = self.refusal_of(self.load)
            self.assertEqual(
                text,
                f"others can read or write the password file {self.path}: chmod 600 {self.path}",
            )

    def test_cannot_be_read(self):
        """An error for a path that cannot be read has the reason."""
        text = self.refusal_of(self.load)
        self.assertEqual(
            text, f"cannot read the password file {self.path}: No such file or directory"
        )
        self.assertIn("directory", self.refusal_of(load_passwords, self.path.parent))
        self.assertIn("null", self.refusal_of(load_passwords, f"{self.path}\0"))

    def test_pipe(self):
        """A pipe is refused as a password file, without waiting for its writer."""
        os.mkfifo(self.path, 0o600)
        self.assertTrue(self.refusal_of(self.load).endswith("it is no regular file"))


class VerifyTests(PasswordFileTestCase):
    def test_verify(self):
        """The right password gives the file's spelling; a wrong password or name gives None."""
        self.set("Alice")
        self.set("bob", "another")
        loaded = self.load()
        self.assertEqual(loaded.verify("aLICE", SECRET), "Alice")
        self.assertEqual(loaded.verify("bob", "another"), "bob")
        for name, password in (
            ("alice", "another"),
            ("bob", SECRET),
            ("carol", SECRET),
            ("alice", ""),
            ("", ""),
            ("alice", SECRET + "\0"),
            ("alice", SECRET.upper()),
            ("alice", "\ud800"),
            ("alice", "x" * (MAX_PASSWORD + 1)),
        ):
            self.assertIsNone(loaded.verify(name, password), (name, password))

    def test_composed(self):
        """A password is the same from keyboards that compose characters and from others."""
        self.set("alice", COMPOSED)
        self.assertEqual(self.load().verify("alice", DECOMPOSED), "alice")

    def hashes_verified(self, loaded, name):
        """Return the hashes that argon2 gets to verify."""
        verified = []

        class Recording(PasswordHasher):
            __slots__ = ()

            def verify(self, hash, password):
                verified.append(hash)
                return super().verify(hash, password)

        self.patch(passwordhash, "PasswordHasher", Recording)
        self.assertIsNone(loaded.verify(name, SECRET + "?"))
        return verified

    def test_unknown_name(self):
        """An unknown name costs as much as those in the file do, with argon2's parameters."""
        self.write(f"a:{DEARER.hash('x')}\nb:{HASH}\nc:{DEARER.hash('y')}\n")
        loaded = self.load()
        (known,) = self.hashes_verified(loaded, "a")
        (unknown,) = self.hashes_verified(loaded, "nobody")
        self.assertNotEqual(unknown, known)
        self.assertEqual(
            [len(part) for part in unknown.split("$")], [len(part) for part in known.split("$")]
        )
        self.assertEqual(unknown.split("$")[:4], known.split("$")[:4])

    def test_nobody(self):
        """In a file without accounts, an unknown name costs as much as the hasher's parameters."""
        self.write("")
        (unknown,) = self.hashes_verified(load_passwords(self.path, hasher=DEARER), "nobody")
        self.assertTrue(unknown.startswith("$argon2id$v=19$m=16,t=2,p=2$"))

    def test_cannot_tell(self):
        """A hash that this machine cannot compute is an error, not a wrong password."""
        memory_kib = 2**32 - 1
        self.write(f"alice:{HASH.replace('m=8', f'm={memory_kib}')}\n")
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (2**36, hard))
        try:
            text = self.refusal_of(self.load().verify, "alice", SECRET)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        self.assertTrue(text.startswith("cannot verify a password: "))
        self.assertNotIn(SECRET, text)

    def test_never_shown(self):
        """The texts of accounts and of their collection show no hash."""
        self.set("alice")
        loaded = self.load()
        self.assertNotIn("argon2", repr(loaded) + repr(loaded._accounts))


class SetTests(PasswordFileTestCase):
    def test_new_file(self):
        """A new file has the account, and mode 0600 whatever the umask."""
        for umask in (0, 0o777):
            self.addCleanup(os.umask, os.umask(umask))
            path = self.path.with_name(f"users under {umask:o}")
            self.assertEqual(self.set(DECOMPOSED, path=path), COMPOSED)
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
            self.assertEqual(load_passwords(path).verify(COMPOSED, SECRET), COMPOSED)

    def test_parameters(self):
        """Hashes are made with the second choice of RFC 9106 unless the caller says otherwise."""
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
        """A byte order mark stays before the first line, whichever line is replaced or added."""
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
        """A new account comes last, on a line of its own."""
        for text in ("", "# x", "# x\n", "# x\n\n"):
            self.write(text)
            self.set("a:$argon2id$b")
            after = self.path.read_text()
            self.assertTrue(after.startswith(text))
            self.assertEqual(list(self.load()), ["a:$argon2id$b"])
            self.assertTrue(after.endswith("\n"))
            self.assertEqual(after.count("\n"), max(text.count("\n"), len(text.splitlines())) + 1)

    def test_mode_and_owner(self):
        """The file's mode and owner are kept."""
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
        """A password that is empty, too long or not a text is refused, and not repeated."""
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
        """If the file cannot be written, the old file is unchanged, and no other is left."""
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
        """A hash that cannot be computed is an error of one line."""
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


class DeleteTests(PasswordFileTestCase):
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
        """A missing file is an error, and no file is made."""
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
