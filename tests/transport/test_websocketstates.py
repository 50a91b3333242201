"""Tests of the states of a WebSocket's end."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import LocalProtocolError
from chatd.transport.websocketstates import TRANSITIONS, Phase, Step, advance


class PhaseTests(SynchronousTestCase):
    def test_either_first(self):
        """A WebSocket is closed when both sides have closed, whichever was first."""
        for first, last in (
            (Step.PEER_CLOSED, Step.CLOSED),
            (Step.CLOSED, Step.PEER_CLOSED),
        ):
            self.assertIs(advance(advance(Phase.OPEN, first), last), Phase.CLOSED)

    def test_no_way_back(self):
        """A WebSocket that is closed stays closed."""
        after = {then for (before, _), then in TRANSITIONS.items() if before is Phase.CLOSED}
        self.assertEqual(after, {Phase.CLOSED})

    def test_always_lost(self):
        """The connection may be lost at any time."""
        self.assertEqual({advance(phase, Step.LOST) for phase in Phase}, {Phase.CLOSED})

    def test_impossible(self):
        """A change that is not in the table raises the caller's error."""
        with self.assertRaises(LocalProtocolError) as caught:
            advance(Phase.PEER_DONE, Step.PEER_CLOSED)
        self.assertEqual(
            str(caught.exception),
            "a WebSocket that is closed by the peer cannot be closed by the peer",
        )
