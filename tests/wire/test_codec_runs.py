"""Runs of messages: which frames a run takes from a reader, and where it ends."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chatd.wire.codec import Codec
from chatd.wire.frames import FrameReader
from chatd.wire.large import LARGE_CONTENT
from chatd.wire.messages import Heartbeat, Message, MessageType
from chatd.wire.sealer import NativeSealer
from tests.wire.cases import SealerCase, needs_native
from tests.wire.samples import KEY, make_frame, some_examples

CODEC = Codec(KEY)
PING = CODEC.encode_parts(MessageType.HEARTBEAT, Heartbeat(1), b"ping")


def said(*contents: str) -> bytes:
    """Return the frames of messages, each with its content as its id."""
    return b"".join(CODEC.encode(Message.chat(content, id=content)) for content in contents)


def reader_of(*pieces: bytes) -> FrameReader:
    """Return a reader that received some pieces of a stream."""
    reader = CODEC.reader()
    for piece in pieces:
        reader.receive_data(piece)
    return reader


class DecodeRunTests(SealerCase):
    """A run has the MESSAGEs with which the unread bytes begin."""

    def setUp(self) -> None:
        super().setUp()
        self.codec = Codec(KEY)
        self.codec._sealer = self.sealer

    def assert_run(
        self, reader: FrameReader, texts: list[str], *, most: int = 100, most_bytes: int = 100
    ) -> None:
        """Assert which messages the next run has."""
        messages = self.codec.decode_run(reader, most, most_bytes)
        self.assertEqual([message.text for message in messages], texts)

    def test_all(self) -> None:
        """A run takes all complete messages, and the reader then holds no bytes."""
        reader = reader_of(said("one", "two", "three"))
        self.assert_run(reader, ["one", "two", "three"])
        self.assertEqual((reader.is_empty, reader.held_bytes, reader.unread), (True, 0, (b"", 0)))
        self.assert_run(reader, [])

    def test_most(self) -> None:
        """A run ends with the most messages, and another goes on after it."""
        reader = reader_of(said("one", "two", "three"))
        self.assert_run(reader, ["one", "two"], most=2)
        self.assert_run(reader, ["three"], most=2)

    def test_most_bytes(self) -> None:
        """A run ends with the message that reaches the most bytes."""
        reader = reader_of(said("one", "two", "three"))
        self.assert_run(reader, ["one", "two"], most_bytes=6)
        self.assert_run(reader, ["three"], most_bytes=0)

    def test_at_least_one(self) -> None:
        """A run has one message if there is one, whatever the limits."""
        self.assert_run(reader_of(said("one", "two")), ["one"], most=0)
        self.assert_run(reader_of(said("one", "two")), ["one"], most_bytes=-5)

    def test_other_frame(self) -> None:
        """A run ends before any other frame, which the reader returns next."""
        reader = reader_of(said("one") + PING + said("two"))
        self.assert_run(reader, ["one"])
        self.assert_run(reader, [])
        self.assertIsNotNone(reader.next_frame())
        self.assert_run(reader, ["two"])

    def test_bad_header(self) -> None:
        """A run ends before a header that is no JSON, lacks its id, or is not UTF-8."""
        for header in (b"{", b"{}", b'{"id":"m","x":"\xff"}'):
            reader = reader_of(said("one") + make_frame(4, header, b"") + said("two"))
            self.assert_run(reader, ["one"])
            self.assert_run(reader, [])

    def test_incomplete(self) -> None:
        """A run ends before an incomplete frame, which goes on with the next bytes."""
        data = said("one", "two")
        for end in range(len(data) // 2 + 1, len(data)):
            reader = reader_of(data[:end])
            self.assert_run(reader, ["one"])
            self.assertIsNone(reader.next_frame())
            reader.receive_data(data[end:])
            self.assert_run(reader, ["two"])

    def test_large(self) -> None:
        """A frame that was gathered in many reads is no part of a run."""
        data = CODEC.encode(Message.chat("x" * LARGE_CONTENT, id="large"))
        reader = CODEC.reader()
        for start in range(0, len(data), 10_000):
            self.assertIsNone(reader.next_frame())
            reader.receive_data(data[start : start + 10_000])
        self.assert_run(reader, [])
        self.assertIsNotNone(reader.next_frame())

    def test_encoded(self) -> None:
        """An encoded run has the frames that its messages have one by one."""
        messages = [Message.chat("x" * 10**number, id="m1") for number in range(5)]
        messages.append(Message(MessageType.EVENT, {"event": "joined"}))
        frames = self.codec.encode_run(messages)
        self.assertEqual(frames, [CODEC.encode(message) for message in messages])


@needs_native
class NativeDecodeRunTests(DecodeRunTests):
    """The same, in C."""

    sealer_class = NativeSealer

    @some_examples
    @given(st.lists(st.booleans(), max_size=60))
    def test_checked_a_few_times(self, goods: list[bool]) -> None:
        """Wherever bad headers end the runs, a frame is checked three times on average at most."""
        count = 0
        sealer: Any = self.sealer
        opened_in_c = sealer._open_run

        def open_run(*arguments):
            nonlocal count
            opened = opened_in_c(*arguments)
            count += len(opened)
            return opened

        sealer._open_run = open_run
        bad = make_frame(4, b"{", b"")
        reader = reader_of(b"".join(said("one") if is_good else bad for is_good in goods))
        read = 0
        while not reader.is_empty:
            read += len(self.codec.decode_run(reader, 1_000, 10_000))
            reader.next_frame()  # the bad one, if any
        self.assertEqual(read, sum(goods))
        self.assertLessEqual(count, 3 * len(goods))
