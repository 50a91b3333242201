"""How messages are packed, for keeping and for pushes.

A kept message is 14 bytes, the key and the body:

======  ======  ==========================================================
offset  size    field
======  ======  ==========================================================
0       8       the time in Unix seconds, a double
8       4       C, the length of the content
12      2       K, the length of the key
14      K       the key: the folded name of the author, a NUL, the id
14+K    the     the header without `seq`, `time` and `ref`, and the content,
        rest    as an array in MessagePack
======  ======  ==========================================================

All numbers are big-endian. A script adds the time, and reads only up to
the end of the key.

A push has the node, the epoch and the stream, each after its length (2 bytes); the places of the
first and the last message (8 each); and the messages, each after its length (4). A push of large
messages only announces them, and the nodes read them. A push of an EVENT begins with `EVENT_MARK`,
which no length of a node has; the stream, the folded name of sessions that do not get it, and the
EVENT follow, in MessagePack.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import msgspec

from chatd.errors import StoreError
from chatd.storage.values import Entry
from chatd.wire.messages import MESSAGE_TYPE, ChatHeader, Message

__all__ = ["EVENT_MARK", "WRONG_FORMAT", "Push", "not_a_push", "pack", "read_push", "unpack"]

EVENT_MARK = b"\xff\xff"
"""The first bytes of a push of an EVENT."""

WRONG_FORMAT = (struct.error, UnicodeDecodeError, msgspec.MsgspecError)
"""The errors of decoding bytes that are not in chatd's format."""

_KEPT = struct.Struct(">dIH")
_LENGTHS = struct.Struct(">IH")
_LENGTH = struct.Struct(">I")
_SHORT = struct.Struct(">H")
_PLACES = struct.Struct(">QQ")


class _Body(msgspec.Struct, array_like=True, gc=False):
    id: str
    room: str | None
    to: str | None
    sender: str | None
    content_type: str | None
    content: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Body).decode


def pack(entry: Entry) -> tuple[bytes, bytes]:
    """Return the key of a message, and the message as it is kept, without its time."""
    header, content = entry.header, entry.content
    body = _Body(header.id, header.room, header.to, header.sender, header.content_type, content)
    key = f"{entry.author}\0{header.id}".encode()
    return key, _LENGTHS.pack(len(content), len(key)) + key + _encode(body)


def unpack(element: bytes, seq: int) -> Message:
    """Return a kept message, with its place.

    Raises:
        StoreError: It is not a kept message.
    """
    try:
        time, _, length = _KEPT.unpack_from(element)
        body = _decode(memoryview(element)[_KEPT.size + length :])
    except WRONG_FORMAT as error:
        raise StoreError(f"a record in Redis is not a message: {error}") from error
    header = ChatHeader(
        id=body.id,
        room=body.room,
        to=body.to,
        sender=body.sender,
        seq=seq,
        time=time,
        content_type=body.content_type,
    )
    return Message(MESSAGE_TYPE, header, body.content)


class Push(msgspec.Struct, frozen=True):
    """A push.

    Attributes:
        node: The node that appended the messages.
        epoch: The epoch of their stream.
        stream: The stream.
        first: The place of the first message.
        last: The place of the last message.
        elements: The messages as they are kept; empty if they must be read.
    """

    node: str
    epoch: str
    stream: str
    first: int
    last: int
    elements: Sequence[bytes]


def read_push(data: bytes) -> Push:
    """Return the parts of a push.

    Raises:
        StoreError: It is not a push.
    """
    try:
        return _read_push(data)
    except WRONG_FORMAT as error:
        raise not_a_push(error) from error


def not_a_push(error: Exception) -> StoreError:
    """Return the error for a push that cannot be decoded, from the error of decoding."""
    return StoreError(f"a push is not in chatd's format: {error}")


def _read_push(data: bytes) -> Push:
    texts = []
    at = 0
    for _ in range(3):
        (length,) = _SHORT.unpack_from(data, at)
        at += _SHORT.size + length
        texts.append(data[at - length : at].decode())
    first, last = _PLACES.unpack_from(data, at)
    at += _PLACES.size
    elements = []
    while at < len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size + length
        elements.append(data[at - length : at])
    node, epoch, stream = texts
    return Push(node, epoch, stream, first, last, elements)
