"""`Roster`: the members, their names, and the rooms that they are in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from chatd.chat import presence
from chatd.chat.access import RoomAccess
from chatd.chat.away import AwayTexts
from chatd.chat.commits import Start
from chatd.chat.interfaces import Delivery
from chatd.chat.names import MAX_ROOM, Names, check_name, fold
from chatd.chat.openrooms import OpenRooms
from chatd.chat.policy import Policy
from chatd.chat.rooms import M, Room
from chatd.chat.shared import AccessChange, Ending, Shared
from chatd.errors import ErrorCode, RequestError, SessionEnded
from chatd.storage.interface import IMessageStore
from chatd.wire.messages import Message

__all__ = ["Roster"]


class Roster(OpenRooms[M]):
    """The members and the rooms; it also tells the members of a room of arrivals and departures.

    Args:
        store: Opens and releases the rooms' streams.
        delivery: Delivers messages to members.
        start: Runs a coroutine; see `chatd.chat.commits.Start`.
        policy: The operator's settings of the chat.
        access: Decides which members may know of a room.
        share: Makes the part that all daemons have in common; see `chatd.chat.shared`.
        has_accounts: Whether the server has accounts; see `chatd.chat.names.Names`.

    Attributes:
        access: Decides which members may know of a room.
        shared: See above.
        names: The names in use.
        here: The members, by their folded names and ids.
        policy: The operator's settings of the chat.
        away: The away texts of the members.
    """

    def __init__(
        self,
        store: IMessageStore,
        delivery: Delivery[M],
        start: Start,
        *,
        policy: Policy,
        access: RoomAccess,
        share: Callable[[Roster[M]], Shared[M]],
        has_accounts: bool = False,
    ) -> None:
        super().__init__(store, start, max_rooms=policy.max_rooms)
        self.access = access
        self.delivery = delivery
        self.here: dict[str, dict[str, M]] = {}
        self.policy = policy
        self.away = AwayTexts()
        self._expelled: dict[str, dict[str, str]] = {}  # why each member is ended, by its id
        self.shared = share(self)
        self.names = Names(self.shared.claims, has_accounts=has_accounts)

    # Members

    def arrive(self, member: M, rooms: Sequence[Room[M]]) -> None:
        """Add a member, and add it to rooms that were opened for it."""
        self.here.setdefault(member.key, {})[member.id] = member
        for room in rooms:
            self.enter(member, room)
        self.close_all(rooms)

    def depart(self, member: M, *, is_silent: bool = False) -> None:
        """Remove a member from its rooms and from the roster, and release its name.

        Args:
            member: The member.
            is_silent: Whether the rooms get no events, because all members depart.
        """
        why = self._expelled.pop(member.id, {})
        for room in list(member.rooms.values()):
            self._remove([member], room, why, is_silent=is_silent)
        self._forget(member)
        self.names.release(member.name, member.id)

    def expel(self, member: M, code: str, told: str, *, by: str, reason: str = "") -> None:
        """End a member's session for an operator, and tell its rooms the operator and the reason.

        Args:
            member: The member.
            code: The code of the session's end.
            told: The reason that the member is told.
            by: The operator's name.
            reason: The operator's reason for the rooms, or empty.
        """
        self._expelled[member.id] = {"by": by, "reason": reason}
        self.delivery.end(member, code, told)

    def everyone(self) -> list[M]:
        """Return the members of this daemon."""
        return [each for here in self.here.values() for each in here.values()]

    def end_all(self, ending: Ending) -> int:
        """End sessions of this daemon for an operator, and return their number."""
        members = [each for each in self.everyone() if ending.target.is_of(each)]
        for each in members:
            self.expel(each, ending.code, ending.told, by=ending.by, reason=ending.reason)
        return len(members)

    async def rename(self, member: M, name: str) -> str:
        """Give a member another name, and tell the other members of its rooms.

        Returns:
            The name in its composed form.

        Raises:
            RequestError: `bad-name`, `name-taken`, `banned`, or `not-allowed` for an account's
                name.
            SessionEnded: The session has ended.
            StoreError: Nobody can tell whether the name is free.
        """
        if member.has_account:
            raise RequestError(ErrorCode.NOT_ALLOWED, "an account keeps its name")
        old_name = member.name
        name = check_name(name)  # before folding, which takes time and memory for long names
        if fold(name) != member.key:  # else it is another spelling of the same name
            name = await self.names.claim(name, member.id, address=member.address)
            if not self.is_here(member):
                self.names.release(name, member.id)
                raise SessionEnded(ErrorCode.CONNECTION_LOST, "the session has ended")
            self.names.release(old_name, member.id)
        self.delivery.deliver_early(member)  # also the messages to the old name
        for room in member.rooms.values():
            room.remove(member)
        self._forget(member)
        member.rename(name)
        self.here.setdefault(member.key, {})[member.id] = member
        for room in member.rooms.values():
            room.add(member)
        if name != old_name:
            await self.shared.renamed(member, old_name)
        return name

    def tell_renamed(
        self, rooms: Iterable[Room[M]], old_name: str, name: str, *, but: str = ""
    ) -> None:
        """Tell the members of some rooms about a member's new name, each of them once.

        Args:
            rooms: The rooms.
            old_name: The name until now.
            name: The name from now on.
            but: The id of the member that is not told.
        """
        told: dict[str, M] = {}
        for room in rooms:
            told.update(room.members)
        told.pop(but, None)
        self.delivery.tell_all(told.values(), presence.renamed(old_name, name))

    def is_here(self, member: M) -> bool:
        """Return whether a member has arrived and not departed."""
        return member.id in self.here.get(member.key, ())

    def sessions_of(self, name: str) -> list[M]:
        """Return the members that have a name."""
        return list(self.here.get(fold(name), {}).values())

    def _forget(self, member: M) -> None:
        sessions = self.here[member.key]
        del sessions[member.id]
        if not sessions:
            del self.here[member.key]

    # Rooms

    def enter(self, member: M, room: Room[M], read_to: int = 0) -> None:
        """Add a member to a room, and tell the other members of the room.

        From now on, the member gets the room's messages. A member that has departed, that is in the
        room already, or that may not know of the room, is not added.

        Args:
            member: The member.
            room: A room that is held or not empty.
            read_to: The place up to which the member has the messages, of which some may still have
                to be published.
        """
        if room.key in member.rooms or not self.is_here(member):
            return
        if not self.access.may_know(member, room.key):
            return
        member.rooms[room.key] = room
        if room.add(member):
            self.shared.entered(room, member)
        self.delivery.begin(room, member)
        room.has_read(member, read_to)
        member.entered(room.name)

    def quit(self, member: M, room: Room[M]) -> None:
        """Remove a member from a room that it is in, and tell the members that stay."""
        self._remove([member], room, {})

    def remove_strangers(self, *, by: str = "") -> int:
        """Remove each member from the rooms that it may no longer know of, and tell it.

        Args:
            by: The name of the operator that changed a room, or empty.

        Returns:
            How many sessions were removed from a room.
        """
        removed = 0
        for room in list(self.rooms.values()):
            if self.access.is_private(room.key):
                inside = room.members.values()
                strangers = [each for each in inside if not self.access.may_know(each, room.key)]
                self._remove(strangers, room, {"by": by})
                for stranger in strangers:
                    self.delivery.tell(stranger, (presence.removed(room.name),))
                removed += len(strangers)
        return removed

    def follow(self, change: AccessChange) -> int:
        """Tell the members of this daemon about a change of a private room.

        Returns:
            How many sessions were removed from the room.
        """
        removed = self.remove_strangers(by=change.by)
        if change.invited and change.room is not None:
            told = (presence.invited(change.room.name, change.by),)
            for session in self.sessions_of(change.invited):
                if self.access.may_know(session, change.key):  # not a guest with the name
                    self.delivery.tell(session, told)
        return removed

    def _remove(
        self,
        members: Sequence[M],
        room: Room[M],
        why: Mapping[str, str],
        *,
        is_silent: bool = False,
    ) -> None:
        """Remove members from a room, and tell only the members that stay, and why."""
        sessions = len(room.members)
        for member in members:
            self.delivery.deliver_early(member)
            del member.rooms[room.key]
        gone = [member.name for member in members if room.remove(member)]
        self.shared.left(room, gone, why, sessions=sessions, is_silent=is_silent)
        self._drop_if_unneeded(room)
        for member in members:
            member.departed(room.name)

    def publish(self, room: Room[M], messages: Sequence[Message]) -> None:
        """Deliver messages or EVENTs to the members of a room.

        A member does not get a message that was already on a page that it read.
        """
        if room.ahead:
            for message in messages:
                self.publish_except(room, message, room.readers_of(message))
        else:
            self.delivery.broadcast(room, messages)

    def publish_except(self, room: Room[M], message: Message, left_out: Collection[M]) -> None:
        """Deliver a message or an EVENT to the members of a room except some sessions."""
        for member in left_out:
            self.delivery.deliver_early(member)
        self.delivery.broadcast(room, (message,))
        for member in left_out:
            self.delivery.begin(room, member)

    def room_of(self, member: M, name: str | None) -> Room[M]:
        """Return a room that a member is in.

        Args:
            member: The member.
            name: The room's name; None for the member's first room.

        Raises:
            RequestError: `not-in-room`.
        """
        if name is None:
            room = next(iter(member.rooms.values()), None)
        else:
            # A room's name is longer than `MAX_ROOM` only before it is composed.
            room = member.rooms.get(fold(name)) if len(name) <= 4 * MAX_ROOM else None
        if room is None:
            raise RequestError(ErrorCode.NOT_IN_ROOM, f"you are {_not_in(name)}")
        return room


def _not_in(room: str | None) -> str:
    """Return where a member is not; a text that cannot name a room is not repeated."""
    if room is None:
        return "in no room"
    is_name = len(room) <= MAX_ROOM and room.isprintable()
    return f"not in {room}" if is_name else "not in that room"
