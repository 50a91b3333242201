"""The topics, the numbers of members, and the names of rooms."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.roomstates import MAX_PEOPLE, RoomStates


class RoomStatesTests(SynchronousTestCase):
    def setUp(self):
        self.states = RoomStates()
        self.lobby = self.states.joined("Lobby")
        self.lobby.members = 3
        self.lobby.list(["bob", "alice", "carol"])

    def take(self, event, **fields):
        self.states.take({"event": event, **fields})

    def test_people(self):
        """Names come and go; any spelling finds a joined room."""
        self.take("joined", room="LOBBY", name="dave")
        self.take("left", room="lobby", name="Bob")
        self.take("left", room="lobby", name="nobody")
        self.assertIs(self.states.of("lobby"), self.lobby)
        self.assertEqual(self.lobby.names, ["dave", "carol", "alice"])
        self.assertEqual(self.lobby.members, 2)

    def test_unknown_number(self):
        """An unknown number of members stays unknown, and no number falls below zero."""
        self.take("joined", room="ops", name="bob")
        self.assertIsNone(self.states.of("ops").members)
        self.lobby.members = 0
        self.take("left", room="lobby", name="bob")
        self.assertEqual(self.lobby.members, 0)

    def test_speakers(self):
        """The latest speaker is the first name, also after the names are listed again."""
        self.lobby.add("bob")
        self.assertEqual(self.lobby.names[0], "bob")
        self.lobby.list(["alice", "bob", "carol", "zoe"])
        self.assertEqual(self.lobby.names[0], "bob")
        self.assertCountEqual(self.lobby.names, ["alice", "bob", "carol", "zoe"])

    def test_renamed(self):
        """A member has its new name in all rooms, and keeps its place."""
        self.take("renamed", old_name="ALICE", name="al")
        self.take("renamed", old_name="nobody", name="somebody")
        self.assertEqual(self.lobby.names, ["carol", "al", "bob"])

    def test_topic(self):
        """The topic is that of the last event."""
        self.take("topic", room="lobby", topic="tea", name="bob")
        self.assertEqual(self.lobby.topic, "tea")
        self.take("topic", room="lobby", topic="", name="bob")
        self.assertEqual(self.lobby.topic, "")

    def test_private(self):
        """A room is private after an event that says so, and public after the next."""
        for private, is_private in ((True, True), (False, False), ("yes", False)):
            self.take("room-changed", room="LOBBY", private=private, name="op")
            self.assertIs(self.lobby.is_private, is_private)

    def test_other_events(self):
        """Other events, and events without their fields, change nothing."""
        for event in ("absent", "joined", "left", "topic", "renamed"):
            self.take(event)
        self.assertEqual(self.lobby.names, ["carol", "alice", "bob"])

    def test_joined_again(self):
        """Joining a room again forgets its earlier state."""
        self.assertIsNot(self.states.joined("lobby"), self.lobby)
        self.assertEqual(self.states.of("lobby").names, [])

    def test_very_many(self):
        """The client knows a limited number of names: the latest speakers."""
        self.lobby.list(f"p{number}" for number in range(MAX_PEOPLE + 10))
        self.assertEqual(len(self.lobby.names), MAX_PEOPLE)
        self.assertIn("bob", self.lobby.names)


class LyingServerTests(SynchronousTestCase):
    """A server that tells of more than there is."""

    def setUp(self):
        self.states = RoomStates()

    def test_strange_rooms(self):
        """The client ignores events about rooms that it is not in."""
        for number in range(10):
            self.states.take({"event": "joined", "room": f"{number}" * 1000, "name": "bob"})
        self.assertEqual(self.states._states, {})

    def test_many_rooms(self):
        """Messages of rooms that the client has not joined leave no trace."""
        for number in range(10):
            self.states.of(str(number)).add("bob")
        self.assertEqual(self.states._states, {})
        self.assertEqual(self.states.of("0").names, [])

    def test_names_that_are_texts(self):
        """A name that no server gives out is no candidate for the prompt."""
        state = self.states.joined("lobby")
        state.list(["eve hi\n/topic PWNED", "x" * 60_000, "L\u202e", "bob"])
        state.rename("bob", "b b")
        self.assertEqual(state.names, [])
