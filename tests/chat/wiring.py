"""The setup that the tests of the chat share: a whole chat, without bytes or sockets."""

from typing import Any

from hypothesis import settings
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatd.chat.moderation import Operators
from chatd.chat.policy import Policy
from chatd.errors import RequestError, SessionEnded
from chatd.storage.memory import MEMORY_RETENTION
from chatd.wire.messages import Message, MessageType
from tests.chat.daemons import Daemon, room_of
from tests.chat.recorder import Person, Recorder
from tests.chat.slowstore import SlowStore

NOW = 1_000_000.0
moderate = settings(max_examples=200)
HERE, THERE = "192.0.2.1", "192.0.2.2"


class Chat:
    """A whole chat, with a clock that tests set, and no work that a test does not start.

    Attributes:
        daemons: Its daemons; members arrive at them in turn.
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
        self.retention = retention
        self.store = store_class(retention, unix_time=lambda: self.now)
        self.delivery = Recorder()
        self.store_failures: list[Any] = []
        self.store_states: list[bool] = []
        self.failures: list[Any] = []
        self.notes: list[Any] = []
        self.saved: list[Any] = []
        self.operators = Operators(operators, needs_account=needs_account)
        self.saving = None
        self.daemons = [
            Daemon(self, store, Policy(**policy), has_accounts=has_accounts)
            for store in self.make_stores()
        ]
        self.delivery.depart = self._depart
        self.delivery.drained_one = self.store.answered = self.carry_on
        self.passwords: dict[str, str] = {}  # of each name, for those who have one
        self._arrivals = 0
        self._last = 0
        self.open()

    # Replaced where there are several daemons

    def make_stores(self):
        """Return the store of each daemon."""
        return [self.store]

    def open(self):
        """Begin."""

    def close(self):
        """End."""

    def carry_on(self):
        """Do what waits for nothing but the way between the daemons."""

    is_late = False
    """Whether a test says when the next thing goes its way between the daemons."""

    def begin_late(self):
        """Let a test say that from now on, if there are several daemons."""

    def carry_one(self, random):
        """Let one thing that is late go its way."""

    def end_late(self):
        """Do what is late, and be late no more."""

    @property
    def kept_bans(self):
        """The bans that are in force after a restart."""
        return self.saved[-1] if self.saved else []

    def replace_bans(self, bans):
        """Put bans in force that were kept."""
        self.only.bans.replace(bans)

    # What tests look at

    @property
    def only(self):
        """The only daemon."""
        (daemon,) = self.daemons
        return daemon

    @property
    def rooms(self):
        """The open rooms, by their folded names."""
        parts: dict[str, list[Any]] = {}
        for daemon in self.daemons:
            for key, room in daemon.roster.rooms.items():
                parts.setdefault(key, []).append(room)
        return {key: room_of(rooms) for key, rooms in parts.items()}

    @property
    def people(self):
        """The members."""
        return [
            person
            for daemon in self.daemons
            for sessions in daemon.roster.here.values()
            for person in sessions.values()
        ]

    def sessions_of(self, name):
        """Return the members with a name."""
        return [each for daemon in self.daemons for each in daemon.roster.sessions_of(name)]

    def is_banned(self, name=None, address="198.51.100.1"):
        """Return whether each daemon refuses a name or an address."""
        refusals = {_refusal_of(daemon.bans, name, address) for daemon in self.daemons}
        (code,) = refusals
        return code == "banned"

    # What tests do

    def use_operators(self, names):
        """Replace the operators, as the servers do."""
        self.operators.replace(names)
        for daemon in self.daemons:
            daemon.roster.remove_strangers()
        self.carry_on()

    def arrive(self, name, *, rooms=("lobby",), account=False, address=HERE):
        """Add a member that has got no messages yet; the store must not be slow."""
        daemon = self.daemons[self._arrivals % len(self.daemons)]
        self._arrivals += 1
        self._last += 1
        id = f"session {self._last}"
        claimed = daemon.roster.shared.claims.claim([name], id, is_account=account, address=address)
        person = Person(id, at_once(claimed, self.carry_on))
        person.daemon = daemon
        person.has_account = account
        person.address = address
        self.start(self._admit(person, rooms))
        self.carry_on()
        return person

    async def _admit(self, person, rooms):
        roster = person.daemon.roster
        await roster.access.load()
        roster.arrive(person, await roster.open_all(rooms))

    def _depart(self, person):
        person.daemon.roster.depart(person)
        self.carry_on()

    @property
    def next_ref(self):
        """Return the id of the next command."""
        return f"command {self._last}"

    def command(self, person, command, /, **fields):
        """Give a command; return the Deferred of its end, and answer a refusal as a server does."""
        ref = self.next_ref
        self._last += 1
        daemon = person.daemon

        def refused(failure):
            failure.trap(RequestError)
            error = failure.value
            error = RequestError(error.code, error.message, ref=error.ref or ref)
            daemon.hub.refuse(person, error)

        run = daemon.commands.run(person, {"id": ref, "command": command, **fields})
        done = Deferred.fromCoroutine(run)
        done.addErrback(refused).addErrback(lambda failure: failure.trap(SessionEnded))
        done.addErrback(self.failures.append)
        self.carry_on()
        return done

    def say(self, person, content, *, id=None, **place):
        """Say something, as a MESSAGE that has arrived."""
        self._last += 1
        message = Message.chat(content, id=id or f"message {self._last}", **place)
        person.daemon.hub.say(person, (message,))

    def begin(self):
        """Begin to store what was said."""
        for daemon in self.daemons:
            daemon.hub.commits.begin()
        self.carry_on()

    def end_turn(self):
        self.begin()
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

    # What the daemons need

    def start(self, awaitable):
        Deferred.fromCoroutine(awaitable).addErrback(self.failures.append)

    async def change_password(self, person, old, new):
        if self.passwords.get(person.key) != old:
            raise RequestError("auth-failed", "wrong")
        self.passwords[person.key] = new

    async def save(self, bans):
        if self.saving is not None:
            await self.saving
        if self.store.failure is not None:
            raise self.store.failure
        self.saved.append(bans)


def _refusal_of(bans, name, address):
    try:
        bans.check(name, address)
    except RequestError as error:
        return error.code
    return None


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


def at_once(awaitable, carry_on=lambda: None):
    """Return the result of an awaitable that is done at once, or raise its error.

    Args:
        awaitable: The awaitable.
        carry_on: Called before the result is taken.
    """

    async def wait():
        return await awaitable

    done: Deferred[Any] = Deferred.fromCoroutine(wait())
    results: list[Any] = []
    done.addBoth(results.append)
    carry_on()
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return result
