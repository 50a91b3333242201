"""Members for tests, and a `Delivery` that records the messages that each member got, in order.

`Recorder` does with messages what `chatd.transport.flush.Turn` and
`chatd.server.delivery.TurnDelivery` do with frames.
"""

from collections import Counter, deque
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, succeed

from chatd.chat.rooms import Member
from chatd.errors import SessionEnded


class End(NamedTuple):
    """The end of a session, among a person's messages."""

    code: str
    reason: str
    retry: bool


class Person(Member):
    """A member that records its messages in order, and does its next step when it is answered."""

    __slots__ = ("daemon", "is_over", "then", "told")

    def __init__(self, id, name):
        super().__init__(id, name)
        self.daemon: Any = None
        self.told = []
        self.is_over = False
        self.then = None

    def take(self):
        """Return the messages since the last call."""
        told, self.told = self.told, []
        return told

    def all_answered(self):
        if self.then is not None:
            then, self.then = self.then, None
            then()

    def deliver(self, items):
        if not self.is_over:
            self.told += items


class _Broadcast:
    def __init__(self):
        self.messages = []
        self.had = {}


class Recorder:
    """A `Delivery` that delivers at once, or at the end of the turn, and counts its calls.

    Attributes:
        counts: The calls of each method, and the `deliveries` of broadcasts.
        draining: The members that others wait for, if `is_slow`.
        drained_one: Called after `drain_next`.
    """

    def __init__(self):
        self.counts: Counter[str] = Counter()
        self.is_slow = False
        self.draining: deque[Any] = deque()
        self.depart: Any = None
        self.drained_one = lambda: None
        self._broadcasts = {}

    def broadcast(self, audience, messages):
        self.counts["broadcast"] += 1
        self._broadcasts.setdefault(audience, _Broadcast()).messages.extend(messages)

    def begin(self, audience, member):
        self.counts["begin"] += 1
        broadcast = self._broadcasts.get(audience)
        if broadcast is not None:
            broadcast.had[member.id] = len(broadcast.messages)

    def deliver_early(self, member):
        self.counts["deliver_early"] += 1
        self._deliver_early(member)

    def tell(self, member, messages):
        self.counts["tell"] += 1
        self._deliver_early(member)
        member.deliver(list(messages))

    def tell_all(self, members, message):
        self.counts["tell_all"] += 1
        for member in members:
            self.counts["deliveries"] += 1
            self._deliver_early(member)
            member.deliver([message])

    def refuse(self, member, error):
        self.counts["refuse"] += 1
        self._deliver_early(member)
        member.deliver([error])

    def end(self, member, code, reason, *, retry=False):
        self.counts["end"] += 1
        if member.is_over:
            return
        self._deliver_early(member)
        member.deliver([End(code, reason, retry)])
        self.vanish(member)

    def drained(self, member):
        if member.is_over:
            raise SessionEnded("connection-lost", "the connection was lost")
        if not self.is_slow:
            return succeed(None)
        waiting: Deferred[Any] = Deferred()
        self.draining.append((member, waiting))
        return waiting

    # For the tests

    def vanish(self, member):
        """End a session without an answer, as when its connection is lost."""
        member.is_over = True
        self.depart(member)
        for each in [each for each in self.draining if each[0] is member]:
            self.draining.remove(each)
            each[1].errback(SessionEnded("connection-lost", "the connection was lost"))

    def drain_next(self):
        """Let a member that others wait for have read all its messages."""
        self.draining.popleft()[1].callback(None)
        self.drained_one()

    def end_turn(self):
        """Deliver the broadcasts to the present members."""
        while self._broadcasts:
            broadcasts, self._broadcasts = self._broadcasts, {}
            for audience, broadcast in broadcasts.items():
                for member in list(audience.members.values()):
                    rest = broadcast.messages[broadcast.had.get(member.id, 0) :]
                    self.counts["deliveries"] += len(rest)
                    member.deliver(rest)

    def _deliver_early(self, member):
        for audience, broadcast in self._broadcasts.items():
            if member.id in audience.members:
                rest = broadcast.messages[broadcast.had.get(member.id, 0) :]
                broadcast.had[member.id] = len(broadcast.messages)
                member.deliver(rest)
