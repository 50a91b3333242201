"""Tests that keys, passwords and contents appear in no log and no answer."""

from __future__ import annotations

import ast
import base64
import io
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import TestCase

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, eventAsText, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

import chatd
from chatd.config.passwordedit import set_password
from chatd.connection.events import Event
from chatd.daemon.reloading import Reloading
from chatd.errors import ConfigurationError, SessionRefused, StoreError
from chatd.server.accounts import Accounts
from chatd.server.checkers import PasswordFileChecker
from chatd.server.keyring import Keyring
from chatd.storage.memory import MemoryStore
from chatd.storage.values import Entry, Outcome
from chatd.testing import MemoryServer
from chatd.wire.messages import Error, Message, MessageType
from tests.fakes.passwords import CHEAP

KEY = bytes(range(100, 132))
PASSWORD = "correct-horse-battery"
CONTENT = "the-eagle-lands-at-noon"
ROOT = Path(chatd.__file__).parent

SECRETS = [
    PASSWORD,
    CONTENT,
    KEY.hex(),
    repr(KEY)[2:-1],
    base64.urlsafe_b64encode(KEY).decode().rstrip("="),
    base64.b64encode(CONTENT.encode()).decode().rstrip("="),
]


class FailingStore(MemoryStore):
    """A store that fails with exceptions that contain the messages, as a third-party store may."""

    async def append(self, entries: Sequence[Entry]) -> list[Outcome]:
        raise StoreError("the disk is full") from ValueError(entries)


class ClumsyFactory(chatd.ChatFactory):
    """A factory that fails at each message with an exception that contains it."""

    def message_received(self, session: chatd.Session, message: Message) -> None:
        raise ValueError(len(message.content))


class LogCase(SynchronousTestCase):
    """A case that keeps the whole text of all log events, of any level, with tracebacks."""

    def setUp(self) -> None:
        self.logged = io.StringIO()
        observer: Any = self.observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def observe(self, event: LogEvent) -> None:
        self.logged.write(eventAsText(event) + "\n")
        self.logged.write(repr({name: str(value) for name, value in event.items()}) + "\n")

    def assert_kept_secret(self, *texts: str) -> None:
        """Check that no secret is in the log or in other texts, and that the log is not empty."""
        everything = "\n".join([self.logged.getvalue(), *texts])
        self.assertNotEqual(self.logged.getvalue(), "")
        for secret in SECRETS:
            self.assertNotIn(secret, everything)


class LogTests(LogCase):
    """The log and the texts for peers contain no key, no password and no content."""

    def serve(self, factory: type[chatd.ChatFactory] = chatd.ChatFactory, **options) -> None:
        checker = InMemoryUsernamePasswordDatabaseDontUse()
        checker.addUser(b"alice", PASSWORD.encode())
        self.server = MemoryServer(
            factory, key=KEY, accounts=Accounts(Clock(), [checker]), **options
        )

    def errors(self, client: chatd.ChatClient, *calls) -> Iterator[str]:
        """Yield the error of each call, after a pump."""
        for call in calls:
            self.server.pump()
            yield str(self.failureResultOf(call).value)

    def test_everyday(self) -> None:
        """Requests that succeed do not log their content."""
        self.serve()
        alice = self.server.connect("alice", password=PASSWORD)
        sent = alice.send(CONTENT)
        self.server.pump()
        self.assertEqual(self.successResultOf(sent).text, CONTENT)
        alice.disconnect()
        self.server.pump()
        self.assert_kept_secret()

    def test_wrong_password(self) -> None:
        """Neither the log nor a client gets a wrong password."""
        self.serve()
        for name, password in (("bob", PASSWORD), ("alice", f"{PASSWORD}!")):
            with self.assertRaises(SessionRefused) as refused:
                self.server.connect(name, password=password)
            self.assert_kept_secret(str(refused.exception))

    def test_change_of_a_password(self) -> None:
        """The log has no password, after a change, a refusal or a failure."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "users")
            set_password(path, "alice", PASSWORD, hasher=CHEAP)
            checker = PasswordFileChecker(path, maybeDeferred, hasher=CHEAP)
            self.server = MemoryServer(key=KEY, accounts=Accounts(Clock(), [checker]))
            alice = self.server.connect("alice", password=PASSWORD)
            told = list(
                self.errors(
                    alice,
                    alice.change_password(f"{PASSWORD}!", CONTENT),
                    alice.change_password(PASSWORD, CONTENT * 100),
                    alice.command("password", old=[PASSWORD], new=CONTENT),
                )
            )
            changed = alice.change_password(PASSWORD, CONTENT)
            self.server.pump()
            self.successResultOf(changed)
            path.write_text(f"alice:{PASSWORD}\n")
            told += self.errors(alice, alice.change_password(CONTENT, PASSWORD))
        self.assertIn("a password could not be changed", self.logged.getvalue())
        self.assert_kept_secret(*told)

    def test_store_that_fails(self) -> None:
        """The log has no messages that a store failed to store."""
        self.serve(store=FailingStore())
        alice = self.server.connect("alice", password=PASSWORD)
        told = list(self.errors(alice, alice.send(CONTENT), alice.send(CONTENT, to="bob")))
        self.assert_kept_secret(*told)

    def test_hook_that_fails(self) -> None:
        """The log has no message at which a hook failed; the client does not see the exception."""
        self.serve(ClumsyFactory)
        alice = self.server.connect("alice", password=PASSWORD)
        told = list(self.errors(alice, alice.send(CONTENT)))
        self.assertEqual(told, ["internal-error: the server failed; see its log"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assert_kept_secret(*told)

    def test_faulty_requests(self) -> None:
        """The log has no content of refused requests."""
        self.serve()
        alice = self.server.connect("alice", password=PASSWORD)
        told = list(
            self.errors(
                alice,
                alice.send(CONTENT, room="nowhere"),
                alice.send(CONTENT, to=" "),
                alice.command("join", room=None),
            )
        )
        self.assert_kept_secret(*told)

    def test_client_error(self) -> None:
        """The log has no text of a client's ERROR, which may quote messages."""
        self.serve()
        alice = self.server.connect("alice", password=PASSWORD)
        alice.connection.send(MessageType.ERROR, Error(code="odd", message=CONTENT))
        alice.flush()
        self.server.pump()
        self.assertIn("client's error", self.logged.getvalue())
        self.assert_kept_secret()

    def test_key_that_cannot_be_read_anew(self) -> None:
        """The log has no content of a bad key file."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "key"
            path.touch(0o600)
            path.write_bytes(base64.urlsafe_b64encode(KEY)[:-4] + CONTENT.encode())

            def read() -> None:
                Keyring(chatd.load_key(path), 100)

            Reloading({"key file": read})()
        self.assertIn("not read again", self.logged.getvalue())
        self.assert_kept_secret()


class ReprTests(TestCase):
    """The text of an object in a traceback or debugger contains no key."""

    def test_objects(self) -> None:
        """Objects that hold a key or a password do not show it."""
        server = MemoryServer(key=KEY)
        alice = server.connect("alice", password=PASSWORD)
        shown = [alice, alice.factory, server.factory, server.session_of(alice), Event]
        for each in [*shown, Keyring(KEY, 100), chatd.Codec(KEY)]:
            for secret in SECRETS:
                self.assertNotIn(secret, repr(each))

    def test_error_of_a_key(self) -> None:
        """The error for a key of the wrong length does not show the key."""
        with self.assertRaises(ConfigurationError) as raised:
            chatd.Codec(KEY + KEY)
        self.assertNotIn(repr(KEY)[2:-1], str(raised.exception))


class ConstantTimeTests(TestCase):
    """The time to compare secrets does not show where they differ."""

    COMPARING = (
        ("wire/envelope.py", "open"),
        ("server/realm.py", "checkPassword"),
        ("server/keyring.py", "replace"),
    )

    def test_compare_digest(self) -> None:
        """MACs, passwords and keys are compared with `hmac.compare_digest`."""
        for path, function in self.COMPARING:
            tree = ast.parse((ROOT / path).read_text())
            (body,) = (
                node
                for node in ast.walk(tree)
                if isinstance(node, ast.FunctionDef) and node.name == function
            )
            called = {
                ast.unparse(each.func) for each in ast.walk(body) if isinstance(each, ast.Call)
            }
            self.assertTrue(called & {"compare_digest", "hmac.compare_digest"}, path)

    def test_nothing_else(self) -> None:
        """No variable called a MAC, a digest, a key or a password is compared with == or !=.

        The command line may do so: it compares a password that the user has typed twice.
        """
        for path in set(ROOT.rglob("*.py")) - set(ROOT.glob("cli/*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Eq, ast.NotEq)):
                    sides = {ast.unparse(side) for side in (node.left, *node.comparators)}
                    names = {side.rpartition(".")[2] for side in sides}
                    self.assertFalse(
                        names & {"mac", "digest()", "psk", "_psk", "password", "secret", "_secret"},
                        f"{path}: {ast.unparse(node)}",
                    )
