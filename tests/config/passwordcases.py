"""Shared by the tests of password files: cases with a directory, and values."""

import tempfile
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from twisted.trial.unittest import SynchronousTestCase

from chatd.config.passwordedit import set_password
from chatd.config.passwordfile import load_passwords
from chatd.errors import ConfigurationError
from tests.fakes.passwords import CHEAP

DEARER = PasswordHasher(time_cost=2, memory_cost=16, parallelism=2)
SECRET = "correct horse"
OLD, NEW = SECRET, "battery staple"
HASH = CHEAP.hash(SECRET)
COMPOSED = "Zo\u00eb"
DECOMPOSED = "Zoe\u0308"


class PasswordFileCase(SynchronousTestCase):
    """A case with a directory for a password file."""

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


class AccountsCase(PasswordFileCase):
    """A case with a password file, in which Alice and bob have the password `OLD`."""

    def setUp(self):
        super().setUp()
        for name in ("Alice", "bob"):
            self.set(name, OLD)
