"""The dialect of chatd over WebSockets: frames may be split anywhere."""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase
from websockets.frames import Frame, Opcode

from bench.dialects.base import payload
from bench.dialects.chatdweb import ChatdWebLine
from chatd.wire.messages import Message


def frame(data: bytes, *, mask: bool = False) -> bytes:
    return Frame(Opcode.BINARY, data).serialize(mask=mask)


class ContentTests(SynchronousTestCase):
    def setUp(self) -> None:
        link, far = socket.socketpair()
        self.addCleanup(link.close)
        self.addCleanup(far.close)
        self.line = ChatdWebLine(link, "m", "#r", is_watched=True)

    def contents(self, pieces: list[bytes]) -> bytes:
        return b"".join(
            bytes(each) for piece in pieces for each in self.line._contents(memoryview(piece))
        )

    def test_split(self) -> None:
        """Frames of every kind of length are read, whole or byte by byte."""
        contents = [b"", b"a" * 125, b"b" * 126, b"c" * 65_535, b"d" * 65_536, b"e"]
        data = b"".join(map(frame, contents))
        self.assertEqual(self.contents([data]), b"".join(contents))
        pieces = [data[at : at + 1] for at in range(len(data))]
        self.assertEqual(self.contents(pieces), b"".join(contents))

    def test_counted(self) -> None:
        """A watched line counts the messages in the frames."""
        self.line.begin()
        chat = [Message.chat("x", id=f"{number}") for number in range(3)]
        messages = [self.line._codec.encode(each) for each in chat]
        self.line.feed(memoryview(frame(b"".join(messages[:2])) + frame(messages[2])))
        self.assertEqual(self.line.seen(), 3)

    def test_encoded(self) -> None:
        """Messages leave in one masked frame."""
        data = self.line.encode(0, 2, payload(100))
        self.assertEqual((data[0], data[1] & 0x80), (0x80 | Opcode.BINARY, 0x80))
