"""Tests of the permissions of secrets, with real users and groups; only root can run them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from chatd.config.keyfile import load_key, write_key_file
from chatd.errors import ConfigurationError

USER, GROUP, OTHER = 61_234, 61_235, 61_236

ACCEPTED = [
    # The file's owner, group and mode; the process's user and groups.
    (0, GROUP, 0o640, USER, [USER, GROUP]),  # Debian's way of sharing a secret with a daemon
    (0, GROUP, 0o440, USER, [USER, GROUP]),
    (0, 0, 0o440, USER, [USER, 0]),  # as LoadCredential= shows it, which lets the user read it
    (0, GROUP, 0o640, 0, [0]),  # before twistd's --uid
    (USER, USER, 0o600, USER, [USER]),
    (USER, USER, 0o400, USER, [USER]),
    (USER, GROUP, 0o400, 0, [0]),
]
REFUSED = [
    (0, 0, 0o640, 0, [0], "chmod 600"),
    (0, GROUP, 0o660, USER, [USER, GROUP], "others can read or write"),
    (0, GROUP, 0o644, USER, [USER, GROUP], "others can read or write"),
    (0, GROUP, 0o604, USER, [USER], "others can read or write"),
    (USER, GROUP, 0o640, USER, [USER], "chmod 600"),
    (OTHER, GROUP, 0o440, USER, [USER, GROUP], "others can read or write"),
    (0, GROUP, 0o640, USER, [USER], "Permission denied"),
    (0, 0, 0o600, USER, [USER], "Permission denied"),
]


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

    def said(self, owner: int, group: int, mode: int, user: int, groups: list[int]) -> str:
        """Load the key in a process of a user; return its error, or an empty text."""
        os.chown(self.path, owner, group)
        self.path.chmod(mode)
        reader, writer = os.pipe()
        process = os.fork()
        if process == 0:  # nothing of the test may go on in this process
            try:
                os.setgroups(groups)
                os.setgid(groups[0])
                os.setuid(user)
                load_key(self.path)
            except ConfigurationError as error:
                os.write(writer, str(error).encode())
            except BaseException as error:
                os.write(writer, repr(error).encode())
            finally:
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as said:
            text = said.read()
        os.waitpid(process, 0)
        return text

    def test_accepted(self) -> None:
        """The owner's own files, and files that root lends to a group, are accepted."""
        for case in ACCEPTED:
            self.assertEqual((case, self.said(*case)), (case, ""))

    def test_refused(self) -> None:
        """All others are refused."""
        for owner, group, mode, user, groups, why in REFUSED:
            said = self.said(owner, group, mode, user, groups)
            self.assertIn(why, said, f"{owner}:{group} {mode:o} for {user} in {groups}: {said!r}")
