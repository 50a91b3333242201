"""Tests of reading kept messages."""

from typing import Any, ClassVar

from chatd.chat.history import DEFAULT_LIMIT, MAX_PAGE
from chatd.errors import StoreError
from chatd.storage.values import Retention
from tests.chat.cases import ChatCase, PrivateCase
from tests.chat.wiring import is_result, is_said, seqs, texts


class HistoryCase(ChatCase):
    options: ClassVar = {"retention": Retention()}

    def setUp(self):
        super().setUp()
        self.ann = self.chat.arrive("ann")
        self.bob = self.chat.arrive("bob")

    def say(self, count, content="hello", **place):
        for _ in range(count):
            self.chat.say(self.ann, content, **place)
        self.chat.end_turn()

    def read(self, **fields):
        """Ask for a part; return the places of the messages, and the RESULT that follows them."""
        self.bob.take()
        self.successResultOf(self.chat.command(self.bob, "history", **fields))
        *messages, result = self.hear(self.bob)
        self.assertTrue(is_result(result))
        self.assertTrue(all(map(is_said, messages)))
        self.assertEqual(result.header["count"], len(messages))
        return seqs(messages), result.header


class RoomTests(HistoryCase):
    is_over_redis = True

    def setUp(self):
        super().setUp()
        self.say(9)

    def test_newest(self):
        """By default, `history` sends the newest messages, in order."""
        self.assertEqual(self.read(room="lobby", limit=3)[0], [7, 8, 9])

    def test_parts(self):
        """With `after`, the oldest messages after it come; with `before`, the newest before it."""
        for fields, places, is_complete in (
            ({"after": 0}, range(1, 10), True),
            ({"after": 0, "limit": 3}, (1, 2, 3), False),
            ({"after": 3, "limit": 3}, (4, 5, 6), False),
            ({"after": 6, "limit": 3}, (7, 8, 9), True),
            ({"after": 9}, (), True),
            ({"after": 1_000}, (), True),
            ({"before": 4}, (1, 2, 3), True),
            ({"before": 4, "limit": 2}, (2, 3), False),
            ({"before": 1}, (), True),
            ({"before": 1_000, "limit": 2}, (8, 9), False),
            ({"limit": 9}, range(1, 10), True),
            ({"limit": 8}, range(2, 10), False),
        ):
            found, result = self.read(room="LOBBY", **fields)
            self.assertEqual(found, list(places), fields)
            self.assertIs(result["complete"], is_complete, fields)

    def test_result(self):
        """The RESULT names the room and the epoch."""
        _, result = self.read(room="LOBBY", limit=2)
        del result["id"]
        epoch = self.chat.rooms["lobby"].epoch
        told = {"room": "lobby", "epoch": epoch, "count": 2, "complete": False}
        self.assertEqual(result, told)

    def test_position(self):
        """With the epoch or the id of the place, the RESULT says whether the order is the same."""
        epoch = self.chat.rooms["lobby"].epoch
        ids = [each.id for each in self.bob.take() if is_said(each)]
        for fields, first, is_recovered in (
            ({"epoch": epoch}, 8, True),
            ({"after_id": ids[6]}, 8, True),
            ({"epoch": epoch, "after_id": ids[6]}, 8, True),
            ({"epoch": "another"}, 1, False),
            ({"epoch": epoch, "after_id": ids[7]}, 1, False),
        ):
            found, result = self.read(room="lobby", after=7, **fields)
            self.assertEqual((found[0], result["recovered"]), (first, is_recovered), fields)
        for fields in ({"epoch": epoch}, {"after_id": ids[0]}, {"after": 7}):
            self.assertNotIn("recovered", self.read(room="lobby", **fields)[1])

    def test_as_delivered(self):
        """History has each message exactly as members got it."""
        delivered = [each for each in self.bob.take() if is_said(each)]
        self.chat.now += 60
        self.chat.command(self.bob, "history", room="lobby")
        *told, result = self.bob.take()
        self.assertEqual([each.ref for each in told], [result.header["id"]] * len(told))
        self.assertEqual([each.with_ref(None) for each in told], delivered)

    def test_default_limit(self):
        """Without a limit, it sends a hundred messages."""
        self.say(DEFAULT_LIMIT)
        found, result = self.read(room="lobby", after=0)
        self.assertEqual((len(found), result["complete"]), (100, False))

    def test_largest_limit(self):
        """The limit is at most five hundred messages."""
        self.say(MAX_PAGE)
        found, result = self.read(room="lobby", after=0, limit=500)
        self.assertEqual((len(found), result["complete"]), (500, False))

    def test_bad_requests(self):
        """The server refuses bad limits and places, two places, and no or two streams."""
        nonsense: tuple[dict[str, Any], ...] = (
            *({"room": "lobby", "limit": limit} for limit in (0, -1, 501, "5", 1.5)),
            {"room": "lobby", "after": -1},
            {"room": "lobby", "before": -1},
            {"room": "lobby", "after": 1, "before": 5},
            {"room": "lobby", "with": "ann"},
            {},
        )
        for fields in nonsense:
            self.assert_refused("bad-request", self.bob, "history", **fields)

    def test_not_in_room(self):
        """Only members of a room can read its messages."""
        cat = self.chat.arrive("cat", rooms=())
        self.assert_refused("not-in-room", cat, "history", room="lobby")
        self.assert_refused("not-in-room", cat, "history", room="")
        self.assert_refused("not-in-room", cat, "history", room="x" * 10_000)


class BoundTests(HistoryCase):
    is_over_redis = True

    def test_bytes(self):
        """An answer has up to a mebibyte of content, and at least one message."""
        self.say(3, bytes(512 * 1024))
        self.say(1, bytes(1024 * 1024 + 1))
        for fields, places, is_complete in (
            ({"after": 0}, [1, 2], False),
            ({"after": 2}, [3], False),
            ({"after": 3}, [4], True),
            ({}, [4], False),
            ({"before": 4}, [2, 3], False),
        ):
            found, result = self.read(room="lobby", **fields)
            self.assertEqual((found, result["complete"]), (places, is_complete), fields)

    def test_page_by_page(self):
        """A client that reads page by page gets all messages, in order and each once."""
        self.say(1_234)
        read: list[Any] = []
        is_complete = False
        while not is_complete:
            found, result = self.read(room="lobby", after=read[-1] if read else 0, limit=100)
            self.assertLessEqual(len(found), 100)
            read += found
            is_complete = result["complete"]
        self.assertEqual(read, list(range(1, 1_235)))


class DirectTests(HistoryCase):
    is_over_redis = True

    def test_both_ends(self):
        """Only the two names can read their direct messages."""
        self.say(3, to="bob")
        self.say(1)
        cat = self.chat.arrive("cat")
        self.chat.end_turn()
        places, result = self.read(**{"with": "ANN", "after": 1})
        self.assertEqual((places, result["with"]), ([2, 3], "ANN"))
        (with_bob,) = self.ask(self.ann, "conversations")["conversations"]
        self.assertEqual(result["epoch"], with_bob["epoch"])
        self.assertEqual(self.ask(self.ann, "history", **{"with": "bob"})["count"], 3)
        for name in ("ann", "bob"):
            self.assertEqual(self.ask(cat, "history", **{"with": name})["count"], 0)

    def test_next_of_the_name(self):
        """Without accounts, the next session of a name can read the name's direct messages."""
        self.say(2, to="bob")
        self.chat.say(self.bob, "hello yourself", to="ann")
        self.chat.end_turn()
        self.delivery.vanish(self.bob)
        cat = self.chat.arrive("cat")
        self.ask(cat, "name", name="Bob")
        self.assertEqual(self.ask(cat, "history", **{"with": "ann"})["count"], 3)
        (conversation,) = self.ask(cat, "conversations")["conversations"]
        self.assertEqual((conversation["with"], conversation["seq"]), ("ann", 3))

    def test_nothing_said(self):
        """For a name without direct messages the answer is empty and complete."""
        places, result = self.read(**{"with": "dan"})
        self.assertEqual((places, result["complete"]), ([], True))

    def test_bad_name(self):
        """The server refuses a text that is not a name."""
        for name in ("", "a b", "x" * 97):
            self.assert_refused("bad-name", self.bob, "history", **{"with": name})


class AccountTests(PrivateCase):
    """A server with accounts, an operator and a guest."""

    is_over_redis = True

    def test_operator(self):
        """An operator gets no direct messages of other accounts, and cannot read them."""
        self.chat.say(self.ann, "psst", to="bob")
        self.assertEqual(texts(self.hear(self.bob)), ["psst"])
        self.assertEqual(self.hear(self.op), [])
        for name in ("ann", "bob"):
            self.assertEqual(self.ask(self.op, "history", **{"with": name})["count"], 0)
            self.assert_refused("not-allowed", self.op, "name", name=name)
        self.assertEqual(self.ask(self.op, "conversations"), {"conversations": []})

    def test_next_guest(self):
        """The next guest with a name can read the name's direct messages."""
        self.chat.say(self.ann, "psst", to="guest-1")
        self.forget()
        self.delivery.vanish(self.guest)
        guest = self.chat.arrive("guest-1", rooms=["lobby"])
        self.assertEqual(self.ask(guest, "history", **{"with": "ann"})["count"], 1)
        self.assertEqual(texts(guest.take()), ["psst"])


class BrokenStoreTests(HistoryCase):
    """A store that cannot read."""

    def test_broken_store(self):
        """If the store cannot read, the server refuses the command."""
        self.store.failure = StoreError("the disk is broken")
        self.assert_refused("not-stored", self.bob, "history", room="lobby")
        self.assertEqual(len(self.chat.store_failures), 1)
