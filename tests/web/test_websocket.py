"""Tests of sessions on a WebSocket: its peers get what peers on TCP get."""

from __future__ import annotations

import struct

from twisted.logger import LogLevel, capturedLogs
from websockets import http11
from websockets.frames import Frame, Opcode

from chatd.transport.closing import CLOSE_TIMEOUT_S
from chatd.wire.messages import Message, MessageType
from tests.fakes.peers import hand_client
from tests.web.cases import HOST, OPENING, WebCase

BIG = 2**40


class OpeningTests(WebCase):
    def test_subprotocol(self) -> None:
        """The server names the subprotocol, uses no extension, and greets at once."""
        peer = self.peer("Sec-WebSocket-Extensions: permessage-deflate")
        self.assertEqual(peer.reply.status, 101)
        self.assertEqual(peer.reply.fields["sec-websocket-protocol"], "chatd.v1")
        self.assertNotIn("sec-websocket-extensions", peer.reply.fields)
        (greeting,) = peer.messages()
        self.assertEqual(greeting.type, MessageType.SESSION_INIT)

    def test_refused(self) -> None:
        """A request that is not quite one for a WebSocket is refused, without a traceback."""
        lines = list(OPENING)
        for index, replaced, status in (
            (0, "Upgrade: h2c", 426),
            (1, "Connection: close", 426),
            (0, "Upgrade: websocket\x85", 400),
            (2, "Sec-WebSocket-Version: 12", 400),
            (3, "Sec-WebSocket-Key: short", 400),
            (3, "A: b", 400),
            (4, "Sec-WebSocket-Protocol: other", 400),
            (4, "A: b", 400),
        ):
            changed = [*lines[:index], replaced, *lines[index + 1 :]]
            with capturedLogs() as logged:
                reply = self.browser().ask(*changed, path="/ws")
            self.assertEqual(reply.status, status, replaced)
            self.assertEqual([each for each in logged if each["log_level"] > LogLevel.info], [])

    def test_old_version(self) -> None:
        """HTTP/1.0 has no WebSocket; the status has its phrase."""
        browser = self.browser()
        browser.send("\r\n".join(["GET /ws HTTP/1.0", HOST, *OPENING, "", ""]).encode())
        self.assertRegex(browser.take(), rb"\AHTTP/1\.[01] 426 Upgrade Required\r\n")

    def test_disagreement(self) -> None:
        """A request that twisted.web accepts and `websockets` does not is refused."""
        self.patch(http11, "MAX_LINE_LENGTH", 30)
        with capturedLogs() as logged:
            reply = self.browser().ask(*OPENING, path="/ws")
        self.assertEqual((reply.status, reply.body), (400, b"400 Bad Request\n"))
        self.assertEqual([each for each in logged if each["log_level"] > LogLevel.info], [])

    def test_other_origin(self) -> None:
        """A page of another origin is refused; the own page and an allowed origin are not."""
        self.serve(["https://intranet.example"])
        for origin, status in (
            ("http://localhost:8080", 101),
            ("https://localhost:8080", 101),
            ("https://intranet.example", 101),
            ("https://evil.example", 403),
            ("null", 403),
        ):
            self.assertEqual(self.peer(f"Origin: {origin}").reply.status, status, origin)

    def test_bytes_behind_the_request(self) -> None:
        """Bytes that come together with the request are read as frames."""
        peer = self.peer()
        frame = peer.frame(b"x", Opcode.PING)
        head = "\r\n".join(["GET /ws HTTP/1.1", HOST, *OPENING, "", ""]).encode()
        browser = self.browser()
        browser.send(head + frame)
        self.assertTrue(browser.take().endswith(Frame(Opcode.PONG, b"x").serialize(mask=False)))


class StreamTests(WebCase):
    def test_one_message_a_flush(self) -> None:
        """What a turn has for a client comes in one binary message."""
        alice, bob = self.join("alice"), self.join("bob")
        bob.frames()
        alice.say(*(f"m{number}" for number in range(500)))
        self.turn()
        (frame,) = bob.frames()
        self.assertEqual((frame.opcode, frame.fin), (Opcode.BINARY, True))

    def test_many_frames_in_a_message(self) -> None:
        """A message may hold 500 frames of chatd."""
        alice, bob = self.join("alice"), self.join("bob")
        texts = [f"m{number}" for number in range(500)]
        alice.say(*texts)
        self.turn()
        self.assertEqual(bob.texts(), texts)

    def test_fragments(self) -> None:
        """A message may come in fragments of one byte, each in a read of its own or together."""
        alice, bob = self.join("alice"), self.join("bob")
        for text, together in (("apart", False), ("together", True)):
            data = alice.codec.encode(Message.chat(text, id=text))
            opcodes = [Opcode.BINARY] + [Opcode.CONT] * (len(data) - 1)
            pieces = [
                alice.frame(data[at : at + 1], opcode, fin=at + 1 == len(data))
                for at, opcode in enumerate(opcodes)
            ]
            for piece in [b"".join(pieces)] if together else pieces:
                alice.send(piece)
            self.turn()
            self.assertEqual(bob.texts(), [text])

    def test_split_anywhere(self) -> None:
        """Where a message of the WebSocket ends means nothing, and where a read ends neither."""
        alice, bob = self.join("alice"), self.join("bob")
        data = alice.codec.encode(Message.chat("one", id="1"))
        data += alice.codec.encode(Message.chat("two", id="2"))
        frames = b"".join(alice.frame(data[at : at + 100]) for at in range(0, len(data), 100))
        for byte in frames:
            alice.send(bytes([byte]))
        self.turn()
        self.assertEqual(bob.texts(), ["one", "two"])

    def test_with_tcp(self) -> None:
        """Clients on a WebSocket and on TCP talk to each other."""
        alice, bob = self.join("alice"), hand_client(self.chat, "bob")
        alice.say("from the web")
        self.turn()
        bob.say("from TCP")
        self.turn()
        self.assertEqual(bob.take_texts(), ["from the web", "from TCP"])
        self.assertEqual(alice.texts(), ["from the web", "from TCP"])

    def test_large(self) -> None:
        """A large message arrives whole."""
        alice, bob = self.join("alice"), self.join("bob")
        alice.send_messages(Message.chat("x" * 3_000_000, id="large"))
        for _ in range(40):
            self.turn()
        self.assertEqual([len(text) for text in bob.texts()], [3_000_000])


class PingTests(WebCase):
    def test_pong(self) -> None:
        """A ping is answered with its content, before the session too."""
        for peer in (self.peer(), self.join("alice")):
            peer.frames()
            peer.send(peer.frame(b"hello", Opcode.PING))
            (pong,) = peer.frames()
            self.assertEqual((pong.opcode, bytes(pong.data)), (Opcode.PONG, b"hello"))

    def test_last_of_many(self) -> None:
        """Of many pings that come together, the last is answered."""
        alice = self.join("alice")
        alice.frames()
        alice.send(b"".join(alice.frame(b"%d" % number, Opcode.PING) for number in range(100)))
        self.assertEqual([bytes(pong.data) for pong in alice.frames()], [b"99"])

    def test_unread_pongs(self) -> None:
        """While the peer does not read, pongs do not pile up."""
        alice = self.join("alice")
        alice.frames()
        alice.transport.accept_no_more()
        for number in range(100):
            alice.send(alice.frame(b"%d" % number, Opcode.PING))
        self.assertEqual(alice.frames(), [])
        alice.transport.accept_again()
        self.assertEqual([bytes(pong.data) for pong in alice.frames()], [b"99"])

    def test_pongs_unasked(self) -> None:
        """A pong without a ping is ignored."""
        alice = self.join("alice")
        alice.frames()
        alice.send(alice.frame(b"x", Opcode.PONG))
        self.assertEqual((alice.frames(), alice.transport.ends), ([], []))


class EndTests(WebCase):
    def test_session_ends(self) -> None:
        """The end of a session comes with a DISCONNECT, and closes with 1000."""
        alice = self.join("alice")
        alice.messages()
        alice.session.end_session("kicked", "out")
        self.turn()
        (end,) = alice.messages()
        self.assertEqual((end.type, end.header.code), (MessageType.DISCONNECT, "kicked"))
        self.assertEqual((alice.closed.code, alice.transport.ends), (1000, []))
        alice.close()
        self.assertEqual(alice.transport.ends, ["half-close"])

    def test_peer_does_not_answer(self) -> None:
        """A peer that does not answer the Close is cut off."""
        alice = self.join("alice")
        alice.session.end_session("kicked", "out")
        self.turn()
        self.clock.advance(CLOSE_TIMEOUT_S)
        self.assertTrue(alice.transport.is_lost)
        self.assertEqual(self.chat.sessions, {})

    def test_peer_closes(self) -> None:
        """A peer that closes gets its Close back, and its session is over."""
        alice = self.join("alice")
        alice.messages()
        alice.close(1001)
        self.turn()
        alice.frames()
        self.assertEqual((alice.closed.code, alice.transport.ends), (1001, ["half-close"]))
        self.assertEqual(self.chat.sessions, {})

    def test_owed_receipts(self) -> None:
        """A peer that sends messages and closes gets the receipts before the Close."""
        alice, bob = self.join("alice"), self.join("bob")
        alice.messages()
        data = alice.frame(alice.codec.encode(Message.chat("last", id="last")))
        alice.send(data + alice.frame(struct.pack("!H", 1000), Opcode.CLOSE))
        for _ in range(3):
            self.turn()
        self.assertEqual(alice.texts(), ["last"])
        self.assertEqual((alice.closed.code, bob.texts()), (1000, ["last"]))

    def test_close_in_mid_message(self) -> None:
        """A Close between the fragments of a message ends the session, and is a fault."""
        alice, bob = self.join("alice"), self.join("bob")
        data = alice.codec.encode(Message.chat("half", id="half"))
        alice.send(alice.frame(data[:50], Opcode.BINARY, fin=False))
        alice.close()
        self.turn()
        alice.frames()
        self.assertEqual((alice.closed.code, bob.texts()), (1002, []))
        alice.transport.lose()
        self.assertEqual([each.name for each in self.chat.sessions.values()], ["bob"])

    def test_connection_lost(self) -> None:
        """A connection that is lost without a Close ends the session."""
        alice = self.join("alice")
        alice.transport.lose()
        self.assertEqual(self.chat.sessions, {})

    def test_nothing_left(self) -> None:
        """A WebSocket that has ended leaves no timer."""
        alice = self.join("alice")
        alice.close()
        self.turn()
        alice.transport.lose()
        self.chat.engine.finish()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class FaultTests(WebCase):
    """A fault in the frames closes with a code, without a traceback, and ends the session."""

    def check_closed(self, code: int, data: bytes) -> None:
        for make in (self.peer, lambda: self.join("alice")):
            peer = make()
            with capturedLogs() as logged:
                peer.send(data)
            self.turn()
            peer.frames()
            self.assertEqual(peer.closed and peer.closed.code, code)
            self.assertEqual(peer.transport.ends, ["half-close"])
            peer.transport.lose()
            self.turn()
            self.assertEqual([each for each in logged if each["log_level"] > LogLevel.info], [])
            self.assertEqual(self.chat.sessions, {})

    def test_text(self) -> None:
        """A text message closes with 1003."""
        self.check_closed(1003, Frame(Opcode.TEXT, b"hello").serialize(mask=True))
        self.check_closed(1003, Frame(Opcode.TEXT, b"\xff", fin=False).serialize(mask=True))

    def test_unmasked(self) -> None:
        """An unmasked frame closes with 1002."""
        self.check_closed(1002, Frame(Opcode.BINARY, b"hello").serialize(mask=False))

    def test_announced(self) -> None:
        """A frame of 2^40 bytes is refused at its length, before its bytes come."""
        self.check_closed(1009, struct.pack("!BBQ", 0x82, 0xFF, BIG))

    def test_control_frames(self) -> None:
        """A control frame may not be long, and may not come in fragments."""
        self.check_closed(1002, struct.pack("!BBHI", 0x89, 0xFE, 126, 0) + bytes(126))
        self.check_closed(1002, struct.pack("!BBI", 0x09, 0x80, 0))

    def test_wrong_frames(self) -> None:
        """Unknown opcodes, reserved bits and a continuation of nothing close with 1002."""
        for first in (0x83, 0x8B, 0xC2, 0xA2, 0x92, 0x80):
            self.check_closed(1002, struct.pack("!BBI", first, 0x80, 0))

    def test_wrong_close(self) -> None:
        """A Close with a wrong code closes with 1002."""
        self.check_closed(1002, Frame(Opcode.CLOSE, struct.pack("!H", 1006)).serialize(mask=True))

    def test_earlier_bytes(self) -> None:
        """What came before a fault is acted on."""
        alice, bob = self.join("alice"), self.join("bob")
        data = alice.frame(alice.codec.encode(Message.chat("before", id="1")))
        alice.send(data + alice.frame(b"text", Opcode.TEXT))
        self.turn()
        self.assertEqual(bob.texts(), ["before"])

    def test_after_a_fault(self) -> None:
        """What comes after a fault is dropped, and a peer that stays is cut off."""
        alice, bob = self.join("alice"), self.join("bob")
        alice.send(alice.frame(b"text", Opcode.TEXT))
        alice.say("after")
        self.turn()
        self.assertEqual(bob.texts(), [])
        self.clock.advance(CLOSE_TIMEOUT_S)
        self.assertTrue(alice.transport.is_lost)

    def test_bad_stream(self) -> None:
        """Bytes that are no chatd get its ERROR, as on TCP."""
        alice = self.join("alice")
        alice.messages()
        alice.send_bytes(b"\0\0\0\x50" + b"nonsense" * 10)
        self.turn()
        error, end = alice.messages()
        self.assertEqual((error.type, end.type), (MessageType.ERROR, MessageType.DISCONNECT))
        self.assertEqual(alice.closed.code, 1000)
