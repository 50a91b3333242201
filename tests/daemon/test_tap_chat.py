"""Tests of the daemon's options for the chat: storage, accounts and rooms."""

from __future__ import annotations

import io
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.plugins.cred_file import theFileCheckerFactory
from twisted.plugins.cred_unix import theUnixCheckerFactory
from twisted.python import usage

from chatd.chat.policy import Policy
from chatd.config.passwordedit import set_password
from chatd.daemon.options import settings_of
from chatd.daemon.settings import Settings
from chatd.daemon.tap import Options, makeService
from chatd.storage.memory import MEMORY_RETENTION
from chatd.storage.sqlite.store import SQLITE_RETENTION
from chatd.storage.values import Durability
from tests.daemon.cases import OptionsCase
from tests.fakes.passwords import CHEAP

DAY_S = 86_400.0
NO_COUNTS = ["", " ", "abc", "-1", "1.5", "1e3", "nan", "1,000", str(2**53 + 1), "9" * 5000]
NO_DAYS = ["", "abc", "0", "-1", "nan", "inf", "1e400", "36501", "1,5", "2 days"]
NO_NAMES = ["", "two words", "x" * 65, "a\tb", "a\nb", "\x7f"]


class ChatOptionsTests(OptionsCase):
    """The options, converted to settings."""

    def settings(self, *arguments: str) -> Settings:
        return settings_of(self.parse(*arguments))

    def policy(self, *arguments: str) -> Policy:
        return self.settings(*arguments).policy


class GoodTests(ChatOptionsTests):
    """The settings have the values of the options."""

    def test_nothing(self) -> None:
        """By default, all is as in the library."""
        made = self.settings()
        self.assertEqual(made, Settings(keep=MEMORY_RETENTION))

    def test_data(self) -> None:
        """With a directory, the daemon keeps more, and a power cut costs no confirmed message."""
        for option in ("--data", "-d"):
            made = self.settings(option, str(self.directory))
            self.assertEqual(made.data, str(self.directory))
            self.assertEqual((made.durability, made.keep), (Durability.FULL, SQLITE_RETENTION))
        self.assertEqual(list(self.directory.iterdir()), [])  # parsing the options creates nothing

    def test_durability(self) -> None:
        """The option takes both durabilities."""
        for name in ("full", "normal"):
            made = self.settings("--data", "d", "--durability", name)
            self.assertEqual(made.durability.value, name)

    def test_keep(self) -> None:
        """Each bound of retention is set independently; the others are the store's defaults."""
        measures = (
            ("messages", "7", {"max_messages": 7}),
            ("days", "0.5", {"max_age_s": DAY_S / 2}),
            ("days", "36500", {"max_age_s": 36_500 * DAY_S}),
            ("bytes", "1", {"max_bytes": 1}),
            ("bytes", str(2**53), {"max_bytes": 2**53}),
        )
        for usual, data in ((MEMORY_RETENTION, ()), (SQLITE_RETENTION, ("--data", "x"))):
            for name, value, changed in measures:
                keep = self.settings(f"--keep-{name}", value, *data).keep
                expected = {field: getattr(usual, field) for field in usual.__struct_fields__}
                self.assertEqual(
                    {field: getattr(keep, field) for field in expected}, {**expected, **changed}
                )

    def test_rooms(self) -> None:
        """The options name rooms, or no room at all."""
        self.assertEqual(self.policy("--room", "hall", "--room=cellar").rooms, ("hall", "cellar"))
        self.assertEqual(self.policy("--no-room").rooms, ())
        self.assertEqual(self.policy().rooms, ("lobby",))
        many = [f"--room=room{number}" for number in range(20)]
        self.assertEqual(len(self.policy(*many).rooms), 20)

    def test_operators(self) -> None:
        """The options name operators."""
        policy = self.policy("--operator", "alice", "--operator", "Bob")
        self.assertEqual(policy.operators, ("alice", "Bob"))

    def test_presence_limit(self) -> None:
        """The limit may be any number, also 0."""
        for number in (0, 1, 10_000):
            limit = self.policy("--presence-limit", str(number)).presence_limit
            self.assertEqual(limit, number)

    def test_auth(self) -> None:
        """The options take Twisted's methods, and anonymous guests."""
        made = self.settings("--auth", "memory:alice:secret", "--auth=anonymous")
        self.assertEqual(
            [type(checker) for checker in made.checkers],
            [InMemoryUsernamePasswordDatabaseDontUse, AllowAnonymousAccess],
        )
        service: Any = makeService(self.parse("--auth", "memory:alice:secret"))
        self.assertFalse(service.factory.engine.admission._accounts.allows_guests)

    def test_password_file(self) -> None:
        """The daemon reads a password file with the options."""
        path = self.directory / "passwords"
        set_password(path, "alice", "open sesame", hasher=CHEAP)
        self.assertEqual(self.settings("--password-file", str(path)).password_file, str(path))
        service: Any = makeService(self.parse("--password-file", str(path)))
        self.assertIsNotNone(service.factory.engine.admission._accounts)

    def test_each_for_itself(self) -> None:
        """Parsed options share no state."""
        self.parse("--room", "hall", "--operator", "alice", "--auth", "anonymous")
        self.assertEqual(self.settings(), Settings(keep=MEMORY_RETENTION))

    def test_help_of_auth(self) -> None:
        """The help on methods lists the methods that chatd can use."""
        options = Options()
        options.authOutput = io.StringIO()
        end = self.assertRaises(SystemExit, options.parseOptions, ["--help-auth"])
        printed = options.authOutput.getvalue()
        self.assertIn(end.code, (0, None))
        for way in ("memory", "file", "anonymous"):
            self.assertIn(way, printed)
        self.assertNotIn("sshkey", printed)

    def test_help_of_a_method(self) -> None:
        """Each method has a help of its own."""
        options = Options()
        options.authOutput = io.StringIO()
        self.assertRaises(SystemExit, options.parseOptions, ["--help-auth-type", "memory"])
        self.assertIn("name:password", options.authOutput.getvalue())


class MistakesTests(ChatOptionsTests):
    """Each mistake gives a usage error of one line."""

    def text_of(self, *arguments: str) -> str:
        """Return the error's single line."""
        self.check_refused(arguments)
        return str(self.assertRaises(usage.UsageError, self.parse, *arguments))

    def test_counts(self) -> None:
        """The daemon refuses numbers that are wrong, or out of range, with the range."""
        for option, least in (("keep-messages", 1), ("keep-bytes", 1), ("presence-limit", 0)):
            beyond = [str(least - 1)]
            self.check_refused(*((f"--{option}", bad) for bad in NO_COUNTS + beyond))
            text = self.text_of(f"--{option}", "abc")
            self.assertEqual(
                text, f"--{option} abc: it takes a whole number from {least} to {2**53}"
            )

    def test_days(self) -> None:
        """The daemon refuses days that are wrong, or too many."""
        self.check_refused(*(("--keep-days", bad) for bad in NO_DAYS))
        for bad in ("abc", "36501"):
            self.assertEqual(
                self.text_of("--keep-days", bad),
                f"--keep-days {bad}: it takes more than 0 days, and 36500 at most",
            )

    def test_durability(self) -> None:
        """The daemon refuses other words; the error names the two."""
        for bad in ("", "FULL", "none", "full\nnormal"):
            self.assertIn(": it takes full or normal", self.text_of("--durability", bad))

    def test_names(self) -> None:
        """The daemon refuses invalid names of rooms and operators, with the option and the name."""
        for option, what in (("--room", "a room's name has"), ("--operator", "a name has")):
            self.check_refused(*((option, bad) for bad in NO_NAMES))
            for bad in NO_NAMES:
                text = self.text_of(option, bad)
                self.assertTrue(text.startswith(f"{option} {bad!r}: {what} 1 to "), text)
        self.check_refused(("--room", "good", "--room", "two words"))

    def test_too_many_rooms(self) -> None:
        """The daemon refuses more rooms than a session may have."""
        text = self.text_of(*(f"--room=room{number}" for number in range(21)))
        self.assertIn("20 rooms at most, not 21", text)

    def test_rooms_and_none(self) -> None:
        """The daemon refuses `--room` with `--no-room`."""
        text = self.text_of("--no-room", "--room", "hall")
        self.assertIn("contradict each other", text)
        self.check_refused(("--no-room=1",))

    def test_nothing(self) -> None:
        """The daemon refuses an empty path."""
        self.assertEqual(self.text_of("--data", ""), "--data: it takes a directory")
        for option in ("--key-file", "--password-file", "--operator-file"):
            self.assertEqual(self.text_of(option, ""), f"{option}: it takes a file")

    def test_auth(self) -> None:
        """The daemon refuses methods that are unknown, unusable or incomplete."""
        missing = self.directory / "missing"
        bad = [
            "",
            "bogus",
            "sshkey",
            "memory:alice",
            "file",
            "file:",
            "bo\ngus",
            f"file:{self.directory}",
        ]
        self.patch(theFileCheckerFactory, "errorOutput", printed := io.StringIO())
        self.check_refused(*(("--auth", way) for way in bad))
        self.assertEqual(
            self.text_of("--auth", f"file:{missing}"),
            f"--auth file:{missing}: No such file or directory",
        )
        self.assertEqual(printed.getvalue(), "")  # Twisted would print a line of its own
        missing.write_text("alice:secret\n")
        self.assertEqual(len(self.settings("--auth", f"file:{missing}").checkers), 1)

    def test_reasons_of_auth(self) -> None:
        """The error has the option, the value and the remedy, but no password."""
        unknown = "is not a method; the methods are anonymous, file, memory, unix"
        in_pairs = "it takes names and passwords in pairs, as in memory:alice:secret"
        for method, shown, reason in (
            ("", "''", f"'' {unknown}"),
            ("bogus", "bogus", f"'bogus' {unknown}"),
            ("bogus:alice:sesame", "bogus:alice:…", f"'bogus' {unknown}"),
            ("memory", "memory", in_pairs),
            ("memory:", "memory:", in_pairs),
            ("memory:alice", "memory:alice", in_pairs),
            ("memory:alice:sesame:bob", "memory:alice:…", in_pairs),
            ("anonymous:x", "anonymous:x", "it takes nothing after anonymous"),
            ("unix:x", "unix:x", "it takes nothing after unix"),
            ("file", "file", "it takes the path of a file, as in file:/etc/chatd/passwords"),
            ("file:/no:x:y", "file:/no:x:y", "No such file or directory"),
        ):
            text = self.text_of("--auth", method)
            self.assertEqual(text, f"--auth {shown}: {reason}")
        text = self.text_of("--help-auth-type", "bogus")
        self.assertEqual(text, f"--help-auth-type bogus: 'bogus' {unknown}")

    def test_auth_of_a_plugin(self) -> None:
        """A plugin's own error is told, without Twisted's words for an unexpected error."""

        def refuse(_: str) -> None:
            raise ValueError("no such directory service")

        self.patch(theUnixCheckerFactory, "generateChecker", refuse)
        text = self.text_of("--auth", "unix")
        self.assertEqual(text, "--auth unix: no such directory service")

    def test_password_files(self) -> None:
        """The daemon refuses password files that are missing, wrong or readable by others."""
        path = self.directory / "passwords"
        names = [str(path), str(self.directory), f"{path}/x", "\0", "p" * 5000, "\udcff"]
        self.check_refused(*(("--password-file", name) for name in names))
        set_password(path, "alice", "open sesame", hasher=CHEAP)
        path.chmod(0o640)
        self.assertIn(f"chmod 600 {path}", self.text_of("--password-file", str(path)))
        path.chmod(0o600)
        path.write_text("alice:plain text\n")
        self.check_refused(("--password-file", str(path)))

    def test_lacking(self) -> None:
        """The daemon refuses options without their value."""
        self.check_refused(
            *((f"--{option}",) for option in ("auth", "data", "keep-days", "operator", "room"))
        )

    @given(
        st.sampled_from(
            [
                *("--endpoint", "--heartbeat", "--max-content", "--key-file", "--durability"),
                *("--keep-messages", "--keep-days", "--keep-bytes", "--presence-limit"),
                *("--room", "--operator", "--auth", "--password-file"),
            ]
        ),
        st.text(alphabet=st.sampled_from("tcp:=\\/09.-e\n\0 _\xe9")),
    )
    @settings(max_examples=150)
    def test_any_value(self, option: str, value: str) -> None:
        """The option takes any value, or refuses it in one line."""
        self.assertIn(self.fault_of(option, value), (None, "taken"))
