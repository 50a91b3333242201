"""The setup that the tests of the chat share: a whole chat, without bytes or sockets."""

from typing import Any, ClassVar

from hypothesis import settings
from twisted.internet.defer import Deferred, DeferredLock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.access import RoomAccess
from chatd.chat.commands import Commands
from chatd.chat.hub import Hub
from chatd.chat.moderation import Bans, Operators
from chatd.chat.onedaemon import OneDaemon
from chatd.chat.policy import Policy
from chatd.chat.roster import Roster
from chatd.errors import RequestError, SessionEnded
from chatd.storage.memory import MEMORY_RETENTION
from chatd.wire.messages import Message, MessageType
from tests.chat.recorder import End, Person, Recorder
from tests.chat.slowstore import SlowStore

NOW = 1_000_000.0
moderate = settings(max_examples=200)
HERE, THERE = "192.0.2.1", "192.0.2.2"


class Chat:
    """A whole chat, with a clock that tests set, and no work that a test does not start.

    Attributes:
        saving: A Deferred that each save of bans waits for; None to save at once.
        saved: The bans of each save.
    """

    def __init__(
        self,
        *,
        retention=MEMORY_RETENTION,
        store_class=SlowStore,
        operators=(),
        needs_account=False,
        has_accounts=False,
        **policy,
    ):
        self.now = NOW
        self.store = store_class(retention, unix_time=lambda: self.now)
        self.delivery = Recorder()
        self.store_failures: list[Any] = []
        self.failures = []
        self.notes: list[Any] = []
        self.saved = []
        self.operators = Operators(operators, needs_account=needs_account)
        self.saving = None
        self.bans = Bans(save=self._save, lock=DeferredLock(), unix_time=lambda: self.now)
        self.access = RoomAccess(self.store, self.operators, DeferredLock(), self.notes.append)
        self.roster = Roster(
            self.store,
            self.delivery,
            self._start,
            policy=Policy(**policy),
            access=self.access,
            share=lambda roster: OneDaemon(roster, self.bans),
            has_accounts=has_accounts,
        )
        self.hub = Hub(
            self.roster,
            self.delivery,
            self._start,
            self.store_failures.append,
            unix_time=lambda: self.now,
        )
        self.delivery.depart = self.hub.roster.depart
        self.commands = Commands(
            self.roster,
            self.bans,
            self.operators,
            self.notes.append,
            self.store_failures.append,
            lambda: self.now,
            self._change_password,
        )
        self.passwords = {}  # of each name, for those who have one
        self._last = 0

    def use_operators(self, names):
        """Replace the operators, as a server does."""
        self.operators.replace(names)
        self.roster.remove_strangers()

    def arrive(self, name, *, rooms=("lobby",), account=False, address="192.0.2.1"):
        """Add a member that has got no messages yet; the store must not be slow."""
        claims = self.hub.roster.shared.claims
        given = at_once(claims.claim([name], "", is_account=account, address=address))
        self._last += 1
        person = Person(f"session {self._last}", given)
        person.has_account = account
        person.address = address
        Deferred.fromCoroutine(self._admit(person, rooms)).addErrback(self.failures.append)
        return person

    async def _admit(self, person, rooms):
        await self.roster.access.load()
        self.roster.arrive(person, await self.roster.open_all(rooms))

    @property
    def next_ref(self):
        """Return the id of the next command."""
        return f"command {self._last}"

    def command(self, person, command, /, **fields):
        """Give a command; return the Deferred of its end, and answer a refusal as a server does."""
        ref = self.next_ref
        self._last += 1

        def refused(failure):
            failure.trap(RequestError)
            error = failure.value
            self.hub.refuse(person, RequestError(error.code, error.message, ref=error.ref or ref))

        run = self.commands.run(person, {"id": ref, "command": command, **fields})
        done = Deferred.fromCoroutine(run)
        done.addErrback(refused).addErrback(lambda failure: failure.trap(SessionEnded))
        return done.addErrback(self.failures.append)

    def say(self, person, content, *, id=None, **place):
        """Say something, as a MESSAGE that has arrived."""
        self._last += 1
        message = Message.chat(content, id=id or f"message {self._last}", **place)
        self.hub.say(person, (message,))

    def end_turn(self):
        self.hub.commits.begin()
        self.delivery.end_turn()

    def finish(self):
        """End turns until no call of the store is open and all members have read everything."""
        self.end_turn()
        while self.store.owes_answers or self.delivery.draining:
            if self.store.owes_answers:
                self.store.answer_next()
            else:
                self.delivery.drain_next()
            self.end_turn()

    def _start(self, awaitable):
        Deferred.fromCoroutine(awaitable).addErrback(self.failures.append)

    async def _change_password(self, person, old, new):
        if self.passwords.get(person.key) != old:
            raise RequestError("auth-failed", "wrong")
        self.passwords[person.key] = new

    async def _save(self, bans):
        if self.saving is not None:
            await self.saving
        if self.store.failure is not None:
            raise self.store.failure
        self.saved.append(bans)


class ChatCase(SynchronousTestCase):
    """A test with a chat; an unexpected failure of the chat fails the test."""

    options: ClassVar[dict[str, Any]] = {}

    def setUp(self):
        self.chat = self.make_chat(**self.options)
        self.hub = self.chat.hub
        self.store = self.chat.store
        self.delivery = self.chat.delivery

    def make_chat(self, **options):
        chat = Chat(**options)
        self.addCleanup(lambda: self.assertEqual(chat.failures, []))
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


def is_result(item):
    return isinstance(item, Message) and item.type == MessageType.RESULT


def is_said(item):
    return isinstance(item, Message) and item.type == MessageType.MESSAGE


def texts(told):
    """Return the texts of the messages among a member's messages."""
    return [item.text for item in told if is_said(item)]


def seqs(told):
    """Return the places of the messages among a member's messages."""
    return [item.seq for item in told if is_said(item)]


def codes(told):
    """Return the codes of the refusals among a member's messages."""
    return [item.code for item in told if isinstance(item, RequestError)]


class ResumeCase(ChatCase):
    def setUp(self):
        super().setUp()
        self.ann = self.chat.arrive("ann")
        self.bob = self.chat.arrive("bob", rooms=())
        for text in ("one", "two", "three", "four", "five"):
            self.chat.say(self.ann, text)
        self.chat.end_turn()
        self.epoch = self.hub.roster.rooms["lobby"].epoch

    def join(self, **fields):
        """Let bob join; return the RESULT, which comes first, and the places of the messages."""
        self.bob.take()
        self.successResultOf(self.chat.command(self.bob, "join", room="lobby", **fields))
        result, *missed = self.hear(self.bob)
        self.assertTrue(is_result(result))
        self.assertTrue(all(map(is_said, missed)))
        return result.header, seqs(missed)


def at_once(awaitable):
    """Return the result of an awaitable that is done at once, or raise its error."""
    done: Deferred[Any] = Deferred.fromCoroutine(awaitable)
    results: list[Any] = []
    done.addBoth(results.append)
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return result
