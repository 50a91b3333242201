"""chatd over WebSockets, with or without a key."""

from __future__ import annotations

from collections.abc import Iterator

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from bench.dialects.chatd import ChatdLine
from chatd.transport.websocket import SUBPROTOCOL

__all__ = ["ChatdWebLine"]

_END = b"\r\n\r\n"
_LENGTHS = {126: 2, 127: 8}
"""The number of bytes of an extended length, by the first length; RFC 6455, section 5.2."""


class ChatdWebLine(ChatdLine):
    """One chatd session on a WebSocket; see `Line`."""

    _rest = 0  # the missing bytes of a frame
    _head = b""  # the first bytes of a frame's head, if it did not come whole

    def join(self) -> None:
        """See `Line`: opens the WebSocket before."""
        host, port = self.link.getpeername()
        uri = parse_uri(f"ws://{host}:{port}/ws")
        framing = ClientProtocol(uri, subprotocols=[Subprotocol(SUBPROTOCOL)])
        framing.send_request(framing.connect())
        self.link.sendall(b"".join(framing.data_to_send()))
        head, _, rest = self.read_until(_END).partition(_END)
        framing.receive_data(head + _END)
        if framing.state is not OPEN:
            raise ConnectionError(f"no WebSocket: {head!r}")
        self.receive_in_session(rest)
        for _ in self._session.events():  # the answer to the greeting comes from acting on it
            pass
        super().join()

    def send_in_session(self, data: bytes) -> None:
        """See `ChatdLine`: sends a message of the WebSocket."""
        if data:
            super().send_in_session(_message(data))

    def receive_in_session(self, data: bytes) -> None:
        """See `ChatdLine`."""
        for piece in self._contents(memoryview(data)):
            super().receive_in_session(bytes(piece))

    def encode(self, first: int, count: int, content: bytes) -> bytes:
        """See `Line`."""
        return _message(super().encode(first, count, content))

    def feed(self, data: memoryview) -> None:
        """See `Line`."""
        for piece in self._contents(data):
            super().feed(piece)

    def _contents(self, data: memoryview) -> Iterator[memoryview]:
        """Yield the contents of the frames, which have no masks, piece by piece."""
        position, end = 0, len(data)
        while position < end:
            if self._rest:
                piece = data[position : position + self._rest]
                position += len(piece)
                self._rest -= len(piece)
                yield piece
                continue
            start = len(self._head)
            head = self._head + bytes(data[position : position + 10 - start])
            extended = _LENGTHS.get(head[1], 0) if len(head) > 1 else 8
            if len(head) < 2 + extended:
                self._head = head
                return
            position += 2 + extended - start
            self._head = b""
            self._rest = int.from_bytes(head[2 : 2 + extended], "big") if extended else head[1]


def _message(data: bytes) -> bytes:
    return Frame(Opcode.BINARY, data).serialize(mask=True)
