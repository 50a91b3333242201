"""Tests of the log lines of sessions: a line for each end, which programs can read."""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock

from chatd.chat.moderation import Ban
from chatd.listening.endpoints import server_endpoint
from chatd.server.accounts import Accounts
from chatd.server.attempts import Attempts
from chatd.server.limits import Limits
from chatd.server.sessionlog import MAX_LOGGED_CODE, MAX_LOGGED_REASON, logged_code
from chatd.storage.memory import MemoryStore
from chatd.wire.messages import Disconnect, Error, Message, MessageType
from tests.fakes.peers import KEY, Peer, SocketTransport, TlsTransport, hand_client, settle
from tests.server.linecase import FORGED, NO_FRAME, LineCase, LostUnixTransport


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
        """The log has names that are taken, and names that are invalid."""
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
        """The log does not count a client that leaves with the code of a refusal as refused."""
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
        """The log has a client that sends nothing."""

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
        """The log escapes and cuts the client's own words, which cannot look like another line."""
        code, reason = "x\n" + FORGED * 9, "bye\n" + FORGED * 9
        fields = self.end_of(lambda: self.leave(code, reason))
        self.assertEqual(fields["code"], code[:MAX_LOGGED_CODE])
        self.assertEqual(fields["reason"], reason[:MAX_LOGGED_REASON])


class ClientErrorTests(LineCase):
    """The first ERROR that a client sends."""

    def errors(self, peer: Peer, code: str) -> list[str]:
        """Let a peer send three errors; return the lines about them."""
        frame = self.factory.codec.encode(Message(MessageType.ERROR, Error(code=code)))

        def send() -> None:
            for _ in range(3):
                peer.protocol.dataReceived(frame)

        return [line for line in self.lines_of(send) if ": client's error: " in line]

    def test_line(self) -> None:
        """It has one line, in which the client's code is quoted."""
        forged = "x\n" + FORGED
        alice = hand_client(self.factory, "alice")
        (line,) = self.errors(alice, forged)
        code = repr(forged[:MAX_LOGGED_CODE])
        self.assertTrue(line.endswith(f" alice: client's error: code={code} address=192.0.2.1\n"))
        self.assertIn("SessionLog#info]", line)

    def test_pace(self) -> None:
        """The lines count among those that an address may cause."""
        self.serve(limits=Limits(max_sessions_per_address=1))
        alice = hand_client(self.factory, "alice")
        pace = self.factory.engine.session_log._of_sessions
        while pace.may_log("192.0.2.1"):
            pass
        self.assertEqual(self.errors(alice, "odd"), [])


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
        """The server writes codes like chatd's as they are; all others are quoted."""
        self.assertEqual(logged_code("auth-failed"), "auth-failed")
        for code in ("", "a b", "A", "\u0664", "x" * 65, "a\n"):
            self.assertEqual(logged_code(code), repr(code[:64]))
