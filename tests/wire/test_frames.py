"""Frames from a stream, for every way in which the stream arrives."""

import struct
import sys
from functools import partial
from itertools import islice, zip_longest

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import FrameTooLargeError, MagicError
from chatd.wire.frames import LENGTH_BYTES, FrameReader, encode_frame
from tests.wire.samples import byte_by_byte, bytes_until_refused, cuts, in_pieces, some_examples

CHECK_BYTES = 8
LONG = 64 * 1024
BODIES = [b"", b"a", b"1234567", b"12345678", b"123456789", b"\0\0\0\1", bytes(300), b"end"]


def frame(body):
    """Return the frame of a body, made without the code under test."""
    return struct.pack(">I", len(body)) + body


STREAM = b"".join(map(frame, BODIES))


class Check:
    """Records the starts of frames that it gets, and refuses starts with X."""

    def __init__(self):
        self.seen = []

    def __call__(self, buffer, start, length):
        begin = bytes(buffer[start : start + CHECK_BYTES])
        self.seen.append((begin, length))
        if begin.startswith(b"X"):
            raise MagicError("it begins with X")


def make_reader(max_frame=1000, check=None):
    return FrameReader(max_frame, check or Check(), CHECK_BYTES)


def bodies_of(reader):
    """Return the bodies of the complete frames in a reader."""
    return [buffer[start:end] for buffer, start, end in reader.frames()]


def read_all(reader, pieces):
    """Feed the pieces to a reader, and return the bodies of the frames in them."""
    bodies = []
    for piece in pieces:
        reader.receive_data(piece)
        bodies += bodies_of(reader)
    return bodies


def taken_until(error, reader, data):
    """Return the number of bytes that a reader takes until it raises `error`."""
    return bytes_until_refused(partial(read_all, reader), data, error)


class EncodeFrameTests(SynchronousTestCase):
    def test_layout(self):
        """A frame is the length of its body in 4 bytes, big-endian, and the body."""
        self.assertEqual(encode_frame(b""), b"\0\0\0\0")
        self.assertEqual(encode_frame(bytes(0x0102)), b"\0\0\1\2" + bytes(0x0102))


class FrameReaderTests(SynchronousTestCase):
    def test_whole(self):
        """A stream that arrives at once gives its frames in order, empty frames too."""
        self.assertEqual(read_all(make_reader(), [STREAM]), BODIES)

    def test_byte_by_byte(self):
        """A stream that arrives byte by byte gives the same frames."""
        self.assertEqual(read_all(make_reader(), byte_by_byte(STREAM)), BODIES)

    @some_examples
    @given(cuts(STREAM))
    def test_random_cuts(self, pieces):
        """A stream gives the same frames wherever it is cut."""
        self.assertEqual(read_all(make_reader(), pieces), BODIES)

    @some_examples
    @given(st.data(), st.lists(st.binary(max_size=40), max_size=20))
    def test_any_frames(self, data, bodies):
        """Any frames come out again, wherever the stream is cut."""
        pieces = data.draw(cuts(b"".join(map(encode_frame, bodies))))
        reader = FrameReader(40, lambda *start: None, CHECK_BYTES)
        self.assertEqual(read_all(reader, pieces), bodies)
        self.assertTrue(reader.is_empty)

    def test_500_frames_in_one_chunk(self):
        """Frames that arrive together are returned as offsets into the received bytes, uncopied."""
        bodies = [b"%d" % number for number in range(500)]
        chunk = b"".join(map(frame, bodies))
        reader = make_reader()
        reader.receive_data(chunk)
        found = list(reader.frames())
        self.assertEqual([buffer[start:end] for buffer, start, end in found], bodies)
        self.assertTrue(all(buffer is chunk for buffer, _, _ in found))
        self.assertTrue(reader.is_empty)

    def test_frame_over_many_reads(self):
        """A frame that spans many reads is returned once, when its last byte arrives."""
        body = bytes(range(256)) * 2000
        reader = make_reader(len(body))
        pieces = in_pieces(frame(body), 1460)
        self.assertEqual(read_all(reader, pieces[:-1]), [])
        self.assertEqual(read_all(reader, pieces[-1:]), [body])
        self.assertEqual(read_all(reader, [frame(b"next")]), [b"next"])

    def test_frame_after_a_long_one(self):
        """The frames behind a long frame in the same read are returned with it."""
        stream = frame(bytes(900)) + frame(b"a") + frame(b"b") + b"\0\0"
        reader = make_reader()
        self.assertEqual(read_all(reader, [stream[:500], stream[500:]]), [bytes(900), b"a", b"b"])
        self.assertEqual(read_all(reader, [b"\0\1c"]), [b"c"])

    def test_is_empty(self):
        """A reader is empty unless it holds an incomplete frame."""
        reader = make_reader()
        self.assertTrue(reader.is_empty)
        for byte in byte_by_byte(frame(b"123456789"))[:-1]:
            self.assertEqual(read_all(reader, [byte]), [])
            self.assertFalse(reader.is_empty)
        reader.receive_data(b"9")
        self.assertFalse(reader.is_empty)
        self.assertEqual(bodies_of(reader), [b"123456789"])
        self.assertTrue(reader.is_empty)

    def test_nothing_to_hand_out(self):
        """A reader has no frames if it got no bytes or only empty reads."""
        self.assertEqual(read_all(make_reader(), [b"", b""]), [])


class InterruptedReaderTests(SynchronousTestCase):
    def test_stop_and_go_on(self):
        """A caller that stops at a frame gets the next frame later."""
        reader = make_reader()
        reader.receive_data(frame(b"a") + frame(b"b") + frame(b"c"))
        self.assertEqual(
            [b[s:e] for b, s, e in [next(reader.frames()) for _ in range(2)]], [b"a", b"b"]
        )
        self.assertFalse(reader.is_empty)
        self.assertEqual(bodies_of(reader), [b"c"])

    def test_more_arrives_in_between(self):
        """Frames that arrive while the caller has a frame are returned in the same loop."""
        reader = make_reader()
        reader.receive_data(frame(b"a") + frame(b"b") + b"\0")
        frames = reader.frames()
        bodies = []
        for buffer, start, end in frames:
            bodies.append(buffer[start:end])
            if bodies[-1] == b"a":
                reader.receive_data(b"\0\0\1c")
            elif bodies[-1] == b"c":
                reader.receive_data(frame(b"d"))
        self.assertEqual(bodies, [b"a", b"b", b"c", b"d"])

    def test_unread_data_is_kept(self):
        """Reads stay in order while the caller asks for no frames."""
        reader = make_reader()
        for byte in byte_by_byte(STREAM):
            reader.receive_data(byte)
        self.assertEqual(bodies_of(reader), BODIES)

    @some_examples
    @given(cuts(STREAM), st.lists(st.integers(0, 3)))
    def test_any_stops(self, pieces, stops):
        """No frame is lost or repeated, wherever the caller stops."""
        reader = make_reader()
        bodies = []
        for piece, stop in zip_longest(pieces, stops):
            reader.receive_data(piece or b"")
            bodies += [b[s:e] for b, s, e in islice(reader.frames(), stop or 0)]
        self.assertEqual(bodies + bodies_of(reader), BODIES)


class RefusalTests(SynchronousTestCase):
    def test_longest_frame(self):
        """A frame of exactly the limit passes; the reader refuses a longer frame."""
        self.assertEqual(read_all(make_reader(9), [frame(b"123456789")]), [b"123456789"])
        with pytest.raises(FrameTooLargeError, match="10 bytes exceeds the limit of 9"):
            read_all(make_reader(9), [frame(b"1234567890")])

    def test_refused_at_the_length_prefix(self):
        """The reader refuses a frame over the limit at its length, before its body."""
        check = Check()
        for length in (1001, 2**31, 2**32 - 1):
            data = struct.pack(">I", length) + bytes(50)
            reader = make_reader(1000, check)
            self.assertEqual(taken_until(FrameTooLargeError, reader, data), LENGTH_BYTES)
        self.assertEqual(check.seen, [])

    def test_refused_at_its_start(self):
        """A reader gathers no more than the start of a frame whose start it refuses."""
        data = frame(b"X" * 900)
        taken = taken_until(MagicError, make_reader(), data)
        self.assertEqual(taken, LENGTH_BYTES + CHECK_BYTES)

    def test_short_frame_refused_at_its_length(self):
        """For a frame shorter than its start, the check gets only the length."""

        def refuse_short(buffer, start, length):
            raise MagicError(f"{length} bytes are too few")

        reader = FrameReader(1000, refuse_short, CHECK_BYTES)
        self.assertEqual(taken_until(MagicError, reader, frame(b"1234567")), LENGTH_BYTES)

    def test_frames_before_a_refused_one(self):
        """The frames before a refused frame are returned first."""
        for refused, error in ((frame(bytes(1001)), FrameTooLargeError), (b"\0\0\3\0X", None)):
            reader = make_reader()
            reader.receive_data(frame(b"a") + frame(b"b") + refused + bytes(20))
            frames = reader.frames()
            self.assertEqual([b[s:e] for b, s, e in (next(frames), next(frames))], [b"a", b"b"])
            with pytest.raises(error or MagicError):
                next(frames)

    def test_refused_again(self):
        """A refused frame is never skipped: the reader refuses it at each call."""
        reader = make_reader(10)
        reader.receive_data(frame(bytes(11)) + frame(b"a"))
        for _ in range(3):
            with pytest.raises(FrameTooLargeError):
                next(reader.frames())

    def test_check_sees_the_start_once(self):
        """The check gets the start and length of a gathered frame, only once."""
        check = Check()
        self.assertEqual(
            len(read_all(make_reader(1000, check), byte_by_byte(frame(b"12345678" * 9)))), 1
        )
        self.assertEqual(check.seen, [(b"12345678", 72)])

    def test_whole_frames_are_not_checked(self):
        """The reader does not check frames that arrive complete; the decoder does."""
        check = Check()
        self.assertEqual(
            read_all(make_reader(1000, check), [STREAM + frame(b"X")]), [*BODIES, b"X"]
        )
        self.assertEqual(check.seen, [])


class LimitTests(SynchronousTestCase):
    def test_raised_between_frames(self):
        """A raised limit applies to the next frame, even if that frame has arrived already."""
        reader = make_reader(4)
        reader.receive_data(frame(b"1234") + frame(b"12345678"))
        bodies = []
        for buffer, start, end in reader.frames():
            bodies.append(buffer[start:end])
            reader.max_frame = 8
        self.assertEqual(bodies, [b"1234", b"12345678"])

    def test_lowered_between_frames(self):
        """A lowered limit applies to the next frame, even if that frame has arrived already."""
        reader = make_reader(8)
        reader.receive_data(frame(b"12345678") * 2)
        frames = reader.frames()
        next(frames)
        reader.max_frame = 4
        with pytest.raises(FrameTooLargeError):
            next(frames)

    def test_changed_between_reads(self):
        """A limit that changes between two reads applies to the next frame."""
        reader = make_reader(4)
        self.assertEqual(read_all(reader, [frame(b"1234")]), [b"1234"])
        reader.max_frame = 8
        self.assertEqual(read_all(reader, byte_by_byte(frame(b"12345678"))), [b"12345678"])
        reader.max_frame = 4
        self.assertEqual(taken_until(FrameTooLargeError, reader, frame(b"12345")), LENGTH_BYTES)


class IdleTests(SynchronousTestCase):
    """A reader releases the bytes that it has returned."""

    def test_nothing_is_held(self) -> None:
        """A reader that has returned all received bytes holds none of them."""
        reader = FrameReader(1_000, lambda *_: None, 1)
        data = encode_frame(b"x" * 100)
        before = sys.getrefcount(data)
        reader.receive_data(data)
        self.assertEqual(sum(1 for _ in reader.frames()), 1)
        self.assertEqual(sys.getrefcount(data), before)

    def test_large_and_small(self) -> None:
        """A large frame in pieces, and small frames around it, come out complete and in order."""
        frames = [b"a" * 10, b"b" * (LONG + 5), b"c" * 3, b"d" * (2 * LONG), b"e"]
        stream = b"".join(map(encode_frame, frames))
        for step in (1_000, LONG, 3 * LONG):
            reader = FrameReader(1_000_000, lambda *_: None, 1)
            seen = []
            for start in range(0, len(stream), step):
                reader.receive_data(stream[start : start + step])
                seen += bodies_of(reader)
            self.assertEqual(seen, frames)
            self.assertTrue(reader.is_empty)
