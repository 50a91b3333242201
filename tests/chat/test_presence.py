"""Tests of the EVENTs about members and rooms."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.chat import presence
from chatd.wire.messages import Message, MessageType


class EventTests(SynchronousTestCase):
    def test_events(self):
        """Each EVENT has its fields, and no content."""
        for event, header in (
            (presence.joined("tea", "ann"), {"event": "joined", "room": "tea", "name": "ann"}),
            (presence.left("tea", "ann"), {"event": "left", "room": "tea", "name": "ann"}),
            (
                presence.left("tea", "ann", by="op", reason="spam"),
                {"event": "left", "room": "tea", "name": "ann", "by": "op", "reason": "spam"},
            ),
            (
                presence.room_changed("tea", "op", private=True),
                {"event": "room-changed", "room": "tea", "private": True, "name": "op"},
            ),
            (
                presence.renamed("ann", "anna"),
                {"event": "renamed", "name": "anna", "old_name": "ann"},
            ),
            (
                presence.topic_set("tea", "Earl Grey", "ann"),
                {"event": "topic", "room": "tea", "topic": "Earl Grey", "name": "ann"},
            ),
            (presence.absent("ann", "m1"), {"event": "absent", "name": "ann", "ref": "m1"}),
            (
                presence.away("ann", "lunch", "m1"),
                {"event": "away", "name": "ann", "text": "lunch", "ref": "m1"},
            ),
        ):
            self.assertEqual(event, Message(MessageType.EVENT, header))
