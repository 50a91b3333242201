"""Tests of rooms: their members, their beginning, and their end."""

import unicodedata
from typing import Any, ClassVar

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.rooms import Member, Room
from chatd.errors import StoreError
from chatd.storage.streamkeys import room_stream
from chatd.storage.values import Head, Retention
from tests.chat.cases import ChatCase
from tests.chat.wiring import codes, is_said, moderate, seqs, texts

ANGSTROM = "\u00c5ngstr\u00f6m"
ALIKE = (ANGSTROM, unicodedata.normalize("NFD", ANGSTROM), ANGSTROM.upper(), ANGSTROM.casefold())


class RoomTests(SynchronousTestCase):
    def setUp(self):
        head = Head(name="Lobby", epoch="e", seq=7, oldest=3, topic="tea")
        self.room: Room[Any] = Room("lobby", head)
        self.ann = Member("1", "Ann")
        self.twin = Member("2", "ann")

    def test_begins_as_the_store_says(self):
        """A room has the name that the store returns, and goes on in its stream's order."""
        room = self.room
        told = (room.key, room.name, room.stream, room.epoch, room.seq, room.topic)
        self.assertEqual(told, ("lobby", "Lobby", room_stream("lobby"), "e", 7, "tea"))
        self.assertEqual((room.members, room.count, room.is_needed), ({}, 0, False))

    def test_sessions_of_a_name(self):
        """A name with two sessions arrives with the first, departs with the last, counts once."""
        self.assertEqual((self.room.add(self.ann), self.room.add(self.twin)), (True, False))
        self.assertEqual((self.room.count, len(self.room.members)), (1, 2))
        self.assertEqual([key for key, _ in self.room.names()], ["ann"])
        self.assertIs(self.room.has(self.ann), True)
        self.assertEqual((self.room.remove(self.ann), self.room.count), (False, 1))
        self.assertIs(self.room.has(self.ann), True)
        self.assertEqual((self.room.remove(self.twin), self.room.count), (True, 0))
        self.assertIs(self.room.has(self.ann), False)

    def test_needed(self):
        """A room is needed as long as it has a member or a hold."""
        self.room.add(self.ann)
        self.assertIs(self.room.is_needed, True)
        self.room.remove(self.ann)
        self.room.holds += 1
        self.assertIs(self.room.is_needed, True)
        self.room.holds -= 1
        self.assertIs(self.room.is_needed, False)


class JoiningTests(ChatCase):
    is_over_redis = True

    def setUp(self):
        super().setUp()
        self.ann = self.chat.arrive("ann", rooms=())
        self.bob = self.chat.arrive("bob", rooms=())

    def test_made(self):
        """Joining creates a room with the first member's spelling of its name, which stays."""
        result = self.ask(self.ann, "join", room="Tea")
        self.assertEqual((result["room"], result["seq"], result["members"]), ("Tea", 0, 1))
        self.assertEqual(list(self.ann.rooms), ["tea"])
        self.assertEqual(self.ask(self.bob, "join", room="TEA")["room"], "Tea")

    def test_alike(self):
        """Members that spell a room in another case or Unicode form meet and speak there."""
        for name in ALIKE:
            self.assertEqual(self.ask(self.ann, "join", room=name)["room"], ALIKE[0])
        self.assertEqual(len(self.ann.rooms), 1)
        self.ask(self.bob, "join", room=ALIKE[1])
        self.bob.take()
        for name in ALIKE:
            self.chat.say(self.ann, "hello", room=name)
        self.assertEqual({each.room for each in self.hear(self.bob)}, {ALIKE[0]})
        self.assertEqual(self.ask(self.bob, "leave", room=ALIKE[2]), {"room": ALIKE[0]})

    def test_sharp_s(self):
        """A name with ß and a name with ss are the same room."""
        self.ask(self.ann, "join", room="stra\u00dfe")
        self.ask(self.bob, "join", room="STRASSE")
        self.assertEqual(len(self.chat.rooms), 1)

    def test_long_in_another_form(self):
        """Members can join, use and leave a room whose name is too long only before composition."""
        name = unicodedata.normalize("NFD", "\u1ec7" * 64)
        self.ask(self.ann, "join", room=name)
        self.ask(self.ann, "topic", room=name, topic="tea")
        self.ask(self.ann, "leave", room=name)
        self.assertEqual(self.ann.rooms, {})

    def test_bad_names(self):
        """A room's name has 1 to 64 characters, none of them a space or a control character."""
        for name in ("", "x" * 65, "a b", "a\0", "a\n", "\u200b", "a\u00a0b", "e\u0301" * 65):
            self.assert_refused("bad-room", self.ann, "join", room=name)
        self.assertEqual(self.chat.rooms, {})
        self.ask(self.ann, "join", room="x" * 64)

    @moderate
    @given(st.text(max_size=70))
    def test_any_name(self, name):
        """The server refuses a name, or makes a room that its member finds under all spellings."""
        chat = self.make_chat()
        ann = chat.arrive("ann", rooms=())
        chat.command(ann, "join", room=name)
        if "bad-room" in codes(ann.take()):
            self.assertEqual(chat.rooms, {})
            return
        for form in ("NFC", "NFD"):
            room = ann.daemon.roster.room_of(ann, unicodedata.normalize(form, name))
            self.assertIs(room, ann.rooms[room.key])

    def test_not_in_the_room(self):
        """Only members of a room can leave it, speak in it or set its topic."""
        for name in ("tea", "", "x" * 65, "x" * 60_000):
            for command in ("leave", "topic", "history"):
                self.assert_refused("not-in-room", self.ann, command, room=name)
        self.chat.say(self.ann, "hello", room="tea")
        self.chat.say(self.ann, "hello")
        self.assertEqual(codes(self.hear(self.ann)), ["not-in-room", "not-in-room"])
        self.assertEqual(self.store.appends, [])

    def test_first_room(self):
        """A message that names no room is for the member's first room."""
        for room in ("tea", "coffee"):
            self.ask(self.ann, "join", room=room)
        self.chat.say(self.ann, "hello")
        self.assertEqual([each.room for each in self.hear(self.ann)], ["tea"])
        self.ask(self.ann, "leave", room="tea")
        self.chat.say(self.ann, "hello")
        self.assertEqual([each.room for each in self.hear(self.ann)], ["coffee"])

    def test_each_has_its_order(self):
        """Each room has its own order, with places that rise by one."""
        for room in ("tea", "coffee"):
            self.ask(self.ann, "join", room=room)
        for room in ("tea", "coffee", "tea", "tea"):
            self.chat.say(self.ann, "hello", room=room)
        told = [(each.room, each.seq) for each in self.hear(self.ann)]
        self.assertEqual(sorted(told), [("coffee", 1), ("tea", 1), ("tea", 2), ("tea", 3)])


class LimitTests(ChatCase):
    is_over_redis = True

    def test_default(self):
        """A session may be in a hundred rooms, and in another room after it has left one."""
        ann = self.chat.arrive("ann", rooms=())
        for number in range(100):
            self.ask(ann, "join", room=f"room-{number}")
        for after in (None, 0):
            self.assert_refused("too-many-rooms", ann, "join", room="tea", after=after)
        self.assertEqual((len(ann.rooms), len(self.chat.rooms)), (100, 100))
        self.ask(ann, "join", room="room-0")  # it is in this room already
        self.ask(ann, "leave", room="room-0")
        self.ask(ann, "join", room="tea")

    def test_set(self):
        """The operator sets the most rooms; it limits the rooms in which a session begins, too."""
        chat = self.make_chat(max_rooms=2)
        ann = chat.arrive("ann", rooms=("one", "two"))
        chat.command(ann, "join", room="three")
        self.assertEqual(codes(ann.take()), ["too-many-rooms"])
        chat.arrive("bob", rooms=("one", "four", "five"))
        (failure,) = chat.failures
        self.assertEqual(failure.value.code, "too-many-rooms")
        chat.failures.clear()
        self.assertEqual(set(chat.rooms), {"one", "two"})
        self.assertEqual({room.holds for room in chat.rooms.values()}, {0})

    def test_first_rooms_alike(self):
        """Rooms in which a session begins count once if their names are the same."""
        chat = self.make_chat(max_rooms=1)
        ann = chat.arrive("ann", rooms=("Tea", "tea", "TEA"))
        self.assertEqual(list(ann.rooms), ["tea"])
        self.assertEqual(chat.rooms["tea"].holds, 0)


class ForgottenCase(ChatCase):
    options: ClassVar = {"retention": Retention(max_age_s=60.0)}

    def setUp(self):
        super().setUp()
        self.ann = self.chat.arrive("ann", rooms=())
        self.first = self.ask(self.ann, "join", room="tea")

    def leave_and_join(self):
        self.ask(self.ann, "leave", room="tea")
        self.assertEqual(self.chat.rooms, {})
        self.ann.take()
        return self.ask(self.ann, "join", room="tea")


class ForgottenTests(ForgottenCase):
    is_over_redis = True

    def test_nothing_kept(self):
        """A room without members and kept messages ends; a new room has another order."""
        self.ask(self.ann, "topic", room="tea", topic="Earl Grey")
        result = self.leave_and_join()
        self.assertNotEqual(result["epoch"], self.first["epoch"])
        self.assertEqual((result["seq"], result["topic"]), (0, ""))

    def test_kept(self):
        """A room with kept messages keeps its order, its topic and its name."""
        self.ask(self.ann, "topic", room="tea", topic="Earl Grey")
        self.chat.say(self.ann, "hello")
        (said,) = (each.id for each in self.hear(self.ann) if is_said(each))
        result = self.leave_and_join()
        self.assertEqual(result, {**self.first, "seq": 1, "last_id": said, "topic": "Earl Grey"})
        self.chat.say(self.ann, "again")
        self.assertEqual(seqs(self.hear(self.ann)), [2])

    def test_kept_no_more(self):
        """When the kept messages have become too old, the room ends, too."""
        self.chat.say(self.ann, "hello")
        self.chat.end_turn()
        self.chat.now += 61
        self.assertNotEqual(self.leave_and_join()["epoch"], self.first["epoch"])

    def test_vanishing(self):
        """A room also ends when its last member vanishes."""
        self.delivery.vanish(self.ann)
        self.assertEqual((self.chat.rooms, self.chat.people), ({}, []))
        self.assertFalse(self.store.has(room_stream("tea")))


class StoreTests(ForgottenCase):
    """A store that is slow, or broken."""

    def test_what_was_said_is_waited_for(self):
        """A room with a message that is not stored yet stays, and keeps its order."""
        self.store.is_slow = True
        self.chat.say(self.ann, "hello")
        self.chat.end_turn()
        self.delivery.vanish(self.ann)
        self.assertIn("tea", self.chat.rooms)
        self.chat.finish()
        self.assertEqual(self.chat.rooms, {})
        self.store.is_slow = False
        bob = self.chat.arrive("bob", rooms=())
        result = self.ask(bob, "join", room="tea", after=0)
        self.assertEqual((result["epoch"], result["seq"]), (self.first["epoch"], 1))
        self.assertEqual(texts(bob.take()), ["hello"])

    def test_release_that_fails(self):
        """If the store fails to release a room, the log has a line, and members notice nothing."""
        self.store.failure = StoreError("the disk is full")
        self.chat.command(self.ann, "leave", room="tea")
        self.assertEqual(len(self.chat.failures), 1)
        self.chat.failures.clear()
        self.assertEqual(self.chat.rooms, {})
