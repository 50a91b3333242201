"""The drawings in the pages show names, fields and sizes that the code has."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.wire import messages
from chatd.wire.channel import RECORD_LENGTH_BYTES
from chatd.wire.frames import LENGTH_BYTES
from chatd.wire.messages import MessageType
from tests.docs.pages import ROOT, block, page

DESIGN = "docs/explanation/design.md"
PROTOCOL = "docs/reference/protocol.md"
STRUCTS: dict[str, Any] = {
    "SESSION_INIT": messages.SessionInit,
    "SESSION_ACK": messages.SessionAck,
    "MESSAGE": messages.ChatHeader,
    "HEARTBEAT": messages.Heartbeat,
    "DISCONNECT": messages.Disconnect,
}


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

    def test_session(self) -> None:
        """Each message in the drawing has the fields that it names."""
        drawing = block(DESIGN, "SESSION_INIT  session_id")
        lines = re.findall(r"(?:◄──|──►) ([A-Z_]+) +(.*?)(?:   .*)?$", drawing, re.MULTILINE)
        self.assertEqual({kind for kind, _ in lines}, {*STRUCTS, "EVENT"})
        for kind, fields in lines:
            if kind == "EVENT":
                self.assertRegex(page(PROTOCOL), r"`welcome`")
                continue
            known = {each.encode_name for each in msgspec.structs.fields(STRUCTS[kind])}
            for field in fields.split(", "):
                name = field.split()[-1] if field.startswith(("ping", "pong")) else field
                self.assertIn(name, known | {"content"}, kind)

    def test_layers(self) -> None:
        """The protocol's layers have the sizes of the code."""
        drawing = block(PROTOCOL, "envelopes ")
        names = re.findall(r"^(\w+) ", drawing, re.MULTILINE)
        self.assertEqual(names, ["messages", "envelopes", "frames", "records", "transport"])
        self.assertIn(f"frames        {LENGTH_BYTES}-byte length", drawing)
        self.assertIn(f"records       {RECORD_LENGTH_BYTES}-byte length", drawing)

    def test_types(self) -> None:
        """The protocol's drawing and the page on the design have only existing message types."""
        for name in (DESIGN, PROTOCOL):
            drawing = block(name, "HEARTBEAT")
            kinds = set(re.findall(r"\b[A-Z]{2,}(?:_[A-Z]+)?\b", drawing))
            self.assertLess({"SESSION_INIT", "HEARTBEAT"}, kinds)
            self.assertEqual(kinds - set(MessageType.__members__), set())
