"""MQTT 3.1.1 at quality of service 0: https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/."""

from __future__ import annotations

from bench.dialects.base import Line

__all__ = ["MqttLine"]

_CONNECT, _SUBSCRIBE, _PUBLISH = b"\x10", b"\x82", b"\x30"
_CONNECTED = b"\x20\x02\x00\x00"
_SUBSCRIBED = b"\x90\x03\x00\x01\x00"
_CLEAN_SESSION = b"\x02"
_KEEP_ALIVE_S = 65535


class MqttLine(Line):
    """One connection to an MQTT broker; see `Line`."""

    def join(self) -> None:
        """See `Line`."""
        head = _string(b"MQTT") + b"\x04" + _CLEAN_SESSION + _KEEP_ALIVE_S.to_bytes(2, "big")
        self.link.sendall(_packet(_CONNECT, head + _string(self.name.encode())))
        self.read_until(_CONNECTED)
        self.link.sendall(_packet(_SUBSCRIBE, b"\x00\x01" + _string(self._topic) + b"\x00"))
        self.read_until(_SUBSCRIBED)

    def encode(self, first: int, count: int, content: bytes) -> bytes:
        """See `Line`: the number replaces the first 8 bytes."""
        rest = content[8:]
        head = _packet(_PUBLISH, _string(self._topic) + b"%08x%b" % (0, rest))[: -8 - len(rest)]
        return b"".join(
            b"%b%08x%b" % (head, number, rest) for number in range(first, first + count)
        )

    @property
    def _topic(self) -> bytes:
        return self.room.lstrip("#").encode()  # `#` is a wildcard in topics


def _string(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text


def _packet(kind: bytes, body: bytes) -> bytes:
    length, size = len(body), bytearray()
    while length > 127:  # seven bits a byte, MQTT 3.1.1 section 2.2.3
        size.append(length % 128 | 128)
        length //= 128
    size.append(length)
    return kind + bytes(size) + body
