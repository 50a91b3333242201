"""Tests of commands: the fields they take, and their answers."""

from chatd.errors import StoreError
from tests.chat.cases import ChatCase


class CommandCase(ChatCase):
    def setUp(self):
        super().setUp()
        self.ann = self.chat.arrive("ann")


class CommandTests(CommandCase):
    is_over_redis = True

    def test_unknown(self):
        """The server refuses an unknown command, and a known command in another case."""
        for command in ("dance", "JOIN", "", "_join"):
            self.assert_refused("unknown-command", self.ann, command)

    def test_bad_fields(self):
        """The server refuses a field that is missing, or of another type, and names it."""
        for command, fields, field in (
            ("join", {}, "room"),
            ("join", {"room": 5}, "room"),
            ("leave", {}, "room"),
            ("who", {"room": None}, "room"),
            ("rooms", {"after": 5}, "after"),
            ("conversations", {"after": None}, "after"),
            ("topic", {}, "room"),
            ("name", {}, "name"),
            ("history", {"room": "lobby", "limit": "all"}, "limit"),
        ):
            error = self.assert_refused("bad-request", self.ann, command, **fields)
            self.assertIn(field, error.message)

    def test_unknown_fields(self):
        """The server ignores an unknown field."""
        self.assertEqual(self.ask(self.ann, "name", name="anna", color="red"), {"name": "anna"})

    def test_answered_with_its_id(self):
        """A RESULT or a refusal has the id of its command."""
        ref = self.chat.next_ref
        self.chat.command(self.ann, "rooms")
        self.assertEqual(self.ann.take()[0].header["id"], ref)
        ref = self.chat.next_ref
        self.chat.command(self.ann, "dance")
        self.assertEqual(self.ann.take()[0].ref, ref)

    def test_who(self):
        """`who` lists the members of a room, also for a member of other rooms only."""
        bob = self.chat.arrive("Bob", rooms=("Tea",))
        who = {"room": "Tea", "members": 1, "names": ["Bob"]}
        self.assertEqual(self.ask(self.ann, "who", room="TEA"), who)
        self.delivery.vanish(bob)
        self.assert_refused("no-such-room", self.ann, "who", room="tea")
        self.assert_refused("bad-room", self.ann, "who", room="a b")

    def test_rooms(self):
        """`rooms` lists each room that has members or kept messages, once."""
        bob = self.chat.arrive("bob", rooms=("lobby", "Tea", "cocoa", "Water"))
        self.ask(bob, "topic", room="tea", topic="Earl Grey")
        for room in ("tea", "lobby"):
            self.chat.say(bob, "hello", room=room)
        self.chat.end_turn()
        for room in ("lobby", "tea", "cocoa"):
            self.ask(bob, "leave", room=room)
        rooms = [
            {"room": "lobby", "members": 1, "topic": ""},
            {"room": "Tea", "members": 0, "topic": "Earl Grey"},
            {"room": "Water", "members": 1, "topic": ""},
        ]
        self.assertEqual(self.ask(self.ann, "rooms"), {"rooms": rooms})

    def test_conversations(self):
        """`conversations` lists the member's own, in order, whichever name began them."""
        bob = self.chat.arrive("Bob")
        self.chat.say(bob, "psst", to="ann")
        self.chat.say(self.ann, "what?", to="bob")
        self.chat.say(self.ann, "hello", to="Zoe\u0308")
        self.chat.say(bob, "hello", to="cat")
        self.chat.end_turn()
        told = self.ask(self.ann, "conversations")["conversations"]
        spoken = [(each["with"], each["seq"]) for each in told]
        self.assertEqual(spoken, [("bob", 2), ("zo\u00eb", 1)])
        kept = self.ask(self.ann, "history", **{"with": "bob"})
        self.assertEqual(told[0]["epoch"], kept["epoch"])


class StoreTests(CommandCase):
    """Commands that need the store, which is slow or broken."""

    def test_who_while_one_catches_up(self):
        """A member of a room that catches up there stays listed all the time."""
        self.chat.say(self.ann, "hello")
        self.chat.end_turn()
        bob = self.chat.arrive("bob")
        self.store.is_slow = True
        self.chat.command(self.ann, "join", room="lobby", after=0)
        who = self.ask(bob, "who", room="lobby")
        self.assertEqual((who["members"], who["names"]), (2, ["ann", "bob"]))
        self.chat.finish()

    def test_rooms_that_are_only_held(self):
        """A room without members and kept messages is not listed."""
        bob = self.chat.arrive("bob", rooms=("tea",))
        self.store.is_slow = True
        self.chat.say(bob, "hello")
        self.chat.command(self.ann, "rooms")  # called before the message is stored
        self.chat.end_turn()
        self.delivery.vanish(bob)
        self.ann.take()
        self.store.answer_next()
        (result,) = self.ann.take()
        self.assertEqual([each["room"] for each in result.header["rooms"]], ["lobby"])
        self.assert_refused("no-such-room", self.ann, "who", room="tea")
        self.chat.finish()
        self.store.is_slow = False
        rooms = [each["room"] for each in self.ask(self.ann, "rooms")["rooms"]]
        self.assertEqual(rooms, ["lobby", "tea"])

    def test_broken_store(self):
        """While the store is broken, a command that needs it is refused and noted; later not."""
        self.store.failure = StoreError("/secret: the disk is full")
        for command in ("rooms", "conversations"):
            error = self.assert_refused("not-stored", self.ann, command)
            self.assertNotIn("secret", error.message)
            self.assertIs(self.chat.store_failures.pop(), self.store.failure)
        self.store.failure = None
        self.ask(self.ann, "rooms")
