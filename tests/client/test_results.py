"""Tests of the results of a client's commands, as read from a server's answer."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.results import BanInfo, Conversation, Joined, RoomInfo

ROOM = {"room": "r", "epoch": "e", "seq": 1}


class ResultTests(SynchronousTestCase):
    """The results are read from the fields of an answer."""

    def test_least(self) -> None:
        """Optional fields have defaults."""
        joined = msgspec.convert(ROOM, Joined)
        self.assertEqual((joined.last_id, joined.members, joined.topic), (None, None, ""))
        self.assertFalse(joined.recovered)
        room = msgspec.convert({"room": "r"}, RoomInfo)
        self.assertEqual((room.members, room.topic), (0, ""))
        self.assertEqual(msgspec.convert({}, BanInfo), BanInfo())

    def test_unknown_fields(self) -> None:
        """The client ignores a newer server's field."""
        for fields, result in (
            (ROOM, Joined),
            ({"room": "r"}, RoomInfo),
            ({"with": "bob", "epoch": "e", "seq": 1}, Conversation),
            ({"name": "mallory"}, BanInfo),
        ):
            expected = msgspec.convert(fields, result)
            self.assertEqual(msgspec.convert({**fields, "colour": "red"}, result), expected)

    def test_conversation(self) -> None:
        """The other name of a conversation is the field `with` of the answer."""
        fields = {"with": "bob", "epoch": "e", "seq": 1}
        self.assertEqual(msgspec.convert(fields, Conversation).other, "bob")
        with self.assertRaises(msgspec.ValidationError):
            msgspec.convert({"other": "bob", "epoch": "e", "seq": 1}, Conversation)
