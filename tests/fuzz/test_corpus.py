"""Tests that replay the kept inputs of the fuzzers, and that the targets find faults."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.connection.client import ClientConnection
from chatd.connection.connection import Connection
from chatd.connection.server import ServerConnection
from chatd.errors import HeaderError, RecordError, RequestError
from chatd.wire.channel import SecureChannel
from chatd.wire.codec import Codec
from chatd.wire.envelope import EnvelopeSealer
from chatd.wire.frames import Found, FrameReader
from chatd.wire.messages import ChatHeader, Message
from tests.fuzz import CORPUS, MAX_INPUT, TARGETS, load
from tests.fuzz.targets import CODEC, Broken
from tests.wire.samples import KEY

Opened = Iterator[tuple[bytes, bytes, int]]

MAX_FILES = 80
MAX_TOTAL_BYTES = 100_000


def inputs_of(name: str) -> dict[str, bytes]:
    """Return the kept inputs of a target, by the names of their files."""
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
        """Each stream gives the same frames in any pieces."""
        self.replay("frames")

    def test_envelope(self):
        """Each frame is whole, or has the fault that the protocol's table names."""
        self.replay("envelope")

    def test_runs(self):
        """Each stream is sealed and opened in runs as frame by frame, in Python and in C."""
        self.replay("runs")

    def test_header(self):
        """Each header has the result of a JSON parser and of the protocol's tables."""
        self.replay("header")

    def test_channel(self):
        """Each stream of records gives the sealed texts, up to the first fault."""
        self.replay("channel")

    def test_server(self):
        """Each stream has the same result for a server, in any pieces."""
        self.replay("server")

    def test_client(self):
        """Each stream has the same result for a client, in any pieces."""
        self.replay("client")

    def test_size(self):
        """Every target has a few short inputs, and there are no other directories."""
        kept = {name: inputs_of(name) for name in TARGETS}
        self.assertEqual({path.name for path in CORPUS.iterdir()}, set(TARGETS))
        for name, inputs in kept.items():
            self.assertIn(len(inputs), range(5, MAX_FILES + 1), name)
            self.assertLessEqual(max(map(len, inputs.values())), MAX_INPUT, name)
        total = sum(len(data) for inputs in kept.values() for data in inputs.values())
        self.assertLessEqual(total, MAX_TOTAL_BYTES)


class LosingReader(FrameReader):
    """A reader that loses the waiting bytes when more than eight of them wait."""

    def receive_data(self, data: bytes) -> None:
        if len(self._partial) > 8:
            self._partial = bytearray()
        super().receive_data(data)


class GreedyReader(FrameReader):
    """A reader that does not check the limit before a frame is whole."""

    def __init__(self, max_frame: int, *arguments: Any) -> None:
        super().__init__(2**32, *arguments)


class TwiceReader(FrameReader):
    """A reader that returns each frame twice."""

    def frames(self):
        for frame in super().frames():
            yield frame
            self._offset = frame[1] - 4
            yield frame


class DeafCodec(Codec):
    """A codec that ignores the checksums."""

    def decode_envelope(self, buffer: Found, start: int, end: int) -> Message:
        assert isinstance(buffer, bytes)
        body = buffer[start:end]
        if len(body) >= 64:
            length = struct.unpack_from(">I", body, 12)[0]
            header, content = body[64 : 64 + length], body[64 + length :]
            message_type = struct.unpack_from(">H", body, 10)[0]
            body = CODEC._sealer.seal(message_type, header, content)[4:]
        return super().decode_envelope(body, 0, len(body))


class TrustingSealer(EnvelopeSealer):
    """Opens a run of frames without a look at their sums and signatures."""

    def open_run(self, buffer: bytes, start: int, message_type: int, max_content: int) -> Opened:
        while len(buffer) - start >= 68:
            header_length, content_length = struct.unpack_from(">I4xQ", buffer, start + 16)
            content_start = start + 68 + header_length
            end = content_start + content_length
            frame = self.seal(
                message_type, buffer[start + 68 : content_start], buffer[content_start:end]
            )
            if end > len(buffer) or frame[:20] != buffer[start : start + 20]:
                return
            yield buffer[start + 68 : content_start], buffer[content_start:end], end
            start = end


class ShortSealer(EnvelopeSealer):
    """Opens no more than two frames at a time."""

    def open_run(self, *arguments: Any) -> Opened:
        return islice(super().open_run(*arguments), 2)


class LateSealer(EnvelopeSealer):
    """Opens the frame after a faulty one."""

    def open_run(self, buffer: bytes, start: int, message_type: int, max_content: int) -> Opened:
        while start + 4 <= len(buffer):
            yield from super().open_run(buffer, start, message_type, max_content)
            start += 4 + int.from_bytes(buffer[start : start + 4], "big")


class LooseCodec(Codec):
    """A codec that takes a header that is no JSON object for an empty header."""

    def decode_envelope(self, buffer: Found, start: int, end: int) -> Message:
        try:
            return super().decode_envelope(buffer, start, end)
        except HeaderError:
            return Message(99, {})


class StrictCodec(Codec):
    """A codec that refuses a header with unknown fields."""

    def decode_envelope(self, buffer: Found, start: int, end: int) -> Message:
        message = super().decode_envelope(buffer, start, end)
        assert isinstance(buffer, bytes)
        if b'"x"' in buffer[start:end]:
            raise RequestError("bad-request", "there is no such field")
        return message


class ForgetfulCodec(Codec):
    """A codec that loses a field."""

    def decode_envelope(self, buffer: Found, start: int, end: int) -> Message:
        message = super().decode_envelope(buffer, start, end)
        if isinstance(message.header, ChatHeader):
            header = ChatHeader(id=message.header.id, content_type=message.header.content_type)
            return Message(message.type, header, message.content)
        return message


class CrashingCodec(Codec):
    """A codec that raises an unexpected error at a header that is no JSON."""

    def decode_envelope(self, buffer: Found, start: int, end: int) -> Message:
        try:
            return super().decode_envelope(buffer, start, end)
        except HeaderError as error:
            raise ValueError("not thought of") from error


class DeafChannel(SecureChannel):
    """A channel that skips a record that does not open."""

    def next_plaintext(self) -> bytes:
        try:
            return super().next_plaintext()
        except RecordError:
            return b""


class HoardingChannel(SecureChannel):
    """A channel that keeps all received bytes."""

    __slots__ = ("_all",)

    def receive_data(self, data: bytes) -> None:
        self._all = getattr(self, "_all", b"") + data
        super().receive_data(data)


class ForwardChannel(SecureChannel):
    """A channel that loses the text that comes with the end of the handshake."""

    def next_plaintext(self) -> bytes:
        was_open = self.is_open
        plaintext = super().next_plaintext()
        return plaintext if was_open else b""


Make = Callable[..., Connection]


def faulty(side: Any, change: Callable[[Any], None]) -> Make:
    """Return a function that makes changed connections of a side."""
    changeable = type("Changeable", (side,), {})  # without slots, so its instances can be changed

    def make(*arguments: Any, **options: Any) -> Connection:
        connection: Connection = changeable(*arguments, **options)
        change(connection)
        return connection

    return make


def answer_twice(connection: Any) -> None:
    """Change a connection so that it answers each fault twice."""
    end_once = connection.end_faulty

    def end_faulty() -> None:
        end_once()
        connection.queue_frames(connection.codec.encode(Message(6, {"code": "goodbye"})))

    connection.end_faulty = end_faulty


def tell_nothing(connection: Any) -> None:
    """Change a connection so that it does not report a fault."""
    connection.end_faulty = lambda: connection.end("goodbye", "so it is")


class BrokenTests(SynchronousTestCase):
    """Each target finds broken objects."""

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
        """The target finds readers that lose, hoard or repeat."""
        self.assert_found("frames", LosingReader, GreedyReader, TwiceReader)

    def test_envelope(self):
        """The target finds a codec that does not check, and a codec that crashes."""
        self.assert_found("envelope", DeafCodec(KEY, max_content=CODEC.max_content))
        crashing = CrashingCodec(KEY, max_content=CODEC.max_content)
        self.assert_found("envelope", crashing, error=ValueError)

    def test_runs(self):
        """Sealers that check too little, end early or go on are found."""
        self.assert_found("runs", TrustingSealer, ShortSealer, LateSealer)

    def test_header(self):
        """The target finds codecs that accept too much, too little, or other fields."""
        self.assert_found("header", LooseCodec(KEY), StrictCodec(KEY), ForgetfulCodec(KEY))
        self.assert_found("header", CrashingCodec(KEY), error=ValueError)

    def test_channel(self):
        """The target finds channels that skip a fault, keep too much or lose a text."""
        self.assert_found("channel", DeafChannel, HoardingChannel, ForwardChannel)

    def test_connections(self):
        """The targets find connections that answer a fault twice, or do not name it."""
        for name, side in (("server", ServerConnection), ("client", ClientConnection)):
            for change in (answer_twice, tell_nothing):
                self.assert_found(name, faulty(side, change))
