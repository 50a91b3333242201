"""`Codec` turns messages into frames and frames into messages, under one key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Any

import msgspec

from chatd.arguments import check_number, check_type, wrong_type
from chatd.errors import (
    ConfigurationError,
    ErrorCode,
    FrameLengthError,
    HeaderError,
    LocalProtocolError,
    RequestError,
)
from chatd.wire.bounds import MAX_ID, MAX_MAX_CONTENT, MIN_MAX_CONTENT
from chatd.wire.envelope import (
    ENVELOPE_BYTES,
    MAX_CONTENT,
    MAX_HEADER,
    check_prelude,
)
from chatd.wire.faults import plain_fault
from chatd.wire.frames import LENGTH_BYTES, Found, FrameReader
from chatd.wire.keys import mac_key
from chatd.wire.large import Frame, LargeArrival, gather_if_large, seal_small
from chatd.wire.messages import (
    MESSAGE_TYPE,
    ChatHeader,
    Disconnect,
    Error,
    Header,
    Heartbeat,
    Message,
    MessageType,
    SessionAck,
    SessionInit,
)
from chatd.wire.sealer import Sealer

__all__ = ["MAX_DEPTH", "Codec"]

MAX_DEPTH = 32
"""Maximum nesting of lists and objects in the headers that are open to any fields."""

_encode_header = msgspec.json.Encoder().encode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
# Give it text: in bytes, it would not check the UTF-8 of unknown fields.
_decode_chat_header = msgspec.json.Decoder(ChatHeader).decode
_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What the decoders raise for faulty JSON."""
_DECODERS: dict[int, Callable[[bytes], Header]] = {
    int(MessageType.SESSION_INIT): msgspec.json.Decoder(SessionInit).decode,
    int(MessageType.SESSION_ACK): msgspec.json.Decoder(SessionAck).decode,
    int(MessageType.HEARTBEAT): msgspec.json.Decoder(Heartbeat).decode,
    int(MessageType.MESSAGE): _decode_chat_header,
    int(MessageType.ERROR): msgspec.json.Decoder(Error).decode,
    int(MessageType.DISCONNECT): msgspec.json.Decoder(Disconnect).decode,
}
# The open headers, and the text fields that each must have.
_REQUIRED_TEXT = {
    int(MessageType.COMMAND): ("id", "command"),
    int(MessageType.RESULT): ("id",),
    int(MessageType.EVENT): ("event",),
}


class Codec:
    """Encodes and decodes messages under one key.

    A codec has no connection state: any number of sessions can share it.

    Args:
        key: The shared key, 32 bytes, or None if there is no key.
        max_content: Longest content that the codec encodes and decodes, in bytes:
            `MIN_MAX_CONTENT` to `MAX_MAX_CONTENT`.

    Raises:
        ConfigurationError: The key is not 32 bytes long, or the limit is out of range.
    """

    __slots__ = ("_sealer", "max_content")

    def __init__(self, key: bytes | None = None, *, max_content: int = MAX_CONTENT) -> None:
        check_number("max_content", max_content)
        if not MIN_MAX_CONTENT <= max_content <= MAX_MAX_CONTENT:
            raise ConfigurationError(
                f"the content limit must be {MIN_MAX_CONTENT} to {MAX_MAX_CONTENT} bytes, "
                f"not {max_content}"
            )
        self._sealer = Sealer(mac_key(key))
        self.max_content = max_content

    def with_max_content(self, max_content: int) -> Codec:
        """Return a codec with the same key and another content limit, in bytes."""
        codec = copy(self)
        codec.max_content = max_content
        return codec

    @property
    def max_frame(self) -> int:
        """Longest frame of a message within the limits, in bytes, without its length prefix."""
        return ENVELOPE_BYTES + MAX_HEADER + self.max_content

    def check_content(self, content: bytes) -> None:
        """Check that the content can be sent.

        Raises:
            LocalProtocolError: The content exceeds the limit.
            TypeError: The content is not bytes.
        """
        if not isinstance(content, bytes):
            raise wrong_type("the content", content, "bytes (Message.chat takes text too)")
        if len(content) > self.max_content:
            raise LocalProtocolError(
                f"content of {len(content)} bytes exceeds the limit of {self.max_content}: that is "
                "the lower max_content of the two sides (--max-content of twistd)"
            )

    def encode(self, message: Message) -> bytes:
        """Return the frame of a message, with its length prefix.

        Raises:
            LocalProtocolError: The header or the content exceeds its limit, or the type or the
                header cannot be encoded.
        """
        return self._sealer.seal(*self._parts(message))

    def encode_run(self, messages: Sequence[Message]) -> Sequence[Frame]:
        """Return the frame of each message, not sealed yet if it is large; raises as `encode`."""
        return seal_small(self._sealer, list(map(self._parts, messages)))

    def encode_in_steps(self, message: Message) -> Frame:
        """Return the frame of a message, not sealed yet if it is large; raises as `encode`."""
        return seal_small(self._sealer, (self._parts(message),))[0]

    def encode_parts(self, message_type: int, header: Header, content: bytes = b"") -> bytes:
        """Return the frame of a message that is given in parts; see `encode`."""
        return self.encode(Message(message_type, header, content))

    def decode(self, frame: bytes) -> Message:
        """Check one complete frame, with its length prefix, and return its message.

        Raises:
            WireError: The bytes are faulty: length, magic, version, CRC, MAC or JSON.
            RequestError: A header field is missing or has the wrong type.
        """
        check_type("the frame", frame, bytes, "bytes")
        length = int.from_bytes(frame[:LENGTH_BYTES], "big")
        if length != len(frame) - LENGTH_BYTES:
            raise FrameLengthError("not exactly one frame")
        return self.decode_envelope(frame, LENGTH_BYTES, len(frame))

    def decode_envelope(self, buffer: Found, start: int, end: int) -> Message:
        """Check the envelope at `buffer[start:end]` and return its message; see `decode`."""
        if isinstance(buffer, bytes):
            message_type, header, content = self._sealer.open(buffer, start, end, self.max_content)
        else:
            assert isinstance(buffer, LargeArrival)
            message_type, header, content = buffer.open()
        return Message(message_type, _decode_header(message_type, header), content)

    def decode_run(self, reader: FrameReader, most: int, most_bytes: int) -> list[Message]:
        """Check and take the MESSAGE frames with which the unread bytes begin.

        The run ends before the first frame that is incomplete, of another type or faulty;
        `decode_envelope` names its fault.

        Args:
            reader: Holds the bytes.
            most: The most messages; the run has at least 1.
            most_bytes: The run ends when the contents have at least this many bytes.

        Returns:
            The messages; none if the next frame is not a good MESSAGE.
        """
        buffer, start = reader.unread
        messages: list[Message] = []
        opened = self._sealer.open_run(buffer, start, MESSAGE_TYPE, self.max_content)
        end, size = start, 0
        for header, content, end_of_frame in opened:
            try:
                messages.append(
                    Message(MESSAGE_TYPE, _decode_chat_header(header.decode()), content)
                )
            except _UNDECODABLE:
                break
            end = end_of_frame
            size += len(content)
            if len(messages) >= most or size >= most_bytes:
                break
        reader.skip_to(end)
        return messages

    def reader(self, max_frame: int | None = None) -> FrameReader:
        """Return a reader that cuts a stream into envelopes and checks this codec's limits.

        Args:
            max_frame: Longest frame, in bytes, if the limit is lower than the codec's `max_frame`.
        """
        return FrameReader(
            self.max_frame if max_frame is None else max_frame,
            self._check_start,
            ENVELOPE_BYTES,
        )

    def _check_start(self, buffer: bytes, start: int, length: int) -> LargeArrival | None:
        prelude = check_prelude(buffer, start, length, self.max_content)
        return gather_if_large(self._sealer, prelude, length)

    def decode_stream(self, reader: FrameReader) -> Iterator[Message]:
        """Yield the messages of the complete frames in `reader`; raises the same as `decode`."""
        for buffer, start, end in reader.frames():
            yield self.decode_envelope(buffer, start, end)

    def _parts(self, message: Message) -> tuple[int, bytes, bytes]:
        """Return the type, the encoded header and the content of a message to send."""
        if not isinstance(message, Message):
            raise wrong_type("the message", message, 'a Message, such as Message.chat("hello")')
        content = message.content
        if type(content) is not bytes or len(content) > self.max_content:
            self.check_content(content)
        try:
            header = _encode_header(message.header)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise LocalProtocolError(f"the header cannot be sent: {error}") from error
        return message.type, header, content


def _decode_header(message_type: int, header: bytes) -> Header:
    if message_type == MESSAGE_TYPE:
        try:
            return _decode_chat_header(header.decode())
        except _UNDECODABLE:
            pass  # the rest raises the right error
    try:
        fields = _decode_object(header)
    except _UNDECODABLE:
        raise HeaderError("the header is not one JSON object in UTF-8") from None
    if message_type in _REQUIRED_TEXT and not _is_shallow(fields):
        raise HeaderError(f"the header is nested more than {MAX_DEPTH} levels deep")
    ref = _ref_of(fields)
    for name in _REQUIRED_TEXT.get(message_type, ()):
        text = fields.get(name)
        if not isinstance(text, str) or not 0 < len(text) <= MAX_ID:
            raise RequestError(
                ErrorCode.BAD_REQUEST, f"{name} must be text of 1 to {MAX_ID} characters", ref=ref
            )
    decoder = _DECODERS.get(message_type)
    if decoder is None:
        return fields
    try:
        return decoder(header)
    except msgspec.ValidationError as error:
        if message_type == MessageType.ERROR:  # an ERROR is never answered with an ERROR
            return Error(code="", message="an ERROR with a bad header")
        raise RequestError(ErrorCode.BAD_REQUEST, plain_fault(error), ref=ref) from None


def _is_shallow(fields: dict[str, Any]) -> bool:
    """Return whether code can walk through the fields without running out of stack."""
    level: list[Any] = [fields]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return True
    return False


def _ref_of(fields: dict[str, Any]) -> str | None:
    ref = fields.get("id")
    return ref if isinstance(ref, str) else None
