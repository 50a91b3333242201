"""The queue of frames to send, with large frames that are sealed later."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from chatd.connection.outgoing import Outgoing
from chatd.wire.channel import ClearChannel
from chatd.wire.codec import Codec
from chatd.wire.large import LARGE_CONTENT, LargeFrame
from chatd.wire.messages import Message

CODEC = Codec()
CONTENT = bytes(LARGE_CONTENT)


def large_frame(*, is_sealed: bool = False) -> LargeFrame:
    """Return a large frame."""
    frame = CODEC.encode_in_steps(Message.chat(CONTENT, id="large"))
    assert isinstance(frame, LargeFrame)
    if is_sealed:
        frame.sealed()
    return frame


class LargeFrameTests(SynchronousTestCase):
    """Frames before, between and behind large frames."""

    def setUp(self) -> None:
        self.outgoing = Outgoing(CODEC, ClearChannel())

    def queue(self, *frames: bytes | LargeFrame) -> None:
        for each in frames:
            self.outgoing.queue_frames(each)

    def sent(self) -> Iterator[bytes]:
        """Yield the pieces that may be sent."""
        return iter(self.outgoing.plaintext_to_send, b"")

    def test_held_back(self) -> None:
        """A large frame holds back itself and all behind it until it is sealed."""
        large = large_frame()
        self.queue(b"a", b"b", large, b"c", b"d")
        self.assertFalse(self.outgoing.is_held_back)  # "a" and "b" can be sent
        self.assertEqual(list(self.sent()), [b"ab"])
        self.assertTrue(self.outgoing.is_held_back)
        self.assertEqual(self.outgoing.unsealed, [large])
        start, content = large.sealed()
        self.assertFalse(self.outgoing.is_held_back)
        self.assertEqual(list(self.sent()), [start, content, b"cd"])
        self.assertFalse(self.outgoing.is_held_back)
        self.assertEqual(self.outgoing.bytes_to_send, 0)

    def test_held_back_again(self) -> None:
        """The next large frame holds back what follows it, and not what is before it."""
        first, second = large_frame(is_sealed=True), large_frame()
        self.queue(first, b"a", second, b"b")
        start, content = first.sealed()
        sent = self.sent()
        self.assertEqual([next(sent) for _ in range(2)], [start, content])
        self.assertFalse(self.outgoing.is_held_back)
        self.assertEqual(list(sent), [b"a"])
        self.assertTrue(self.outgoing.is_held_back)
        self.assertEqual(self.outgoing.bytes_to_send, len(second) + 1)
        second.sealed()
        self.queue(b"c")
        self.assertEqual(list(self.sent()), [*second.sealed(), b"bc"])

    def test_shared(self) -> None:
        """Long parts behind a large frame come alone: other sessions share their bytes."""
        large, long = large_frame(is_sealed=True), bytes(LARGE_CONTENT)
        for frames, pieces in (
            ((large, b"a", long), [b"a", long]),
            ((large, long, b"a"), [long, b"a"]),
            ((large, b"a", long, large, b"b"), [b"a", long, *large.sealed(), b"b"]),
        ):
            self.queue(*frames)
            taken = list(self.sent())
            self.assertEqual(taken, [*large.sealed(), *pieces])
            for piece in taken:
                if len(piece) >= LARGE_CONTENT:
                    self.assertTrue(piece is long or piece is CONTENT)

    def test_all(self) -> None:
        """All frames can be taken at once: then the large frames are sealed at once."""
        large = large_frame()
        self.queue(b"a", large, b"b")
        self.assertEqual(self.outgoing.all_frames(), [b"a", *large.sealed(), b"b"])
        self.assertEqual((list(self.sent()), self.outgoing.bytes_to_send), ([], 0))
