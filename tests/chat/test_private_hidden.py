"""Tests that each command hides a private room from people who may not enter it."""

from typing import Any

from chatd.chat import roomlist
from tests.chat.cases import PrivateCase

NOWHERE = "nowhere"


class HiddenCase(PrivateCase):
    """The room `den` is private, with members, messages and a topic; bob is not invited."""

    def setUp(self):
        super().setUp()
        self.ask(self.op, "topic", room="den", topic="hidden")
        self.chat.say(self.ann, "hidden", room="den")
        self.close_den()
        self.stranger = self.chat.arrive("guest-2", rooms=["lobby"])
        self.people.append(self.stranger)
        self.forget()

    def answer(self, person, room, command, **fields):
        """Give a command about a room, and return the whole answer."""
        self.successResultOf(self.chat.command(person, command, room=room, **fields))
        self.chat.end_turn()
        return [(each.code, each.message) for each in person.take()]

    def unnamed(self, *arguments, **fields):
        """Return such an answer, in which `ROOM` stands for the name that the person gave."""
        room = arguments[1]
        told = self.answer(*arguments, **fields)
        return [(code, message.replace(room, "ROOM")) for code, message in told]

    def assert_hidden(self, command, **fields):
        """Check that the answer is an error, the same as for a room that does not exist."""
        for person in (self.bob, self.stranger, self.guest):
            told = self.unnamed(person, "den", command, **fields)
            self.assertEqual(len(told), 1)
            self.assertEqual(told, self.unnamed(person, NOWHERE, command, **fields))


class HiddenTests(HiddenCase):
    is_over_redis = True

    def test_commands(self):
        """Each command about the room answers as if the room did not exist."""
        self.assert_hidden("who")
        self.assert_hidden("who", after="a")
        self.assert_hidden("topic")
        self.assert_hidden("topic", topic="mine")
        self.assert_hidden("leave")
        for place in ({}, {"after": 0}, {"before": 5}, {"after": 0, "epoch": "x"}):
            self.assert_hidden("history", **place)
        for command in ("private", "public", "invited"):
            self.assert_hidden(command)
        self.assert_hidden("invite", name="bob")
        self.assert_hidden("uninvite", name="bob")

    def test_join(self):
        """Joining shows only that the name is taken, and leaves no room open."""
        refusal = "not-invited", "den is private: only invited people may enter it"
        for fields in ({}, {"after": 0}, {"after": 7, "epoch": "x", "after_id": "y"}):
            told = self.answer(self.bob, "den", "join", **fields)
            self.assertEqual(told, [refusal])
        self.ask(self.op, "private", room="attic")
        self.assertEqual(self.answer(self.bob, "attic", "join")[0][0], "not-invited")
        self.assertNotIn("attic", self.chat.rooms)

    def test_join_opens_nothing(self):
        """A refused join does not open the room, so it cannot decide how its name is spelled."""
        self.ask(self.op, "private", room="attic")
        self.store.asked.clear()
        self.assertEqual(self.answer(self.bob, "ATTIC", "join")[0][0], "not-invited")
        self.assertEqual(self.store.asked, [])

    def test_messages(self):
        """The server refuses a message to the room like a message to a room that does not exist."""
        told = []
        for room in ("den", NOWHERE):
            self.chat.say(self.bob, "hello", room=room, id="same")
            (error,) = self.hear(self.bob)
            told.append((error.code, error.message.replace(room, "ROOM"), error.ref))
        self.assertEqual(told[0], told[1])

    def test_rooms(self):
        """The list leaves the room out, and marks it for people who may enter it."""
        lobby = {"room": "lobby", "members": 2, "topic": ""}
        for person in (self.bob, self.stranger):
            self.assertEqual(self.ask(person, "rooms"), {"rooms": [lobby]})
        den = {"room": "Den", "members": 2, "topic": "hidden", "private": True}
        for person in (self.op, self.ann):
            self.assertEqual(self.ask(person, "rooms"), {"rooms": [den, lobby]})

    def test_rooms_empty(self):
        """People who may enter also see an empty room without messages."""
        self.ask(self.op, "private", room="Attic")
        attic = {"room": "Attic", "members": 0, "topic": "", "private": True}
        self.assertEqual(self.ask(self.op, "rooms")["rooms"][0], attic)
        for person in (self.ann, self.bob):
            rooms = self.ask(person, "rooms")["rooms"]
            self.assertNotIn("Attic", [each["room"] for each in rooms])

    def test_rooms_abandoned(self):
        """A room that has only kept messages is hidden, too."""
        for person in (self.op, self.ann):
            self.ask(person, "leave", room="den")
        self.assertEqual(len(self.ask(self.bob, "rooms")["rooms"]), 1)
        self.assertEqual(self.ask(self.ann, "rooms")["rooms"][0]["members"], 0)

    def test_rooms_behind_hidden_ones(self):
        """Hidden rooms take no place on a page, so that no other room is missed."""
        self.patch(roomlist, "MAX_LISTED", 3)
        wanted = []
        for number in range(8):
            room = f"r{number}"
            self.ask(self.op, "join", room=room)
            self.chat.say(self.op, "x", room=room)
            self.forget()
            self.ask(self.op, "leave", room=room)
            if number < 5:
                self.ask(self.op, "private", room=room)
            else:
                wanted.append(room)
        self.forget()
        rooms: Any = self.ask(self.bob, "rooms")["rooms"]
        self.assertEqual([each["room"] for each in rooms], ["lobby", *wanted])

    def test_events(self):
        """Nobody outside gets an event from the room."""
        self.chat.say(self.ann, "hello", room="den")
        self.ask(self.op, "topic", room="den", topic="other")
        self.ask(self.op, "leave", room="den")
        self.ask(self.op, "join", room="den")
        self.ask(self.op, "invite", room="den", name="cy")
        self.ask(self.op, "uninvite", room="den", name="ann")
        self.chat.end_turn()
        for person in (self.bob, self.stranger, self.guest):
            self.assertEqual(person.take(), [])

    def test_uninvited_member(self):
        """A person who was removed from the room sees no more of it than all others."""
        self.ask(self.op, "uninvite", room="den", name="ann")
        self.forget()
        for command in ("who", "topic", "history", "leave"):
            told = self.unnamed(self.ann, "den", command)
            self.assertEqual(told, self.unnamed(self.ann, NOWHERE, command))
        self.assertEqual(self.answer(self.ann, "den", "join", after=0)[0][0], "not-invited")
        self.assertEqual(self.ask(self.ann, "rooms")["rooms"][0]["room"], "lobby")

    def test_new_name(self):
        """A guest who takes another name still cannot enter."""
        self.ask(self.stranger, "name", name="guest-ann")
        self.assertEqual(self.answer(self.stranger, "den", "join")[0][0], "not-invited")


class InTimeTests(HiddenCase):
    """Commands during which an invitation ends."""

    def test_rooms_while_uninvited(self):
        """A member whose invitation ends during the reading of the list does not see the room."""
        self.store.is_slow = True
        listing = self.chat.command(self.ann, "rooms")
        done = self.chat.command(self.op, "uninvite", room="den", name="ann")
        self.answer_change()
        self.successResultOf(done)
        self.chat.finish()
        self.successResultOf(listing)
        result = self.hear(self.ann)[-1]
        self.assertEqual([each["room"] for each in result.header["rooms"]], ["lobby"])
