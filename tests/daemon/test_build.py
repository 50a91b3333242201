"""Tests of `make_service`: settings become a daemon."""

from __future__ import annotations

import base64
import os
import stat
import threading

from twisted.cred.checkers import (
    AllowAnonymousAccess,
    FilePasswordDB,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import ISSHPrivateKey
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.moderation import Ban
from chatd.chat.policy import Policy
from chatd.config.banfile import BanFile
from chatd.config.passwordedit import set_password
from chatd.daemon.build import make_service
from chatd.daemon.service import ChatService
from chatd.daemon.settings import DEFAULT_ENDPOINT, Settings
from chatd.errors import RequestError, StartupError, StoreError
from chatd.server.factory import ChatFactory
from chatd.storage.streamkeys import room_stream
from chatd.storage.values import Durability, Page, Retention
from chatd.wire.channel import PREAMBLE
from chatd.wire.messages import Message
from tests.daemon.cases import MakeServiceCase, hang_up
from tests.fakes.passwords import CHEAP
from tests.fakes.peers import KEY, Peer
from tests.fakes.reactors import DEADLINE_S


class DefaultTests(MakeServiceCase):
    """Default settings."""

    def test_defaults(self) -> None:
        """It listens on this machine only, without a key or accounts, and stores in memory."""
        service = self.start()
        ((port, factory, _, interface),) = self.reactor.tcpServers
        self.assertEqual(f"tcp:{port}:interface={interface}", DEFAULT_ENDPOINT)
        self.assertIs(factory, service.factory)
        self.assertFalse(service.factory.has_key)
        peer = Peer(service.factory.buildProtocol(None), service.factory.codec)
        self.assertFalse(peer.take()[0].header.auth)
        peer.transport.lose()

    def test_factory_class(self) -> None:
        """The factory may be a subclass."""

        class MyFactory(ChatFactory):
            pass

        service = make_service(self.reactor, Settings(), MyFactory)
        self.assertIsInstance(service.factory, MyFactory)


class SettingsTests(MakeServiceCase):
    """Settings of sessions."""

    def write_key(self, mode: int = 0o600) -> None:
        self.key_file.write_bytes(base64.urlsafe_b64encode(KEY))
        os.chmod(self.key_file, mode)

    def test_greeting(self) -> None:
        """The settings reach every client in its greeting."""
        service = self.make(heartbeat_s=2.5, max_content=1000)
        (greeting,) = Peer(service.factory.buildProtocol(None), service.factory.codec).take()
        self.assertEqual((greeting.header.heartbeat, greeting.header.max_content), (2.5, 1000))

    def test_key_file(self) -> None:
        """With a key file, sessions are encrypted."""
        self.write_key()
        service = self.make(key_file=self.key_file)
        self.assertTrue(service.factory.has_key)
        peer = Peer(service.factory.buildProtocol(None), service.factory.codec)
        self.assertTrue(b"".join(peer.transport.writes).startswith(PREAMBLE))

    def test_bad_key_file(self) -> None:
        """The daemon refuses a key file that is missing, readable by others, or without a key."""
        self.refusal(key_file=self.key_file)
        self.write_key(mode=0o644)
        self.refusal(key_file=self.key_file)
        self.write_key()
        self.key_file.write_bytes(b"no key")
        self.refusal(key_file=self.key_file)

    def test_policy(self) -> None:
        """The chat follows its policy."""
        service = self.make(policy=Policy(rooms=("hall",), max_rooms=3))
        self.assertEqual(service.factory.hub.roster.policy.max_rooms, 3)

    def test_unproven_operators(self) -> None:
        """With operators and without accounts, the log warns of the consequence."""
        for checkers, expected in (((), 1), ((InMemoryUsernamePasswordDatabaseDontUse(),), 0)):
            policy = Policy(operators=("alice", "bob"))
            factory = self.make(policy=policy, checkers=checkers).factory
            with capturedLogs() as events:
                factory.startFactory()
            warnings = [formatEvent(each) for each in events if each["log_level"] is LogLevel.warn]
            self.assertEqual(len(warnings), expected)
            for text in ("alice or bob", "kick and ban", "--password-file"):
                self.assertIn(text, "".join(warnings) or text)

    def test_no_operators(self) -> None:
        """Without operators, there is no warning."""
        with capturedLogs() as events:
            self.make().factory.startFactory()
        self.assertEqual(events, [])


class RereadingTests(MakeServiceCase):
    """Files that the daemon cannot read after it gives up privileges."""

    def test_warned_of(self) -> None:
        """Each file that SIGHUP would read gets one warning, and the daemon still serves."""
        files = {
            "key_file": self.key_file,
            "password_file": self.directory / "passwords",
            "operator_file": self.directory / "operators",
        }
        self.key_file.touch(0o600)
        self.key_file.write_bytes(base64.urlsafe_b64encode(KEY))
        set_password(files["password_file"], "alice", "open sesame", hasher=CHEAP)
        files["operator_file"].write_text("alice\n")
        service = self.make(**files)
        for path in files.values():
            path.unlink()
        with capturedLogs() as events:
            service.startService()
        self.addCleanup(self.stop, service)
        lines = [formatEvent(event) for event in events if event["log_level"] is LogLevel.warn]
        warnings = [line for line in lines if "SIGHUP" in line]
        self.assertEqual(len(warnings), 3)
        for what, path, line in zip(
            ("key file", "password file", "operators"), files.values(), warnings, strict=True
        ):
            self.assertTrue(
                line.startswith(f"{what}: SIGHUP will not read it again: cannot "), line
            )
            self.assertTrue(line.endswith(f"{path}: No such file or directory"), line)

    def test_logins(self) -> None:
        """A file that every login reads ends the start."""
        path = self.directory / "db"
        path.write_text("alice:secret\n")
        service = self.make(checkers=[FilePasswordDB(str(path))])
        path.unlink()
        error = self.assertRaises(StartupError, service.startService)
        self.assertEqual(str(error), f"chatd: cannot read {path}: No such file or directory")


class DataTests(MakeServiceCase):
    """A directory for messages and bans."""

    def setUp(self) -> None:
        super().setUp()
        self.data = self.directory / "data"

    def say(self, service: ChatService, *texts: str) -> list[Message]:
        """Send a message from the server to the lobby, and return it as the store has it."""
        sending = [service.factory.send_to_room("lobby", text) for text in texts]
        return [self.result(each) for each in sending]

    def read(self, service: ChatService) -> Page:
        store = service.factory.store
        return self.await_(store.read(room_stream("lobby"), limit=100, max_bytes=1000))

    def test_kept(self) -> None:
        """The messages outlive a restart, in the same order and epoch."""
        service = self.start(data=self.data)
        said = self.say(service, "one", "two")
        epoch = self.read(service).head.epoch
        self.result(service.stopService())
        self.assertEqual(stat.S_IMODE(self.data.stat().st_mode), 0o700)

        page = self.read(self.start(data=str(self.data)))
        self.assertEqual((page.messages, page.head.epoch), (said, epoch))

    def test_bans(self) -> None:
        """The bans outlive it, too, in a file that a person can read."""
        service = self.start(data=self.data)
        self.await_(service.factory.bans.add(Ban(name="mallory", by="alice")))
        self.result(service.stopService())
        self.assertIn("mallory", (self.data / "bans.json").read_text())

        again = self.start(data=self.data)
        self.assertEqual([ban.name for ban in again.factory.bans.in_force()], ["mallory"])

    def hold_saves(self) -> threading.Event:
        """Make the threads that save bans wait for an event; return the event."""
        event = threading.Event()
        self.addCleanup(event.set)
        save = BanFile.save

        def wait_and_save(file: BanFile, bans: list[Ban]) -> None:
            self.assertTrue(event.wait(DEADLINE_S))
            save(file, bans)

        self.patch(BanFile, "save", wait_and_save)
        return event

    def test_bans_are_saved_in_a_thread(self) -> None:
        """The daemon saves bans outside the reactor's thread; a stop waits for that."""
        service = self.start(data=self.data)
        event = self.hold_saves()
        adding = [
            Deferred.fromCoroutine(service.factory.bans.add(Ban(name=name)))
            for name in ("mallory", "eve")
        ]
        stopped = service.stopService()
        self.reactor.advance(0)
        self.assertFalse(stopped.called)
        event.set()
        self.result(stopped)
        for each in adding:
            self.successResultOf(each)
        names = [ban.name for ban in BanFile(self.data / "bans.json").load()]
        self.assertEqual(names, ["mallory", "eve"])

    def test_bans_are_read_when_they_are_saved(self) -> None:
        """SIGHUP during a save reads the saved bans, and then logs that."""
        service = self.start(data=self.data)
        event = self.hold_saves()
        adding = Deferred.fromCoroutine(service.factory.bans.add(Ban(name="mallory")))
        with capturedLogs() as events:
            hang_up(service)
            self.assertEqual(events, [])
            event.set()
            self.result(adding)
        self.assertEqual([formatEvent(each) for each in events], ["bans: read again"])
        self.assertEqual([ban.name for ban in service.factory.bans.in_force()], ["mallory"])

    def test_bans_cannot_be_saved(self) -> None:
        """If the daemon cannot save a ban, its operator gets an error, and no ban is in force."""
        service = self.start(data=self.data)
        (self.data / "bans.json").mkdir()
        adding = Deferred.fromCoroutine(service.factory.bans.add(Ban(name="mallory")))
        adding.addErrback(lambda failure: failure.trap(StoreError))
        self.assertIs(self.result(adding), StoreError)
        self.assertEqual(service.factory.bans.in_force(), [])

    def test_bans_in_memory(self) -> None:
        """Without a directory, bans last as long as the daemon runs."""
        service = self.start()
        self.await_(service.factory.bans.add(Ban(name="mallory")))
        self.assertEqual([ban.name for ban in service.factory.bans.in_force()], ["mallory"])

    def test_retention(self) -> None:
        """The retention follows the settings, on disk and in memory."""
        for data in (self.data, None):
            service = self.start(data=data, keep=Retention(max_messages=2))
            self.say(service, "one", "two", "three")
            texts = [message.text for message in self.read(service).messages]
            self.assertEqual(texts, ["two", "three"])
            self.result(service.stopService())

    def test_durability(self) -> None:
        """The durability follows the settings."""
        for durability in Durability:
            service = self.start(data=self.data, durability=durability)
            database = service.factory.store._streams._database
            self.assertEqual(database._durability, durability)
            self.result(service.stopService())

    def test_relative(self) -> None:
        """The path stays the same when the daemon changes its directory."""
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.directory)
        service = self.make(data="data")
        os.chdir("/")
        service.startService()
        self.result(service.stopService())
        self.assertTrue((self.data / "chatd.db").exists())

    def test_cannot_be_opened(self) -> None:
        """The daemon reports a directory that it cannot open at the start, at each start."""
        self.data.mkdir()
        (self.data / "bans.json").write_text("{")
        for bad, name in (("bans.json", "{"), ("chatd.db", "no database at all, but long enough")):
            (self.data / bad).write_text(name)
            service = self.make(data=self.data)
            for _ in range(2):
                error = self.assertRaises(StartupError, service.startService)
                self.assertRegex(str(error), f"^chatd: .*{bad}")
                self.assertEqual(len(str(error).splitlines()), 1)
            (self.data / bad).unlink()
        self.start(data=self.data)

    def test_in_use(self) -> None:
        """The daemon reports a directory that another daemon uses."""
        self.start(data=self.data)
        error = self.assertRaises(StartupError, self.make(data=self.data).startService)
        self.assertIn(f"{self.data} is in use by another chatd", str(error))


class AccountTests(MakeServiceCase):
    """The accounts."""

    def setUp(self) -> None:
        super().setUp()
        self.password_file = self.directory / "passwords"

    def login(self, service: ChatService, name: str | None, password: str | None) -> str | None:
        """Log in; return the account's name, or the code of the refusal."""
        logging_in = service.factory.engine.admission._accounts.login(name, password, "local")
        self.reactor.wait_for(logging_in)
        logging_in.addErrback(lambda failure: failure.value)
        result = self.successResultOf(logging_in)
        return result.code if isinstance(result, RequestError) else result.name

    def test_none(self) -> None:
        """By default, there are no operators."""
        self.assertIsNone(self.make().factory.engine.admission._accounts)

    def test_password_file(self) -> None:
        """A password file has accounts; passwords are checked in a thread."""
        set_password(self.password_file, "Alice", "open sesame", hasher=CHEAP)
        service = self.make(password_file=self.password_file)
        self.assertEqual(self.login(service, "alice", "open sesame"), "Alice")
        self.assertEqual(self.login(service, "alice", "guess"), "auth-failed")
        self.assertEqual(self.login(service, None, None), "auth-required")

    def test_checkers(self) -> None:
        """Twisted's checkers may have accounts, too, beside the file and each other."""
        set_password(self.password_file, "alice", "open sesame", hasher=CHEAP)
        checkers = [
            InMemoryUsernamePasswordDatabaseDontUse(bob=b"secret"),
            AllowAnonymousAccess(),
        ]
        service = self.make(password_file=str(self.password_file), checkers=checkers)
        self.assertEqual(self.login(service, "alice", "open sesame"), "alice")
        self.assertEqual(self.login(service, "bob", "secret"), "bob")
        self.assertEqual(self.login(service, "bob", "open sesame"), "auth-failed")
        self.assertIsNone(self.login(service, None, None))

    def test_bad_password_file(self) -> None:
        """The daemon refuses a password file that is missing or readable by others."""
        self.assertIn(str(self.password_file), self.refusal(password_file=self.password_file))
        set_password(self.password_file, "alice", "open sesame", hasher=CHEAP)
        self.password_file.chmod(0o644)
        self.assertIn("chmod 600", self.refusal(password_file=self.password_file))

    def test_checker_of_something_else(self) -> None:
        """The daemon refuses a checker of other credentials."""

        class KeyChecker:
            credentialInterfaces = (ISSHPrivateKey,)

        self.assertIn("KeyChecker checks neither", self.refusal(checkers=[KeyChecker()]))


class FinishingTests(SynchronousTestCase):
    """The daemon stops when its only client, on standard input, leaves."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.listener, *_ = make_service(self.reactor, Settings(endpoints=["stdio:"])).listeners
        self.listener.has_ended = True

    def test_stops(self) -> None:
        """The reactor stops, which stops the service."""
        self.reactor.run()
        self.listener._ended()
        self.assertTrue(self.reactor.hasStopped)

    def test_stops_already(self) -> None:
        """It is no error if a signal stopped the reactor in the same turn."""

        def stop() -> None:
            raise ReactorNotRunning

        self.reactor.stop = stop
        self.assertIsNone(self.listener._ended())
