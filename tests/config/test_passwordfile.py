"""Password files: read, and refused if other users could use them."""

import os
import resource

import pytest
from argon2 import PasswordHasher
from twisted.trial.unittest import SynchronousTestCase

from chatd.config import passwordhash
from chatd.config.passwordfile import MAX_PASSWORD, check_account, load_passwords
from chatd.errors import ConfigurationError
from tests.config.passwordcases import COMPOSED, DEARER, DECOMPOSED, HASH, SECRET, PasswordFileCase


class CheckAccountTests(SynchronousTestCase):
    def test_good(self):
        """An account may have any member's name, which is returned in the composed form."""
        self.assertEqual(check_account(DECOMPOSED), COMPOSED)
        self.assertEqual(check_account("a:b#c"), "a:b#c")

    def test_bad(self):
        """The loader refuses a name that no member can have, or that begins like a comment."""
        for name in ("", "two words", "x" * 33, "a\nb", "#alice"):
            with self.assertRaises(ConfigurationError):
                check_account(name)

    def test_guest(self):
        """The loader refuses a name that begins like a guest name: it could never log in."""
        for name in ("guest-", "guest-1", "GUEST-alice"):
            with pytest.raises(ConfigurationError, match="cannot begin with guest-"):
                check_account(name)
        self.assertEqual(check_account("guest"), "guest")


class LoadTests(PasswordFileCase):
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
            text, f"the password file {self.path} is UTF-16, not UTF-8 text; save it as UTF-8"
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
        self.assertEqual(self.refusal_of(self.load), f"{self.path}, line 2: it is not UTF-8 text")

    def test_twice(self):
        """The loader refuses two lines for names that count as the same."""
        self.write(f"{COMPOSED}:{HASH}\nbob:{HASH}\n{DECOMPOSED.upper()}:{HASH}\n")
        text = self.refusal_of(self.load)
        self.assertEqual(text, f"{self.path}, line 3: the account is in line 1 already")

    def test_open_to_others(self):
        """The loader refuses a file that other users may read, write or run, with the remedy."""
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
        """The loader refuses a pipe as a password file, without waiting for its writer."""
        os.mkfifo(self.path, 0o600)
        self.assertTrue(self.refusal_of(self.load).endswith("it is not a regular file"))


class VerifyTests(PasswordFileCase):
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
        """An unknown name costs as much as the file's names do, with argon2's parameters."""
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
