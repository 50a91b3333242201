"""Tests of the queue in which large frames are sealed, a step in each turn."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.transport.sealing import STEP_BYTES, TURNS, SealingQueue
from chatd.wire.codec import Codec
from chatd.wire.large import LargeFrame
from chatd.wire.messages import Message
from tests.fakes.reactors import TurnClock

CODEC = Codec()


def large_frame(length: int = STEP_BYTES) -> LargeFrame:
    """Return a frame that is not sealed yet."""
    frame = CODEC.encode_in_steps(Message.chat(bytes(length), id="m1"))
    assert isinstance(frame, LargeFrame)
    return frame


class SealingQueueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = TurnClock()
        self.sealed: list[str] = []
        self.queue = SealingQueue[str](self.clock, self.sealed.append)

    def test_steps(self) -> None:
        """In each turn, a step of the first frame is done; then its waiters are told."""
        first, second = large_frame(), large_frame()
        self.queue.seal([first], "alice")
        self.queue.seal([second], "bob")
        self.queue.seal([first], "carol")
        self.clock.turn()
        self.assertEqual((first.work, second.work), (STEP_BYTES, 2 * STEP_BYTES))
        self.assertEqual(self.sealed, [])
        self.clock.turn()
        self.assertEqual((first.work, second.work), (0, 2 * STEP_BYTES))
        self.assertEqual(self.sealed, ["alice", "carol"])
        self.clock.turn()
        self.clock.turn()
        self.assertEqual(self.sealed, ["alice", "carol", "bob"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_later_frames(self) -> None:
        """Frames behind the first are sealed, too, and nobody is told of them."""
        first, second = large_frame(), large_frame()
        self.queue.seal([first, second], "alice")
        self.clock.finish()
        self.assertEqual((first.work, second.work), (0, 0))
        self.assertEqual(self.sealed, ["alice"])

    def test_sealed_elsewhere(self) -> None:
        """A frame that was sealed at once meanwhile does not hold back the next."""
        first, second = large_frame(), large_frame()
        self.queue.seal([first, second], "alice")
        first.sealed()
        self.clock.turn()
        self.assertEqual((self.sealed, second.work), (["alice"], STEP_BYTES))

    def test_much_work(self) -> None:
        """If much work waits, a turn does a fixed part of it, so that it cannot pile up."""
        frames = [large_frame() for _ in range(4 * TURNS)]
        self.queue.seal(frames, "alice")
        before = sum(frame.work for frame in frames)
        self.clock.turn()
        self.assertEqual(sum(frame.work for frame in frames), before - before // TURNS)
