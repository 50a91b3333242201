"""A base case for the tests of the log lines of sessions."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Callable
from typing import Any

from twisted.logger import capturedLogs, textFileLogObserver

from tests.fakes.networks import UnixTransport
from tests.fakes.peers import Peer, SocketTransport, settle
from tests.server.cases import AdmissionCase

NO_FRAME = b"GET / HTTP/1.1\r\n\r\n"
FORGED = "[chatd.x#info] session " + "0" * 36 + ": refused: code=auth-failed address=203.0.113.9 "
LINE = re.compile(
    r"\S+ \[chatd\.server\.sessionlog\.SessionLog#info\] session (?P<id>[0-9a-f-]{36})"
    r"( \S+)?: (?P<what>ended|refused|not established): code=(?P<code>[a-z0-9-]+|'.*') "
    r"address=(?P<address>\S+) name=(?P<name>'.*'|\".*\") reason=(?P<reason>'.*'|\".*\")\n"
)


class LostUnixTransport(UnixTransport):
    """A UNIX socket that does not tell the user any more once it is closed."""

    uid = 1000

    def getHandle(self) -> UnixTransport:
        if self.is_lost:
            raise AttributeError("socket")
        return super().getHandle()


class LineCase(AdmissionCase):
    """A server that logs to a text, as to a log file."""

    def lines_of(self, act: Callable[[], object]) -> list[str]:
        """Return the lines that an action writes to the log."""
        written = io.StringIO()
        observe = textFileLogObserver(written)
        with capturedLogs() as events:
            act()
        for event in events:
            observe(event)
        return written.getvalue().splitlines(keepends=True)

    def end_of(self, act: Callable[[], object]) -> dict[str, str]:
        """Return the fields of the only line about an end that an action writes."""
        (line,) = (line for line in self.lines_of(act) if ": established: " not in line)
        found = LINE.fullmatch(line)
        if found is None:
            self.fail(f"not a line of the format: {line!r}")
        self.assertLess(len(line), 4000)
        return {
            field: ast.literal_eval(text) if text[0] in "'\"" else text
            for field, text in found.groupdict().items()
            if field != "id"
        }

    def check_end(self, act: Callable[[], object], what: str, code: str, name: str) -> None:
        """Check the word, the code, the address and the name of an end's line."""
        fields = self.end_of(act)
        self.assertNotEqual(fields.pop("reason"), "")
        wanted = {"what": what, "code": code, "address": "192.0.2.1", "name": name}
        self.assertEqual(fields, wanted)

    def stranger(self, transport_class: Any = SocketTransport) -> Peer:
        """Connect, and send nothing."""
        return Peer(self.factory.buildProtocol(None), self.factory.codec, transport_class)

    def receive(self, peer: Peer, data: bytes) -> None:
        """Receive bytes from a peer, and end the turn."""
        peer.protocol.dataReceived(data)
        settle(self.factory)
        peer.transport.lose()
