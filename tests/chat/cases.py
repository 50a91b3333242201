"""The base cases of the tests of the chat, which run over one daemon and over two."""

import sys
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import RequestError
from tests.chat.recorder import End
from tests.chat.redisdaemons import RedisChat
from tests.chat.twodaemons import TwoDaemonsChat
from tests.chat.wiring import HERE, THERE, Chat, is_result, is_said, seqs


class OverTwoDaemons:
    """Makes a case's chat one of two daemons."""

    chat_class: type[Chat] = TwoDaemonsChat


class OverRedis:
    """Makes a case's chat one of two daemons that share a redis-server."""

    chat_class: type[Chat] = RedisChat


class ChatCase(SynchronousTestCase):
    """A test with a chat; an unexpected failure of the chat fails the test.

    Each class `…Tests` has twins in its module, which run the same tests in another chat:
    `…OverTwoDaemonsTests`, and if it says so `…OverRedisTests`.

    Attributes:
        options: The options of the chat.
        only_one_daemon: Why the class has no twins; empty if it has.
        is_over_redis: Whether it has a twin over a redis-server; its tests must not need the store.
    """

    chat_class: type[Chat] = Chat
    options: ClassVar[dict[str, Any]] = {}
    only_one_daemon: ClassVar[str] = ""
    is_over_redis: ClassVar[bool] = False

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        kind = cls.__name__.removesuffix("Tests")
        if kind == cls.__name__ or cls.chat_class is not Chat or cls.only_one_daemon:
            return
        for way in (OverTwoDaemons, OverRedis) if cls.is_over_redis else (OverTwoDaemons,):
            name = f"{kind}{way.__name__}Tests"
            twin = type(name, (way, cls), {"__module__": cls.__module__, "__doc__": cls.__doc__})
            setattr(sys.modules[cls.__module__], name, twin)

    def setUp(self):
        self.chat = self.make_chat(**self.options)
        self.store = self.chat.store
        self.delivery = self.chat.delivery

    def make_chat(self, **options):
        chat = self.chat_class(**options)
        self.addCleanup(lambda: self.assertEqual(chat.failures, []))
        self.addCleanup(chat.close)
        return chat

    def ask(self, person, command, /, **fields):
        """Give a command and return its RESULT alone; the other messages stay."""
        self.successResultOf(self.chat.command(person, command, **fields))
        self.chat.end_turn()
        (result,) = [each for each in person.told if is_result(each)]
        person.told.remove(result)
        return {key: value for key, value in result.header.items() if key != "id"}

    def assert_refused(self, code, person, command, /, **fields):
        """Send a command that the server refuses, with no other answer."""
        self.chat.end_turn()
        person.take()
        self.successResultOf(self.chat.command(person, command, **fields))
        self.chat.end_turn()
        (error,) = person.take()
        self.assertIsInstance(error, RequestError)
        self.assertEqual(error.code, code)
        return error

    def hear(self, person):
        """End the turn, and return a member's messages since the last time."""
        self.chat.end_turn()
        return person.take()


class ModerationCase(ChatCase):
    """A test with an operator, and two others that share another address."""

    options: ClassVar = {"operators": ("Op",)}

    def setUp(self):
        super().setUp()
        self.op = self.chat.arrive("OP", address=HERE)
        self.ann = self.chat.arrive("ann", address=THERE)
        self.bob = self.chat.arrive("bob", address=THERE)
        self.chat.end_turn()
        for person in (self.op, self.ann, self.bob):
            person.take()

    def assert_ended(self, code, *people):
        """Check that the sessions ended with this code, and without `retry`."""
        for person in people:
            (end,) = [each for each in person.take() if isinstance(each, End)]
            self.assertEqual((end.code, end.retry, person.is_over), (code, False, True))


class PrivateCase(ChatCase):
    """An operator, two accounts and a guest, all in the room `den`."""

    options: ClassVar = {"operators": ("op",), "needs_account": True, "has_accounts": True}

    def setUp(self):
        super().setUp()
        self.op = self.chat.arrive("Op", rooms=["Den"], account=True)
        self.ann = self.chat.arrive("Ann", rooms=["Den"], account=True)
        self.bob = self.chat.arrive("Bob", rooms=["lobby"], account=True)
        self.guest = self.chat.arrive("guest-1", rooms=["Den"])
        self.people = [self.op, self.ann, self.bob, self.guest]
        self.forget()

    def forget(self):
        """End the turn, and forget the events of all members."""
        self.chat.end_turn()
        for person in self.people:
            person.take()

    def close_den(self):
        """Make the room private; ann, who is in it, is invited."""
        self.ask(self.op, "private", room="den")
        self.forget()

    def answer_change(self):
        """Answer the calls for a change of a private room, before all other calls."""
        methods = ("private_rooms", "keep_private")  # one daemon alone need not read the rooms
        while owed := [method for method in methods if self.store.owes(method)]:
            self.store.answer(owed[0])


class ResumeCase(ChatCase):
    def setUp(self):
        super().setUp()
        self.ann = self.chat.arrive("ann")
        self.bob = self.chat.arrive("bob", rooms=())
        for text in ("one", "two", "three", "four", "five"):
            self.chat.say(self.ann, text)
        self.chat.end_turn()
        self.epoch = self.chat.rooms["lobby"].epoch

    def join(self, **fields):
        """Let bob join; return the RESULT, which comes first, and the places of the messages."""
        self.bob.take()
        self.successResultOf(self.chat.command(self.bob, "join", room="lobby", **fields))
        result, *missed = self.hear(self.bob)
        self.assertTrue(is_result(result))
        self.assertTrue(all(map(is_said, missed)))
        return result.header, seqs(missed)

    def answer_until_read(self):
        """Let the store answer what was asked before the first page."""
        while self.store.asked_first != "read":
            self.store.answer_next()
