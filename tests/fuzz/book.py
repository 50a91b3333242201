"""The protocol of docs/reference/protocol.md, written a second time without regard for speed."""

from __future__ import annotations

import json
import struct
import unicodedata
from collections.abc import Callable
from typing import Any
from zlib import crc32

from tests.wire.samples import KEY, MAGIC, sign

__all__ = [
    "CHECK_BYTES",
    "Envelope",
    "check_header",
    "cut_frames",
    "is_refused_at_start",
    "mend",
    "open_envelope",
]

MAX_HEADER = 65_536
# Beyond these, a JSON parser may refuse the text (RFC 8259 section 9), so any result is right.
MAX_OPENED = 200
MAX_DIGITS = 300

Envelope = tuple[int, bytes, bytes]
"""A message's type, its header and its content."""

# Frames. For a test of these alone, the reader refuses a frame that begins with X at its start, and
# a frame of 3 bytes, which is shorter than a start, at its length.

CHECK_BYTES = 8


def is_refused_at_start(body: bytes, length: int) -> bool:
    """Return whether the reader refuses a frame at the part that has arrived."""
    return body.startswith(b"X") if length >= CHECK_BYTES else length == len(b"bad")


def cut_frames(stream: bytes, max_frame: int) -> tuple[list[bytes], str, int, bool]:
    """Cut a stream into frames.

    Returns:
        The contents of the frames, the name of the fault or an empty text, the number of bytes
        after which the fault is known, and whether no part of a frame remains.
    """
    found: list[bytes] = []
    start = 0
    while len(stream) - start >= 4:
        length = int.from_bytes(stream[start : start + 4], "big")
        body = stream[start + 4 : start + 4 + length]
        needed = CHECK_BYTES if length >= CHECK_BYTES else 0
        if length > max_frame:
            return found, "FrameTooLargeError", start + 4, True
        if len(body) >= needed and is_refused_at_start(body, length):
            return found, "MagicError", start + 4 + needed, True
        if len(body) < length:
            return found, "", 0, False
        found.append(body)
        start += 4 + length
    return found, "", 0, start == len(stream)


# Envelopes


def open_envelope(frame: bytes, max_content: int) -> Envelope | str:
    """Take a whole frame apart, or return the code of the first check of the table that fails."""
    body = frame[4:]
    if len(frame) < 4 or int.from_bytes(frame[:4], "big") != len(body) or len(body) < 64:
        return "bad-length"
    magic, version, message_type, header_length, header_crc, content_length, content_crc = (
        struct.unpack(">8sHHIIQI", body[:32])
    )
    header, content = body[64 : 64 + header_length], body[64 + header_length :]
    checks = {
        "bad-magic": magic == MAGIC,
        "bad-version": version == 1,
        "bad-length": len(body) == 64 + header_length + content_length,
        "too-large": header_length <= MAX_HEADER and content_length <= max_content,
        "bad-crc": (header_crc, content_crc) == (crc32(header), crc32(content)),
        "bad-mac": body[32:64] == sign(KEY, body[:32] + body[64:]),
    }
    failed = (code for code, is_right in checks.items() if not is_right)
    return next(failed, None) or (message_type, header, content)


def mend(frame: bytes, what: int) -> bytes:
    """Correct fields that a fuzzer cannot guess: each bit of `what` selects a field."""
    mended = bytearray(frame)
    if len(mended) >= 68:
        header_length = struct.unpack_from(">I", mended, 16)[0] % (len(mended) - 67)
        split = 68 + header_length
        fields: tuple[Callable[[], tuple[int, bytes]], ...] = (
            lambda: (4, MAGIC),
            lambda: (12, struct.pack(">H", 1)),
            lambda: (16, struct.pack(">I", header_length)),
            lambda: (24, struct.pack(">Q", len(mended) - split)),
            lambda: (20, struct.pack(">I", crc32(mended[68:split]))),
            lambda: (32, struct.pack(">I", crc32(mended[split:]))),
            lambda: (36, sign(KEY, bytes(mended[4:36] + mended[68:]))),
        )
        for bit, field in enumerate(fields):
            if what >> bit & 1:
                offset, value = field()
                mended[offset : offset + len(value)] = value
    if what & 0x80:
        mended[:4] = struct.pack(">I", len(mended[4:]))
    return bytes(mended)


# Headers


def _text(least: int = 0, most: int = MAX_HEADER) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and least <= len(value) <= most


def _content_type(value: object) -> bool:
    return (
        isinstance(value, str)
        and 1 <= len(value) <= 255
        and not any(unicodedata.category(character) == "Cc" for character in value)
    )


def _integer(least: float = -float("inf"), most: float = float("inf")) -> Callable[[object], bool]:
    return lambda value: type(value) is int and least <= value <= most


def _number(least: float = -1e308, most: float = 1e308) -> Callable[[object], bool]:
    return lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
    )


def _boolean(value: object) -> bool:
    return isinstance(value, bool)


def _few_texts(value: object) -> bool:
    return isinstance(value, list) and len(value) <= 20 and all(map(_text(), value))


_MUST = {
    1: {"session_id": _text()},
    2: {"session_id": _text()},
    3: {"n": _integer()},
    4: {"id": _text(1, 64)},
    5: {"code": _text()},
    8: {"id": _text(1, 64), "command": _text(1, 64)},
    9: {"id": _text(1, 64)},
    10: {"event": _text(1, 64)},
}
_NEVER_NULL = {
    1: {
        "server": _text(),
        "heartbeat": _number(0.01, 86_400),
        "max_content": _integer(4, 4_293_918_719),
        "auth": _boolean,
    },
    5: {"message": _text()},
    6: {"code": _text(), "reason": _text(), "retry": _boolean},
}
_MAY = {
    2: {"name": _text(), "password": _text(), "rooms": _few_texts},
    4: {
        "room": _text(0, 64),
        "to": _text(0, 64),
        "from": _text(),
        "seq": _integer(),
        "time": _number(),
        "content_type": _content_type,
    },
    5: {"ref": _text()},
}


def check_header(message_type: int, header: bytes) -> tuple[str, dict[str, Any]] | None:
    """Check a header.

    Returns:
        `taken`, `bad-request` or `bad-header`, and the fields; None if the protocol allows any of
        them: the header has a name twice, or more than every JSON parser must be able to read.
    """
    try:
        fields = _parse(header)
    except (ValueError, RecursionError):
        return "bad-header", {}
    if fields is None:
        return None
    if not isinstance(fields, dict):
        return "bad-header", {}
    must, never, may = (table.get(message_type, {}) for table in (_MUST, _NEVER_NULL, _MAY))
    is_right = (
        all(name in fields and fits(fields[name]) for name, fits in must.items())
        and all(fits(fields[name]) for name, fits in never.items() if name in fields)
        and all(fits(fields[name]) for name, fits in may.items() if fields.get(name) is not None)
    )
    return "taken" if is_right else "bad-request", fields


def _parse(header: bytes) -> Any:
    """Parse JSON as RFC 8259 defines it; return None beyond a parser's duties."""
    beyond: list[str] = []

    def number_of(digits: str) -> int | float:
        if len(digits) > MAX_DIGITS:
            beyond.append(digits)
            return 0
        number = float(digits) if set(digits) & set(".eE") else int(digits)
        if number in (float("inf"), -float("inf")):
            beyond.append(digits)
        return number

    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            beyond.append("a name is given twice")
        return fields

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    text = header.decode()
    if text.count("[") + text.count("{") > MAX_OPENED:
        beyond.append("deep")
    value = json.loads(
        text,
        parse_int=number_of,
        parse_float=number_of,
        parse_constant=refuse,
        object_pairs_hook=object_of,
    )
    json.dumps(value, ensure_ascii=False).encode()  # refuses a lone surrogate in any spelling
    return None if beyond else value
