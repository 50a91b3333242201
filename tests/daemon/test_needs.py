"""Options that have no effect without another option are an error without it."""

from __future__ import annotations

import re

from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from chatd.daemon.needs import NEEDS
from chatd.daemon.options import settings_of
from chatd.daemon.tap import Options
from tests.docs.pages import page, section

VALUES = {
    "web-origin": "https://chat.example.org",
    "web-proxy": "unix",
    "backplane-password-file": "/p",
    "backplane-patience": "3",
    "durability": "full",
    "login-rate": "10",
}
"""A value of each option, the default among them: it has no effect either."""
AMONG = ("tcp:9999", "tcp:9999 unix:/s:mode=600", "stdio:", "haproxy:tcp:9999")
"""Endpoints of which none takes a mode."""
TAKES = ("unix:/s", "haproxy:unix:/s", "unix:address=/s:backlog=5")


class UnmadeOptions(Options):
    """Options that assemble no daemon, which would need files and servers."""

    def postOptions(self) -> None:
        settings_of(self)


class NeedsTests(SynchronousTestCase):
    def refusal(self, *arguments: str) -> str:
        """Return the single line that refuses the options."""
        options = UnmadeOptions()
        error = self.assertRaises(usage.UsageError, options.parseOptions, list(arguments))
        return str(error)

    def take(self, *arguments: str) -> None:
        """Parse options that are not refused."""
        UnmadeOptions().parseOptions(list(arguments))

    def test_alone(self) -> None:
        """Each option that needs another names it, whatever its value."""
        self.assertEqual({need.option for need in NEEDS}, set(VALUES))
        for need in NEEDS:
            said = self.refusal(f"--{need.option}", VALUES[need.option])
            self.assertEqual(said, f"--{need.option} needs {need.wanted}")

    def test_together(self) -> None:
        """With any of the options that it needs, an option is taken."""
        for option, others in {
            "web-origin": ["--web=tcp:8080"],
            "web-proxy": ["--web=tcp:8080"],
            "backplane-password-file": ["--backplane=redis://h"],
            "backplane-patience": ["--backplane=redis://h"],
            "durability": ["--data=d", "--backplane=redis://h"],
            "login-rate": ["--password-file=p", "--auth=memory:alice:secret"],
        }.items():
            for other in others:
                self.take(other, f"--{option}", VALUES[option])

    def test_socket_mode(self) -> None:
        """A socket mode needs an endpoint that makes a UNIX socket and gives no mode."""
        said = "--socket-mode needs an endpoint unix:PATH without mode="
        self.assertEqual(self.refusal("--socket-mode=666"), said)
        for endpoints in AMONG:
            given = [f"--endpoint={each}" for each in endpoints.split()]
            self.assertEqual(self.refusal("--socket-mode=660", *given), said)
        self.assertEqual(
            self.refusal("--socket-mode=660", "--endpoint=systemd:domain=INET:index=0"), said
        )
        for endpoint in TAKES:
            self.take("--socket-mode=660", "--endpoint=tcp:9999", f"--endpoint={endpoint}")
            self.take("--socket-mode=660", f"--web={endpoint}")

    def test_other_faults(self) -> None:
        """The fault of an endpoint, and of a mode for a socket of systemd, is told as such."""
        for endpoint in ("unix:", "unix:/s:mode=9", "systemd:domain=UNIX:index=0"):
            self.take("--socket-mode=660", f"--endpoint={endpoint}")

    def test_page(self) -> None:
        """The page lists these options and no others."""
        text = section(page("docs/reference/daemon.md"), "Options that need another")
        lists = re.findall(r"^- (.*?) needs? ", text, re.MULTILINE)
        listed = [name for each in lists for name in re.findall("`--([a-z-]+)`", each)]
        self.assertEqual(listed, [*(need.option for need in NEEDS), "socket-mode"])
