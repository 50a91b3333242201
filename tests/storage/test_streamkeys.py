"""The keys of streams."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.storage.streamkeys import direct_names, direct_stream, is_room, room_stream


class StreamKeyTests(SynchronousTestCase):
    def test_either_order(self):
        """Two names have one stream, in either order."""
        self.assertEqual(direct_stream("bob", "ann"), direct_stream("ann", "bob"))
        self.assertNotEqual(direct_stream("ann", "bob"), direct_stream("ann", "carol"))

    def test_names_of_a_direct_stream(self):
        """The key of a direct stream gives its names, in order; another key gives none."""
        for names in (("bob", "ann"), ("ann", "ann"), ("direct", "room")):
            self.assertEqual(direct_names(direct_stream(*names)), tuple(sorted(names)))
        self.assertEqual(direct_names(room_stream("direct")), (None, None))

    def test_rooms_and_names_apart(self):
        """A room's stream is never that of two names, with any name of the room."""
        self.assertTrue(is_room(room_stream("lobby")))
        self.assertFalse(is_room(direct_stream("ann", "bob")))
        self.assertNotEqual(room_stream("ann bob"), direct_stream("ann", "bob"))
