"""The codec: messages to frames and back, and the faults that it refuses."""

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import (
    ChecksumError,
    ConfigurationError,
    FrameLengthError,
    FrameTooLargeError,
    HeaderError,
    LocalProtocolError,
    MagicError,
    RequestError,
    SignatureError,
    WireError,
)
from chatd.wire.codec import Codec
from chatd.wire.messages import ChatHeader, Heartbeat, Message, MessageType
from tests.wire.hostile import flip_bit
from tests.wire.samples import (
    HEADER,
    KEY,
    MAGIC,
    OTHER_KEY,
    byte_by_byte,
    bytes_until_refused,
    cuts,
    in_pieces,
    make_frame,
    some_examples,
)

CODEC = Codec(KEY)
MESSAGES = [
    Message(MessageType.HEARTBEAT, Heartbeat(7), b"ping"),
    Message.chat("hello", id="m1", room="tea"),
    Message.chat(b"", id="m2"),
    Message(MessageType.COMMAND, {"id": "c1", "command": "join", "room": "tea"}),
    Message.chat(bytes(range(256)) * 20, id="m3", content_type="application/octet-stream"),
    Message(MessageType.EVENT, {"event": "joined", "name": "Zoë"}),
]
STREAM = b"".join(map(CODEC.encode, MESSAGES))

finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | finite | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
no_surrogates = st.characters(exclude_categories=["Cs"])
no_controls = st.characters(exclude_categories=["Cs", "Cc"])


def read_all(pieces, *, codec=CODEC, reader=None):
    """Feed the pieces to a reader, and return the messages in them."""
    reader = reader or codec.reader()
    messages = []
    for piece in pieces:
        reader.receive_data(piece)
        messages += codec.decode_stream(reader)
    return messages


def taken_until(error, data, *, codec=CODEC, max_frame=None):
    """Return the number of bytes that a new reader takes until it raises `error`."""
    read = partial(read_all, codec=codec, reader=codec.reader(max_frame))
    return bytes_until_refused(read, data, error)


class RoundTripTests(SynchronousTestCase):
    def test_frame_by_hand(self):
        """A message is encoded as the frame in the protocol's table, and decoded from it."""
        frame = make_frame(4, b'{"id":"m1","room":"tea"}', b"hello")
        self.assertEqual(CODEC.encode(MESSAGES[1]), frame)
        self.assertEqual(CODEC.decode(frame), MESSAGES[1])

    def test_without_a_key(self):
        """A codec without a key signs with the key derived from 32 zero bytes."""
        frame = make_frame(4, HEADER, b"hello", key=bytes(32))
        self.assertEqual(Codec().encode(Message.chat("hello", id="m1")), frame)
        self.assertEqual(Codec().decode(frame).text, "hello")

    def test_limit_out_of_range(self):
        """The codec refuses a content limit that no server may set."""
        for max_content in (-1, 0, 3, 2**32):
            with pytest.raises(ConfigurationError):
                Codec(max_content=max_content)

    def test_key_of_a_wrong_length(self):
        """The codec refuses a key that is not 32 bytes long."""
        with pytest.raises(ConfigurationError):
            Codec(b"short")

    @some_examples
    @given(
        st.text(no_surrogates, min_size=1, max_size=64),
        st.none() | st.text(no_surrogates, max_size=64),
        st.none() | st.text(no_controls, min_size=1, max_size=255),
        st.binary() | st.text(no_surrogates),
    )
    def test_any_message(self, id, room, content_type, content):
        """Each message is the same after encoding and decoding."""
        message = Message.chat(content, id=id, room=room, content_type=content_type)
        self.assertEqual(CODEC.decode(CODEC.encode(message)), message)

    @some_examples
    @given(st.dictionaries(st.text(no_surrogates), json_values, max_size=5))
    def test_any_open_header(self, fields):
        """An open header is the same after encoding and decoding, with any JSON in it."""
        header = {**fields, "id": "c1", "command": "x"}
        frame = CODEC.encode_parts(MessageType.COMMAND, header)
        self.assertEqual(CODEC.decode(frame).header, json.loads(json.dumps(header)))

    def test_unknown_type(self):
        """A message of unknown type is decoded, with its header as a dictionary."""
        for number in (0, 7, 11, 0xFFFF):
            message = CODEC.decode(make_frame(number, b'{"a":[1]}', b"x"))
            self.assertEqual(message, Message(number, {"a": [1]}, b"x"))

    def test_unknown_fields(self):
        """The codec ignores unknown fields in headers with fixed fields."""
        header = b'{"id":"m1","colour":{"a":[1,null]},"room":"tea","Room":5}'
        message = CODEC.decode(make_frame(4, header))
        self.assertEqual(message.header, ChatHeader(id="m1", room="tea"))
        message = CODEC.decode(make_frame(3, b'{"n":1,"m":"x"}', b"ping"))
        self.assertEqual(message.header, Heartbeat(1))


class StreamTests(SynchronousTestCase):
    def test_whole(self):
        """Many frames in one chunk give their messages in order."""
        self.assertEqual(read_all([STREAM]), MESSAGES)
        self.assertEqual(read_all([STREAM * 100]), MESSAGES * 100)

    def test_byte_by_byte(self):
        """A stream that arrives byte by byte gives the same messages."""
        self.assertEqual(read_all(byte_by_byte(STREAM)), MESSAGES)

    @some_examples
    @given(cuts(STREAM))
    def test_random_cuts(self, pieces):
        """A stream gives the same messages wherever it is cut."""
        self.assertEqual(read_all(pieces), MESSAGES)

    def test_large_message(self):
        """A message that spans many reads is decoded when it is complete."""
        message = Message.chat(bytes(range(256)) * 4096, id="m1")
        self.assertEqual(read_all(in_pieces(CODEC.encode(message), 65536)), [message])

    def test_messages_before_a_fault(self):
        """The messages before a fault are returned first."""
        reader = CODEC.reader()
        reader.receive_data(STREAM + make_frame(key=OTHER_KEY) + STREAM)
        messages = CODEC.decode_stream(reader)
        self.assertEqual([next(messages) for _ in MESSAGES], MESSAGES)
        with pytest.raises(SignatureError):
            next(messages)

    def test_a_bad_request_is_passed_over(self):
        """A frame with a faulty request does not stop the frames behind it."""
        reader = CODEC.reader()
        reader.receive_data(make_frame(4, b"{}") + STREAM)
        with pytest.raises(RequestError):
            next(CODEC.decode_stream(reader))
        self.assertEqual(list(CODEC.decode_stream(reader)), MESSAGES)

    @some_examples
    @given(st.binary(max_size=300), st.data())
    def test_hostile_bytes(self, data, draw):
        """The codec refuses any hostile bytes with a `WireError`, or waits for more."""
        stream = draw.draw(st.sampled_from([data, b"\0\0\0" + data, STREAM[:30] + data]))
        try:
            self.assertEqual(read_all(draw.draw(cuts(stream))), [])
        except WireError:
            return
        self.assertLess(len(stream), 4 + int.from_bytes(stream[:4].ljust(4, b"\xff"), "big"))


class RefusedEarlyTests(SynchronousTestCase):
    def test_at_the_length_prefix(self):
        """The codec refuses a frame over the reader's limit at its length prefix."""
        frame = make_frame(content=bytes(8192))
        self.assertEqual(taken_until(FrameTooLargeError, frame, max_frame=8192), 4)

    def test_below_an_envelope(self):
        """The codec refuses a frame too short for an envelope at its length prefix."""
        self.assertEqual(taken_until(FrameLengthError, b"\0\0\0\x3f" + bytes(63)), 4)

    def test_at_the_prelude(self):
        """The codec refuses faults in the prelude before it gathers header and content."""
        cases = [
            (make_frame(magic=b"GET / HT", content=bytes(900)), MagicError),
            (make_frame(header_length=0, content=bytes(900)), FrameLengthError),
            (make_frame(header=bytes(65537)), FrameTooLargeError),
            (make_frame(content=bytes(901)), FrameTooLargeError),
        ]
        codec = Codec(KEY, max_content=900)
        for frame, error in cases:
            self.assertEqual(taken_until(error, frame, codec=codec), 4 + 64, error)

    def test_longest_message(self):
        """A reader's default limit accepts the longest header with the longest content."""
        codec = Codec(KEY, max_content=900)
        filler = "x" * (65536 - len('{"id":"m1","command":"c","f":""}'))
        header = {"id": "m1", "command": "c", "f": filler}
        frame = codec.encode_parts(MessageType.COMMAND, header, bytes(900))
        self.assertEqual(len(frame), 4 + codec.max_frame)
        self.assertEqual(read_all(in_pieces(frame, 1000), codec=codec)[0].header, header)
        self.assertEqual(taken_until(FrameTooLargeError, frame, max_frame=codec.max_frame - 1), 4)


class LimitTests(SynchronousTestCase):
    def test_content_over_the_limit(self):
        """The codec refuses content over the limit both ways, and accepts content at the limit."""
        codec = Codec(KEY, max_content=5)
        self.assertEqual(codec.decode(codec.encode(Message.chat("12345"))).text, "12345")
        with pytest.raises(LocalProtocolError, match="6 bytes exceeds the limit of 5"):
            codec.encode(Message.chat("123456"))
        with pytest.raises(FrameTooLargeError):
            codec.decode(make_frame(content=b"123456"))

    def test_with_max_content(self):
        """A codec with another limit has the same key, and does not change the first codec."""
        codec = Codec(KEY, max_content=5)
        wider = codec.with_max_content(6)
        self.assertEqual(codec.decode(wider.encode(Message.chat("12345"))).text, "12345")
        self.assertTrue(wider.encode(Message.chat("123456")))
        self.assertEqual((codec.max_content, wider.max_content), (5, 6))
        self.assertEqual(wider.max_frame - codec.max_frame, 1)

    def test_header_over_the_limit(self):
        """The codec does not encode a header over 64 KiB."""
        with pytest.raises(LocalProtocolError, match="exceeds 65536"):
            CODEC.encode(Message(MessageType.EVENT, {"event": "x" * 65536}))

    def test_header_that_cannot_be_sent(self):
        """A header that is not JSON, not text or nested endlessly raises the caller's error."""
        endless: dict[str, Any] = {}
        endless["again"] = endless
        for value in (object(), "\ud800", endless):
            with pytest.raises(LocalProtocolError, match="the header cannot be sent"):
                CODEC.encode(Message(MessageType.EVENT, {"event": "x", "value": value}))

    def test_type_that_cannot_be_sent(self):
        """A message type over 16 bits raises the caller's error."""
        for number in (-1, 0x10000):
            with pytest.raises(LocalProtocolError):
                CODEC.encode(Message(number, {}))


class DecodeTests(SynchronousTestCase):
    def test_not_exactly_one_frame(self):
        """The codec refuses bytes that are not exactly one frame, for their length."""
        frame = make_frame()
        for data in (b"", frame[:3], frame[:4], frame[:-1], frame + b"\0", frame * 2):
            with pytest.raises(FrameLengthError):
                CODEC.decode(data)

    def test_every_bit_of_the_length_prefix(self):
        """The codec refuses a length prefix that is not the envelope's length."""
        for bit in range(32):
            with pytest.raises(FrameLengthError):
                CODEC.decode(flip_bit(make_frame(), bit))

    def test_another_key(self):
        """The codec refuses a frame of another key as a forgery, not as damage."""
        for frame in (make_frame(key=OTHER_KEY), make_frame(key=bytes(32))):
            with pytest.raises(SignatureError):
                CODEC.decode(frame)

    def test_json_is_looked_at_last(self):
        """The codec reports a faulty header in a damaged or forged frame as damage or forgery."""
        for fields, error in (
            ({"header_crc": 1, "mac": bytes(32)}, ChecksumError),
            ({"mac": bytes(32)}, SignatureError),
            ({}, HeaderError),
        ):
            with pytest.raises(error):
                CODEC.decode(make_frame(header=b"not JSON", **fields))

    def test_prelude_of_another_protocol(self):
        """The codec refuses magic bytes without their high bit or line end."""
        for magic in (b"\x09CHATD\r\n", b"\x89CHATD\n\n", MAGIC[::-1]):
            with pytest.raises(MagicError):
                CODEC.decode(make_frame(magic=magic))
