"""Bytes that no honest peer sends: frames with a fault in them, and bytes that are no frame.

The tests of the wire, of sessions and of the daemon take them from here; headers whose JSON is at
fault are in `tests.wire.hostile_json`.
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
"""A frame that is shorter than any envelope: `bad-length`."""
BAD_LENGTHS = (0, 1, 63, 2**32 - 1)
"""Lengths that no frame has, whatever its limits."""


class Field(NamedTuple):
    """A part of a frame.

    Attributes:
        start: Where it begins, counted from the length prefix on.
        end: Where it ends.
        code: The error that a change of any bit of it makes.
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
"""The fields of an envelope, in their order; the header follows, and the content."""
HEADER_START = 68
"""Where in a frame the header begins."""


def fields_of(frame: bytes, content_bytes: int) -> dict[str, Field]:
    """Return all parts of a whole frame but its length, by their names."""
    content_start = len(frame) - content_bytes
    return {
        **FIELDS,
        "header": Field(HEADER_START, content_start, "bad-crc"),
        "content": Field(content_start, len(frame), "bad-crc"),
    }


def flip_bit(data: bytes, bit: int) -> bytes:
    """Return bytes with one bit changed, counted from the first byte's lowest."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def flipped(data: bytes, offset: int) -> bytes:
    """Return bytes with the lowest bit of one of them changed; the last of them is at -1."""
    return flip_bit(data, 8 * (offset % len(data)))


# What Hypothesis makes up. A frame is signed with a key that is known only when it is sent, so
# these are functions of the key, which is None for no key.

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
"""Headers that are in order as JSON, and at fault for some types."""


def _signed(message_type: int, header: bytes, content: bytes) -> MakeFrame:
    return partial(raw_frame, message_type, header, content)


def _damaged(make: MakeFrame, bit: int) -> MakeFrame:
    """Make a frame, and change a bit behind its length."""

    def make_damaged(key: bytes | None) -> bytes:
        frame = make(key)
        return flip_bit(frame, 32 + bit % (8 * (len(frame) - 4)))

    return make_damaged


def _unsigned(data: bytes) -> MakeFrame:
    return lambda key: data


ANY_FRAMES = st.builds(_signed, _ANY_TYPES, _ANY_HEADERS, _ANY_CONTENTS)
"""Makes frames without a fault in their bytes: of any type, with any fields and any content."""
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
"""Makes what is wrong: in its fields, its JSON, one bit, its length, or altogether."""
