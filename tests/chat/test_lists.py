"""Tests of lists: the part that fits in one RESULT, and the commands that answer with lists."""

from typing import Any, ClassVar

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.lists import LIST_BYTES, MAX_LISTED, items_after
from chatd.chat.moderation import Ban
from tests.chat.cases import ChatCase
from tests.chat.wiring import NOW

MANY = 2_200


class ItemsAfterTests(SynchronousTestCase):
    def test_order(self):
        """Values come in the order of their keys, without `next` if all of them fit."""
        items = [("b", 2), ("c", 3), ("a", 1)]
        self.assertEqual(items_after(items, ""), ([1, 2, 3], {}))
        self.assertEqual(items_after([], ""), ([], {}))

    def test_after(self):
        """The part begins behind the key, which the list need not have any more."""
        items = [("a", 1), ("c", 3), ("d", 4)]
        self.assertEqual(items_after(items, "b"), ([3, 4], {}))
        self.assertEqual(items_after(items, "c"), ([4], {}))
        self.assertEqual(items_after(items, "d"), ([], {}))

    def test_size(self):
        """A part has up to LIST_BYTES, with a comma for each value; `next` is its last key."""
        half = "x" * (LIST_BYTES // 2 - len('"",'))
        items = [("a", half), ("b", half), ("c", "")]
        self.assertEqual(items_after(items[:2], ""), ([half, half], {}))
        self.assertEqual(items_after(items, ""), ([half, half], {"next": "b"}))
        items[1] = ("b", half + "x")
        self.assertEqual(items_after(items, ""), ([half], {"next": "a"}))

    def test_looked_up(self):
        """The most items that a command looks up never fit in one answer, however short."""
        for shortest in (
            {"room": "x", "members": 0, "topic": ""},
            {"with": "x", "epoch": "", "seq": 1, "last_id": ""},
        ):
            items = [(str(number), shortest) for number in range(MAX_LISTED)]
            self.assertIn("next", items_after(items, "")[1])


class ListedTests(ChatCase):
    """The commands whose lists are too long for one RESULT."""

    is_over_redis = True
    options: ClassVar = {"operators": ("op",), "max_rooms": 10_000}

    def setUp(self):
        super().setUp()
        self.op = self.chat.arrive("op", rooms=())

    def read(self, command, field, **fields):
        """Read all parts; return all items and the number of RESULTs."""
        items = []
        after: dict[Any, Any] = {}
        count = 0
        while True:
            result = self.ask(self.op, command, **fields, **after)
            count += 1
            self.assertLessEqual(len(msgspec.json.encode(result[field])), LIST_BYTES + 2)
            self.assertTrue(result[field])
            items += result[field]
            if "next" not in result:
                return items, count
            self.assertNotEqual({"after": result["next"]}, after)
            after = {"after": result["next"]}

    def test_who(self):
        """Thousands of names in a room come in parts, each name once."""
        names = [f"{number:x}-\u96f7-{'x' * 24}" for number in range(MANY)]
        for name in names:
            self.chat.arrive(name)
        found, count = self.read("who", "names", room="lobby")
        self.assertEqual(sorted(found), sorted(names))
        self.assertGreater(count, 2)

    def test_who_while_they_change(self):
        """A list has each member that stays once, even if others come and go between its parts."""
        people = {}
        for number in range(MANY):
            people[number] = self.chat.arrive(f"{number:06}-{'x' * 20}")
        result = self.ask(self.op, "who", room="lobby")
        for number in (0, 1, MANY - 1):
            self.delivery.vanish(people.pop(number))
        self.chat.arrive("000000-new")
        found = result["names"]
        while "next" in result:
            result = self.ask(self.op, "who", room="lobby", after=result["next"])
            found += result["names"]
        self.assertEqual(len(set(found)), len(found))
        self.assertLessEqual({person.name for person in people.values()}, set(found))

    def test_rooms(self):
        """Thousands of rooms come in parts, each room once, whether it has members or not."""
        rooms = [f"room-{number}" for number in range(MANY)]
        people = [self.chat.arrive(f"p{half}", rooms=rooms[half::2]) for half in (0, 1)]
        for room in rooms[1::2]:
            self.chat.say(people[1], "hello", room=room)
        self.chat.end_turn()
        self.delivery.vanish(people[1])
        found, count = self.read("rooms", "rooms")
        told = {each["room"]: each["members"] for each in found}
        self.assertEqual(len(found), MANY)
        self.assertEqual(told, dict.fromkeys(rooms[::2], 1) | dict.fromkeys(rooms[1::2], 0))
        self.assertGreater(count, 2)

    def test_conversations(self):
        """Thousands of conversations come in parts, each once."""
        others = [f"{number}-{'x' * 20}" for number in range(MANY)]
        for other in others:
            self.chat.say(self.op, "hello", to=other)
        self.chat.end_turn()
        self.op.take()
        found, count = self.read("conversations", "conversations")
        self.assertEqual(sorted(each["with"] for each in found), sorted(others))
        self.assertGreater(count, 2)

    def test_bans(self):
        """Thousands of bans come in parts, each once."""
        bans = [Ban(name=f"troll-{number}", by="op", made=NOW) for number in range(MANY // 2)]
        bans += [Ban(address=f"uid:{number}", until=NOW + 60) for number in range(MANY // 2)]
        self.chat.replace_bans(bans)
        found, count = self.read("bans", "bans")
        told = [Ban(**each) for each in found]
        self.assertEqual(sorted(map(repr, told)), sorted(map(repr, bans)))
        self.assertGreater(count, 2)
