"""Tests of reading wrong files again, which changes nothing, with any content."""

from __future__ import annotations

import base64
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.config.passwordedit import set_password
from chatd.daemon.build import make_service
from chatd.daemon.reloading import Reloading
from chatd.daemon.service import ChatService
from chatd.daemon.settings import Settings
from chatd.errors import ConfigurationError
from tests.daemon.cases import MakeServiceCase, hang_up
from tests.fakes.passwords import CHEAP
from tests.fakes.peers import KEY, OTHER_KEY, Peer, ack, settle

ALL = ["key file", "password file", "operators", "bans"]
CHANGE = re.compile(r"bans in force: \d+$|operators: .+ was (added|removed)$")
"""The lines about a change that a file made, beside those about the file."""
STAYS = "not read again, nothing changes"


class ReloadingTests(SynchronousTestCase):
    """`Reloading` with the test's own steps."""

    def test_each_for_itself(self) -> None:
        """Each step runs in order, also after a failure."""
        taken: list[str] = []

        def wrong() -> None:
            taken.append("wrong")
            raise ConfigurationError("it {is} wrong")

        reload = Reloading(
            {"one": lambda: taken.append("one"), "two": wrong, "three": lambda: taken.append("3")}
        )
        for _ in range(2):
            with capturedLogs() as events:
                reload()
            self.assertEqual(
                [(event["log_level"], formatEvent(event)) for event in events],
                [
                    (LogLevel.info, "one: read again"),
                    (LogLevel.error, f"two: {STAYS}: it {{is}} wrong"),
                    (LogLevel.info, "three: read again"),
                ],
            )
        self.assertEqual(taken, ["one", "wrong", "3"] * 2)
        self.assertFalse(any("log_failure" in event for event in events))

    def test_waiting(self) -> None:
        """A step that waits delays no other; the log has it at its end."""
        waiting: list[Deferred[None]] = [Deferred(), Deferred()]
        reload = Reloading(
            {"slow": lambda: waiting[0], "wrong": lambda: waiting[1], "quick": lambda: None}
        )
        with capturedLogs() as events:
            reload()
            self.assertEqual([formatEvent(event) for event in events], ["quick: read again"])
            waiting[1].errback(ConfigurationError("no"))
            waiting[0].callback(None)
        self.assertEqual(
            [formatEvent(event) for event in events[1:]],
            [f"wrong: {STAYS}: no", "slow: read again"],
        )


class WrongFileTests(MakeServiceCase):
    """A daemon with a file of each kind, and a client with a session."""

    def setUp(self) -> None:
        super().setUp()
        self.files = {
            "key file": self.key_file,
            "password file": self.directory / "passwords",
            "operators": self.directory / "operators",
            "bans": self.directory / "data" / "bans.json",
        }
        self.key_file.write_bytes(base64.urlsafe_b64encode(KEY))
        self.key_file.chmod(0o600)
        set_password(self.files["password file"], "alice", "open sesame", hasher=CHEAP)
        self.files["operators"].write_text("alice\n")
        self.service = self.start(
            key_file=self.key_file,
            password_file=self.files["password file"],
            operator_file=self.files["operators"],
            data=self.directory / "data",
        )
        self.files["bans"].write_text('[{"name": "mallory"}]')
        self.assertEqual(self.reload(), [f"{what}: read again" for what in ALL])

    def reload(self) -> list[str]:
        """Read the files again, and return the log."""
        with capturedLogs() as events:
            hang_up(self.service)
        self.assertFalse(any("log_failure" in event for event in events))
        return [line for line in map(formatEvent, events) if not CHANGE.match(line)]

    def in_force(self) -> dict[str, Any]:
        """Return the values in force, by the file that they come from."""
        factory = self.service.factory
        (checker,) = factory.engine.admission._accounts._portal.checkers.values()
        return {
            "key file": factory.codec,
            "password file": checker._checkers[0]._passwords,
            "operators": factory.operators._keys,
            "bans": factory.bans.in_force(),
        }

    def check_stays(self, what: str, saying: str) -> str:
        """Check that chatd refuses a file and keeps its earlier content; return the line."""
        before = self.in_force()[what]
        lines = self.reload()
        refused = [line for line in lines if STAYS in line]
        self.assertEqual(len(refused), 1, lines)
        self.assertTrue(refused[0].startswith(f"{what}: {STAYS}: "), refused[0])
        self.assertIn(saying, refused[0])
        self.assertIn(str(self.files[what]), refused[0])
        self.assertEqual(len(refused[0].splitlines()), 1)
        others = [each for each in ALL if each != what]
        self.assertEqual([line for line in lines if STAYS not in line], _anew(*others))
        self.assertEqual(self.in_force()[what], before)
        return refused[0]

    def test_missing(self) -> None:
        """The daemon refuses a missing file."""
        for what in ALL:
            content = self.files[what].read_bytes()
            self.files[what].unlink()
            self.check_stays(what, "there is no" if what == "bans" else "No such file")
            self.files[what].touch(0o600)
            self.files[what].write_bytes(content)

    def test_directories(self) -> None:
        """The daemon refuses a directory."""
        for what in ALL:
            content = self.files[what].read_bytes()
            self.files[what].unlink()
            self.files[what].mkdir()
            self.check_stays(what, "directory")
            self.files[what].rmdir()
            self.files[what].touch(0o600)
            self.files[what].write_bytes(content)
        self.assertEqual(self.reload(), _anew(*ALL))

    def test_pipes(self) -> None:
        """The daemon refuses a pipe in place of a secret without waiting."""
        for what in ALL[:2]:
            self.files[what].unlink()
            os.mkfifo(self.files[what], 0o600)
            line = self.reload()[ALL.index(what)]
            self.assertTrue(line.startswith(f"{what}: {STAYS}: "), line)

    def test_modes(self) -> None:
        """The daemon refuses a file that others can read or write; the line names the remedy."""
        for what, mode, remedy in (
            ("key file", 0o640, "chmod 600"),
            ("password file", 0o604, "chmod 600"),
            ("operators", 0o664, "chmod go-w"),
        ):
            before = self.files[what].stat().st_mode
            self.files[what].chmod(mode)
            self.check_stays(what, remedy)
            self.files[what].chmod(before & 0o777)
        self.assertEqual(self.reload(), _anew(*ALL))

    def test_secrets(self) -> None:
        """The content of a secret file is never logged."""
        secret = base64.urlsafe_b64encode(OTHER_KEY)
        self.files["key file"].write_bytes(b"x" + secret)
        line = self.check_stays("key file", "holds no key")
        self.assertNotIn(secret.decode()[4:40], line)
        self.files["key file"].write_bytes(base64.urlsafe_b64encode(KEY))
        for content in ("alice:open sesame\n", "alice open sesame\n", "open sesame", "sesame:\n"):
            self.files["password file"].write_text(content)
            self.assertNotIn("sesame", self.check_stays("password file", "line 1"))

    def test_bad_names(self) -> None:
        """An error names the number of a line without an operator; the daemon takes no name."""
        self.files["operators"].write_text("bob\n\nno name\ncarol\n")
        self.check_stays("operators", "line 3")

    def test_bad_bans(self) -> None:
        """A mistake in the bans lets no banned client in."""
        for content in ("", "{}", '[{"nmae": "mallory"}]', "[{}]", '[{"name": 1}]', "\xff", "[[[["):
            self.files["bans"].write_text(content, encoding="latin-1")
            self.check_stays("bans", "cannot read the bans")

    def test_key_of_another_length(self) -> None:
        """The daemon refuses a key of the wrong length."""
        for size in (0, 16, 31, 33, 64):
            self.key_file.write_bytes(base64.urlsafe_b64encode(bytes(size)))
            self.check_stays("key file", "holds no key")

    def test_session_goes_on(self) -> None:
        """No wrong file, ban or lost operator right ends a session."""
        service = self.start(
            endpoints=["tcp:1"],
            operator_file=self.files["operators"],
            data=self.directory / "other",
        )
        peer = Peer(service.factory.buildProtocol(None), service.factory.codec)
        peer.send(ack(peer, "alice"))
        self.result(service.factory.when_active("alice"))
        self.service = service
        (self.directory / "other" / "bans.json").write_text('[{"name": "alice"}]')
        self.files["operators"].write_text("bob\n")
        self.assertEqual(self.reload(), _anew("operators", "bans"))
        self.files["operators"].chmod(0o666)
        self.assertEqual(len(self.reload()), 2)
        peer.take()
        peer.say("still here")
        settle(service.factory)
        self.reactor.wait_for(service.factory.send_to_room("lobby", "so you are"))
        settle(service.factory)
        self.assertEqual(peer.take_texts(), ["still here", "so you are"])
        peer.transport.lose()
        settle(service.factory)

    def test_moved(self) -> None:
        """The files keep their paths when the daemon changes its directory."""
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.directory)
        self.service = self.start(
            endpoints=["tcp:2"],
            key_file="key",
            password_file="passwords",
            operator_file="operators",
            data="moved",
        )
        os.chdir("/")
        self.assertEqual(self.reload(), _anew(*ALL))


class AnyContentTests(SynchronousTestCase):
    """A daemon with files of arbitrary content."""

    @given(
        st.sampled_from(["key", "passwords", "operators", "bans.json"]),
        st.one_of(
            st.binary(max_size=80),
            st.text(max_size=60).map(str.encode),
            st.text(alphabet='[]{}":,name01 \\u\x00\ud800', max_size=40).map(
                lambda text: text.encode("utf-8", "surrogatepass")
            ),
        ),
    )
    @settings(max_examples=120)
    def test_any_content(self, name: str, content: bytes) -> None:
        """The daemon takes any content or refuses it in one line, and reads the other files."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory)
            service = _service(path)
            (path / name).write_bytes(content)
            with capturedLogs() as events:
                hang_up(service)
        lines = [
            line
            for line in map(formatEvent, events)
            if "has no account" not in line and not CHANGE.match(line)
        ]
        self.assertEqual(len(lines), len(ALL))
        for what, line in zip(ALL, lines, strict=True):
            self.assertTrue(line.startswith((f"{what}: read again", f"{what}: {STAYS}: ")), line)
            self.assertEqual(len(line.splitlines()), 1, line)
        self.assertLessEqual(sum(STAYS in line for line in lines), 1)


def _service(directory: Path) -> ChatService:
    """Make a daemon from files in a directory, without starting it."""
    reactor: Any = MemoryReactorClock()
    reactor.getThreadPool = lambda: None
    (directory / "key").touch(0o600)
    (directory / "key").write_bytes(base64.urlsafe_b64encode(KEY))
    set_password(directory / "passwords", "alice", "open sesame", hasher=CHEAP)
    (directory / "operators").write_text("alice\n")
    (directory / "operators").chmod(0o644)
    return make_service(
        reactor,
        Settings(
            key_file=directory / "key",
            password_file=directory / "passwords",
            operator_file=directory / "operators",
            data=directory,
        ),
    )


def _anew(*whats: str) -> list[str]:
    return [f"{what}: read again" for what in whats]
