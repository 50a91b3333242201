"""Tests of the operator's settings for the chat."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.policy import Policy
from chatd.errors import ConfigurationError


class PolicyTests(SynchronousTestCase):
    def test_good(self):
        """A policy has zero to twenty rooms, and any operators' names."""
        rooms = tuple(f"room-{number}" for number in range(20))
        for given in (rooms, ()):
            self.assertEqual(Policy(rooms=given, operators=("ann",)).rooms, given)

    def test_bad(self):
        """A bad name of a room or an operator, or too many rooms, is a configuration error."""
        for fields, word in (
            ({"rooms": ("lobby", "a b")}, "room"),
            ({"rooms": ("",)}, "room"),
            ({"operators": ("ann", "x" * 33)}, "name"),
            ({"rooms": tuple(f"room-{number}" for number in range(21))}, "20"),
            ({"presence_limit": -1}, "presence limit"),
            ({"rooms": ("a", "b"), "max_rooms": 1}, "begins in 2 rooms and may be in 1 only"),
            ({"rooms": (), "max_rooms": 0}, "may be in 0 only"),
        ):
            with self.assertRaises(ConfigurationError) as caught:
                Policy(**fields)
            self.assertIn(word, str(caught.exception))
