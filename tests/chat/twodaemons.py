"""A chat of two daemons, which share a backplane in memory."""

import msgspec

from chatd.backplane.interface import KeptBan
from chatd.chat.moderation import Ban
from chatd.chat.names import fold
from chatd.chat.sharedclaims import SharedClaims
from tests.backplane.sharedmemory import SharedMemory
from tests.chat.wiring import Chat


class TwoDaemonsChat(Chat):
    """A chat of two daemons, at which members arrive in turn.

    The backplane keeps everything in the store of the chat, which may be slow. Whatever the daemons
    ask the backplane, and whatever it tells them, goes its way later, in one order. A step of a
    test ends when nothing of that is under way, except between `begin_late` and `end_late`.

    Attributes:
        shared: What the daemons share.
    """

    def make_stores(self):
        self.shared = SharedMemory(store=self.store, unix_time=lambda: self.now, is_late=True)
        return [self.shared.node(), self.shared.node()]

    def carry_on(self):
        if not self.is_late:
            self.shared.carry_on()

    def begin_late(self):
        for daemon in self.daemons:  # members arrive when the store is slow
            self.start(daemon.access.load())
        self.carry_on()
        self.is_late = True

    def carry_one(self, random):
        if self.shared.owes:
            self.shared.carry_one()

    def end_late(self):
        self.is_late = False
        self.carry_on()

    def arrive(self, name, **options):
        was_late = self.is_late
        self.end_late()
        try:
            return super().arrive(name, **options)
        finally:
            self.is_late = was_late

    @property
    def kept_bans(self):
        return [msgspec.json.decode(ban.value, type=Ban) for ban in self.shared.bans.values()]

    def replace_bans(self, bans):
        for ban in bans:
            kept = kept_ban(ban)
            self.shared.bans[kept.key] = kept


def kept_ban(ban):
    """Return a ban as a backplane keeps it."""
    (target,) = ban.targets
    return KeptBan(target.text, ban.until, msgspec.json.encode(ban.fields))


async def _check_nothing(name, address):
    """Check no bans: there are none."""


class ClaimsInTurn:
    """The claims of two daemons in turn, each by a session of its own."""

    def __init__(self):
        shared = SharedMemory()
        self._daemons = [SharedClaims(shared.node(), _check_nothing) for _ in range(2)]
        self._held = []
        self._claims = 0

    async def claim(self, names, session, **options):
        daemon = self._daemons[self._claims % 2]
        self._claims += 1
        session = f"{session} {self._claims}"
        name = await daemon.claim(names, session, **options)
        self._held.append((daemon, session, name))
        return name

    def depart(self, session, name):
        for held in [each for each in self._held if fold(each[2]) == fold(name)][:1]:
            self._held.remove(held)
            held[0].depart(*held[1:])
