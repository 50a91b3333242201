"""Tests of the reaction of both sides to bad frames, and to frames that are not allowed."""

from struct import Struct

from twisted.trial.unittest import SynchronousTestCase

from chatd.connection.events import Faulted, PingReceived, PongReceived
from chatd.connection.states import State
from chatd.errors import RequestError
from chatd.wire.messages import Error, Message, MessageType
from tests.connection.wiring import (
    HELLO,
    KEY,
    MAX_CONTENT,
    SideCases,
    answered,
    codes_of,
    error,
    make_client,
    make_server,
    ping,
    pong,
)
from tests.wire.hostile import FIELDS, flipped
from tests.wire.samples import raw_frame

LENGTH = Struct(">I")
EIGHT_KIB = 8192


class FaultCases(SideCases):
    """A fault in the bytes: one ERROR, one DISCONNECT, and no more reading."""

    def hello(self) -> bytes:
        return raw_frame(4, b'{"id":"m1"}', b"hello", self.key)

    def check_fault(self, code: str, frame: bytes) -> None:
        """Check the results of a bad frame, with one good frame before it and two after it."""
        for state in (State.GREETING, State.ESTABLISHED):
            peer = self.at(state)
            peer.hear()
            good = raw_frame(3, b'{"n":1}', b"pong", self.key)
            fault = peer.say_frames(good + frame + self.hello())
            self.assertEqual(fault[0], PongReceived(1))
            self.assertEqual([event.error.code for event in fault[1:]], [code])
            self.assertIsInstance(fault[1], Faulted)
            self.assertEqual(codes_of(peer.hear()), [(5, code), (6, code)])
            self.assertIs(peer.state, State.CLOSING)
            end = peer.connection.end_reason
            self.assertEqual((end.code, end.retry), (code, False))
            self.assertEqual(peer.say_frames(good), [])
            self.assertEqual(list(answered(peer.connection)), [])
            self.assertEqual(peer.hear(), [])

    def test_told_when_acted_on(self):
        """The peer learns of a fault only after the owner has acted on it."""
        peer = self.at(State.ESTABLISHED)
        hello, fault = peer.say_fault(HELLO)
        self.assertEqual((hello, fault.error.code), (HELLO, "bad-length"))
        self.assertIs(peer.state, State.FAULTED)
        self.assertEqual(peer.hear(), [])
        self.assertIsNone(peer.connection.end_reason)
        for _ in range(2):  # the second time, there is nothing to do
            peer.connection.end_faulty()
            self.assertIs(peer.state, State.CLOSING)
        self.assertEqual(codes_of(peer.hear()), [(5, "bad-length"), (6, "bad-length")])
        self.assertEqual(peer.connection.end_reason.code, "bad-length")

    def test_between_the_fault_and_its_answer(self):
        """Before that, this side reads and keeps nothing, and queued frames precede the answer."""
        peer = self.at(State.ESTABLISHED)
        peer.say_fault(HELLO)
        peer.connection.receive_data(peer.seal(peer.encode(HELLO, ping(1))))
        self.assertEqual(list(answered(peer.connection)), [])
        peer.connection.queue_frames(peer.encode(pong(9)))
        peer.connection.send_error(RequestError("not-today", "no", ref="m1"))
        peer.connection.end_faulty()
        heard = peer.hear()
        self.assertEqual(heard[0], pong(9))
        self.assertEqual(
            codes_of(heard[1:]), [(5, "not-today"), (5, "bad-length"), (6, "bad-length")]
        )

    def test_time_of_the_answer(self):
        """The fault is the reason of the end, even if the answer takes long."""
        peer = self.at(State.ESTABLISHED)
        peer.say_fault()
        for now in (5.0, 10.0, 15.0, 100.0, 1000.0):
            peer.connection.tick(now)
        self.assertEqual(peer.hear(), [])
        peer.connection.end_faulty()
        self.assertEqual(codes_of(peer.hear()), [(5, "bad-length"), (6, "bad-length")])

    def test_ended_before_the_answer(self):
        """If the session ends or is lost first, the connection does not report the fault."""
        for end, heard in (
            (lambda connection: connection.end("shutting-down", "bye"), [(6, "shutting-down")]),
            (lambda connection: connection.connection_lost(), []),
        ):
            peer = self.at(State.ESTABLISHED)
            peer.say_fault()
            end(peer.connection)
            reason = peer.connection.end_reason
            peer.connection.end_faulty()
            self.assertEqual(codes_of(peer.hear()), heard)
            self.assertIs(peer.connection.end_reason, reason)

    def test_no_fault(self):
        """Without a fault, `end_faulty` does nothing."""
        for state in (State.GREETING, State.ESTABLISHED, State.DRAINING, State.CLOSED):
            peer = self.at(state)
            peer.hear()
            peer.connection.end_faulty()
            self.assertIs(peer.state, state)
            self.assertEqual(peer.hear(), [])

    def test_too_short(self):
        """A frame shorter than an envelope is `bad-length`."""
        self.check_fault("bad-length", LENGTH.pack(63) + bytes(63))
        self.check_fault("bad-length", LENGTH.pack(0))

    def test_lengths_that_contradict(self):
        """Lengths that do not add up to the frame's length are `bad-length`."""
        self.check_fault("bad-length", flipped(self.hello(), FIELDS["content length"].start))

    def test_too_large(self):
        """A length prefix over any limit is `too-large`, before any other byte arrives."""
        self.check_fault("too-large", LENGTH.pack(2**32 - 1))

    def test_bad_magic(self):
        """A frame that does not begin with the magic is `bad-magic`."""
        self.check_fault("bad-magic", flipped(self.hello(), 4))

    def test_bad_version(self):
        """An envelope of another version is `bad-version`."""
        self.check_fault("bad-version", flipped(self.hello(), FIELDS["version"].start))

    def test_bad_crc(self):
        """A damaged header or content is `bad-crc`."""
        hello = self.hello()
        self.check_fault("bad-crc", flipped(hello, FIELDS["content CRC"].start))
        self.check_fault("bad-crc", flipped(hello, len(hello) - 1))

    def test_bad_mac(self):
        """An envelope signed with another key is `bad-mac`."""
        self.check_fault("bad-mac", raw_frame(4, b'{"id":"m1"}', b"hello", bytes([7] * 32)))
        self.check_fault("bad-mac", flipped(self.hello(), FIELDS["MAC"].start))

    def test_bad_header(self):
        """A header that is not one JSON object in UTF-8 is `bad-header`."""
        for header in (b"", b"[]", b"{", b'{"id":"\xff"}', b"{} {}"):
            self.check_fault("bad-header", raw_frame(4, header, b"", self.key))

    def test_header_over_the_limit(self):
        """A header of more than 64 KiB is `too-large` before it has arrived."""
        peer = self.at(State.ESTABLISHED)
        start = raw_frame(4, b" " * 65_536, b"", self.key)[: 4 + 64]
        longer = flipped(flipped(start, 3), 4 + 15)
        peer.say_frames(longer)
        self.assertEqual(codes_of(peer.hear()), [(5, "too-large"), (6, "too-large")])

    def test_over_the_content_limit(self):
        """Content over the limit is `too-large` before it arrives; content of the limit is not."""
        for length, over in ((MAX_CONTENT, False), (MAX_CONTENT + 1, True)):
            peer = self.at(State.ESTABLISHED)
            frame = raw_frame(4, b'{"id":"m1"}', bytes(length), self.key)
            peer.say_frames(frame[: 4 + 64])
            self.assertEqual(peer.state, State.CLOSING if over else State.ESTABLISHED)
            told = peer.say_frames(frame[4 + 64 :])
            self.assertEqual([len(event.content) for event in told], [] if over else [length])

    def test_before_establishment(self):
        """The connection refuses more than 8 KiB before establishment, at the length prefix."""
        for length, over in ((EIGHT_KIB, False), (EIGHT_KIB + 1, True)):
            peer = self.at(State.GREETING)
            peer.hear()
            peer.say_frames(LENGTH.pack(length))
            self.assertIs(peer.state, State.CLOSING if over else State.GREETING)
            heard = codes_of(peer.hear())
            self.assertEqual(heard, [(5, "too-large"), (6, "too-large")] if over else [])

    def test_after_establishment(self):
        """After establishment, a frame may be as long as the limits allow."""
        peer = self.at(State.ESTABLISHED)
        content = bytes(EIGHT_KIB + 1)
        (told,) = peer.say(Message.chat(content, id="m1"))
        self.assertEqual(told.content, content)


class RequestCases(SideCases):
    """A faulty request: one ERROR, and the session goes on."""

    def check_answer(self, frame: bytes, code: str, ref: str | None, state=State.ESTABLISHED):
        """Check that a frame gets one ERROR, and that the session goes on."""
        peer = self.at(state)
        peer.hear()
        events = peer.say_frames(frame + peer.encode(ping(3)))
        self.assertEqual(events, [])
        refusal, answer = peer.hear()
        self.assertEqual((refusal.type, refusal.header.code), (MessageType.ERROR, code))
        self.assertEqual(refusal.header.ref, ref)
        self.assertEqual(answer, pong(3))
        self.assertIs(peer.state, state)

    def test_unknown_type(self):
        """The connection answers a frame of unknown type with `unknown-type` and the frame's id."""
        for state in (State.GREETING, State.ESTABLISHED):
            self.check_answer(
                raw_frame(99, b'{"id":"x"}', b"?", self.key), "unknown-type", "x", state
            )

    def test_chunk(self):
        """CHUNK has no meaning yet: the connection answers it like an unknown type."""
        self.check_answer(raw_frame(7, b'{"id":"x"}', b"", self.key), "unknown-type", "x")

    def test_no_id(self):
        """The connection answers a frame without an id, or with an id of no text, without a ref."""
        for header in (b"{}", b'{"id":5}', b'{"id":null}'):
            self.check_answer(raw_frame(99, header, b"", self.key), "unknown-type", None)

    def test_long_id(self):
        """An id that is too long is not repeated, so the answer stays within the limits."""
        header = b'{"id":"%s"}' % (b"x" * 65_500)
        self.check_answer(raw_frame(99, header, b"", self.key), "unknown-type", None)

    def test_unexpected_type(self):
        """The connection answers a greeting during a session with `unexpected-type`."""
        for message_type in (MessageType.SESSION_INIT, MessageType.SESSION_ACK):
            frame = raw_frame(message_type, b'{"session_id":"s"}', b"", self.key)
            self.check_answer(frame, "unexpected-type", None)

    def test_message_too_soon(self):
        """The connection answers a MESSAGE before establishment with `unexpected-type`."""
        frame = raw_frame(4, b'{"id":"m1"}', b"hello", self.key)
        self.check_answer(frame, "unexpected-type", "m1", State.GREETING)

    def test_bad_fields(self):
        """A header with a field that is missing or has the wrong type is `bad-request`."""
        self.check_answer(raw_frame(4, b"{}", b"", self.key), "bad-request", None)
        self.check_answer(raw_frame(4, b'{"id":"m1","room":5}', b"", self.key), "bad-request", "m1")
        self.check_answer(raw_frame(3, b'{"n":"1"}', b"ping", self.key), "bad-request", None)

    def test_error_is_not_answered(self):
        """An ERROR from the peer is never answered with an ERROR, in any state."""
        for state in (State.GREETING, State.ESTABLISHED):
            peer = self.at(state)
            peer.hear()
            peer.say(error("bad-request"), error("some-word", ref="m1"))
            self.assertEqual(peer.hear(), [])
            self.assertIs(peer.state, state)

    def test_bad_error_is_not_answered(self):
        """The connection does not answer an ERROR with a bad header, or two sides would go on."""
        for header in (b"{}", b'{"code":5}', b'{"code":"x","ref":[]}'):
            peer = self.at(State.ESTABLISHED)
            peer.say_frames(raw_frame(5, header, b"", self.key))
            self.assertEqual(peer.hear(), [])
            self.assertIs(peer.state, State.ESTABLISHED)

    def test_told_to_its_owner(self):
        """The owner gets an event for faults and pings, and answers them at any time."""
        for state in (State.GREETING, State.ESTABLISHED):
            peer = self.at(state)
            peer.hear()
            unknown = raw_frame(99, b'{"id":"x"}', b"", self.key)
            ill_formed = raw_frame(8, b'{"id":"c1"}', b"", self.key)
            neither = raw_frame(3, b'{"n":1}', b"pang", self.key)
            frames = unknown + ill_formed + neither + peer.encode(ping(5))
            peer.connection.receive_data(peer.seal(frames))
            *faulted, pinged = peer.connection.events()
            self.assertEqual(
                [(event.error.code, event.error.ref) for event in faulted],
                [("unknown-type", "x"), ("bad-request", "c1"), ("bad-request", None)],
            )
            self.assertEqual(pinged, PingReceived(5))
            self.assertEqual(peer.hear(), [])
            for event in (pinged, *faulted):
                peer.connection.answer(event)
            self.assertEqual(peer.hear()[0], pong(5))

    def test_send_error(self):
        """`send_error` sends the code, the text and the ref."""
        peer = self.at(State.ESTABLISHED)
        peer.connection.send_error(RequestError("not-here", "try there", ref="m1"))
        expected = Error(code="not-here", message="try there", ref="m1")
        self.assertEqual(peer.hear(), [Message(MessageType.ERROR, expected)])


class ServerSideTests(FaultCases, RequestCases, SynchronousTestCase):
    make = staticmethod(make_server)


class EncryptedServerSideTests(FaultCases, RequestCases, SynchronousTestCase):
    make = staticmethod(make_server)
    key = KEY


class ClientSideTests(FaultCases, RequestCases, SynchronousTestCase):
    make = staticmethod(make_client)


class EncryptedClientSideTests(FaultCases, RequestCases, SynchronousTestCase):
    make = staticmethod(make_client)
    key = KEY
