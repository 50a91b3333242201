"""Tests of a read by the server's protocol: its turn ends whatever happens."""

from __future__ import annotations

from tests.server.cases import FactoryCase


class FailedReadTests(FactoryCase):
    """A fault of this side while bytes are read."""

    def test_turn_goes_on(self) -> None:
        """After a fault outside of the session's own work, other clients are still answered."""
        alice, bob = self.clients("alice", "bob")
        alice.protocol._note_held = self.fail_now
        alice.protocol._work = object()
        self.assertRaises(KeyError, alice.say, "lost")
        bob.say("one")
        self.end_turn()
        self.assertEqual(bob.take_texts(), ["one"])

    def fail_now(self) -> None:
        raise KeyError("no")
