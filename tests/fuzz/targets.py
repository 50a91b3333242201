"""The fuzzers' targets: functions of bytes that raise `Broken` if chatd's result is wrong.

Each takes the object under test as its second argument, so that a test can show that the target
finds a broken object. The target compares the object's results with those of `tests.fuzz.book`, and
with its results for the same bytes in other pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from chatd.errors import (
    HeaderError,
    LocalProtocolError,
    MagicError,
    RemoteProtocolError,
    RequestError,
)
from chatd.wire.channel import PREAMBLE, SecureChannel
from chatd.wire.codec import Codec
from chatd.wire.frames import LENGTH_BYTES, FrameReader
from chatd.wire.messages import Error, Message, MessageType
from chatd.wire.noise import CipherState, Handshake
from tests.fuzz import book
from tests.fuzz.choices import Choices, cut
from tests.fuzz.held import held_bytes
from tests.wire.samples import KEY, PSK, make_frame, record

__all__ = ["Broken", "channel", "envelope", "frames", "header", "hold", "same"]

MAX_CONTENT = 1_000
MAX_RECORD = 2 + 65_535
CODEC = Codec(KEY, max_content=MAX_CONTENT)
MANY = 1_000_000
LONG = 2_000
"""Longest stream that arrives byte by byte, in bytes; a longer one comes in pieces of 255 bytes."""
GROWTH = 8_192
"""Longest header that certainly stays below the limit when encoded again, in bytes."""
EPHEMERALS = {
    is_server: X25519PrivateKey.from_private_bytes(bytes([1 + is_server]) * 32)
    for is_server in (False, True)
}


class Broken(AssertionError):
    """A check failed."""


def hold(is_so: object, what: str, *about: object) -> None:
    """Raise `Broken` if a check fails."""
    if not is_so:
        raise Broken(f"{what}: {about!r}"[:2_000])


def same(what: str, *outcomes: object) -> None:
    """Raise `Broken` if outcomes differ."""
    for outcome in outcomes[1:]:
        hold(outcome == outcomes[0], what, outcomes[0], outcome)


def ways(data: bytes, lengths: bytes) -> list[list[bytes]]:
    """Return the bytes in one piece, byte by byte, and in pieces of these lengths."""
    one_by_one = b""
    if len(data) > LONG:
        one_by_one, lengths = b"\xfe", bytes(0x40 | length for length in lengths)
    return [[data], list(cut(data, one_by_one)), list(cut(data, lengths or b"\xff"))]


# Frames


def frames(data: bytes, make_reader: Callable[..., FrameReader] = FrameReader) -> None:
    """Cut a stream into frames: the same in any pieces, and never a frame over the limit."""
    choices = Choices(data)
    max_frame = choices.number(2)
    lengths = choices.piece()
    stream = choices.rest()

    def check(buffer: bytes, start: int, length: int) -> None:
        there = bytes(buffer[start : start + min(length, book.CHECK_BYTES)])
        is_there = length < book.CHECK_BYTES or len(there) == book.CHECK_BYTES
        hold(is_there, "a start is shown before it has arrived", length)
        if book.is_refused_at_start(there, length):
            raise MagicError("refused at its start")

    def read(pieces: Iterable[bytes], most: int) -> tuple[list[bytes], str, int, bool]:
        """Read frames, and stop and go on after every `most` frames."""
        reader = make_reader(max_frame, check, book.CHECK_BYTES)
        found: list[bytes] = []
        taken = 0
        try:
            for turn, piece in enumerate(pieces):
                reader.receive_data(piece)
                taken += len(piece)
                is_stopped = True
                while is_stopped:
                    is_stopped = False
                    for count, (buffer, start, end) in enumerate(reader.frames(), 1):
                        assert isinstance(buffer, bytes)
                        check(buffer, start, end - start)  # as a decoder does
                        found.append(buffer[start:end])
                        hold(4 * len(found) <= len(stream), "more frames than there can be")
                        if count == most:
                            is_stopped = True
                            break
                if turn % 50 == 0:  # for each byte, it would take long
                    hold(held_bytes(reader) <= LENGTH_BYTES + max_frame, "too much is kept")
        except RemoteProtocolError as error:
            return found, type(error).__name__, taken, True
        return found, "", 0, reader.is_empty

    expected = book.cut_frames(stream, max_frame)
    whole, one_by_one, cut_up = ways(stream, lengths)
    if len(stream) <= LONG:
        same("byte by byte", read(one_by_one, MANY), read(one_by_one, 1), expected)
    for pieces, most in ((whole, MANY), (whole, 1), (cut_up, MANY), (cut_up, 2)):
        found, fault, taken, is_empty = read(pieces, most)
        same("in pieces", (found, fault, is_empty), (*expected[:2], expected[3]))
        hold(taken >= expected[2], "a fault is told before it is there", taken, expected[2])


# Envelopes and headers


def envelope(data: bytes, codec: Codec = CODEC) -> None:
    """Decode a frame: the first check of the protocol's table that fails names the fault."""
    choices = Choices(data)
    what = choices.number()
    frame = book.mend(choices.rest(), what)
    expected = book.open_envelope(frame, codec.max_content)
    try:
        message = codec.decode(frame)
    except (HeaderError, RequestError) as error:
        hold(isinstance(expected, tuple), "a header is looked at last", expected, error)
    except RemoteProtocolError as error:
        hold(error.code == expected, "the first check that fails", expected, error)
    else:
        hold(isinstance(expected, tuple), "a fault in the bytes", expected, message)
        same("what it holds", (message.type, message.content), (expected[0], expected[2]))


def header(data: bytes, codec: Codec = CODEC) -> None:
    """Decode a header in a frame without fault; a good header can be encoded again."""
    choices = Choices(data)
    message_type = choices.number(2)
    text = choices.rest()[: book.MAX_HEADER]
    frame = make_frame(message_type, text, b"ping")
    message: Message | None = None
    ref = None
    try:
        message = codec.decode(frame)
        outcome = "taken"
    except HeaderError:
        outcome = "bad-header"
    except RequestError as error:
        outcome, ref = error.code, error.ref
        hold(message_type != MessageType.ERROR, "an ERROR is answered with another", error)
        error.message.encode()
    hold(outcome in ("taken", "bad-header", "bad-request"), "an outcome that is known", outcome)
    expected = book.check_header(message_type, text)
    if expected is not None:
        kind, fields = expected
        if message_type == MessageType.ERROR and kind == "bad-request":
            kind, fields = "taken", {"code": ""}
            same("a faulty ERROR says nothing", getattr(message, "header", None), _EMPTY_ERROR)
        same("what it is", outcome, kind)
        if message is not None:
            _same_fields(message, fields)
        elif kind == "bad-request":
            id = fields.get("id")
            same("whom it refers to", ref, id if isinstance(id, str) else None)
    if message is not None:
        _send_again(message, codec, len(text))


_EMPTY_ERROR = Error(code="", message="an ERROR with a bad header")


def _same_fields(message: Message, fields: dict[str, Any]) -> None:
    """Compare the fields of the text with those of the message."""
    if isinstance(message.header, dict):
        same("all fields", message.header, fields)
        return
    told = msgspec.to_builtins(message.header)
    for name in message.header.__struct_encode_fields__:
        if fields.get(name) is not None:
            same(f"the field {name}", told.get(name), fields[name])


def _send_again(message: Message, codec: Codec, length: int) -> None:
    try:
        again = codec.decode(codec.encode(message))
    except LocalProtocolError as error:
        hold(length > GROWTH or "recursion" in str(error), "it can be sent again", error)
    else:
        same("it comes back as it was", again, message)


# The secure channel


class _Noise:
    """The far end of a secure channel, of cipher states alone.

    Args:
        is_server: Whether this is the server's end.
    """

    def __init__(self, *, is_server: bool) -> None:
        self._handshake = Handshake(
            PSK, PREAMBLE, initiator=is_server, ephemeral=EPHEMERALS[is_server]
        )
        self._near = Handshake(
            PSK, PREAMBLE, initiator=not is_server, ephemeral=EPHEMERALS[not is_server]
        )
        self.is_server = is_server

    def greet(self) -> tuple[bytes, CipherState]:
        """Do the handshake; return this end's bytes of it, and the state that seals its records."""
        ends = self._handshake, self._near
        first, second = ends if self.is_server else ends[::-1]
        message = first.write_message()
        second.read_message(message)
        answer = second.write_message()
        first.read_message(answer)
        sending, _ = self._handshake.split()
        return (PREAMBLE + record(message) if self.is_server else record(answer)), sending


def channel(data: bytes, make_channel: Callable[..., SecureChannel] = SecureChannel) -> None:
    """Open records: each sealed text comes out unchanged, and none after the first fault."""
    choices = Choices(data)
    mode = choices.number()
    is_server = bool(mode & 1)
    lengths = choices.piece()
    if mode & 2:
        stream, plaintext, faults = choices.rest(), b"", {True, False}
    else:
        stream, plaintext, faults = _records(choices, _Noise(is_server=not is_server))

    def read(pieces: Iterable[bytes]) -> tuple[bytes, str, bytes, bool]:
        opened: list[bytes] = []
        said: list[bytes] = []
        channel = make_channel(PSK, initiator=is_server, ephemeral=EPHEMERALS[is_server])
        fault = ""
        try:
            for turn, piece in enumerate(pieces):
                channel.receive_data(piece)
                while text := channel.next_plaintext():
                    opened.append(text)
                said.append(channel.handshake_to_send())
                if turn % 50 == 0:
                    hold(held_bytes(channel) <= MAX_RECORD, "too much is kept")
        except RemoteProtocolError as error:
            fault = str(error.code)
        said.append(channel.handshake_to_send())
        return b"".join(opened), fault, b"".join(said), channel.is_open

    whole, *others = (read(way) for way in ways(stream, lengths))
    same("however it arrives", whole, *others)
    opened, fault, said, is_open = whole
    same("what was sealed", opened, plaintext)
    hold(bool(fault) in faults, "a fault where there is one, and only there", fault)
    hold(is_open or not opened, "opened before the handshake is done")
    own = len(PREAMBLE) + 50 if is_server else 50 if is_open else 0
    hold(len(said) == own, "one handshake message", said)


def _records(choices: Choices, far: _Noise) -> tuple[bytes, bytes, set[bool]]:
    """Return a stream of records, the text that comes out, and whether a fault is possible."""
    greeting, sending = far.greet()
    stream = bytearray(greeting)
    ends: list[tuple[int, bytes]] = []  # the end of each record, and its text
    first: tuple[int, set[bool]] | None = None  # damage: its place, and whether it is a fault
    sealed = b""
    while choices:
        kind = choices.number() % 8
        text = choices.piece()
        at = len(stream)
        if kind < 4:  # a record; kind 3 is a long one
            text *= 255 if kind == 3 else 1
            sealed = record(sending.encrypt(text))
            stream += sealed
            ends.append((len(stream), text))
        elif kind == 4:  # a missing record, which the next one shows
            sending.encrypt(text)
            first = first or (at, {True, False})
        elif kind == 5 and sealed:  # a repeated record
            stream += sealed
            first = first or (at, {True})
        elif kind == 6:  # a record without the key
            stream += record(text)
            first = first or (at, {True})
        elif first is None:  # a changed bit anywhere, also in a length
            bit = choices.number(2) % (8 * at)
            stream[bit // 8] ^= 1 << bit % 8
            first = (bit // 8, {True, False})
    damaged_at, faults = first or (len(stream), {False})
    good = (text for end, text in ends if end <= damaged_at)
    return bytes(stream), b"".join(good), faults
