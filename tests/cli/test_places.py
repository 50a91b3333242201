"""Rooms and conversations: their numbers, the current place, and unread messages."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.places import MAX_CONVERSATIONS, Place, Places, Unread


class PlacesCase(SynchronousTestCase):
    def setUp(self):
        self.rooms = ["lobby", "Ops"]
        self.places = Places(lambda: self.rooms)

    def titles(self):
        return [place.title for place in self.places.all]

    def current(self):
        place = self.places.current
        return None if place is None else place.title


class NumberTests(PlacesCase):
    def test_order(self):
        """Places are numbered in the order in which they were opened."""
        self.places.open("bob")
        self.assertEqual(self.titles(), ["lobby", "Ops", "@bob"])
        self.rooms = ["lobby", "attic"]
        self.assertEqual(self.titles(), ["lobby", "@bob", "attic"])
        self.assertEqual(self.places.at(2), Place(None, "bob"))
        for number in (0, 4, -1):
            self.assertIsNone(self.places.at(number))

    def test_find(self):
        """The client finds a place by its title, its name or its number, in this order."""
        self.rooms = ["lobby", "bob", "1"]
        self.places.open("Bob")
        for text, title in (
            ("LOBBY", "lobby"),
            ("bob", "bob"),
            ("@bob", "@Bob"),
            ("1", "1"),
            ("4", "@Bob"),
        ):
            place = self.places.find(text)
            self.assertEqual(place and place.title, title)
        for text in ("attic", "5", "0", "²", ""):
            self.assertIsNone(self.places.find(text), text)

    def test_by_name_of_a_person(self):
        """The client finds a person without the at sign if no room has the name."""
        self.places.open("bob")
        self.assertEqual(self.places.find("BOB"), Place(None, "bob"))


class CurrentTests(PlacesCase):
    def test_first(self):
        """At first lines go to the first room; without a room they go nowhere."""
        self.assertEqual(self.current(), "lobby")
        self.rooms = []
        self.assertIsNone(self.current())

    def test_back(self):
        """When the current place is closed, lines go to the last place before it."""
        bob = self.places.open("bob")
        for place in (Place("Ops"), bob, Place("lobby"), bob):
            self.places.enter(place)
        self.assertEqual(self.current(), "@bob")
        self.places.close(bob)
        self.assertEqual(self.current(), "lobby")
        self.rooms = ["Ops"]
        self.assertEqual(self.current(), "Ops")

    def test_last_room(self):
        """The room that was visited last is known in a conversation, too."""
        self.assertEqual(self.places.last_room, Place("lobby"))
        bob = self.places.open("bob")
        for place in (Place("Ops"), bob):
            self.places.enter(place)
        self.assertEqual(self.places.last_room, Place("Ops"))
        self.assertEqual(self.current(), "@bob")
        self.rooms = ["lobby"]
        self.assertEqual(self.places.last_room, Place("lobby"))
        self.rooms = []
        self.assertIsNone(self.places.last_room)

    def test_spelling(self):
        """A place may be entered in any spelling."""
        self.places.enter(Place("OPS"))
        self.assertEqual(self.current(), "Ops")

    def test_renamed(self):
        """A conversation goes on under the person's new name, with its number."""
        bob = self.places.open("bob")
        self.places.open("carol")
        self.places.enter(bob)
        self.places.renamed("BOB", "rob")
        self.assertEqual(self.titles(), ["lobby", "Ops", "@rob", "@carol"])
        self.assertEqual(self.current(), "@rob")
        self.places.enter(Place("lobby"))
        self.places.heard(self.places.open("rob"), is_for_you=True)
        self.places.renamed("rob", "bob")
        self.assertEqual([each.place.title for each in self.places.unread], ["@bob"])

    def test_renamed_to_another(self):
        """If the new name has a conversation, the old conversation stays unchanged."""
        for name in ("bob", "carol"):
            self.places.open(name)
        for old_name, name in (("bob", "carol"), ("dave", "erin")):
            self.places.renamed(old_name, name)
            self.assertEqual(self.titles(), ["lobby", "Ops", "@bob", "@carol"])

    def test_very_many(self):
        """The client closes the oldest conversations."""
        for number in range(MAX_CONVERSATIONS + 1):
            self.places.open(f"p{number}")
        self.assertEqual(len(self.places.all), 2 + MAX_CONVERSATIONS)
        self.assertNotIn("@p0", self.titles())


class EnteredTests(PlacesCase):
    def test_entered(self):
        """Only a place that becomes the current place is entered, not each that is read."""
        entered: list[Place] = []
        self.places = Places(lambda: self.rooms, entered.append)
        self.places.read(Place("Ops"))
        self.assertEqual(entered, [])
        self.places.enter(Place("Ops"))
        self.assertEqual(entered, [Place("Ops")])


class UnreadTests(PlacesCase):
    def test_count(self):
        """Messages count as unread until the person goes there."""
        bob = self.places.open("bob")
        for place, is_for_you in (
            (Place("lobby"), True),
            (Place("ops"), True),
            (Place("ops"), False),
            (bob, False),
        ):
            self.places.heard(place, is_for_you=is_for_you)
        self.assertEqual(self.places.unread, [(2, Place("Ops"), 2, True), (3, bob, 1, False)])
        self.places.enter(Place("Ops"))
        self.assertEqual(self.places.unread, [(3, bob, 1, False)])
        self.places.close(bob)
        self.assertEqual(self.places.unread, [])

    def test_left(self):
        """A room that the person left has no unread messages, also after entering it again."""
        self.places.heard(Place("ops"), is_for_you=False)
        self.rooms = ["lobby"]
        self.assertEqual(self.places.unread, [])
        self.rooms = ["lobby", "ops"]
        self.assertEqual(self.places.unread, [])

    def test_next(self):
        """The key first goes to a message for the person."""
        self.assertIsNone(self.places.next_unread)
        self.places.heard(Place("ops"), is_for_you=False)
        self.assertEqual(self.places.next_unread, Place("Ops"))
        bob = self.places.open("bob")
        self.places.heard(bob, is_for_you=True)
        self.assertEqual(self.places.next_unread, bob)


class OverviewTests(SynchronousTestCase):
    def test_overview(self):
        """It tells the current place with its number, and the unread messages of the others."""
        places = Places(lambda: ["lobby", "ops"])
        places.enter(Place("OPS"))
        places.heard(Place("lobby"), is_for_you=False)
        unread = [Unread(1, Place("lobby"), 1, False)]
        self.assertEqual(places.overview, (Place("ops"), 2, unread))
        self.assertEqual(Places(list).overview, (None, 0, []))


class ChosenTests(PlacesCase):
    def test_no_room(self):
        """Without a room, lines go to a person only if they were sent there before."""
        self.rooms = []
        bob = self.places.open("bob")
        self.assertIsNone(self.current())
        self.assertIsNone(self.places.overview.current)
        self.places.enter(bob)
        self.assertEqual(self.current(), "@bob")

    def test_left(self):
        """After the last room, lines go nowhere, not to a person who only wrote."""
        self.places.enter(Place("lobby"))
        self.places.settle()
        bob = self.places.open("bob")
        self.places.heard(bob, is_for_you=True)
        self.rooms = []
        self.assertEqual(self.places.settle(), Place("lobby"))
        self.assertIsNone(self.current())
        self.assertEqual([each.messages for each in self.places.unread], [1])
