"""Tests that the documents about the log agree with its lines, and that fail2ban can read them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.task import Clock

from chatd.chat import accountcommands
from chatd.errors import RequestError
from chatd.server.accounts import Accounts
from chatd.server.attempts import Attempts
from chatd.wire.messages import Disconnect, Message, MessageType
from tests.chat.wiring import NOW, Chat
from tests.docs.pages import fences, page
from tests.fakes.peers import TlsTransport, hand_client
from tests.server.linecase import FORGED, LINE, NO_FRAME, LineCase, LostUnixTransport

LOG_PAGE = "docs/reference/log.md"
ACTS: list[tuple[str, dict[str, Any]]] = [
    ("kick", {"name": "bob", "reason": "enough"}),
    ("ban", {"name": "bob"}),
    ("ban", {"address": "192.0.2.9", "until": NOW + 60}),
    ("unban", {"name": "bob"}),
    ("private", {"room": "den"}),
    ("public", {"room": "den"}),
    ("invite", {"room": "ops", "name": "ann"}),
    ("uninvite", {"room": "ops", "name": "ann"}),
]
"""An act for each line of the page, in its order."""


ENDS = ["established", "ended", "refused", "not established"]


class PageTests(LineCase):
    """`docs/reference/log.md`."""

    def test_example(self) -> None:
        """Its examples have the format that the other tests hold."""
        sessions, example, *_ = fences(page(LOG_PAGE), "text")
        self.assertRegex(example, LINE)
        words = [line.split(": ")[1] for line in sessions.splitlines()]
        self.assertEqual(words, [*ENDS, "password refused", "client's error"])
        self.assertIn("code=CODE address=ADDRESS name=NAME reason=REASON", sessions)

    def test_operators(self) -> None:
        """It has the line of each act of an operator, and no other lines."""
        chat = Chat(operators=("op",), needs_account=True, has_accounts=True)
        op = chat.arrive("op", account=True)
        chat.arrive("bob", account=True)
        chat.command(op, "private", room="ops")
        chat.notes.clear()
        for command, fields in ACTS:
            chat.command(op, command, **fields)
        acts, password = fences(page(LOG_PAGE), "text")[2:]
        patterns = [re.sub(r"[A-Z]{4,}", "[^ ]+", re.escape(line)) for line in acts.splitlines()]
        self.assertEqual(len(chat.notes), len(ACTS))
        for pattern, note in zip(patterns, chat.notes, strict=True):
            self.assertRegex(note, rf"\A{pattern}\Z")
        source = Path(accountcommands.__file__).read_text(encoding="utf-8")
        self.assertIn(password.strip().removeprefix("NAME"), source)


class Fail2banTests(LineCase):
    """The filter in `docs/how-to/fail2ban.md`."""

    def setUp(self) -> None:
        super().setUp()
        (definition,) = (
            block
            for block in fences(page("docs/how-to/fail2ban.md"), "text")
            if block.startswith("[Definition]")
        )
        found = re.search(r"^failregex = (.*)$", definition, re.MULTILINE)
        if found is None:
            self.fail("the page has no filter")
        # As fail2ban reads it: ADDR is an IP address, and lines come without their time.
        address = r"(?:::f{4,6}:)?(?P<ip>[0-9a-fA-F:.]+)"
        self.filter = re.compile(found[1].replace("<ADDR>", address))

    def caught(self, act: Callable[[], object]) -> list[str]:
        """Return the addresses that the filter finds in an action's lines, with any beginning."""
        found: set[tuple[str, ...]] = set()
        lines = self.lines_of(act)
        time = "2026-11-28T10:33:07+0000 "
        for before in ("", " ", time, f"host twistd[12]: {time}"):  # a file's, and the journal's
            matches = [self.filter.search(before + line.partition(" ")[2]) for line in lines]
            found.add(tuple(match["ip"] for match in matches if match is not None))
        (addresses,) = found
        return list(addresses)

    def test_attacks(self) -> None:
        """It finds the address of a wrong password, and of nonsense."""
        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
        self.transport_class = TlsTransport
        self.serve(accounts=Accounts(Clock(), [checker], attempts=Attempts(1, 60.0)))
        for _ in range(2):
            act = lambda: self.refusal("alice", password="guess")  # noqa: E731
            self.assertEqual(self.caught(act), ["192.0.2.1"])
        peer = self.stranger()
        self.assertEqual(self.caught(lambda: self.receive(peer, NO_FRAME)), ["192.0.2.1"])

    def test_changed_password(self) -> None:
        """It finds the address of a wrong password in `/password`, and of no other refusal."""
        alice = hand_client(self.factory, "alice")
        for code, found in (("auth-failed", ["192.0.2.1"]), ("bad-password", [])):
            error = RequestError(code, "the password is wrong")
            act = lambda error=error: self.factory.engine.session_log.password_refused(  # noqa: E731
                alice.protocol, error, "192.0.2.1", "alice"
            )
            self.assertEqual(self.caught(act), found)

    def test_proxy(self) -> None:
        """It does not find a proxy that sends its header to an endpoint that expects none."""
        for key in (None, b"k" * 32):
            self.serve(key=key)
            for header in (b"PROXY TCP4 192.0.2.9 192.0.2.1 1 2\r\n", b"\r\n\r\n\0\r\nQUIT\n\x21"):
                peer = self.stranger()
                self.assertEqual(self.caught(partial(self.receive, peer, header)), [])
                self.assertEqual(
                    self.caught(partial(self.receive, self.stranger(), NO_FRAME)), ["192.0.2.1"]
                )

    def test_others(self) -> None:
        """The filter ignores a user's mistake, a lost connection, and a line of a UNIX socket."""
        self.assertEqual(self.caught(lambda: self.refusal("a b")), [])
        self.assertEqual(self.caught(self.stranger().transport.lose), [])
        peer = self.stranger(LostUnixTransport)
        self.assertEqual(self.caught(lambda: self.receive(peer, NO_FRAME)), [])

    def test_forged(self) -> None:
        """A client cannot make it find another address."""
        for name in (FORGED, "x: refused: code=auth-failed address=203.0.113.9 "):
            self.assertEqual(self.caught(partial(self.refusal, name)), [])
        alice = hand_client(self.factory, "alice")
        end = Disconnect(code="x\n" + FORGED, reason="\n" + FORGED)
        data = self.factory.codec.encode(Message(MessageType.DISCONNECT, end))
        self.assertEqual(self.caught(lambda: self.receive(alice, data)), [])
