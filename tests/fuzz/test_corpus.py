"""The inputs that the fuzzers found worth keeping, replayed; and that the targets find faults."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.connection.client import ClientConnection
from chatd.connection.connection import Connection
from chatd.connection.server import ServerConnection
from chatd.errors import HeaderError, RecordError, RequestError
from chatd.wire.channel import SecureChannel
from chatd.wire.codec import Codec
from chatd.wire.frames import FrameReader
from chatd.wire.messages import ChatHeader, Message
from tests.fuzz import CORPUS, MAX_INPUT, TARGETS, load
from tests.fuzz.targets import CODEC, Broken
from tests.wire.samples import KEY

MAX_FILES = 80
MAX_TOTAL_BYTES = 100_000


def inputs_of(name: str) -> dict[str, bytes]:
    """Return the inputs of a target that are kept, by the names of their files."""
    return {path.name: path.read_bytes() for path in sorted((CORPUS / name).iterdir())}


class CorpusTests(SynchronousTestCase):
    def replay(self, name: str) -> None:
        """Give a target each of its inputs."""
        target = load(name)
        for file, data in inputs_of(name).items():
            try:
                target(data)
            except Exception as error:
                raise AssertionError(f"{name}/{file}") from error

    def test_frames(self):
        """Each stream is cut into the same frames however it arrives."""
        self.replay("frames")

    def test_envelope(self):
        """Each frame is found whole, or at fault in what the protocol's table says."""
        self.replay("envelope")

    def test_header(self):
        """Each header is what a JSON parser and the protocol's tables say that it is."""
        self.replay("header")

    def test_channel(self):
        """Each stream of records gives what was sealed, up to the first fault."""
        self.replay("channel")

    def test_server(self):
        """Each stream brings a server to the same end, however it arrives."""
        self.replay("server")

    def test_client(self):
        """Each stream brings a client to the same end, however it arrives."""
        self.replay("client")

    def test_size(self):
        """Every target has inputs, few and short ones, and there are no others."""
        kept = {name: inputs_of(name) for name in TARGETS}
        self.assertEqual({path.name for path in CORPUS.iterdir()}, set(TARGETS))
        for name, inputs in kept.items():
            self.assertIn(len(inputs), range(5, MAX_FILES + 1), name)
            self.assertLessEqual(max(map(len, inputs.values())), MAX_INPUT, name)
        total = sum(len(data) for inputs in kept.values() for data in inputs.values())
        self.assertLessEqual(total, MAX_TOTAL_BYTES)


class LosingReader(FrameReader):
    """Forgets what waits when more than a little of a frame has arrived."""

    def receive_data(self, data: bytes) -> None:
        if len(self._partial) > 8:
            self._partial = bytearray()
        super().receive_data(data)


class GreedyReader(FrameReader):
    """Holds no frame to its limit before it is whole."""

    def __init__(self, max_frame: int, *arguments: Any) -> None:
        super().__init__(2**32, *arguments)


class TwiceReader(FrameReader):
    """Tells each frame that a caller stops at again."""

    def frames(self):
        for frame in super().frames():
            yield frame
            self._offset = frame[1] - 4
            yield frame


class DeafCodec(Codec):
    """Does not look at the checksums."""

    def decode_envelope(self, buffer: bytes | bytearray, start: int, end: int) -> Message:
        body = bytes(buffer[start:end])
        if len(body) >= 64:
            length = struct.unpack_from(">I", body, 12)[0]
            header, content = body[64 : 64 + length], body[64 + length :]
            message_type = struct.unpack_from(">H", body, 10)[0]
            body = CODEC._sealer.seal(message_type, header, content)[4:]
        return super().decode_envelope(body, 0, len(body))


class LooseCodec(Codec):
    """Takes a header that is no JSON object for an empty one."""

    def decode_envelope(self, buffer: bytes | bytearray, start: int, end: int) -> Message:
        try:
            return super().decode_envelope(buffer, start, end)
        except HeaderError:
            return Message(99, {})


class StrictCodec(Codec):
    """Refuses a header that has unknown fields."""

    def decode_envelope(self, buffer: bytes | bytearray, start: int, end: int) -> Message:
        message = super().decode_envelope(buffer, start, end)
        if b'"x"' in bytes(buffer[start:end]):
            raise RequestError("bad-request", "there is no such field")
        return message


class ForgetfulCodec(Codec):
    """Loses a field."""

    def decode_envelope(self, buffer: bytes | bytearray, start: int, end: int) -> Message:
        message = super().decode_envelope(buffer, start, end)
        if isinstance(message.header, ChatHeader):
            header = ChatHeader(id=message.header.id, content_type=message.header.content_type)
            return Message(message.type, header, message.content)
        return message


class CrashingCodec(Codec):
    """Fails at a header that is no JSON, as if it had not been thought of."""

    def decode_envelope(self, buffer: bytes | bytearray, start: int, end: int) -> Message:
        try:
            return super().decode_envelope(buffer, start, end)
        except HeaderError as error:
            raise ValueError("not thought of") from error


class DeafChannel(SecureChannel):
    """Takes a record that does not open for none."""

    def next_plaintext(self) -> bytes:
        try:
            return super().next_plaintext()
        except RecordError:
            return b""


class HoardingChannel(SecureChannel):
    """Keeps all that was ever sent."""

    __slots__ = ("_all",)

    def receive_data(self, data: bytes) -> None:
        self._all = getattr(self, "_all", b"") + data
        super().receive_data(data)


class ForwardChannel(SecureChannel):
    """Loses what comes with the end of the handshake."""

    def next_plaintext(self) -> bytes:
        was_open = self.is_open
        plaintext = super().next_plaintext()
        return plaintext if was_open else b""


Make = Callable[..., Connection]


def faulty(side: Any, change: Callable[[Any], None]) -> Make:
    """Make connections of a side that are changed."""
    changeable = type("Changeable", (side,), {})  # which has no slots of its own

    def make(*arguments: Any, **options: Any) -> Connection:
        connection: Connection = changeable(*arguments, **options)
        change(connection)
        return connection

    return make


def answer_twice(connection: Any) -> None:
    """Let a connection answer each fault twice."""
    end_once = connection.end_faulty

    def end_faulty() -> None:
        end_once()
        connection.queue_frames(connection.codec.encode(Message(6, {"code": "goodbye"})))

    connection.end_faulty = end_faulty


def tell_nothing(connection: Any) -> None:
    """Let a connection keep a fault to itself."""
    connection.end_faulty = lambda: connection.end("goodbye", "so it is")


class BrokenTests(SynchronousTestCase):
    """A target that finds nothing in what is broken would hold nothing."""

    def assert_found(self, name: str, *broken: Any, error: type[Exception] = Broken) -> None:
        target: Callable[..., None] = load(name)
        for each in broken:
            found = 0
            for data in inputs_of(name).values():
                try:
                    target(data, each)
                except error:
                    found += 1
            self.assertGreater(found, 0, each)

    def test_frames(self):
        """Readers that lose, hoard or repeat are found."""
        self.assert_found("frames", LosingReader, GreedyReader, TwiceReader)

    def test_envelope(self):
        """A codec that does not check, and one that crashes, are found."""
        self.assert_found("envelope", DeafCodec(KEY, max_content=CODEC.max_content))
        crashing = CrashingCodec(KEY, max_content=CODEC.max_content)
        self.assert_found("envelope", crashing, error=ValueError)

    def test_header(self):
        """Codecs that take too much, too little or something else are found."""
        self.assert_found("header", LooseCodec(KEY), StrictCodec(KEY), ForgetfulCodec(KEY))
        self.assert_found("header", CrashingCodec(KEY), error=ValueError)

    def test_channel(self):
        """Channels that pass over a fault, keep too much or lose something are found."""
        self.assert_found("channel", DeafChannel, HoardingChannel, ForwardChannel)

    def test_connections(self):
        """Connections that answer a fault twice, or do not say what it is, are found."""
        for name, side in (("server", ServerConnection), ("client", ClientConnection)):
            for change in (answer_twice, tell_nothing):
                self.assert_found(name, faulty(side, change))
