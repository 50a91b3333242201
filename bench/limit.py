"""The limit that the algorithms set: one HMAC, two CRC32 and one AES-GCM over the same bytes.

A message that goes one way is hashed, checked and sealed or opened once. The rest of the cost is
copies and the library's own work.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.dialects.base import payload
from chatd.wire.channel import MAX_RECORD_PLAINTEXT, SecureChannel
from chatd.wire.checksum import crc32
from chatd.wire.codec import Codec
from chatd.wire.messages import Message

__all__ = ["each_way", "limit"]

_KEY = bytes(range(32))
_RUNS = 20


def limit(length: int) -> float:
    """Return the throughput of the algorithms alone, in bytes of content a second."""
    content = payload(length)
    aead = AESGCM(_KEY)
    view = memoryview(content)

    def run() -> None:
        sha256(content).digest()
        crc32(content)
        crc32(content)
        for start in range(0, length, MAX_RECORD_PLAINTEXT):
            aead.encrypt(bytes(12), view[start : start + MAX_RECORD_PLAINTEXT], None)

    return length / _best(run)


def each_way(length: int) -> tuple[float, float]:
    """Return the wire layer's throughput for sending and for receiving, in bytes a second."""
    codec = Codec(_KEY)
    server, client = (SecureChannel(_KEY, initiator=side) for side in (True, False))
    client.receive_data(server.handshake_to_send())
    client.next_plaintext()
    server.receive_data(client.handshake_to_send())
    server.next_plaintext()
    message = Message.chat(payload(length), id="1")
    sealed: list[bytes] = []
    reader = codec.reader()

    def send() -> None:
        sealed.append(client.seal(codec.encode(message)))

    def receive() -> None:
        data = sealed.pop(0)
        for start in range(0, len(data), 65536):  # the size of a read from a socket
            server.receive_data(data[start : start + 65536])
            while piece := server.next_plaintext():
                reader.receive_data(piece)
                for received in codec.decode_stream(reader):
                    assert len(received.content) == length

    sending = _best(send)
    return length / sending, length / _best(receive)


def _best(run: Callable[[], None]) -> float:
    """Return the CPU seconds of the fastest of some runs."""
    times = []
    for _ in range(_RUNS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)
