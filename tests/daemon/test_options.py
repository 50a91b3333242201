"""Tests of the daemon's options for bounds, and for the time to stop."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from chatd.daemon.options import settings_of
from chatd.daemon.settings import Settings
from chatd.daemon.tap import Options, makeService
from chatd.server.limits import Limits

COUNTS = [
    *("max-waiting", "max-in-work", "max-in-work-bytes", "max-arriving", "max-sessions"),
    *("max-sessions-per-address", "max-unestablished", "max-first-frame", "max-rooms"),
    "login-rate",
]
RATES = ["message-rate", "command-rate"]
TIMES = ["handshake-timeout", "grace"]
NO_NUMBERS = ["", " ", "abc", "-1", "nan", "inf", "1e400", "1,5", "9" * 5000]


class BoundsTests(SynchronousTestCase):
    """Each bound is an option."""

    def settings(self, *arguments: str) -> Settings:
        options = Options()
        options.parseOptions(list(arguments))
        return settings_of(options)

    def refusal(self, *arguments: str) -> str:
        """Return the single line of an error of options."""
        with self.assertRaises(usage.UsageError) as raised:
            self.settings(*arguments)
        self.assertEqual(len(str(raised.exception).splitlines()), 1)
        return str(raised.exception)

    def test_defaults(self) -> None:
        """By default, the bounds are the library's."""
        self.assertEqual(self.settings().limits, Limits())

    def test_limits(self) -> None:
        """Each option sets its own bound."""
        for option in [*COUNTS[:-2], *RATES, TIMES[0]]:
            field = option.replace("-", "_") + ("_s" if option == "handshake-timeout" else "")
            limits = self.settings(f"--{option}", "777").limits
            self.assertEqual(limits, Limits(**{field: 777}))

    def test_in_the_service(self) -> None:
        """The options reach the server."""
        options = Options()
        arguments = ["--max-sessions", "3", "--max-rooms=2", "--login-rate", "2", "--grace=0.5"]
        options.parseOptions([*arguments, "--auth", "memory:alice:secret"])
        service: Any = makeService(options)
        factory = service.factory
        self.assertEqual((factory.limits.max_sessions, service._grace_s), (3, 0.5))
        self.assertEqual(factory.hub.roster.policy.max_rooms, 2)
        attempts = factory.engine.admission._accounts._attempts
        taken = [attempts.take("here", now) for now in (0, 0, 0, 30)]
        self.assertEqual(taken, [0, 0, 30, 0])

    def test_no_rate(self) -> None:
        """A rate may be 0, or a fraction."""
        for rate in ("0", "0.5"):
            limits = self.settings("--message-rate", rate, "--command-rate", rate).limits
            self.assertEqual((limits.message_rate, limits.command_rate), (float(rate),) * 2)

    def test_empty(self) -> None:
        """An empty value is shown as one, whatever the option takes."""
        for option in [
            *(*COUNTS, *RATES, *TIMES),
            *("durability", "keep-days", "socket-mode", "room", "operator", "auth"),
        ]:
            for empty in ("", " "):
                self.assertIn(f"--{option} {empty!r}: ", self.refusal(f"--{option}", empty))

    def test_wrong(self) -> None:
        """The daemon refuses a value that is no number in a line that names the option."""
        for option in [*COUNTS, *RATES, *TIMES]:
            wrong = [*NO_NUMBERS, *(["0", "1.5"] if option in COUNTS else [])]
            for value in wrong:
                self.assertTrue(
                    self.refusal(f"--{option}={value}").startswith(f"--{option}"), value
                )

    def test_ranges(self) -> None:
        """The daemon refuses a value out of range with both ends of the range."""
        for option in COUNTS:
            least = 512 if option == "max-first-frame" else 1
            for value in (str(2**53 + 1), "9" * 23):
                self.assertEqual(
                    self.refusal(f"--{option}", value),
                    f"--{option} {value}: it takes a whole number from {least} to {2**53}",
                )
        for option in RATES:
            self.assertEqual(
                self.refusal(f"--{option}", "2e9"),
                f"--{option} 2e9: it takes 0.01 to 1000000000 a second, or 0 for no limit",
            )

    def test_times(self) -> None:
        """A time is at most an hour; only the grace may be 0."""
        self.assertEqual(self.settings("--grace", "0").grace_s, 0)
        self.assertIn("--handshake-timeout 0:", self.refusal("--handshake-timeout", "0"))
        for option in TIMES:
            self.settings(f"--{option}", "3600")
            self.assertIn("to 3600", self.refusal(f"--{option}", "3601"))

    def test_first_frame(self) -> None:
        """A first frame must hold a client's first message."""
        self.assertIn("from 512", self.refusal("--max-first-frame", "511"))

    def test_rooms(self) -> None:
        """A session must have room for its first rooms."""
        self.assertEqual(
            self.refusal("--max-rooms", "1", "--room", "a", "--room", "b"),
            "--max-rooms 1: a session begins in the 2 rooms of --room",
        )
        self.assertEqual(self.settings("--max-rooms", "1", "--room", "a").policy.rooms, ("a",))

    def test_socket_mode(self) -> None:
        """A mode is octal."""
        self.assertIsNone(self.settings().socket_mode)  # the default is 666
        for text, mode in (("660", 0o660), ("0600", 0o600), ("0o640", 0o640)):
            made = self.settings("--socket-mode", text, "--endpoint=unix:chat.sock")
            self.assertEqual(made.socket_mode, mode)
        for text in ("", "999", "rw", "-1", "1000", "6 6"):
            self.assertIn("an octal mode", self.refusal("--socket-mode", text))
        self.assertIn("nobody could connect", self.refusal("--socket-mode", "0"))

    def test_operator_file(self) -> None:
        """The operators of a file count beside those of the options."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "operators"
            path.write_text("bob\n")
            options = Options()
            options.parseOptions(["--operator", "alice", "--operator-file", str(path)])
            service: Any = makeService(options)
            self.assertEqual(service.factory.operators._keys, {"alice", "bob"})
            path.write_text("no name\n")
            with self.assertRaisesRegex(usage.UsageError, "line 1"):
                Options().parseOptions(["--operator-file", str(path)])
        self.assertIn("takes a file", self.refusal("--operator-file", ""))
