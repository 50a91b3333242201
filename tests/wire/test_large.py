"""Tests of large envelopes: the same bytes and the same checks as for all others, in steps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import (
    ChecksumError,
    FrameTooLargeError,
    LocalProtocolError,
    MagicError,
    SignatureError,
    WireError,
)
from chatd.wire.codec import Codec
from chatd.wire.frames import LENGTH_BYTES
from chatd.wire.large import LARGE_CONTENT, LargeFrame
from chatd.wire.messages import Message
from tests.wire.samples import HEADER, KEY, OTHER_KEY, cuts, in_pieces, raw_frame, some_examples

CODEC = Codec(KEY)
CONTENT = bytes(range(256)) * (LARGE_CONTENT // 256) + b"end"
LARGE = raw_frame(4, HEADER, CONTENT, KEY)
SMALL = raw_frame(4, b'{"id":"m2"}', b"small", KEY)
ENVELOPE_BYTES = 64
READ = 16 * 1024


def large_frame() -> LargeFrame:
    """Return a frame that is not sealed yet."""
    frame = CODEC.encode_in_steps(Message.chat(CONTENT, id="m1"))
    assert isinstance(frame, LargeFrame)
    return frame


def contents_of(stream: bytes | list[bytes]) -> list[bytes]:
    """Return the contents of the messages in a stream that arrives in pieces."""
    reader = CODEC.reader()
    contents = []
    for piece in in_pieces(stream, READ) if isinstance(stream, bytes) else stream:
        reader.receive_data(piece)
        contents += [message.content for message in CODEC.decode_stream(reader)]
    assert reader.is_empty
    return contents


class LargeFrameTests(SynchronousTestCase):
    @some_examples
    @given(st.lists(st.integers(1, 2 * len(CONTENT)), max_size=8))
    def test_same_bytes(self, steps: list[int]) -> None:
        """A frame that is sealed in steps has the same bytes as one that is sealed at once."""
        frame = large_frame()
        for most in steps:
            frame.seal_some(most)
        self.assertEqual(b"".join(frame.sealed()), LARGE)

    def test_steps(self) -> None:
        """Each step hashes no more than it may, and the work that is left goes down to zero."""
        frame = large_frame()
        self.assertEqual(frame.work, 2 * len(CONTENT))
        done = 0
        while frame.work:
            hashed = frame.seal_some(100_000)
            self.assertTrue(0 < hashed <= 100_000)
            done += hashed
            self.assertEqual(frame.work, 2 * len(CONTENT) - done)
        self.assertEqual(frame.seal_some(100_000), 0)
        self.assertEqual(b"".join(frame.sealed()), LARGE)

    def test_length(self) -> None:
        """The length is known before the frame is sealed."""
        self.assertEqual(len(large_frame()), len(LARGE))

    def test_content_is_not_copied(self) -> None:
        """The frame shares the content with the message."""
        message = Message.chat(CONTENT, id="m1")
        frame = CODEC.encode_in_steps(message)
        self.assertIsInstance(frame, LargeFrame)
        self.assertIs(frame.sealed()[1], message.content)

    def test_small(self) -> None:
        """A small message is sealed at once."""
        message = Message.chat(bytes(LARGE_CONTENT - 1), id="m1")
        self.assertEqual(CODEC.encode_in_steps(message), CODEC.encode(message))

    def test_run(self) -> None:
        """A run with a large message has its other frames sealed, in order."""
        small = Message.chat("small", id="m2")
        first, large, last = CODEC.encode_run([small, Message.chat(CONTENT, id="m1"), small])
        self.assertEqual((first, last), (SMALL, SMALL))
        self.assertIsInstance(large, LargeFrame)
        self.assertEqual(b"".join(large.sealed()), LARGE)

    def test_refused(self) -> None:
        """A message that cannot be sent is refused at once."""
        codec = Codec(KEY, max_content=LARGE_CONTENT)
        for message in (
            Message.chat(CONTENT),
            Message(1 << 16, {}, bytes(LARGE_CONTENT)),
            Message(8, {"x": "x" * 65_536}, bytes(LARGE_CONTENT)),
        ):
            with self.assertRaises(LocalProtocolError):
                codec.encode_in_steps(message)


class LargeArrivalTests(SynchronousTestCase):
    @some_examples
    @given(cuts(LARGE + SMALL))
    def test_random_cuts(self, pieces: list[bytes]) -> None:
        """A large message and what follows it come out, wherever the stream is cut."""
        self.assertEqual(contents_of(pieces), [CONTENT, b"small"])

    def test_around(self) -> None:
        """Messages around large ones come out in order."""
        stream = SMALL + LARGE + LARGE + SMALL + SMALL + LARGE
        small = b"small"
        expected = [small, CONTENT, CONTENT, small, small, CONTENT]
        self.assertEqual(contents_of(stream), expected)

    def test_nothing_is_read_before(self) -> None:
        """Nothing comes out before the last byte, and the bytes that wait are counted."""
        reader = CODEC.reader()
        for piece in in_pieces(LARGE[:-1], READ):
            reader.receive_data(piece)
            self.assertEqual(list(CODEC.decode_stream(reader)), [])
        self.assertEqual(reader.held_bytes, len(LARGE) - 1)
        self.assertEqual(reader.gathered_bytes, len(LARGE) - 1)
        self.assertFalse(reader.is_empty)
        reader.receive_data(LARGE[-1:] + SMALL)
        self.assertEqual(reader.held_bytes, len(LARGE) + len(SMALL))
        self.assertEqual(CODEC.decode_run(reader, 10, 10), [])  # the large one is first
        self.assertEqual(len(list(CODEC.decode_stream(reader))), 2)
        self.assertEqual(reader.held_bytes, 0)

    def test_discard(self) -> None:
        """The bytes that wait can be dropped."""
        reader = CODEC.reader()
        reader.receive_data(LARGE[:READ])
        self.assertEqual(list(CODEC.decode_stream(reader)), [])
        reader.discard()
        self.assertEqual(reader.held_bytes, 0)
        self.assertTrue(reader.is_empty)

    def check_fault(self, fault: type[WireError], position: int) -> None:
        """Check that a flipped bit has the same error as in a frame that arrives at once."""
        damaged = bytearray(LARGE)
        damaged[position] ^= 1
        for pieces in (in_pieces(bytes(damaged), READ), [bytes(damaged)]):
            with self.assertRaises(WireError) as raised:
                contents_of([*pieces])
            self.assertIs(type(raised.exception), fault)

    def test_faults(self) -> None:
        """Damage is found wherever it is, and has its own error."""
        header_start = LENGTH_BYTES + ENVELOPE_BYTES
        self.check_fault(MagicError, LENGTH_BYTES)
        self.check_fault(SignatureError, LENGTH_BYTES + 11)  # the type
        self.check_fault(SignatureError, header_start - 1)
        self.check_fault(ChecksumError, header_start)
        self.check_fault(ChecksumError, header_start + len(HEADER))
        self.check_fault(ChecksumError, len(LARGE) - 1)

    def test_other_key(self) -> None:
        """A large message under another key is a forgery."""
        stream = raw_frame(4, HEADER, CONTENT, OTHER_KEY)
        with self.assertRaises(SignatureError):
            contents_of(stream)

    def test_refused_at_its_start(self) -> None:
        """A content over the limit is refused before it arrives."""
        codec = Codec(KEY, max_content=LARGE_CONTENT)
        reader = codec.reader()
        reader.receive_data(LARGE[: LENGTH_BYTES + ENVELOPE_BYTES])
        with self.assertRaises(FrameTooLargeError):
            list(codec.decode_stream(reader))
