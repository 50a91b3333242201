"""chatd, with or without a key.

With a key, the lengths of a line's records are counted, and only those of a watched line are
opened. When the clock has stopped, the messages of a watched line are checked in full, with
checksums and signatures.
"""

from __future__ import annotations

import socket
from struct import Struct

from bench.dialects.base import Line
from chatd.connection.client import ClientConnection
from chatd.connection.events import PingReceived, Welcomed
from chatd.wire.channel import ClearChannel, SecureChannel
from chatd.wire.codec import Codec
from chatd.wire.keys import noise_psk
from chatd.wire.messages import Message
from chatd.wire.noise import TAG_BYTES

__all__ = ["ChatdLine"]

_unpack_frame_length = Struct(">I").unpack_from
_FRAME_LENGTH_BYTES = 4
_RECORD_LENGTH_BYTES = 2


class ChatdLine(Line):
    """One chatd session; see `Line`."""

    def __init__(
        self,
        link: socket.socket,
        name: str,
        room: str,
        *,
        key: bytes | None = None,
        is_watched: bool = False,
    ) -> None:
        super().__init__(link, name, room, key=key, is_watched=is_watched)
        self._codec = Codec(key)
        self._channel = (
            ClearChannel(expects_server=True)
            if key is None
            else SecureChannel(noise_psk(key), initiator=False)
        )
        self._has_key = key is not None
        self._session = ClientConnection(self._codec, self._channel, 0.0, name=name, rooms=[room])
        self._is_counting = False
        self._record_rest = 0  # the missing bytes of a record
        self._split_length = b""  # the first byte of a record's length, if it came alone
        self._pieces: list[bytes] = []
        self._partial = b""
        self._seen = 0
        self._said = 0

    def join(self) -> None:
        """See `Line`: the welcome confirms the room, which the handshake asks for."""
        while True:
            self.send_in_session(self._session.data_to_send())
            data = self.link.recv(65536)
            if not data:
                raise ConnectionError("closed during the handshake")
            self.receive_in_session(data)
            if any(isinstance(event, Welcomed) for event in self._session.events()):
                return

    def send_in_session(self, data: bytes) -> None:
        """Send bytes of the session, blocking."""
        self.link.sendall(data)

    def receive_in_session(self, data: bytes) -> None:
        """Give the session received bytes."""
        self._session.receive_data(data)

    def encode(self, first: int, count: int, content: bytes) -> bytes:
        """See `Line`; call it in the order of sending.

        The numbers continue from run to run: the server delivers a repeated id only once.
        """
        first, self._said = self._said, self._said + count
        frames = [
            self._codec.encode(Message.chat(content, id=f"{number:08x}"))
            for number in range(first, first + count)
        ]
        return self._channel.seal(b"".join(frames))

    def begin(self) -> None:
        """See `Line`."""
        super().begin()
        self._is_counting = True
        self._pieces.clear()
        self._seen = 0

    def feed(self, data: memoryview) -> None:
        """See `Line`: counts the plaintext; before `begin`, reads it as a client does."""
        if not self._is_counting:
            self._session.receive_data(bytes(data))
            for event in self._session.events():
                if isinstance(event, PingReceived):
                    self._session.answer(event)
        elif self.is_watched:
            self._watch(bytes(data))
        elif self._has_key:
            self._count_records(data)
        else:
            self.stream_bytes += len(data)

    def seen(self) -> int:
        """See `Line`."""
        return self._seen

    def first_seen(self) -> None:
        """See `Line`: the length of a delivery is not needed."""

    def check(self, count: int) -> None:
        """See `Line`: checks every checksum, every signature and the order."""
        reader = self._codec.reader()
        seqs: list[int | None] = []
        for piece in self._pieces:
            reader.receive_data(piece)
            seqs += [message.seq for message in self._codec.decode_stream(reader)]
        if len(seqs) != count or None in seqs:
            raise AssertionError(f"{len(seqs)} of {count} messages arrived")
        first = seqs[0] or 0
        if seqs != list(range(first, first + count)):
            raise AssertionError("the order has gaps")

    def _watch(self, data: bytes) -> None:
        channel = self._channel
        channel.receive_data(data)
        while piece := channel.next_plaintext():
            self.stream_bytes += len(piece)
            self._pieces.append(piece)
            self._count_frames(self._partial + piece if self._partial else piece)

    def _count_frames(self, data: bytes) -> None:
        start, end = 0, len(data)
        while start + _FRAME_LENGTH_BYTES <= end:
            following = start + _FRAME_LENGTH_BYTES + _unpack_frame_length(data, start)[0]
            if following > end:
                break
            self._seen += 1
            start = following
        self._partial = data[start:]

    def _count_records(self, data: memoryview) -> None:
        position, end, rest = 0, len(data), self._record_rest
        while position < end:
            if rest:
                taken = min(rest, end - position)
                position += taken
                rest -= taken
                continue
            length = self._split_length + bytes(data[position : position + 2])
            length = length[:_RECORD_LENGTH_BYTES]
            position += len(length) - len(self._split_length)
            self._split_length = b"" if len(length) == _RECORD_LENGTH_BYTES else length
            if not self._split_length:
                rest = int.from_bytes(length, "big")
                self.stream_bytes += rest - TAG_BYTES
        self._record_rest = rest
