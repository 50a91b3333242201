"""Each inline code of a page that reads like a command belongs to a program, and is checked."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import redirect_stderr
from getopt import getopt
from importlib.util import find_spec
from io import StringIO
from typing import Any

from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.aliases import full_name
from chatd.cli.commands import COMMANDS, _split
from chatd.cli.main import _parser
from chatd.daemon.tap import Options
from tests.docs.pages import ROOT, inline_codes, page, page_names

FORM = re.compile(r"\b[A-Z]+\b|\[|…")
"""Part of a code that shows the form of a command, not a command that a reader types."""
PARSED = {"chatd", "twist", "twistd", "nox", "python", "pip"}
"""The programs whose commands the tests below parse."""

OTHERS = {
    ". .venv/bin/activate": "venv",
    ".venv/bin/pre-commit install": "pre-commit",
    "chmod +x": "coreutils",
    "chmod 600": "coreutils",
    "chmod 640": "coreutils",
    "chown -R chatd: /var/lib/chatd": "coreutils",
    "cp -a": "coreutils",
    "REPLICAOF NO ONE": "Redis",
    "SENTINEL FAILOVER": "Redis",
    "apt-get install redis-server haproxy": "Debian",
    "sentinel auth-pass NAME PASSWORD": "Redis",
    "sentinel monitor NAME ADDRESS 6379 2": "Redis",
    "docker exec chat chatd backup /data /backup/chatd": "Docker",
    "docker kill -s HUP chat": "Docker",
    "docker kill chat": "Docker",
    "docker logs chat": "Docker",
    "docker run": "Docker",
    "docker stop": "Docker",
    "git rm 'changelog.d/+*'": "git",
    "install -d -o chatd -g adm -m 0750 /var/log/chatd": "coreutils",
    "install -d -o chatd -m 0700 /backup/chatd": "coreutils",
    "journalctl -u chatd": "systemd",
    "kill -9": "util-linux",
    "logrotate -f /etc/logrotate.d/chatd": "logrotate",
    "man 8 chatd": "man-db",
    "man chatd": "man-db",
    "man ~/.local/share/man/man1/chatd.1": "man-db",
    "pydoc chatd": "Python",
    "rm -rf": "coreutils",
    "sudo pip": "sudo",
    "systemctl --failed": "systemd",
    "systemctl daemon-reload": "systemd",
    "systemctl enable --now chatd": "systemd",
    "systemctl enable --now chatd-backup.timer": "systemd",
    "systemctl enable --now chatd-tcp.socket chatd-local.socket": "systemd",
    "systemctl kill -s HUP chatd": "systemd",
    "systemctl reload chatd": "systemd",
    "systemctl restart chatd": "systemd",
    "systemctl stop": "systemd",
    "ulimit -Hn": "the shell",
}
"""The commands of other programs, each with its program."""

OTHER_OPTIONS = {
    "--help": "each program",
    "--init": "docker run",
    "--json": "python -m bench",
    "--plots": "python -m bench",
    "--quick": "python -m bench",
    "--stop-timeout": "docker run",
    "--strict": "mypy",
    "-a": "git tag",
    "-k": "pytest",
    "-p": "pytest",
    "-s": "git tag",
    "-t": "ssh",
    "-wal": "SQLite, which ends the name of a file so",
}
"""The options of other programs in the sentences, each with its program."""

TEXTS = {
    "a direct message is left out: REASON",
    "a password could not be changed: REASON",
    "a push to CHANNEL is dropped: REASON",
    "a request failed: address=ADDRESS error=CLASS at=FILE:LINE",
    "a word of another daemon is dropped: REASON",
    "accepting connections again",
    "another daemon of this chat has another WHAT: give all daemons the same",
    "async def say(text): return await service.send(text)",
    "async with",
    "await asyncio.ensure_future(...)",
    "await asyncio.shield(result)",
    "bans in force: NUMBER",
    "cannot remove PATH: REASON",
    "chatd v1 envelope mac",
    "chatd v1 noise psk",
    "chatd VERSION starts",
    "d /run/chatd 0755 chatd chatd",
    "earlier messages in ROOM:",
    "failed requests",
    "for await",
    "key file: read again",
    "lines about connections without a session from ADDRESS were left out: NUMBER",
    "listening on ENDPOINT (CLIENT-ENDPOINT)",
    "listening on tcp:9999",
    "listening on …",
    "masterauth PASSWORD",
    "message NUMBER of STREAM is left out: REASON",
    "messages deleted: NUMBER; …",
    "messages in DIRECTORY: NUMBER (rooms: NUMBER, pairs of names: NUMBER)",
    "mode tcp",
    "new 3!",
    "new 3!,2,4,…",
    "not established",
    "not established: code=connection-lost",
    "not read again, for the reasons in the warnings of the start: WHAT, …",
    "operator NAME has no account, …",
    "option redispatch",
    "password refused",
    'password_file = "alice.password"',
    "proxy_protocol on",
    "public key (32) | tag (16)",
    "raise chatd.RequestError(code, text)",
    "read again",
    "receipt = await service.send(body)",
    "refused the account NAME: names that begin with guest- are for guests",
    "rejoin = true",
    "removing stale pid file PATH",
    "reverse_proxy unix//run/chatd/web.sock",
    "file descriptors for NUMBER connections; …",
    "the backplane cannot be used: REASON",
    "the connection was lost: TLS: internal error",
    "the backplane still cannot be used: REASON",
    "the backplane refused a call: REASON",
    "the backplane works again after SECONDS s",
    "the certificate from PATH …",
    "the copy was made while a daemon ran, …",
    "the file descriptors run out: …",
    "the password file has no account, …",
    "the peer on ENDPOINT has gone",
    "the store does not close, and the daemon ends without it",
    "messages in URL (durability: DURABILITY)",
    "past failures of the store: NUMBER of other kinds, the last SECONDS s ago",
    "past failures of the store: REASON (NUMBER more, the last SECONDS s ago)",
    "the store failed: REASON",
    "the store was closed with a fault: REASON",
    "the store works again",
    "the tables of PATH were updated from version NUMBER to NUMBER",
    "there are no accounts: anyone who takes the name NAME may kick and ban; …",
}
"""Codes that are no commands: lines of the log, settings, Python, and texts of the protocol."""


def codes() -> Iterator[tuple[str, str]]:
    """Yield the page and the code of each inline code, without the backslashes of tables."""
    for name in page_names():
        for code in inline_codes(page(name)):
            yield name, code.replace("\\|", "|")


def commands(program: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each inline command of a program, and the words after the program's name."""
    for name, code in codes():
        if " " not in code or code in TEXTS:
            continue
        first, _, rest = code.removeprefix("docker exec chat ").partition(" ")
        if first.rpartition("/")[2] == program:
            yield f"{name}: {code}", [each for each in _words(rest) if each != "…"]


def _words(text: str) -> list[str]:
    """Return the words as a shell splits them; a form such as "[twistd's options]" is one word."""
    forms = re.sub(r"\[[^]]* [^]]*\]|\[options\]", "[options]", text)
    return shlex.split(forms)


class KindTests(SynchronousTestCase):
    """Each code of several words that could be a command has its kind."""

    def test_every_code(self) -> None:
        """A code that begins like a command is parsed, another program's, or a text."""
        for name, code in codes():
            first, *rest = code.split()
            if rest and re.fullmatch(r"[a-z~.][a-z0-9./~_-]*|\.", first):
                is_parsed = first.rpartition("/")[2] in PARSED
                self.assertTrue(is_parsed or code in OTHERS or code in TEXTS, f"{name}: {code}")

    def test_every_entry(self) -> None:
        """The tables have no code that no page has."""
        there = {code for _, code in codes()}
        self.assertEqual({*OTHERS, *TEXTS} - there, set())


class OptionTests(SynchronousTestCase):
    """An option by itself, in a sentence or a table."""

    def test_exists(self) -> None:
        """Each option exists in `chatd` or `twistd`, or is another program's."""
        known = {f"--{name.rstrip('=')}" for name in (*Options().longOpt, *ServerOptions().longOpt)}
        known |= {f"-{letter}" for letter in Options().shortOpt + ServerOptions().shortOpt}
        subcommands: Any = _parser()._subparsers._group_actions[0].choices
        for each in (_parser(), *subcommands.values()):
            known |= set(each._option_string_actions)
        used = set()
        for name, code in codes():
            option = re.match(r"--?[a-z][a-z-]*", code)
            if option is not None and option[0] not in known:
                self.assertIn(option[0], OTHER_OPTIONS, f"{name}: {code}")
            used.add(option[0] if option else "")
        self.assertEqual(set(OTHER_OPTIONS) - used, set())


class ParsedTests(SynchronousTestCase):
    """The commands of chatd's own programs, and of Python's."""

    def test_client(self) -> None:
        """`chatd` parses each complete command."""
        number = 0
        for where, words in commands("chatd"):
            if len(words) < 2 or FORM.search(" ".join(words)):
                continue
            try:
                with redirect_stderr(StringIO()) as shown:
                    parsed = _parser().parse_args(words)
            except SystemExit:
                self.fail(f"{where}: {shown.getvalue()}")
            self.assertIsInstance(parsed, argparse.Namespace)
            number += 1
        self.assertGreater(number, 3)

    def test_daemon(self) -> None:
        """`twistd` knows its own options before `chatd`, and chatd the options after it."""
        number = 0
        for where, words in [*commands("twistd"), *commands("twist")]:
            if "[options]" in words:
                continue
            at = words.index("chatd") if "chatd" in words else len(words)
            for given, options in ((words[:at], ServerOptions()), (words[at + 1 :], Options())):
                long = [name.replace("_", "-") for name in options.longOpt]
                if given and f"{given[-1].removeprefix('--')}=" in long:
                    given.append("value")  # a sentence names the option alone
                _, left = getopt(given, options.shortOpt, long)
                self.assertEqual(left, [], where)
            number += 1
        self.assertGreater(number, 5)

    def test_typed(self) -> None:
        """The client at a terminal knows each typed command, and takes its arguments."""
        number = 0
        for name, code in codes():
            typed = re.fullmatch(r"/([a-z]+)(?: (.*))?", code)
            if typed is None or code == "/backup":
                continue
            where = f"{name}: {code}"
            command, rest = full_name(typed[1]), typed[2] or ""
            self.assertIn(command, COMMANDS, where)
            if rest and not FORM.search(rest):
                self.assertTrue(_split(command, COMMANDS[command], rest), where)
                number += 1
        self.assertGreater(number, 10)

    def test_sessions(self) -> None:
        """Each session and tag of a `nox` command is in the noxfile."""
        source = page("noxfile.py")
        sessions = {
            node.name
            for node in ast.parse(source).body
            if isinstance(node, ast.FunctionDef) and node.decorator_list
        }
        for where, words in commands("nox"):
            options, left = getopt(words, "s:t:R", ["list"])
            self.assertEqual(bool(left), "--" in words, where)
            for option, value in options:
                if option == "-s":
                    self.assertIn(value.partition("-")[0], sessions, where)
                elif option == "-t":
                    self.assertIn(f'"{value}"', source, where)

    def test_python(self) -> None:
        """Each module or file that `python` runs exists."""
        for where, words in commands("python"):
            if words[0] == "-m":
                self.assertIsNotNone(find_spec(words[1]), where)
            for path in words:
                if path.endswith(".py"):
                    self.assertTrue((ROOT / path).is_file(), where)

    def test_extras(self) -> None:
        """Each extra of a `pip install` exists."""
        config = ConfigParser()
        config.read(ROOT / "setup.cfg")
        found = 0
        for where, words in commands("pip"):
            self.assertEqual(words[0], "install", where)
            for extra in re.findall(r"\[(\w+)\]", " ".join(words)):
                self.assertIn(extra, config["options.extras_require"], where)
                found += 1
        self.assertGreater(found, 1)
