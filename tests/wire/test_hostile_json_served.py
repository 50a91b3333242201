"""Tests of the answers of a session and a whole server to frames with hostile headers."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from chatd.connection.events import Faulted
from chatd.connection.states import State
from chatd.errors import HeaderError, RequestError
from chatd.testing import MemoryServer
from chatd.wire.codec import Codec
from chatd.wire.messages import Message, MessageType
from tests.connection.wiring import HELLO, bring_to, codes_of, make_client, make_server
from tests.fakes.handserver import fields_of, noting
from tests.fakes.peers import Peer, greeted_client, hand_client, settle
from tests.wire.hostile_json import BEYOND, NO_ID, NO_OBJECT, NO_TEXT, NO_VALUE, TAKEN, TEXTS
from tests.wire.samples import raw_frame

CODEC = Codec()
MESSAGE, COMMAND = MessageType.MESSAGE, MessageType.COMMAND
MAX_REF = 256
LONG = b"x" * 60_000


def headers() -> Iterator[bytes]:
    """Return all hostile samples, as headers of any message type."""
    yield from NO_OBJECT.values()
    yield from TAKEN.values()
    for value in (*NO_VALUE.values(), *BEYOND.values(), *NO_ID):
        yield b'{"command":"who","id":%b}' % value
        yield b'{"command":"who","id":"m1","room":%b}' % value
        yield b'{"command":"who","id":"m1","x":%b}' % value
    for text in (*NO_TEXT.values(), *TEXTS, LONG):
        yield b'{"command":"who","id":"%b"}' % text
        yield b'{"command":"%b","id":"m1"}' % text
        yield b'{"command":"who","id":"m1","room":"%b"}' % text
        yield b'{"command":"who","id":"m1","x%b":1}' % text


def outcome_of(message_type: int, header: bytes) -> str:
    """Return the result of decoding a header."""
    try:
        CODEC.decode(raw_frame(message_type, header))
    except HeaderError:
        return "bad-header"
    except RequestError as error:
        return error.code
    return "taken"


class HostileJsonSessionTests(SynchronousTestCase):
    def test_any_state(self):
        """A header that is no JSON object ends a session with one ERROR; others do not end it."""
        for make in (make_server, make_client):
            for header in headers():
                for message_type in (MESSAGE, COMMAND, 99):
                    self.check(make, message_type, header)

    def check(self, make, message_type: int, header: bytes) -> None:
        peer = bring_to(State.ESTABLISHED, make())
        outcome = outcome_of(message_type, header)
        told = peer.say_frames(raw_frame(message_type, header) + CODEC.encode(HELLO))
        said = peer.hear()
        if outcome == "bad-header":
            self.assertEqual([type(event) for event in told], [Faulted], header[:80])
            self.assertEqual(codes_of(said), [(5, "bad-header"), (6, "bad-header")])
            return
        self.assertEqual(told[-1:], [HELLO], header[:80])
        self.assertIs(peer.state, State.ESTABLISHED)
        if outcome == "bad-request":
            ((kind, code),) = codes_of(said)
            self.assertEqual((kind, code), (5, "bad-request"), header[:80])
            self.assertLessEqual(len(said[0].header.ref or ""), MAX_REF)

    def test_greeting(self):
        """A session that is not established is not harmed either."""
        for header in headers():
            for message_type in (MessageType.SESSION_ACK, MessageType.HEARTBEAT):
                peer = bring_to(State.GREETING, make_server())
                peer.hear()
                told = peer.say_frames(raw_frame(message_type, header))
                codes = {code for _, code in codes_of(peer.hear())}
                self.assertLessEqual(len(told), 1)
                self.assertLessEqual(codes, {"bad-header", "bad-request", "too-large"})
                self.assertEqual(len(codes), 1, header[:80])

    def test_pong(self):
        """The codec answers a ping with any number with a pong with the same number."""
        for n in (b"-0", b"18446744073709551616", b"-" + b"9" * 300):
            peer = bring_to(State.ESTABLISHED, make_server())
            self.assertEqual(peer.say_frames(raw_frame(3, b'{"n":%b}' % n, b"ping")), [])
            (pong,) = peer.hear()
            self.assertEqual((pong.header.n, pong.content), (int(n), b"pong"))


class HostileJsonServerTests(SynchronousTestCase):
    """A real server in memory, with another client connected."""

    def setUp(self) -> None:
        self.server = MemoryServer()
        self.heard: list[str] = []
        self.other = self.server.connect("bob", protocol=noting(self.heard))

    def say(self, frame: bytes, client: Peer | None = None) -> list[Message]:
        """Send frames of a client, and return the answers."""
        client = client or hand_client(self.server.factory, "mallory")
        client.protocol.dataReceived(frame)
        settle(self.server.factory)
        answer = client.take()
        client.transport.lose()
        settle(self.server.factory)
        return answer

    def assert_serves(self) -> None:
        """Check that the server works, and that the other client is still served."""
        self.assertEqual(self.flushLoggedErrors(), [])
        receipt = self.other.send("still here")
        self.server.pump()
        self.assertEqual(self.successResultOf(receipt).text, "still here")

    def test_messages_and_commands(self):
        """Each frame is answered or ends only its session, and the server still serves."""
        for header in headers():
            for message_type in (MESSAGE, COMMAND):
                answer = self.say(raw_frame(message_type, header))
                self.assertGreaterEqual(len(answer), 1, (message_type, header[:80]))
                if outcome_of(message_type, header) == "bad-header":
                    self.assertEqual(codes_of(answer), [(5, "bad-header"), (6, "bad-header")])
        self.assert_serves()

    def test_ids(self):
        """An odd but valid id comes back unchanged, in the receipt and in the delivery."""
        for raw, text in TEXTS.items():
            (receipt,) = self.say(raw_frame(4, b'{"id":"%b"}' % raw, b"odd"))
            self.assertEqual(receipt.id, text)
            (answer,) = self.say(raw_frame(8, b'{"id":"%b","command":"rooms"}' % raw))
            self.assertEqual((answer.type, fields_of(answer)["id"]), (9, text))
        self.server.pump()
        self.assertEqual(self.heard, ["odd"] * len(set(TEXTS.values())))
        self.assert_serves()

    def test_fields_of_commands(self):
        """The codec answers a command with any values in its fields, without a failure."""
        commands = (
            "join",
            "leave",
            "history",
            "who",
            "rooms",
            "conversations",
            "topic",
            "name",
            "ban",
        )
        fields = ("room", "with", "after", "before", "limit", "epoch", "topic", "name", "address")
        values = [b'"%b"' % text for text in (*TEXTS, b"", LONG)]
        values += [*NO_ID[1:6], b"-1", b"0", b"1.5", b"9007199254740992", b"1e300", b"9" * 300]
        client = hand_client(self.server.factory, "mallory")
        for name in commands:
            for field in fields:
                for value in values:
                    header = b'{"id":"c1","command":"%b","room":"r","%b":%b}'
                    header %= (name.encode(), field.encode(), value)
                    (answer,) = self.ask(client, header)
                    if answer.type == MessageType.ERROR:
                        self.assertNotEqual(answer.header.code, "internal-error", header[:80])
                        self.assertEqual(answer.header.ref, "c1")
        self.assert_serves()

    def ask(self, client: Peer, header: bytes) -> list[Message]:
        """Send a command and return its answers; wait if the server throttles the client."""
        client.protocol.dataReceived(raw_frame(COMMAND, header))
        for _ in range(20):
            settle(self.server.factory)
            answers = [each for each in client.take() if each.type in (5, 9)]
            if answers:
                return answers
            self.server.advance(0.5, 0.5)
        raise AssertionError(f"no answer: {header[:80]!r}")

    def test_names(self):
        """A client that asks for any name gets a name that can be sent, or a refusal."""
        for raw in (*TEXTS, *NO_TEXT.values(), b"", LONG[:3_000], b"a" * 129, "é".encode() * 32):
            client = greeted_client(self.server.factory)
            session_id = client.protocol.connection.session_id.encode()
            header = b'{"session_id":"%b","name":"%b","rooms":["%b"]}' % (session_id, raw, raw)
            answer = self.say(raw_frame(2, header), client)
            codes = [each.header.code for each in answer if each.type == MessageType.ERROR]
            self.assertIn(codes, ([], ["bad-name"], ["bad-room"], ["bad-header"]), raw[:80])
        self.assert_serves()
