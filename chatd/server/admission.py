"""`Admission`: admits or refuses clients, and decides their names and rooms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple

from twisted.internet.defer import Deferred

from chatd.chat.interfaces import Person
from chatd.chat.moderation import Bans
from chatd.chat.names import GUEST, MAX_NAME, fold
from chatd.chat.rooms import M, Room
from chatd.chat.roster import Roster
from chatd.errors import ErrorCode, RequestError, StoreError
from chatd.server.accounts import Accounts
from chatd.server.realm import Account
from chatd.transport.identity import Identity

__all__ = ["RETRIED", "Admission", "Admitted", "Applicant"]

RETRIED = frozenset(
    {ErrorCode.NOT_STORED, ErrorCode.TOO_MANY_ATTEMPTS, ErrorCode.TOO_MANY_SESSIONS}
)
"""Temporary refusals: the client is invited to try again."""


@dataclass(frozen=True, slots=True)
class Applicant:
    """A client that asks for a session.

    Attributes:
        session_id: The id of its future session.
        name: The requested name, or None.
        password: The name's password, or None.
        rooms: The names of the requested rooms; None for the server's default rooms.
        identity: The peer's address and login name.
        is_there: Returns whether the client still waits for an answer.
    """

    session_id: str
    name: str | None
    password: str | None = field(repr=False)
    rooms: Sequence[str] | None
    identity: Identity
    is_there: Callable[[], bool] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Admitted(Generic[M]):
    """An admitted client. It holds its name and its rooms until `Admission.release`.

    Attributes:
        session_id: The id of its session.
        name: The client's name.
        has_account: Whether the client logged in to an account of that name.
        address: The client's address for limits and bans.
        rooms: The rooms that the client joins.
    """

    session_id: str
    name: str
    has_account: bool
    address: str
    rooms: Sequence[Room[M]]


class _Named(NamedTuple):
    """A `Person` that has no session yet."""

    key: str
    has_account: bool


class Admission(Generic[M]):
    """Admits or refuses clients.

    Args:
        roster: Holds the names and the rooms.
        bans: The bans.
        accounts: The accounts; None if the server has none.
        rooms: The rooms of a session that requests none.
        check_limits: Called with an address; raises `RequestError` if there may be no further
            session from it.
        store_failed: Called with the error if the store fails.
        is_encrypted: Whether sessions are encrypted, so that passwords are safe.
    """

    def __init__(
        self,
        roster: Roster[M],
        bans: Bans,
        accounts: Accounts | None,
        rooms: Sequence[str],
        *,
        check_limits: Callable[[str], None],
        store_failed: Callable[[Exception], None],
        is_encrypted: bool,
    ) -> None:
        self._roster = roster
        self._bans = bans
        self._accounts = accounts
        self._rooms = rooms
        self._check_limits = check_limits
        self._store_failed = store_failed
        self._is_encrypted = is_encrypted
        self._logins: dict[str, Deferred[Account]] = {}  # unfinished, by session id

    @property
    def asks_passwords(self) -> bool:
        """Whether every client needs a password."""
        return self._accounts is not None and not self._accounts.allows_guests

    def takes_passwords(self, identity: Identity) -> bool:
        """Return whether a client may send a password: there are accounts, and nobody can listen.

        Args:
            identity: The client's identity.
        """
        is_open = identity.is_clear_tcp and not self._is_encrypted
        return self._accounts is not None and not is_open

    async def admit(self, applicant: Applicant) -> Admitted[M]:
        """Admit a client.

        Raises:
            RequestError: The client is refused.
            CancelledError: The client went away before its password was checked.
        """
        try:
            return await self._admit(applicant)
        except StoreError as error:
            self._store_failed(error)
            raise RequestError(
                ErrorCode.NOT_STORED, "the server's store does not work now"
            ) from error

    def withdraw(self, session_id: str) -> None:
        """Cancel the login of a client that went away.

        This bounds the waiting logins: each belongs to a connection without a session, and there
        are at most `Limits.max_unestablished` of these.
        """
        login = self._logins.get(session_id)
        if login is not None:
            login.cancel()

    def release(self, admitted: Admitted[M]) -> None:
        """Give back the name and the rooms of a client whose session does not begin."""
        self._roster.close_all(admitted.rooms)
        self._roster.names.release(admitted.name, admitted.session_id)

    async def _admit(self, applicant: Applicant) -> Admitted[M]:
        address = applicant.identity.address
        self._check(None, address)
        name, has_account = await self._name_of(applicant)
        try:
            self._bans.check(name, address)
            rooms = await self._rooms_of(applicant, _Named(fold(name), has_account))
        except BaseException:
            self._roster.names.release(name, applicant.session_id)
            raise
        admitted = Admitted(applicant.session_id, name, has_account, address, rooms)
        try:
            self._check(name, address)  # others may have come during the wait
            self._roster.names.check_held(name, applicant.session_id)
        except BaseException:
            self.release(admitted)
            raise
        return admitted

    async def _rooms_of(self, applicant: Applicant, person: Person) -> list[Room[M]]:
        """Open the rooms of an applicant; the server's own rooms are those that it may enter."""
        access = self._roster.access
        await access.load()
        if applicant.rooms is None:
            wanted = [name for name in self._rooms if access.may_know(person, fold(name))]
        else:
            wanted = list(applicant.rooms)
            for name in wanted:
                access.check_first(person, name)
        rooms = await self._roster.open_all(wanted)
        hidden = [room for room in rooms if not access.may_know(person, room.key)]  # since then
        if hidden and applicant.rooms is not None:
            self._roster.close_all(rooms)
            access.check(person, hidden[0].name)
        self._roster.close_all(hidden)
        return [room for room in rooms if room not in hidden]

    def _check(self, name: str | None, address: str) -> None:
        self._bans.check(name, address)
        self._check_limits(address)

    async def _name_of(self, applicant: Applicant) -> tuple[str, bool]:
        """Claim a name for an applicant; return it, and whether it belongs to an account."""
        names, identity = self._roster.names, applicant.identity
        session, address = applicant.session_id, identity.address
        if self._accounts is None:
            if applicant.name is None and identity.login is not None:
                return await names.claim_like(identity.login, session, address=address), False
            return await names.claim(applicant.name, session, address=address), False
        account = await self._log_in(applicant, self._accounts)
        if account.is_guest:
            return await names.claim(applicant.name, session, address=address), False
        name = await names.claim(account.name, session, is_account=True, address=address)
        return name, True

    async def _log_in(self, applicant: Applicant, accounts: Accounts) -> Account:
        is_guest = applicant.password is None and accounts.allows_guests
        if applicant.name is not None and not fold(applicant.name[:MAX_NAME]).startswith(GUEST):
            is_guest = False
        if not is_guest and not self.takes_passwords(applicant.identity):
            raise RequestError(
                ErrorCode.AUTH_IN_CLEAR,
                "this server asks for a password, which must not be sent in the clear: "
                "connect with a key file, over TLS or over a UNIX socket",
            )
        login = accounts.login(
            applicant.name, applicant.password, applicant.identity.address, applicant.is_there
        )
        self._logins[applicant.session_id] = login
        try:
            return await login
        finally:
            del self._logins[applicant.session_id]
