"""Bytes that no honest peer sends: frames with faults, and bytes that are not frames.

The tests of the wire, of sessions and of the daemon use them. Headers with faulty JSON are in
`tests.wire.hostile_json`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from hypothesis import strategies as st

from chatd.wire.messages import (
    ChatHeader,
    Disconnect,
    Error,
    Heartbeat,
    SessionAck,
    SessionInit,
)
from tests.wire.hostile_json import BAD_HEADERS
from tests.wire.samples import MAGIC, raw_frame

NO_FRAME = b"\0\0\0\1x"
"""A frame shorter than any envelope: `bad-length`."""
BAD_LENGTHS = (0, 1, 63, 2**32 - 1)
"""Lengths that no frame has, whatever its limits."""


class Field(NamedTuple):
    """A part of a frame.

    Attributes:
        start: The offset of its first byte; the length prefix counts.
        end: The offset behind its last byte.
        code: The error code for any changed bit in it.
    """

    start: int
    end: int
    code: str


FIELDS = {
    "magic": Field(4, 12, "bad-magic"),
    "version": Field(12, 14, "bad-version"),
    "message type": Field(14, 16, "bad-mac"),
    "header length": Field(16, 20, "bad-length"),
    "header CRC": Field(20, 24, "bad-crc"),
    "content length": Field(24, 32, "bad-length"),
    "content CRC": Field(32, 36, "bad-crc"),
    "MAC": Field(36, 68, "bad-mac"),
}
"""The fields of an envelope, in order; the header and the content follow."""
HEADER_START = 68
"""The offset of the header in a frame."""


def fields_of(frame: bytes, content_bytes: int) -> dict[str, Field]:
    """Return all parts of a complete frame but its length, by name."""
    content_start = len(frame) - content_bytes
    return {
        **FIELDS,
        "header": Field(HEADER_START, content_start, "bad-crc"),
        "content": Field(content_start, len(frame), "bad-crc"),
    }


def flip_bit(data: bytes, bit: int) -> bytes:
    """Return the bytes with one bit changed, counted from the lowest bit of the first byte."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def flipped(data: bytes, offset: int) -> bytes:
    """Return the bytes with the lowest bit of one byte changed; -1 is the last byte."""
    return flip_bit(data, 8 * (offset % len(data)))


# Examples from Hypothesis. A frame is signed with a key that is known only when the frame is sent,
# so the examples are functions of the key, which is None if there is none.

MakeFrame = Callable[[bytes | None], bytes]

_HEADER_TYPES = (SessionInit, SessionAck, Heartbeat, ChatHeader, Error, Disconnect)
_NAMES = sorted(
    {"event", "command"}.union(*(header.__struct_encode_fields__ for header in _HEADER_TYPES))
)
_VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=80)
    | st.lists(st.integers(), max_size=2)
)
_ANY_HEADERS = st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=5).map(
    lambda fields: json.dumps(fields).encode()
)
_ANY_TYPES = st.integers(0, 12) | st.integers(0, 65_535)
_ANY_CONTENTS = st.sampled_from((b"ping", b"pong")) | st.binary(max_size=40)

_FAULTY_HEADERS = (
    b"{}",
    b'{"id":5}',
    b'{"id":"' + b"x" * 300 + b'"}',
    b'{"id":"m","command":[]}',
    b'{"n":"1"}',
    b'{"code":null}',
    b'{"session_id":"another","name":null,"event":"welcome","id":"m"}',
)
"""Headers that are valid JSON, but faulty for some types."""


def _signed(message_type: int, header: bytes, content: bytes) -> MakeFrame:
    return partial(raw_frame, message_type, header, content)


def _damaged(make: MakeFrame, bit: int) -> MakeFrame:
    """Return a frame with one bit changed, behind its length."""

    def make_damaged(key: bytes | None) -> bytes:
        frame = make(key)
        return flip_bit(frame, 32 + bit % (8 * (len(frame) - 4)))

    return make_damaged


def _unsigned(data: bytes) -> MakeFrame:
    return lambda key: data


ANY_FRAMES = st.builds(_signed, _ANY_TYPES, _ANY_HEADERS, _ANY_CONTENTS)
"""Makes frames with faultless bytes: of any type, with any fields and any content."""
DAMAGED_FRAMES = st.builds(_damaged, ANY_FRAMES, st.integers(0))
"""Makes frames with one bit changed."""
FAULTS = st.one_of(
    st.builds(
        _signed,
        st.integers(0, 12),
        st.sampled_from(_FAULTY_HEADERS)
        | st.sampled_from(sorted(BAD_HEADERS)).map(lambda name: BAD_HEADERS[name]),
        st.just(b""),
    ),
    DAMAGED_FRAMES,
    st.sampled_from([*BAD_LENGTHS, 8_193, 200_000]).map(
        lambda length: _unsigned(length.to_bytes(4, "big") + MAGIC)
    ),
    st.binary(min_size=1, max_size=100).map(_unsigned),
)
"""Makes faulty bytes: faults in the fields, the JSON, one bit, the length, or no frame at all."""
