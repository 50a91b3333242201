"""Tests of the permissions of secrets, with real users and groups; only root can run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from chatd.config.keyfile import write_key_file

USER, GROUP, OTHER = 61_234, 61_235, 61_236

Case = tuple[int, int, int, int, list[int]]
"""The file's owner, group and mode; the process's user and groups."""

ACCEPTED: list[Case] = [
    (0, GROUP, 0o640, USER, [USER, GROUP]),  # Debian's way of sharing a secret with a daemon
    (0, GROUP, 0o440, USER, [USER, GROUP]),
    (0, 0, 0o440, USER, [USER, 0]),  # as LoadCredential= shows it, which lets the user read it
    (0, GROUP, 0o640, 0, [0]),  # before twistd's --uid
    (USER, USER, 0o600, USER, [USER]),
    (USER, USER, 0o400, USER, [USER]),
    (USER, GROUP, 0o400, 0, [0]),
]
REFUSED: list[tuple[Case, str]] = [
    ((0, 0, 0o640, 0, [0]), "chmod 600"),
    ((0, GROUP, 0o644, 0, [0]), "chmod 640"),
    ((0, GROUP, 0o660, USER, [USER, GROUP]), "others can read or write"),
    ((0, GROUP, 0o644, USER, [USER, GROUP]), "others can read or write"),
    ((0, GROUP, 0o604, USER, [USER]), "others can read or write"),
    ((USER, GROUP, 0o640, USER, [USER]), "chmod 600"),
    ((OTHER, GROUP, 0o440, USER, [USER, GROUP]), "others can read or write"),
    ((0, GROUP, 0o640, USER, [USER]), "Permission denied"),
    ((0, 0, 0o600, USER, [USER]), "Permission denied"),
]


LOAD = """
import json, os, sys
from pathlib import Path
from chatd.config.keyfile import load_key
from chatd.errors import ConfigurationError

path = Path(sys.argv[1])
texts = []
for owner, group, mode, user, groups in json.load(sys.stdin):
    os.chown(path, owner, group)
    path.chmod(mode)
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            os.setgroups(groups)
            os.setgid(groups[0])
            os.setuid(user)
            load_key(path)
        except ConfigurationError as error:
            os.write(writer, str(error).encode())
        except BaseException as error:
            os.write(writer, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        texts.append(said.read())
    os.waitpid(process, 0)
print(json.dumps(texts))
"""
"""A program that loads a key file as each of several users; it has one thread, so it may fork."""


class UserTests(SynchronousTestCase):
    """A key file, and processes of several users."""

    def setUp(self) -> None:
        if os.geteuid() != 0:
            raise SkipTest("only root can give files to others")
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        os.chmod(directory.name, 0o711)
        self.path = Path(directory.name) / "team.key"
        write_key_file(self.path)

    def said(self, cases: list[Case]) -> list[str]:
        """Load the key in a process of each user; return the errors, or empty texts."""
        done = subprocess.run(
            [sys.executable, "-c", LOAD, self.path],
            input=json.dumps(cases),
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.stderr, "")
        return list(json.loads(done.stdout))

    def test_accepted(self) -> None:
        """The owner's own files, and files that root lends to a group, are accepted."""
        for case, said in zip(ACCEPTED, self.said(ACCEPTED), strict=True):
            self.assertEqual((case, said), (case, ""))

    def test_refused(self) -> None:
        """The loader refuses all others."""
        for (case, why), said in zip(
            REFUSED, self.said([case for case, _ in REFUSED]), strict=True
        ):
            self.assertIn(why, said, f"{case}: {said!r}")
