"""Tests of rooms that are opened while members come and go, and of topics."""

from hypothesis import given
from hypothesis import strategies as st

from chatd.chat import presence
from chatd.errors import StoreError
from chatd.storage.streamkeys import room_stream
from tests.chat.cases import ChatCase
from tests.chat.wiring import codes, moderate


class OpeningTests(ChatCase):
    def setUp(self):
        super().setUp()
        self.ann = self.chat.arrive("ann", rooms=())
        self.bob = self.chat.arrive("bob", rooms=())
        self.store.is_slow = True

    def test_two_at_a_time(self):
        """Two members that join a room before it is open meet in one room."""
        for person in (self.ann, self.bob):
            self.chat.command(person, "join", room="tea")
        self.chat.finish()
        room = self.chat.rooms["tea"]
        self.assertEqual((room.members, room.holds), ([self.ann.id, self.bob.id], 0))

    def test_left_while_another_comes(self):
        """If the last member leaves a room while another joins, the order stays."""
        self.chat.command(self.ann, "join", room="tea")
        self.chat.command(self.bob, "join", room="tea")
        self.store.answer_next()
        self.chat.command(self.ann, "leave", room="tea")
        self.chat.finish()
        self.assert_order_kept()

    def test_left_while_another_cannot_come(self):
        """If that other member cannot join, the room does not exist."""
        self.chat.command(self.ann, "join", room="tea")
        self.chat.command(self.bob, "join", room="tea")
        self.store.answer_next()
        self.chat.command(self.ann, "leave", room="tea")
        self.store.answer_next(StoreError("the disk is full"))
        self.chat.finish()
        self.assertEqual(self.chat.rooms, {})
        self.assertFalse(self.store.has(room_stream("tea")))

    def test_cannot_be_opened(self):
        """If a room's stream cannot be opened, joining the room fails."""
        self.chat.command(self.ann, "join", room="tea")
        self.store.answer_next(StoreError("the disk is full"))
        self.assertEqual(codes(self.ann.take()), ["not-stored"])
        self.assertEqual((self.chat.rooms, self.ann.rooms), ({}, {}))

    @moderate
    @given(st.lists(st.sampled_from(["ann", "bob", "answer", "fail"]), max_size=24))
    def test_any_coming_and_going(self, steps):
        """Rooms have their streams' order, however members come and the store answers."""
        chat = self.make_chat()
        people = {name: chat.arrive(name, rooms=()) for name in ("ann", "bob")}
        chat.store.is_slow = True
        busy = dict.fromkeys(people, False)
        for step in steps:
            if step in people:
                if not busy[step]:
                    command = "leave" if "tea" in people[step].rooms else "join"
                    busy[step] = True
                    done = chat.command(people[step], command, room="tea")
                    done.addBoth(lambda _, name=step: busy.update({name: False}))
            elif chat.store.owes_answers:
                is_join = chat.store.asked_first == "open_stream"
                fails = step == "fail" and is_join
                chat.store.answer_next(StoreError("the disk is full") if fails else None)
        chat.finish()
        self.assertEqual(chat.failures, [])
        rooms = {key: room.epoch for key, room in chat.rooms.items()}
        inside = any(person.rooms for person in people.values())
        self.assertEqual(set(rooms), {"tea"} if inside else set())
        self.assertEqual(chat.store.has(room_stream("tea")), inside)
        for key, epoch in rooms.items():
            self.assertEqual(chat.store.epoch_of(room_stream(key)), epoch)

    def assert_order_kept(self):
        room = self.chat.rooms["tea"]
        self.assertEqual(self.store.epoch_of(room_stream("tea")), room.epoch)
        self.assertEqual((room.members, room.holds), ([self.bob.id], 0))


class TopicCase(ChatCase):
    def setUp(self):
        super().setUp()
        self.ann = self.chat.arrive("ann")
        self.bob = self.chat.arrive("bob")
        self.chat.end_turn()
        self.ann.take()


class TopicTests(TopicCase):
    is_over_redis = True

    def test_set(self):
        """A room's members get a new topic once; a later member gets it in its RESULT."""
        self.assertEqual(self.ask(self.ann, "topic", room="Lobby")["topic"], "")
        result = self.ask(self.ann, "topic", room="LOBBY", topic="All the tea")
        self.assertEqual(result, {"room": "lobby", "topic": "All the tea"})
        told = [presence.topic_set("lobby", "All the tea", "ann")]
        self.assertEqual((self.ann.take(), self.bob.take()), (told, told))
        cat = self.chat.arrive("cat", rooms=())
        self.assertEqual(self.ask(cat, "join", room="lobby")["topic"], "All the tea")

    def test_same(self):
        """If a member sets the topic that the room has, no member gets an event."""
        self.ask(self.ann, "topic", room="lobby", topic="tea")
        self.bob.take()
        self.assertEqual(self.ask(self.ann, "topic", room="lobby", topic="tea")["topic"], "tea")
        self.assertEqual(self.bob.take(), [])

    def test_bounds(self):
        """A topic has at most 256 characters, none of them a control character; it may be empty."""
        for topic in ("x" * 257, "a\nb", "\x1b[31m", 5):
            self.assert_refused("bad-request", self.ann, "topic", room="lobby", topic=topic)
        for topic in ("x" * 256, ""):
            self.assertEqual(self.ask(self.ann, "topic", room="lobby", topic=topic)["topic"], topic)


class BrokenStoreTests(TopicCase):
    """Topics that the store does not keep."""

    def test_not_kept(self):
        """A topic that the store cannot keep is not set."""
        self.store.failure = StoreError("the disk is full")
        self.assert_refused("not-stored", self.ann, "topic", room="lobby", topic="tea")
        self.assertEqual(self.hear(self.bob), [])
        self.store.failure = None
        self.assertEqual(self.ask(self.ann, "topic", room="lobby")["topic"], "")
