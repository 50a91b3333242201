"""A daemon of a chat without its server, and what tests look at in several of them."""

from dataclasses import dataclass

from twisted.internet.defer import DeferredLock
from twisted.internet.task import Clock

from chatd.chat.access import RoomAccess
from chatd.chat.commands import Commands
from chatd.chat.hub import Hub
from chatd.chat.moderation import Bans
from chatd.chat.roster import Roster
from chatd.server.joint import LinkPatience, listen, share
from tests.chat.recorder import Person


class Daemon:
    """A daemon of a chat, without its server.

    Args:
        chat: The chat.
        store: Keeps the messages; if it is a backplane, the daemon shares it with others.
    """

    def __init__(self, chat, store, policy, *, has_accounts):
        self.bans = Bans(save=chat.save, lock=DeferredLock(), unix_time=lambda: chat.now)
        self.access = RoomAccess(store, chat.operators, DeferredLock(), chat.notes.append)
        self.roster: Roster[Person] = Roster(
            store,
            chat.delivery,
            chat.start,
            policy=policy,
            access=self.access,
            share=lambda roster: share(store, roster, self.bans, chat.start),
            has_accounts=has_accounts,
        )
        self.hub: Hub[Person] = Hub(
            self.roster,
            chat.delivery,
            chat.start,
            chat.store_failures.append,
            unix_time=lambda: chat.now,
            store_works=chat.store_states.append,
        )
        self.commands = Commands(
            self.roster,
            self.bans,
            chat.operators,
            chat.notes.append,
            chat.store_failures.append,
            lambda: chat.now,
            chat.change_password,
        )
        patience = LinkPatience(Clock(), 60.0, lambda code, reason: None)
        listen(self.hub, self.bans, patience, chat.start, chat.failures.append, lambda: None)


@dataclass(frozen=True, slots=True)
class OpenRoom:
    """A room that is open, at any daemon.

    Attributes:
        epoch: The epoch of its stream.
        seq: The place of the last delivered message.
        members: The ids of the members.
        count: How many names are in it.
        holds: How many holds keep it although it is empty.
        ahead: See `chatd.chat.rooms.Room`.
    """

    epoch: str
    seq: int
    members: list[str]
    count: int
    holds: int
    ahead: dict[str, int]


def room_of(rooms):
    """Return a room, from what each daemon that has it open knows of it."""
    members = {id: person for room in rooms for id, person in room.members.items()}
    (epoch,) = {room.epoch for room in rooms}
    return OpenRoom(
        epoch=epoch,
        seq=max(room.seq for room in rooms),
        members=list(members),
        count=len({person.key for person in members.values()}),
        holds=sum(room.holds for room in rooms),
        ahead={id: seq for room in rooms for id, seq in room.ahead.items()},
    )
