"""Tests of the daemon's options for a backplane."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.logger import capturedLogs, formatEvent
from twisted.python import usage

from chatd.backplane.interface import BACKPLANE_RETENTION
from chatd.backplane.redis import servercheck
from chatd.backplane.redis.backplane import RedisBackplane
from chatd.daemon.options import settings_of
from chatd.daemon.settings import Settings
from chatd.daemon.stores import usual_retention
from chatd.daemon.tap import Options
from chatd.errors import ConfigurationError
from chatd.storage.values import Durability
from tests.daemon.cases import MakeServiceCase

URL = "--backplane=redis://localhost/0"


class UnmadeOptions(Options):
    """Options that assemble no daemon, which would need a server."""

    def postOptions(self) -> None:
        pass


class BackplaneOptionsTests(MakeServiceCase):
    """A backplane has an address, a password file and a patience."""

    def settings(self, *arguments: str) -> Settings:
        options = UnmadeOptions()
        options.parseOptions(list(arguments))
        return settings_of(options)

    def test_given(self) -> None:
        """The options reach the settings, and the patience reaches the chat."""
        given = self.settings(
            URL,
            "--backplane-password-file=/p",
            "--backplane-patience=7.5",
            "--durability=normal",
        )
        self.assertEqual(given.backplane, "redis://localhost/0")
        self.assertEqual(given.backplane_password_file, "/p")
        self.assertEqual(given.policy.link_patience_s, 7.5)
        self.assertIs(given.durability, Durability.NORMAL)

    def test_defaults(self) -> None:
        """Without the options there is no backplane; with one, its rooms are kept shorter."""
        self.assertIsNone(self.settings().backplane)
        self.assertEqual(
            self.settings(URL).policy.link_patience_s, Settings().policy.link_patience_s
        )
        self.assertEqual(self.settings(URL).keep, BACKPLANE_RETENTION)
        month = 30 * 24 * 60 * 60
        kept = usual_retention(None, "redis://localhost")
        self.assertEqual(
            (kept.max_messages, kept.max_bytes, kept.max_age_s), (10_000, 4 * 1024 * 1024, month)
        )

    def test_wrong(self) -> None:
        """Options that contradict each other, or lack another, are one line."""
        for arguments, words in (
            ([URL, "--data=/d"], "--data and --backplane contradict each other"),
            (["--backplane="], "--backplane: it takes a URL"),
            ([URL, "--backplane-password-file="], "--backplane-password-file: it takes a file"),
            (["--backplane-password-file=/p"], "--backplane-password-file needs --backplane URL"),
            (["--backplane-patience=3"], "--backplane-patience needs --backplane URL"),
            ([URL, "--backplane-patience=-1"], "--backplane-patience"),
            ([URL, "--backplane-patience=soon"], "--backplane-patience"),
            (["--durability=normal"], "--durability needs --data DIR or --backplane URL"),
        ):
            error = self.assertRaises(usage.UsageError, self.settings, *arguments)
            self.assertIn(words, str(error))
            self.assertEqual(len(str(error).splitlines()), 1)

    def refused(self, url: str, password_file: Path | None = None) -> str:
        """Return the one line that refuses the settings of a backplane."""
        file = None if password_file is None else str(password_file)
        error = self.assertRaises(
            ConfigurationError, self.make, backplane=url, backplane_password_file=file
        )
        self.assertEqual(len(str(error).splitlines()), 1)
        return str(error)

    def test_passwords(self) -> None:
        """A password is in one place; a file of it is private, and is not empty."""
        file = self.directory / "password"
        here = f"unix:{self.directory}/no.sock"
        self.assertIn("cannot read the backplane password file", self.refused(here, file))
        for content, words in ((b"", "has no password"), (b"\xff", "is not UTF-8 text")):
            file.write_bytes(content)
            file.chmod(0o600)
            self.assertIn(words, self.refused(here, file))
        file.chmod(0o644)
        self.assertIn("chmod 600", self.refused(here, file))
        self.assertIn("not in both", self.refused("redis://u:secret@localhost", file))
        self.assertIn("--backplane-password-file", self.refused("redis://u@localhost"))

    def test_password_in_the_url(self) -> None:
        """A password that other users can see is warned of, and is in no line."""
        with capturedLogs() as events:
            said = self.refused("redis://u:s3cret@[::1]:1")
        (line,) = [formatEvent(event) for event in events]
        self.assertIn("other users of this machine can see the password", line)
        self.assertNotIn("s3cret", line + said)

    def test_without_the_extra(self) -> None:
        """A daemon without the extra says what to install."""
        name = "chatd.backplane.redis"
        before = sys.modules[name]
        sys.modules[name] = None  # type: ignore[assignment]
        self.addCleanup(sys.modules.__setitem__, name, before)
        self.assertEqual(
            self.refused("redis://localhost"),
            "--backplane needs hiredis: install chatd with its extra, redis",
        )

    def test_made(self) -> None:
        """A server that fits is the store, and a line about what cannot be checked is logged."""
        file = self.directory / "password"
        file.write_text("secret\nmore\n")
        file.chmod(0o600)
        checked = []

        def check(address: Any, password: Any, durability: Any, warn: Any) -> None:
            checked.append((address.hosts, password(), durability))
            warn("settings {are} unknown")

        self.patch(servercheck, "check_server", check)
        with capturedLogs() as events:
            service = self.make(
                backplane="redis://localhost",
                backplane_password_file=str(file),
                durability=Durability.NORMAL,
            )
        self.assertEqual(checked, [((("localhost", 6379),), "secret", Durability.NORMAL)])
        self.assertEqual(list(map(formatEvent, events)), ["settings {are} unknown"])
        store = service.factory.store
        self.assertIsInstance(store, RedisBackplane)
