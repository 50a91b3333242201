"""Tests of files that an operator changes while the daemon runs."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from twisted.cred.checkers import (
    AllowAnonymousAccess,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.logger import capturedLogs, formatEvent

from chatd.chat.policy import Policy
from chatd.config.passwordedit import set_password
from chatd.daemon.reloading import Reloading
from chatd.daemon.service import ChatService
from tests.daemon.cases import MakeServiceCase, hang_up
from tests.fakes.passwords import CHEAP
from tests.fakes.peers import KEY, OTHER_KEY, Peer, ack, settle


class ReloadTests(MakeServiceCase):
    """SIGHUP makes the daemon read each file again."""

    def setUp(self) -> None:
        super().setUp()
        self.files = {
            "password_file": self.directory / "passwords",
            "operator_file": self.directory / "operators",
        }
        set_password(self.files["password_file"], "alice", "first", hasher=CHEAP)
        self.files["operator_file"].write_text("alice\n")
        self.write_key(KEY)

    def write_key(self, key: bytes) -> None:
        self.key_file.touch(0o600)
        self.key_file.write_bytes(base64.urlsafe_b64encode(key))

    def serve(self, **decided: Any) -> ChatService:
        return self.start(data=self.directory / "data", **decided)

    def reload(self, service: ChatService) -> list[str]:
        """Read the files again, and return the log."""
        with capturedLogs() as events:
            hang_up(service)
        return [formatEvent(event) for event in events]

    def test_nothing_to_read(self) -> None:
        """Without files, SIGHUP reads nothing."""
        self.assertEqual(self.reload(self.start()), [])

    def test_all(self) -> None:
        """The daemon logs each file."""
        service = self.serve(key_file=self.key_file, **self.files)
        self.assertEqual(
            self.reload(service),
            [f"{what}: read again" for what in ("key file", "password file", "operators", "bans")],
        )

    def test_key(self) -> None:
        """The new key is for new connections, and existing sessions go on."""
        service = self.serve(key_file=self.key_file)
        before = service.factory.codec
        self.write_key(OTHER_KEY)
        self.reload(service)
        self.assertIsNot(service.factory.codec, before)

    def test_operators(self) -> None:
        """The operators are those of the options and of the present file."""
        service = self.serve(operator_file=self.files["operator_file"])
        self.files["operator_file"].write_text("Bob\n")
        self.reload(service)
        self.assertEqual(service.factory.operators._keys, {"bob"})

    def test_changes(self) -> None:
        """The log says who is an operator from now on or no longer, and how many bans there are."""
        given = Policy(operators=("root",))
        service = self.serve(operator_file=self.files["operator_file"], policy=given)
        self.files["operator_file"].write_text("Bob\nroot\n")
        ban_file = self.directory / "data" / "bans.json"
        ban_file.write_text(json.dumps([{"name": "mallory", "by": "root", "made": 1}]))
        changes = {
            "operators: Bob was added",
            "operators: alice was removed",
            "bans in force: 1",
        }
        done = {"operators: read again", "bans: read again"}
        self.assertEqual(set(self.reload(service)), changes | done)
        self.assertEqual(set(self.reload(service)), done)

    def test_start(self) -> None:
        """The start says who is an operator, and how many bans there are, if there are any."""
        for ban_text, lines in (
            ("[]", 0),
            (json.dumps([{"name": "eve", "by": "a", "made": 1}]), 2),
        ):
            data = self.directory / f"data {lines}"
            data.mkdir()
            (data / "bans.json").write_text(ban_text)
            policy = Policy(operators=("root", "ann") if lines else ())
            with capturedLogs() as events:
                self.start(data=data, policy=policy)
            texts = [formatEvent(event) for event in events]
            found = [text for text in texts if text in ("operators: ann, root", "bans in force: 1")]
            self.assertEqual(len(found), lines, texts)

    def test_passwords(self) -> None:
        """After a change of password, only the new password works."""
        service = self.serve(password_file=self.files["password_file"])
        accounts = service.factory.engine.admission._accounts
        set_password(self.files["password_file"], "alice", "second", hasher=CHEAP)
        self.assertEqual(self.result(accounts.login("alice", "first", "here")).name, "alice")
        self.reload(service)
        self.assertEqual(self.result(accounts.login("alice", "second", "here")).name, "alice")

    def test_bans(self) -> None:
        """Bans that were written by hand are in force; present sessions stay."""
        service = self.serve()
        peer = Peer(service.factory.buildProtocol(None), service.factory.codec)
        peer.send(ack(peer, "mallory"))
        self.result(service.factory.when_active("mallory"))
        (self.directory / "data" / "bans.json").write_text(json.dumps([{"name": "mallory"}]))
        self.reload(service)
        self.assertEqual([ban.name for ban in service.factory.bans.in_force()], ["mallory"])
        self.assertEqual(len(service.factory.sessions), 1)
        peer.transport.lose()
        settle(service.factory)

    def test_no_bans_any_more(self) -> None:
        """A ban file that has gone lifts no ban; an empty list does."""
        service = self.serve()
        file = self.directory / "data" / "bans.json"
        file.write_text(json.dumps([{"name": "mallory"}]))
        self.reload(service)
        file.unlink()
        (line,) = (line for line in self.reload(service) if line.startswith("bans: "))
        self.assertIn(f"nothing changes: there is no {file}, and bans are in force; put it", line)
        self.assertEqual([ban.name for ban in service.factory.bans.in_force()], ["mallory"])
        file.write_text("[]")
        self.reload(service)
        self.assertEqual(service.factory.bans.in_force(), [])
        file.unlink()
        self.assertIn("bans: read again", self.reload(service))

    def test_operators_without_account(self) -> None:
        """An operator without an account is warned of once, at the start and when it is new."""
        password_file, operator_file = (
            self.files[each] for each in ("password_file", "operator_file")
        )
        operator_file.write_text("ALICE\n")
        with capturedLogs() as events:
            service = self.serve(
                password_file=password_file,
                operator_file=operator_file,
                policy=Policy(operators=("alcie",)),
                checkers=[AllowAnonymousAccess()],
            )
        warnings = [line for line in map(formatEvent, events) if "no account" in (line or "")]
        self.assertEqual(len(warnings), 1)
        self.assertIn("operator 'alcie' has no account, so nobody can be operator", warnings[0])
        self.assertNotIn("no account", "".join(self.reload(service)))
        operator_file.write_text("bob\n")
        self.assertIn("operator 'bob' has no account", "".join(self.reload(service)))

    def test_no_account(self) -> None:
        """A password file without accounts has one warning at the start."""
        file = self.directory / "empty"
        file.touch(0o600)
        with capturedLogs() as events:
            service = self.serve(password_file=file)
        lines = [f"{event['log_level'].name}: {formatEvent(event)}" for event in events]
        (line,) = [line for line in lines if "no account" in line]
        self.assertEqual(line[:44], "warn: the password file has no account, so n")
        self.assertNotIn("no account", "".join(self.reload(service)))

    def test_other_accounts(self) -> None:
        """If another checker has accounts too, the daemon warns of no name."""
        with capturedLogs() as events:
            self.serve(
                password_file=self.files["password_file"],
                policy=Policy(operators=("somebody",)),
                checkers=[InMemoryUsernamePasswordDatabaseDontUse(somebody=b"x")],
            )
        self.assertNotIn("no account", "".join(map(str, map(formatEvent, events))))

    def test_unreadable_since_the_start(self) -> None:
        """Files of which the start warned have one line at SIGHUP, until they can be read."""
        service = self.make(key_file=self.key_file, operator_file=self.files["operator_file"])
        self.addCleanup(self.stop, service)
        for file in (self.key_file, self.files["operator_file"]):
            file.rename(file.with_suffix(".away"))
        service.startService()
        for _ in range(2):
            lines = [line for line in self.reload(service) if "not read again" in line]
            self.assertEqual(
                lines,
                [
                    "not read again, for the reasons in the warnings of the start: "
                    "key file, operators"
                ],
            )
        self.key_file.write_text("wrong")
        self.key_file.chmod(0o600)
        lines = [line for line in self.reload(service) if "not read again" in line]
        self.assertEqual(len(lines), 2)
        self.assertIn("key file: not read again, nothing changes", lines[0])
        self.assertEqual(lines[1][-9:], "operators")
        self.write_key(KEY)
        self.files["operator_file"].write_text("bob\n")
        lines = self.reload(service)
        self.assertIn("key file: read again", lines)
        self.assertFalse([line for line in lines if "not read again" in line])

    def test_a_failure(self) -> None:
        """The daemon logs any other failure, and reads the other files."""
        read: list[str] = []

        def fail() -> None:
            raise RuntimeError("nobody thought of that")

        Reloading({"one": fail, "two": lambda: read.append("two")})()
        self.assertEqual(read, ["two"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_wrong_ones(self) -> None:
        """The daemon reports a wrong file in a line without its content, and reads the others."""
        service = self.serve(key_file=self.key_file, **self.files)
        codec, keys = service.factory.codec, service.factory.operators._keys
        self.key_file.chmod(0o644)
        self.files["password_file"].write_text("alice:secret\n")
        Path(self.directory / "data" / "bans.json").write_text("nonsense")
        self.files["operator_file"].unlink()
        lines = self.reload(service)
        self.assertEqual(len(lines), 4)
        for line in lines:
            self.assertIn("not read again, nothing changes", line)
            self.assertEqual(len(line.splitlines()), 1)
            self.assertNotIn("secret", line)
        self.assertIs(service.factory.codec, codec)
        self.assertEqual(service.factory.operators._keys, keys)
        self.files["operator_file"].write_text("bob")
        self.assertIn("operators: read again", self.reload(service))
