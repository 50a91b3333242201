"""`RoomAccess`: decides which members may know of a room.

A private room is hidden from everybody but the operators and the invited names. Every command,
event and answer that could tell of a room asks `RoomAccess.may_know`, and nothing else decides.
Only accounts prove a name, so guests are never invited, and on a server without accounts private
rooms are closed to everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from chatd.chat.interfaces import Lock, Person
from chatd.chat.moderation import Operators
from chatd.chat.names import GUEST, check_room, fold, fold_known
from chatd.errors import ErrorCode, RequestError
from chatd.storage.interface import IMessageStore
from chatd.storage.privateroom import PrivateRoom

__all__ = ["MAX_INVITED", "MAX_PRIVATE_ROOMS", "RoomAccess"]

MAX_PRIVATE_ROOMS = 1_000
"""The most private rooms of a server."""
MAX_INVITED = 500
"""The most names that are invited to a private room."""


class RoomAccess:
    """The private rooms, and the names that are invited to them.

    A change is in force once the store has kept it; changes happen one after the other. Where other
    daemons use the store too, a change that crosses with one of theirs begins again with what they
    kept. Call `load` before a member is admitted: until it has read the private rooms, nobody may
    know of any room.

    Args:
        store: Keeps the private rooms.
        operators: They may know of all rooms.
        lock: Held during each change.
        note: Called with a line for the operator's log.
    """

    def __init__(
        self,
        store: IMessageStore,
        operators: Operators,
        lock: Lock,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._operators = operators
        self._lock = lock
        self._note = note
        self._rooms: dict[str, PrivateRoom] | None = None

    async def load(self) -> None:
        """Read the private rooms from the store, unless that is done.

        Raises:
            StoreError: The store cannot read them.
        """
        if self._rooms is not None:
            return
        rooms = {room.key: room for room in await self._store.private_rooms()}
        if self._rooms is None:  # another call may have read them
            self._begin(rooms)

    async def reload(self) -> None:
        """Read the private rooms again from a store that other daemons change too.

        Raises:
            StoreError: The store cannot read them.
        """
        rooms = {room.key: room for room in await self._store.private_rooms()}
        if self._rooms is None:
            self._begin(rooms)
        self._rooms = rooms

    def _begin(self, rooms: dict[str, PrivateRoom]) -> None:
        self._rooms = rooms
        if rooms and not self._operators.needs_account:
            self._note(f"{len(rooms)} private rooms are closed to everybody: there are no accounts")

    async def follow(self) -> None:
        """Put a change in force that another daemon made.

        The store answers in order, so the last answer is the newest. The words of several daemons
        about their changes may come in another order.

        Raises:
            StoreError: The store cannot read the private rooms.
        """
        if self._rooms is not None:  # else `load` will read them
            await self.reload()

    # Permissions

    def may_know(self, person: Person, key: str) -> bool:
        """Return whether a person may know of a room and enter it.

        Args:
            person: A member, or a client that asks for a session.
            key: The room's folded name.
        """
        if self._rooms is None:
            return False
        room = self._rooms.get(key)
        if room is None:
            return True
        if not person.has_account:
            return False
        return person.key in room.invited or self._operators.includes(person)

    def check_first(self, person: Person, name: str) -> None:
        """Refuse a person that may not enter a room, before the room is opened for that person.

        Ask `check` again afterwards: opening takes time.

        Raises:
            RequestError: `bad-room`, or `not-invited`.
        """
        self.check(person, check_room(name))

    def check(self, person: Person, name: str) -> None:
        """Refuse a person that may not enter a room; the error names the room as `name` does.

        Raises:
            RequestError: `not-invited`.
        """
        if not self.may_know(person, fold(name)):
            text = f"{name} is private: only invited people may enter it"
            raise RequestError(ErrorCode.NOT_INVITED, text)

    def is_private(self, key: str) -> bool:
        """Return whether a room is private, by its folded name."""
        return self._rooms is None or key in self._rooms

    def known_to(self, person: Person) -> list[PrivateRoom]:
        """Return the private rooms that a person may know of."""
        return [room for key, room in (self._rooms or {}).items() if self.may_know(person, key)]

    # Changes, for operators

    def check_operator(self, person: Person) -> None:
        """Refuse a person that may not change private rooms.

        Raises:
            RequestError: `not-allowed`; or `needs-accounts`: without accounts, a name proves
                nothing.
        """
        self._operators.check(person)
        if not self._operators.needs_account:
            raise RequestError(
                ErrorCode.NEEDS_ACCOUNTS, "a server without accounts has no private rooms"
            )

    def private(self, key: str) -> PrivateRoom:
        """Return a private room.

        Raises:
            RequestError: `bad-request`: the room is not private.
        """
        room = (self._rooms or {}).get(key)
        if room is None:
            raise RequestError(ErrorCode.BAD_REQUEST, "that room is not private")
        return room

    async def make_private(self, key: str, name: str, inside: Collection[Person]) -> PrivateRoom:
        """Make a room private, and invite the accounts that are in it.

        Args:
            key: The room's folded name.
            name: The room's name.
            inside: The members of the room, when the change begins.

        Raises:
            RequestError: `bad-request`: the room is private already; or `private-limit`.
            StoreError: The change cannot be kept; then the room stays as it is.
        """
        invited = frozenset(person.key for person in inside if person.has_account)

        def change() -> PrivateRoom:
            if self.is_private(key):
                raise RequestError(ErrorCode.BAD_REQUEST, "that room is private already")
            if len(self._rooms or ()) >= MAX_PRIVATE_ROOMS:
                text = f"a server has {MAX_PRIVATE_ROOMS} private rooms at most"
                raise RequestError(ErrorCode.PRIVATE_LIMIT, text)
            return PrivateRoom(key, name, invited)

        return await self._keep(key, change)

    async def make_public(self, key: str) -> PrivateRoom:
        """Let everybody enter a private room, and forget the invitations.

        Raises:
            RequestError: `bad-request`: the room is not private.
            StoreError: The change cannot be kept; then the room stays private.
        """
        async with self._lock:
            while not await self._store.drop_private(room := self.private(key)):
                await self.reload()
            assert self._rooms is not None
            del self._rooms[key]
            return room

    async def invite(self, key: str, name: str) -> PrivateRoom:
        """Invite a name to a private room.

        Raises:
            RequestError: `bad-name` for no name, or a guest's; `bad-request`: the room is not
                private, or the name is invited already; or `private-limit`.
            StoreError: The change cannot be kept; then the name is not invited.
        """
        invited = fold_known(name)
        if invited.startswith(GUEST):
            raise RequestError(ErrorCode.BAD_NAME, "a guest cannot be invited: it has no account")

        def change() -> PrivateRoom:
            room = self.private(key)
            if invited in room.invited:
                raise RequestError(ErrorCode.BAD_REQUEST, f"{name} is invited already")
            return PrivateRoom(key, room.name, room.invited | {invited})

        return await self._keep(key, change)

    async def uninvite(self, key: str, name: str) -> PrivateRoom:
        """Take an invitation back.

        Raises:
            RequestError: `bad-name`; or `bad-request`: the room is not private, or the name is not
                invited.
            StoreError: The change cannot be kept; then the name stays invited.
        """
        invited = fold_known(name)

        def change() -> PrivateRoom:
            room = self.private(key)
            if invited not in room.invited:
                raise RequestError(ErrorCode.BAD_REQUEST, f"{name} is not invited")
            return PrivateRoom(key, room.name, room.invited - {invited})

        return await self._keep(key, change)

    async def _keep(self, key: str, change: Callable[[], PrivateRoom]) -> PrivateRoom:
        """Have the store keep a changed room, and put it in force.

        Args:
            key: The room's folded name.
            change: Returns the changed room, or refuses the change. It is called again if another
                daemon has changed the room meanwhile.
        """
        async with self._lock:
            while True:
                room = change()
                if len(room.invited) > MAX_INVITED:
                    text = f"{MAX_INVITED} names at most are invited to a room"
                    raise RequestError(ErrorCode.PRIVATE_LIMIT, text)
                assert self._rooms is not None
                if await self._store.keep_private(room, instead_of=self._rooms.get(key)):
                    break
                await self.reload()
            self._rooms[key] = room
            return room
