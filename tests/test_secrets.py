"""Tests that keys, passwords and contents stay where they belong, whatever goes wrong."""

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
from twisted.internet.task import Clock
from twisted.logger import LogEvent, eventAsText, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

import chatd
from chatd.connection.events import Event
from chatd.daemon.reloading import Reloading
from chatd.errors import ConfigurationError, StoreError
from chatd.server.accounts import Accounts
from chatd.server.keyring import Keyring
from chatd.storage.memory import MemoryStore
from chatd.storage.values import Entry, Outcome
from chatd.testing import MemoryServer
from chatd.wire.messages import Error, Message, MessageType

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
    """Stores nothing, and its exceptions hold what it was to store, as those of others may."""

    async def append(self, entries: Sequence[Entry]) -> list[Outcome]:
        raise StoreError("the disk is full") from ValueError(entries)


class ClumsyFactory(chatd.ChatFactory):
    """Fails at every message with an exception that holds it."""

    def message_received(self, session: chatd.Session, message: Message) -> None:
        raise ValueError(len(message.content))


class LogCase(SynchronousTestCase):
    """Keeps the whole text of all that is logged, at whatever level, tracebacks included."""

    def setUp(self) -> None:
        self.logged = io.StringIO()
        observer: Any = self.observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def observe(self, event: LogEvent) -> None:
        self.logged.write(eventAsText(event) + "\n")
        self.logged.write(repr({name: str(value) for name, value in event.items()}) + "\n")

    def assert_kept_secret(self, *texts: str) -> None:
        """Check that no secret is in the log, nor in other texts; and that there is a log."""
        everything = "\n".join([self.logged.getvalue(), *texts])
        self.assertNotEqual(self.logged.getvalue(), "")
        for secret in SECRETS:
            self.assertNotIn(secret, everything)


class LogTests(LogCase):
    """The log, and what peers are told, hold no key, no password and no content."""

    def serve(self, factory: type[chatd.ChatFactory] = chatd.ChatFactory, **options) -> None:
        checker = InMemoryUsernamePasswordDatabaseDontUse()
        checker.addUser(b"alice", PASSWORD.encode())
        self.server = MemoryServer(
            factory, key=KEY, accounts=Accounts(Clock(), [checker]), **options
        )

    def errors(self, client: chatd.ChatClient, *calls) -> Iterator[str]:
        """Say something in every way there is, and return what came of it."""
        for call in calls:
            self.server.pump()
            yield str(self.failureResultOf(call).value)

    def test_everyday(self) -> None:
        """What succeeds is not logged with what was said."""
        self.serve()
        alice = self.server.connect("alice", password=PASSWORD)
        sent = alice.send(CONTENT)
        self.server.pump()
        self.assertEqual(self.successResultOf(sent).text, CONTENT)
        alice.disconnect()
        self.server.pump()
        self.assert_kept_secret()

    def test_wrong_password(self) -> None:
        """A password that is refused is not repeated to anybody."""
        self.serve()
        for name, password in (("bob", PASSWORD), ("alice", f"{PASSWORD}!")):
            self.assertFalse(self.server.connect(name, password=password).connection.is_established)
        self.assert_kept_secret()

    def test_store_that_fails(self) -> None:
        """Nor is what could not be stored."""
        self.serve(store=FailingStore())
        alice = self.server.connect("alice", password=PASSWORD)
        told = list(self.errors(alice, alice.send(CONTENT), alice.send(CONTENT, to="bob")))
        self.assert_kept_secret(*told)

    def test_hook_that_fails(self) -> None:
        """Nor is what a hook failed at, and the client is not told how it failed."""
        self.serve(ClumsyFactory)
        alice = self.server.connect("alice", password=PASSWORD)
        told = list(self.errors(alice, alice.send(CONTENT)))
        self.assertEqual(told, ["internal-error: the server failed; see its log"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assert_kept_secret(*told)

    def test_faulty_requests(self) -> None:
        """Nor is what a request was refused for."""
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
        """Nor is what a client complains of, which may quote what it was sent."""
        self.serve()
        alice = self.server.connect("alice", password=PASSWORD)
        alice.connection.send(MessageType.ERROR, Error(code="odd", message=CONTENT))
        alice.flush()
        self.server.pump()
        self.assertIn("client's error", self.logged.getvalue())
        self.assert_kept_secret()

    def test_key_that_cannot_be_read_anew(self) -> None:
        """Nor is what a key file holds that is wrong."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "key"
            path.touch(0o600)
            path.write_bytes(base64.urlsafe_b64encode(KEY)[:-4] + CONTENT.encode())

            def read() -> None:
                Keyring(chatd.load_key(path), 100)

            Reloading({"key file": read})()
        self.assertIn("not read anew", self.logged.getvalue())
        self.assert_kept_secret()


class ReprTests(TestCase):
    """What is shown of an object in a traceback or a debugger by itself holds no key either."""

    def test_objects(self) -> None:
        """Those that hold a key or a password do not show it."""
        server = MemoryServer(key=KEY)
        alice = server.connect("alice", password=PASSWORD)
        shown = [alice, alice.factory, server.factory, server.session_of(alice), Event]
        for each in [*shown, Keyring(KEY, 100), chatd.Codec(KEY)]:
            for secret in SECRETS:
                self.assertNotIn(secret, repr(each))

    def test_error_of_a_key(self) -> None:
        """A key of the wrong length is not repeated."""
        with self.assertRaises(ConfigurationError) as raised:
            chatd.Codec(KEY + KEY)
        self.assertNotIn(repr(KEY)[2:-1], str(raised.exception))


class ConstantTimeTests(TestCase):
    """Secrets are compared in a time that does not show where they differ."""

    COMPARING = (
        ("wire/envelope.py", "open"),
        ("server/accounts.py", "checkPassword"),
        ("server/keyring.py", "replace"),
    )

    def test_compare_digest(self) -> None:
        """Where MACs, passwords and keys are compared, it is with `hmac.compare_digest`."""
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
        """Nothing that is called a MAC, a digest, a key or a password is compared with == or !=.

        The command line may: it compares what one person has typed twice.
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
