"""Tests of the log lines of sessions: one for each end, which programs can read."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, textFileLogObserver

from chatd.chat.moderation import Ban
from chatd.listening.endpoints import server_endpoint
from chatd.server.accounts import Accounts
from chatd.server.attempts import Attempts
from chatd.server.limits import Limits
from chatd.server.sessionlog import MAX_LOGGED_CODE, MAX_LOGGED_REASON, logged_code
from chatd.storage.memory import MemoryStore
from chatd.wire.messages import Disconnect, Message, MessageType
from tests.docs.pages import fences, page
from tests.fakes.networks import UnixTransport
from tests.fakes.peers import KEY, Peer, SocketTransport, TlsTransport, hand_client, settle
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
    """A server whose log is captured as the text of a log file."""

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
        """Connect, and say nothing."""
        return Peer(self.factory.buildProtocol(None), self.factory.codec, transport_class)

    def receive(self, peer: Peer, data: bytes) -> None:
        """Receive bytes from a peer, and end the turn."""
        peer.protocol.dataReceived(data)
        settle(self.factory)
        peer.transport.lose()


class PageTests(LineCase):
    """`docs/reference/log.md`."""

    def test_example(self) -> None:
        """Its examples have the format that the other tests hold."""
        sessions, example, operators = fences(page("docs/reference/log.md"), "text")
        self.assertRegex(example, LINE)
        words = [line.split(": ")[1] for line in sessions.splitlines()]
        self.assertEqual(words, ["established", "ended", "refused", "not established"])
        self.assertIn("code=CODE address=ADDRESS name=NAME reason=REASON", sessions)
        self.assertEqual(len(operators.splitlines()), 4)


class RefusedTests(LineCase):
    """A connection that the server ends before its session."""

    def test_login(self) -> None:
        """Wrong passwords, missing passwords and too many attempts."""
        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
        self.transport_class = TlsTransport
        accounts = Accounts(Clock(), [checker], attempts=Attempts(1, 60.0))
        self.serve(accounts=accounts)
        for code, fields in (
            ("auth-required", {}),
            ("auth-failed", {"password": "guess"}),
            ("too-many-attempts", {"password": "guess"}),
        ):
            self.check_end(partial(self.refusal, "alice", **fields), "refused", code, "alice")
        self.transport_class = SocketTransport
        self.check_end(
            lambda: self.refusal("alice", password="x"), "refused", "auth-in-clear", "alice"
        )

    def test_names(self) -> None:
        """Names that are taken, and names that are none."""
        hand_client(self.factory, "bob")
        self.check_end(lambda: self.refusal("bob"), "refused", "name-taken", "bob")
        self.check_end(lambda: self.refusal("a b"), "refused", "bad-name", "a b")
        long = "bob\n" + "\N{GRINNING FACE}\x1b'\"" * 100
        self.check_end(lambda: self.refusal(long), "refused", "bad-name", long[:32])

    def test_bans(self) -> None:
        """Banned names and addresses."""
        self.factory.bans.replace([Ban(name="mallory"), Ban(address="192.0.2.1")])
        self.check_end(lambda: self.refusal("mallory"), "refused", "banned", "mallory")
        self.check_end(self.refusal, "refused", "banned", "")

    def test_limits(self) -> None:
        """Too many sessions, too many connections, and a handshake that takes too long."""
        self.serve(limits=Limits(max_sessions=1, max_unestablished=1))
        hand_client(self.factory, "bob")
        self.check_end(lambda: self.refusal("alice"), "refused", "too-many-sessions", "alice")
        self.stranger()

        def crowd() -> None:
            self.stranger()
            settle(self.factory)

        self.check_end(crowd, "refused", "overloaded", "")
        self.check_end(lambda: self.factory.clock.advance(10), "refused", "handshake-timeout", "")

    def test_bytes(self) -> None:
        """Bytes of another protocol, damaged frames, and frames of another key."""
        frame = self.factory.codec.encode(Message(MessageType.HEARTBEAT, {}, b"ping"))
        for code, data in (
            ("too-large", NO_FRAME),
            ("bad-length", bytes(4)),
            ("bad-magic", frame[:4] + b"X" + frame[5:]),
            ("bad-crc", frame[:-1] + b"X"),
            ("bad-mac", frame[:40] + bytes(8) + frame[48:]),
        ):
            peer = self.stranger()
            self.check_end(partial(self.receive, peer, data), "refused", code, "")

    def test_key(self) -> None:
        """A client that goes on with a wrong key."""
        self.serve(key=KEY)
        peer = self.stranger()
        handshake = b"\x00\x30" + bytes([9]) + bytes(47)
        self.check_end(lambda: self.receive(peer, handshake), "refused", "wrong-key", "")

    def test_stop(self) -> None:
        """A client that knocks while the server stops."""
        self.stranger()
        self.check_end(self.factory.shut_down, "refused", "shutting-down", "")


class LeftTests(LineCase):
    """A connection that the client ends before its session."""

    def test_lost(self) -> None:
        """A lost connection is no refusal."""
        peer = self.stranger()
        self.check_end(peer.transport.lose, "not established", "connection-lost", "")

    def test_left(self) -> None:
        """A client that leaves with the code of a refusal is not counted as refused."""
        peer = self.stranger()
        end = Message(MessageType.DISCONNECT, Disconnect(code="auth-failed", reason="no"))
        data = self.factory.codec.encode(end)
        self.check_end(lambda: self.receive(peer, data), "not established", "auth-failed", "")


class EndedTests(LineCase):
    """The end of a session."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = hand_client(self.factory, "alice")

    def leave(self, code: str, reason: str) -> None:
        end = Message(MessageType.DISCONNECT, Disconnect(code=code, reason=reason))
        self.receive(self.alice, self.factory.codec.encode(end))

    def test_established(self) -> None:
        """Its beginning has the same fields."""
        (line,) = self.lines_of(lambda: hand_client(self.factory, "bob"))
        self.assertRegex(line, r" bob: established: address=192\.0\.2\.1 name='bob'\n")

    def test_lost(self) -> None:
        """A lost connection."""
        self.check_end(self.alice.transport.lose, "ended", "connection-lost", "alice")

    def test_fault(self) -> None:
        """A fault in the bytes."""
        act = lambda: self.receive(self.alice, NO_FRAME)  # noqa: E731
        self.check_end(act, "ended", "too-large", "alice")

    def test_silence(self) -> None:
        """A client that says nothing."""

        def wait() -> None:
            for _ in range(40):
                self.factory.clock.advance(1)

        self.check_end(wait, "ended", "heartbeat-timeout", "alice")

    def test_slow(self) -> None:
        """A client that does not read."""
        self.serve(limits=Limits(max_waiting=1), max_content=1000, store=MemoryStore())
        self.alice = hand_client(self.factory, "alice")
        self.alice.transport.accept_no_more()

        def flood() -> None:
            for _ in range(100):
                self.factory.send_to_room("lobby", b"x" * 1000)
                settle(self.factory)

        self.check_end(flood, "ended", "slow-consumer", "alice")

    def test_own_words(self) -> None:
        """Words of the client's own are escaped and cut, and cannot be taken for another line."""
        code, reason = "x\n" + FORGED * 9, "bye\n" + FORGED * 9
        fields = self.end_of(lambda: self.leave(code, reason))
        self.assertEqual(fields["code"], code[:MAX_LOGGED_CODE])
        self.assertEqual(fields["reason"], reason[:MAX_LOGGED_REASON])


class AddressTests(LineCase):
    """The address is that for bans."""

    transport_class = LostUnixTransport

    def test_unix(self) -> None:
        """On a UNIX socket it is the user, also after the socket is closed."""
        peer = self.stranger(LostUnixTransport)
        self.assertEqual(self.end_of(peer.transport.lose)["address"], "uid:1000")
        hand = self.knock("alice")
        self.assertEqual(self.end_of(hand.transport.lose)["address"], "uid:1000")

    def test_behind_a_proxy(self) -> None:
        """Behind a proxy it is that of the header; before the header it is the proxy's."""
        reactor = MemoryReactorClock()
        self.successResultOf(server_endpoint(reactor, "haproxy:tcp:9999").listen(self.factory))
        wrapping: Any = reactor.tcpServers[-1][1]
        for first, address in (
            (b"PROXY TCP4 203.0.113.7 192.0.2.1 5 9\r\n", "203.0.113.7"),
            (b"PROXY TCP6 2001:db8::7 ::1 5 9\r\n" + NO_FRAME, "2001:db8::7"),
            (b"PROXY", "192.0.2.1"),
        ):
            wrapper = wrapping.buildProtocol(None)
            transport = SocketTransport(wrapper)
            wrapper.makeConnection(transport)
            talk = partial(self.talk, wrapper, transport, first)
            self.assertEqual(self.end_of(talk)["address"], address)

    def talk(self, wrapper: Any, transport: SocketTransport, data: bytes) -> None:
        wrapper.dataReceived(data)
        settle(self.factory)
        transport.lose()


class CodeTests(LineCase):
    """Codes in the log."""

    def test_codes(self) -> None:
        """Codes like chatd's are written as they are; all others are quoted."""
        self.assertEqual(logged_code("auth-failed"), "auth-failed")
        for code in ("", "a b", "A", "\u0664", "x" * 65, "a\n"):
            self.assertEqual(logged_code(code), repr(code[:64]))


class Fail2banTests(LineCase):
    """The filter in `docs/how-to/fail2ban.md`."""

    def setUp(self) -> None:
        super().setUp()
        (definition,) = (
            block
            for block in fences(page("docs/how-to/fail2ban.md"), "ini")
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

    def test_others(self) -> None:
        """It finds nothing in a user's mistake, a lost connection, or a line of a UNIX socket."""
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
