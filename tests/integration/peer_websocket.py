"""A WebSocket in blocking sockets, from RFC 6455 and the protocol's description alone."""

import base64
import hashlib
import os
import socket
import struct

__all__ = ["WebSocket"]

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, BINARY, CLOSE, PING, PONG = 0, 2, 8, 9, 10
FIN = 0x80
NORMAL = 1000


class WebSocket:
    """The stream of a session over a WebSocket, with the methods of a socket.

    Args:
        path: The UNIX socket of the daemon's front for browsers.
        timeout_s: The time after which a read without an answer fails, in seconds.

    Attributes:
        code: The code of the server's Close, once it has come.
    """

    def __init__(self, path: str, timeout_s: float) -> None:
        self.code: int | None = None
        self._payload = b""
        self._is_closing = False
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(path)
            self._bytes = self._socket.makefile("rb")
            self._shake_hands()
        except BaseException:
            self._socket.close()
            raise

    def _shake_hands(self) -> None:
        key = base64.b64encode(os.urandom(16))
        self._socket.sendall(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chatd.v1\r\n"
            b"Sec-WebSocket-Key: " + key + b"\r\n\r\n"
        )
        status = self._bytes.readline()
        assert status.startswith(b"HTTP/1.1 101 "), status
        fields = {}
        while line := self._bytes.readline().strip():
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip()
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        assert fields[b"sec-websocket-accept"] == accept
        assert fields[b"sec-websocket-protocol"] == b"chatd.v1"
        assert b"sec-websocket-extensions" not in fields

    def sendall(self, data: bytes) -> None:
        """Send bytes in one message."""
        self._send(FIN | BINARY, data)

    def send_fragments(self, data: bytes, most: int) -> None:
        """Send bytes in one message of fragments, each of at most this length."""
        starts = range(0, len(data), most)
        for start in starts:
            opcode = BINARY if start == 0 else CONTINUATION
            fin = FIN if start == starts[-1] else 0
            self._send(fin | opcode, data[start : start + most])

    def recv(self, most: int) -> bytes:
        """Return some bytes of the stream; none at its end."""
        while not self._payload:
            if self.code is not None:
                return b""
            self._read_frame()
        taken, self._payload = self._payload[:most], self._payload[most:]
        return taken

    def shutdown(self, how: int) -> None:
        """Close the sending half, as a WebSocket does: by a Close."""
        assert how == socket.SHUT_WR
        self._send_close()

    def close(self) -> None:
        """Close the socket without a Close."""
        self._bytes.close()
        self._socket.close()

    def _send_close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._send(FIN | CLOSE, NORMAL.to_bytes(2, "big"))

    def _send(self, first: int, payload: bytes) -> None:
        size = len(payload)
        if size < 126:
            head = struct.pack(">BB", first, 0x80 | size)
        elif size < 65536:
            head = struct.pack(">BBH", first, 0x80 | 126, size)
        else:
            head = struct.pack(">BBQ", first, 0x80 | 127, size)
        mask = os.urandom(4)
        number = int.from_bytes(payload, "big")
        number ^= int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        self._socket.sendall(head + mask + number.to_bytes(size, "big"))

    def _read_frame(self) -> None:
        first, size = self._read(2)
        opcode = first & 15
        assert first & 0x70 == 0, "there is no extension"
        assert size < 128, "servers do not mask"
        if size == 126:
            (size,) = struct.unpack(">H", self._read(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self._read(8))
        payload = self._read(size)
        if opcode in {BINARY, CONTINUATION}:
            self._payload = payload
        elif opcode == PING:
            self._send(FIN | PONG, payload)
        else:
            assert opcode == CLOSE, opcode
            self.code = int.from_bytes(payload[:2], "big")
            self._send_close()

    def _read(self, size: int) -> bytes:
        data = self._bytes.read(size)
        if len(data) < size:
            raise ConnectionResetError("the server ended the WebSocket without a Close")
        return data
