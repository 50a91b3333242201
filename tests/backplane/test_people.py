"""Tests of names and presence, in one chat of two daemons."""

from typing import ClassVar

from chatd.chat import lists, severaldaemons
from chatd.chat.names import LocalClaims, Names
from chatd.chat.policy import Policy
from chatd.errors import RequestError, SessionRefused, StoreError
from tests.backplane.daemons import DaemonsCase


class NameTests(DaemonsCase):
    def test_taken(self):
        """A name that a session of one daemon has is taken on the other, until it leaves."""
        ann = self.connect(self.one, "Ann")
        self.assertEqual(self.refused(self.two, "ANN"), "name-taken")
        ann.disconnect()
        self.pump()
        self.assertEqual(self.connect(self.two, "ANN").name, "ANN")

    def test_many_at_once(self):
        """Of a hundred clients that ask for a name at once, at both daemons, only one gets it."""
        self.here.is_held = self.there.is_held = True
        clients = [self.servers[number % 2].connect("ann") for number in range(100)]
        for node in (self.there, self.here):
            node.go_on()
        self.pump()
        ends = [client.connection.end_reason for client in clients]
        self.assertEqual(sum(client.is_active for client in clients), 1)
        codes = [end.code for end in ends if isinstance(end, SessionRefused)]
        self.assertEqual(codes, ["name-taken"] * 99)
        self.assertEqual(len(self.shared.names["ann"]), 1)

    def test_guests(self):
        """A guest gets a name that no daemon's session has."""
        names = {self.connect(server, None).name for server in self.servers * 3}
        self.assertEqual(len(names), 6)

    def test_server(self):
        """No session gets the server's own name, which stays local."""
        self.assertEqual(self.refused(self.one, "server"), "name-taken")
        self.assertNotIn("server", self.shared.names)

    def test_gone(self):
        """A claim that is answered when the client has left is given up."""
        self.here.is_held = True
        client = self.one.connect("ann")
        client.abort()
        self.here.go_on()
        self.pump()
        self.assertEqual(self.shared.names["ann"], {})
        self.connect(self.two, "ann")

    def test_unanswered(self):
        """A claim that may have been done although it failed is given up."""
        claim = self.here.claim

        async def claim_unanswered(names, session, **options):
            await claim(names, session, **options)
            self.here.is_up = False
            raise StoreError("the backplane does not answer")

        self.here.claim = claim_unanswered
        depart = self.here.depart

        def depart_later(session, name):
            self.here.is_up = True
            depart(session, name)

        self.here.depart = depart_later
        self.assertEqual(self.refused(self.one, "ann"), "not-stored")
        self.assertEqual(self.shared.names["ann"], {})

    def test_rename(self):
        """A new name is claimed everywhere, and the members everywhere are told once."""
        ann = self.connect(self.one, "ann", rooms=("lobby", "tea"))
        bob = self.connect(self.two, "bob", rooms=("lobby", "tea"))
        cat = self.connect(self.one, "cat")
        self.forget(ann, bob, cat)
        self.do(ann.away("lunch"))
        self.assertEqual(self.do(ann.rename("Anna")), "Anna")
        told = [{"name": "Anna", "old_name": "ann"}]
        self.assertEqual((bob.take("renamed"), cat.take("renamed")), (told, told))
        self.assertEqual(ann.take("renamed"), [])
        self.assertEqual(self.do(bob.who("lobby")), ["Anna", "bob", "cat"])
        self.say(bob, "hello?", to="anna", id="1")
        self.assertEqual(bob.take("away"), [{"name": "Anna", "text": "lunch", "ref": "1"}])
        failed = bob.rename("ANNA")
        self.pump()
        self.assertEqual(self.failureResultOf(failed, RequestError).value.code, "name-taken")
        self.connect(self.two, "ann")

    def test_other_spelling(self):
        """Another spelling of the same name is not claimed, and `who` shows it on all daemons."""
        ann = self.connect(self.one, "ann")
        bob = self.connect(self.two, "bob")
        self.forget(ann, bob)
        self.do(ann.rename("Ann"))
        self.assertEqual(bob.take("renamed"), [{"name": "Ann", "old_name": "ann"}])
        self.assertEqual(self.do(bob.who("lobby")), ["Ann", "bob"])
        ann.disconnect()
        self.pump()
        self.assertEqual(bob.take("left"), [{"room": "lobby", "name": "Ann"}])
        self.assertEqual(self.shared.names["ann"], {})

    def test_rename_without_rooms(self):
        """A member without a room may change its name, and nobody is told."""
        ann = self.connect(self.one, "ann", rooms=())
        bob = self.connect(self.two, "bob")
        self.do(ann.rename("Anna"))
        self.assertEqual(bob.take("renamed"), [])
        self.assertEqual(self.shared.names["ann"], {})

    def test_rename_without_a_link(self):
        """A member gets its new name, even if no other daemon can be told of it."""
        ann = self.connect(self.one, "ann")
        bob = self.connect(self.two, "bob")
        count = self.here.count

        async def count_unlinked(streams):
            self.here.is_up = False
            return await count(streams)

        self.here.count = count_unlinked
        self.assertEqual(self.do(ann.rename("Anna")), "Anna")
        self.assertEqual(bob.take("renamed"), [])

    def test_rename_while_gone(self):
        """A new name that is answered when the session has ended is given up, like the old."""
        ann = self.connect(self.one, "ann")
        self.here.is_held = True
        ann.rename("Anna").addErrback(lambda _: None)
        self.pump()
        (session,) = self.one.factory.hub.roster.sessions_of("ann")
        session.end_now("goodbye", "goodbye")
        self.pump()
        self.here.go_on()
        self.pump()
        self.assertEqual((self.shared.names["ann"], self.shared.names["anna"]), ({}, {}))

    def test_one_daemon(self):
        """With one daemon, no session loses its name to another."""
        Names(LocalClaims()).check_held("ann", "1")


class PresenceTests(DaemonsCase):
    accounts = ("ann", "bob")

    def setUp(self):
        super().setUp()
        self.bob = self.connect(self.two, "bob")
        self.forget(self.bob)

    def test_account(self):
        """The sessions of an account on two daemons have one `joined` and one `left`."""
        first = self.connect(self.one, "ann")
        second = self.connect(self.two, "ann")
        ann = [{"room": "lobby", "name": "ann"}]
        self.assertEqual(self.bob.take("joined"), ann)
        self.assertEqual((first.take("joined"), second.take("joined")), ([], []))
        self.assertEqual(self.do(self.bob.join("lobby")).members, 2)
        first.disconnect()
        self.pump()
        self.assertEqual(self.bob.take("left"), [])
        second.disconnect()
        self.pump()
        self.assertEqual(self.bob.take("left"), ann)

    def test_members(self):
        """The RESULT of `join` counts the names on all daemons, each once."""
        for server, name, members in (
            (self.one, "ann", 2),
            (self.two, "ann", 2),
            (self.one, "guest-1", 3),
            (self.one, "bob", 3),
        ):
            client = self.connect(server, name, rooms=())
            self.assertEqual(self.do(client.join("lobby")).members, members)

    def test_who(self):
        """`who` lists the names on all daemons, with their away texts."""
        ann = self.connect(self.one, "ann", rooms=("Tea",))
        other = self.connect(self.two, "ann", rooms=("tea",))
        self.do(ann.away("lunch"))
        for client in (self.bob, other):
            result = self.do(client.command("who", room="TEA"))
            expected = {"room": "Tea", "members": 1, "names": ["ann"], "away": {"ann": "lunch"}}
            self.assertEqual(result, expected)
        failed = self.bob.who("attic")
        self.pump()
        self.assertEqual(self.failureResultOf(failed, RequestError).value.code, "no-such-room")
        self.assertNotIn("room attic", self.there.positions)

    def test_who_in_parts(self):
        """`who` lists the names on all daemons in parts, each name once."""
        guests = [f"guest-{number:02}" for number in range(20)]
        for number, name in enumerate(guests):
            self.connect(self.servers[number % 2], name)
        self.patch(lists, "LIST_BYTES", 80)
        self.patch(severaldaemons, "LIST_BYTES", 80)
        self.patch(severaldaemons, "_NAMES_AT_ONCE", 3)
        self.there.calls.clear()
        result = self.do(self.bob.command("who", room="lobby"))
        self.assertEqual(self.there.calls.count("inside"), 2)  # no more than fit
        self.assertEqual((result["members"], result["names"][0]), (21, "bob"))
        self.assertLess(len(result["names"]), 10)
        self.assertEqual(self.do(self.bob.who("lobby")), ["bob", *guests])

    def test_long_folded(self):
        """`who` finds a room whose folded name is longer than a name may be."""
        room = "\N{LATIN SMALL LIGATURE FFI}" * 32
        self.connect(self.one, "ann", rooms=(room,))
        for client in (self.bob, self.connect(self.two, "guest-c", rooms=(room,))):
            result = self.do(client.command("who", room=room))
            self.assertEqual(result["room"], room)
            self.assertIn("ann", result["names"])

    def test_rooms(self):
        """`rooms` counts the names on all daemons."""
        self.connect(self.one, "ann", rooms=("lobby", "Tea"))
        found = {each.room: each.members for each in self.do(self.bob.list_rooms())}
        self.assertEqual(found, {"lobby": 2, "Tea": 1})

    def test_many_rooms(self):
        """`rooms` lists rooms of all daemons in parts."""
        names = [f"{'r' * 55}{number:04}" for number in range(60)]
        self.connect(self.one, "ann", rooms=names[:30])
        client = self.connect(self.one, "ann", rooms=names[30:])
        self.assertTrue(client.is_active)
        self.patch(severaldaemons, "MAX_LISTED", 7)
        self.patch(lists, "LIST_BYTES", 400)
        found = [each.room for each in self.do(self.bob.list_rooms())]
        self.assertEqual(found, ["lobby", *names])

    def test_expelled(self):
        """The members elsewhere are told about the end of a daemon's sessions, at a stop too."""
        self.connect(self.one, "ann")
        self.one.factory.shut_down()
        self.pump()
        self.assertEqual(self.bob.take("left"), [{"room": "lobby", "name": "ann"}])
        self.assertEqual(self.do(self.bob.who("lobby")), ["bob"])


class LimitTests(DaemonsCase):
    options: ClassVar = {"policy": Policy(presence_limit=2)}

    def test_names(self):
        """A room with more names than the limit, on all daemons, announces nothing."""
        ann = self.connect(self.one, "ann")
        self.connect(self.two, "bob")
        self.assertEqual(ann.take("joined"), [{"room": "lobby", "name": "bob"}])
        cat = self.connect(self.two, "cat")
        self.do(cat.rename("Catherine"))
        cat.disconnect()
        self.pump()
        self.assertEqual(ann.events, [])
