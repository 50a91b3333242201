"""The drawings in the pages show names, fields and sizes that the code has."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from chatd.wire.channel import RECORD_LENGTH_BYTES
from chatd.wire.frames import LENGTH_BYTES
from chatd.wire.messages import MessageType
from tests.docs.pages import ROOT, block

DESIGN = "docs/explanation/design.md"
PROTOCOL = "docs/reference/protocol.md"


class DrawingTests(SynchronousTestCase):
    """The drawings of the pages on the design and the protocol."""

    def test_way_of_a_message(self) -> None:
        """Each class and method in the drawing exists."""
        code = "\n".join(path.read_text("utf-8") for path in (ROOT / "chatd").rglob("*.py"))
        drawing = block(DESIGN, "alice's client")
        classes = re.findall(r"\b([A-Z][a-z]+(?:[A-Z][a-z]+)*)\b(?:\.(\w+))?", drawing)
        named = [(cls, method) for cls, method in classes if f"\nclass {cls}" in code]
        self.assertEqual(
            {cls for cls, _ in named},
            {"ChatProtocol", "Turn", "ServerProtocol", "Hub", "GroupCommit", "Roster"},
        )
        for _, method in named:
            self.assertRegex(code, rf" def {method}\b")
        for name in ("message_received", "append"):
            self.assertIn(name, drawing)
            self.assertRegex(code, rf" def {name}\b")

    def test_layers(self) -> None:
        """The protocol's layers have the sizes of the code."""
        drawing = block(PROTOCOL, "envelopes ")
        names = re.findall(r"^(\w+) ", drawing, re.MULTILINE)
        self.assertEqual(names, ["messages", "envelopes", "frames", "records", "transport"])
        self.assertIn(f"frames        {LENGTH_BYTES}-byte length", drawing)
        self.assertIn(f"records       {RECORD_LENGTH_BYTES}-byte length", drawing)

    def test_types(self) -> None:
        """The protocol's drawing of a session has only existing message types."""
        kinds = set(re.findall(r"\b[A-Z]{2,}(?:_[A-Z]+)?\b", block(PROTOCOL, "HEARTBEAT")))
        self.assertLess({"SESSION_INIT", "HEARTBEAT"}, kinds)
        self.assertEqual(kinds - set(MessageType.__members__), set())
