"""Tests of the bounds of clients on a WebSocket, and of their addresses."""

from __future__ import annotations

import struct
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.task import Clock
from websockets.frames import Opcode

from chatd.chat.moderation import Ban
from chatd.server.accounts import Accounts
from chatd.server.limits import Limits
from chatd.transport.closing import CLOSE_TIMEOUT_S
from chatd.transport.websocket import SHORT
from chatd.web.websocket import (
    FIRST_BYTES,
    MAX_EARLY_BYTES,
    MAX_EARLY_FRAMES,
    USUAL_BYTES,
)
from chatd.wire.messages import Message, MessageType
from tests.web.cases import TlsConnection, WebCase, WebPeer


class BoundTests(WebCase):
    def test_slow_reader(self) -> None:
        """A client that does not read is cut off as a slow consumer."""
        self.serve(limits=Limits(max_waiting=100_000), max_content=50_000)
        alice, bob = self.join("alice"), self.join("bob")
        bob.messages()
        bob.transport.accept_no_more()
        for number in range(8):
            alice.send_messages(Message.chat(b"x" * 40_000, id=f"{number}"))
            self.turn()
            alice.messages()
        ends = [each.header.code for each in bob.messages() if each.type == MessageType.DISCONNECT]
        self.assertEqual(ends, ["slow-consumer"])
        self.clock.advance(CLOSE_TIMEOUT_S)
        self.assertTrue(bob.transport.is_lost)

    def test_paused(self) -> None:
        """Reading pauses for a client over its rate, as on TCP."""
        self.serve(limits=Limits(message_rate=10))
        alice = self.join("alice")
        alice.say(*(f"m{number}" for number in range(200)))
        self.assertFalse(alice.transport.is_reading)

    def test_small_frames(self) -> None:
        """Frames without a message count as messages, because each takes time to read."""
        for length in (0, 125):
            self.serve(limits=Limits(message_rate=10))
            alice = self.join("alice")
            alice.send(alice.frame(bytes(length), Opcode.PING) * 200)
            self.assertFalse(alice.transport.is_reading)

    def test_long_control_frames(self) -> None:
        """Control frames count whatever their length, before the session and after it."""
        for opcode in (Opcode.PING, Opcode.PONG):
            for length in (64, 125):
                self.serve(limits=Limits(message_rate=10))
                alice, peer = self.join("alice"), self.peer()
                alice.send(alice.frame(bytes(length), opcode) * 200)
                self.assertFalse(alice.transport.is_reading)
                peer.messages()
                peer.send(peer.frame(bytes(length), opcode) * (MAX_EARLY_FRAMES + 1))
                self.turn()
                codes = [each.header.code for each in peer.messages()]
                self.assertEqual(codes, ["overloaded"])

    def test_pieces(self) -> None:
        """Short pieces of a long message count as messages; the same bytes at once do not."""
        for length, count, is_reading in ((64, 200, False), (64 * 200, 1, True)):
            self.serve(limits=Limits(message_rate=20))
            alice = self.join("alice")
            start = alice.codec.encode(Message.chat(b"x" * 300_000, id="1"))[:SHORT]
            alice.send(alice.frame(start) + alice.frame(bytes(length)) * count)
            self.assertIs(alice.transport.is_reading, is_reading, length)

    def test_early_pieces(self) -> None:
        """Before the session, few short pieces are read."""
        peer = self.peer()
        peer.messages()
        start = peer.codec.encode(self.ack(peer, "alice"))[:64]
        peer.send(peer.frame(start))
        for _ in range(MAX_EARLY_FRAMES):
            peer.send(peer.frame(b"x" * 64))
        self.turn()
        self.assertTrue(peer.session.connection.is_over)

    def test_messages_count_once(self) -> None:
        """A message in a frame of its own counts as much as one among others in a frame."""
        spent = []
        for together in (True, False):
            self.serve(limits=Limits(message_rate=1000))
            alice = self.join("alice")
            texts = [f"m{number}" for number in range(100)]
            for each in [texts] if together else [[text] for text in texts]:
                alice.say(*each)
            self.turn()
            spent.append(round(alice.session._pace._messages._full_at, 6))
        difference = abs(spent[0] - spent[1])
        self.assertLess(difference, 0.0015)  # the frame of the handshake counts, too

    def test_early_frames(self) -> None:
        """Before the session, few frames without a message are read."""
        for data in (b"", bytes(125)):
            peer = self.peer()
            peer.messages()
            peer.send(peer.frame(data, Opcode.PING) * (MAX_EARLY_FRAMES + 1))
            self.turn()
            self.assertEqual([each.header.code for each in peer.messages()], ["overloaded"])

    def test_frames_after_the_end(self) -> None:
        """After the end of a session, few small frames are read while its Close is awaited."""
        alice = self.join("alice")
        alice.say("hello")
        alice.session.end_session("kicked", "out")
        self.turn()
        alice.send(alice.frame(b"", Opcode.PING) * MAX_EARLY_FRAMES)
        self.assertFalse(alice.transport.is_lost)
        alice.send(alice.frame(b"", Opcode.PING))
        self.assertTrue(alice.transport.is_lost)

    def test_after_a_refusal(self) -> None:
        """A client that is refused for its early frames has as many again to read why."""
        peer = self.peer()
        peer.send(peer.frame(b"", Opcode.PING) * (MAX_EARLY_FRAMES + 1))
        self.turn()
        peer.send(peer.frame(b"", Opcode.PING) * MAX_EARLY_FRAMES)
        self.assertFalse(peer.transport.is_lost)
        peer.send(peer.frame(b"", Opcode.PING))
        self.assertTrue(peer.transport.is_lost)

    def test_messages_after_the_end(self) -> None:
        """Many short messages may be on their way when a session ends."""
        alice = self.join("alice")
        alice.session.end_session("kicked", "out")
        self.turn()
        alice.send(alice.frame(bytes(64)) * (2 * MAX_EARLY_FRAMES))
        self.assertFalse(alice.transport.is_lost)

    def test_little_before_the_session(self) -> None:
        """Before the session, little is read at a time; after that, as much as usual."""
        peer = self.peer()
        self.assertEqual(peer.transport.bufferSize, FIRST_BYTES)
        peer.send(peer.frame(b"", Opcode.PING))
        self.assertEqual(peer.transport.bufferSize, FIRST_BYTES)
        alice = self.join("alice")
        self.assertEqual(alice.transport.bufferSize, USUAL_BYTES)

    def test_early_bytes(self) -> None:
        """Before the session, an incomplete frame may not have many bytes."""
        peer = self.peer()
        peer.messages()
        head = struct.pack("!BBQI", 0x82, 0xFF, 1_000_000, 0)
        peer.send(head + bytes(MAX_EARLY_BYTES - peer.transport.protocol.gathered_bytes))
        self.turn()
        self.assertEqual(peer.messages(), [])
        peer.send(bytes(1))
        self.turn()
        self.assertEqual([each.header.code for each in peer.messages()], ["overloaded"])

    def test_long_frame_at_the_end(self) -> None:
        """A client that sends a long frame when its session ends still gets the reason."""
        alice = self.join("alice")
        alice.messages()
        alice.session.end_session("kicked", "out")
        alice.send(struct.pack("!BBQI", 0x82, 0xFF, 1_000_000, 0) + bytes(MAX_EARLY_BYTES + 1))
        self.turn()
        self.assertEqual([each.header.code for each in alice.messages()], ["kicked"])
        alice.send(bytes(1_000_000 - MAX_EARLY_BYTES - 1))
        alice.close()
        self.assertEqual(alice.transport.ends, ["half-close"])

    def test_bytes_after_a_refusal(self) -> None:
        """A client without a session that goes on to send bytes is cut off."""
        peer = self.peer()
        peer.session.end_session("banned", "out")
        self.turn()
        peer.send(struct.pack("!BBQI", 0x82, 0xFF, 1_000_000, 0) + bytes(MAX_EARLY_BYTES + 1))
        self.assertTrue(peer.transport.is_lost)

    def test_arriving(self) -> None:
        """The bytes of incomplete frames count among those of all clients."""
        self.serve(limits=Limits(max_arriving=200_000))
        alice, bob = self.join("alice"), self.join("bob")
        for peer in (alice, bob):
            peer.send(struct.pack("!BBQI", 0x82, 0xFF, 1_000_000, 0) + bytes(90_000))
        self.assertEqual(self.chat.engine.connections.arriving_bytes, 180_000)
        bob.send(bytes(50_000))
        self.turn()
        codes = [each.header.code for each in bob.messages() if hasattr(each.header, "code")]
        self.assertEqual(codes, ["overloaded"])

    def test_handshake_timeout(self) -> None:
        """A client that does not answer the greeting is ended in time."""
        peer = self.peer()
        peer.messages()
        self.clock.advance(10)
        self.turn()
        (end,) = peer.messages()[-1:]
        self.assertEqual(end.header.code, "handshake-timeout")


class AddressTests(WebCase):
    """Bounds and bans apply to the client that a believed proxy names."""

    def setUp(self) -> None:
        self.serve(proxies=["192.0.2.1", "unix"], limits=Limits(max_sessions_per_address=1))

    def refusal(self, peer: WebPeer) -> Any:
        """Return the code of a refusal; None for a welcome."""
        told = peer.messages()
        return next((each.header.code for each in told if each.type == MessageType.ERROR), None)

    def test_limits(self) -> None:
        """Sessions count for the forwarded address."""
        outcomes = [
            self.refusal(self.join(name, f"X-Forwarded-For: {address}"))
            for name, address in (("a", "1.1.1.1"), ("b", "1.1.1.1"), ("c", "2.2.2.2"))
        ]
        self.assertEqual(outcomes, [None, "too-many-sessions", None])

    def test_bans(self) -> None:
        """A ban of the forwarded address keeps the client out, and nobody else."""
        self.chat.bans.replace([Ban(address="1.1.1.1")])
        outcomes = [
            self.refusal(self.join(name, f"X-Forwarded-For: {address}"))
            for name, address in (("a", "1.1.1.1"), ("b", "2.2.2.2"))
        ]
        self.assertEqual(outcomes, ["banned", None])

    def test_forged(self) -> None:
        """What a client writes itself into the field is not believed."""
        names = iter("abc")
        for forged in ("9.9.9.9, 3.3.3.3", "8.8.8.8, 3.3.3.3"):
            peer = self.join(next(names), f"X-Forwarded-For: {forged}")
            (session,) = self.chat.sessions.values()
            self.assertEqual(session.address, "3.3.3.3")
            outcome = self.refusal(peer)
        self.assertEqual(outcome, "too-many-sessions")

    def test_unix(self) -> None:
        """On a UNIX socket, the client is the forwarded address, never the user of the proxy."""
        self.join("a", "X-Forwarded-For: 4.4.4.4", peer=UNIXAddress(b"/web.sock"))
        (session,) = self.chat.sessions.values()
        self.assertEqual(session.address, "4.4.4.4")


class PasswordTests(WebCase):
    """The server asks for passwords only where nobody can listen."""

    def asks(self, *lines: str, **options: Any) -> bool:
        """Return whether the greeting asks for a password."""
        (greeting,) = self.peer(*lines, **options).messages()
        return greeting.header.auth

    def setUp(self) -> None:
        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
        self.serve(proxies=["127.0.0.1", "10.0.0.1"], accounts=Accounts(Clock(), [checker]))

    def test_in_the_clear(self) -> None:
        """Over TCP without TLS, no password is taken, whatever the client writes."""
        self.assertFalse(self.asks())
        self.assertFalse(self.asks("X-Forwarded-Proto: https"))

    def test_tls(self) -> None:
        """Over TLS, passwords are taken."""
        self.assertTrue(self.asks(transport_class=TlsConnection))

    def test_behind_a_proxy(self) -> None:
        """A proxy on this machine that ended TLS makes the way private; another proxy does not."""
        for host, scheme, is_asked in (
            ("127.0.0.1", "https", True),
            ("127.0.0.1", "http", False),
            ("10.0.0.1", "https", False),
        ):
            peer = IPv4Address("TCP", host, 40_000)
            self.assertIs(self.asks(f"X-Forwarded-Proto: {scheme}", peer=peer), is_asked)
