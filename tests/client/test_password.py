"""Tests of a client's `change_password`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client import client as client_module
from chatd.config.passwordedit import set_password
from chatd.config.passwordfile import load_passwords
from chatd.errors import RequestError
from chatd.server.accounts import Accounts
from chatd.server.checkers import PasswordFileChecker
from chatd.testing import MemoryServer
from chatd.transport.identity import Identity
from tests.fakes.passwords import CHEAP

OLD, NEW = "open sesame", "open barley"


class ChangePasswordTests(SynchronousTestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name, "users")
        set_password(self.path, "alice", OLD, hasher=CHEAP)
        checker = PasswordFileChecker(self.path, maybeDeferred, hasher=CHEAP)
        self.server = MemoryServer(key=b"k" * 32, accounts=Accounts(Clock(), [checker]))
        self.alice = self.server.connect("alice", password=OLD)

    def refused(self, old: str, new: str) -> RequestError:
        changing = self.alice.change_password(old, new)
        self.server.pump()
        error: RequestError = self.failureResultOf(changing, RequestError).value
        self.assertIsNone(error.__cause__)
        return error

    def test_change(self) -> None:
        """The file has the new password, and the factory logs in with it."""
        changing = self.alice.change_password(OLD, NEW)
        self.server.pump()
        self.assertIsNone(self.successResultOf(changing))
        self.assertEqual(load_passwords(self.path).verify("alice", NEW), "alice")
        self.assertEqual(self.alice.factory._password, NEW)

    def test_refused(self) -> None:
        """After a refusal, the factory logs in as before."""
        self.assertEqual(self.refused("wrong", NEW).code, "auth-failed")
        self.assertEqual(self.refused(OLD, "").code, "bad-password")
        self.assertEqual(self.alice.factory._password, OLD)

    def test_no_text(self) -> None:
        """The client does not send a password that is no text, and no error has it."""
        error = self.refused(OLD, f"{NEW}\udc80")
        self.assertEqual(
            (error.code, error.message), ("bad-password", "a password is text in UTF-8")
        )

    def test_in_the_clear(self) -> None:
        """Over TCP in the clear, the client sends nothing."""
        sent: list[Any] = []
        self.patch(self.alice, "command", lambda *args, **fields: sent.append(fields))
        self.patch(self.alice.factory, "key", None)
        for is_clear in (True, False):
            identity = Identity("192.0.2.1", None, is_clear_tcp=is_clear)
            self.patch(client_module, "identify", lambda _, identity=identity: identity)
            if is_clear:
                self.assertEqual(self.refused(OLD, NEW).code, "auth-in-clear")
                self.assertEqual(sent, [])
