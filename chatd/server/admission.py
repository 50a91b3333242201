"""`Admission`: decides who is let in, under which name and into which rooms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from chatd.chat.moderation import Bans
from chatd.chat.names import GUEST, MAX_NAME, fold
from chatd.errors import ErrorCode, RequestError, StoreError
from chatd.server.accounts import Account, Accounts
from chatd.transport.hooks import FAILED, call_hook
from chatd.transport.identity import Identity, identify
from chatd.transport.streams import has_hung_up
from chatd.wire.messages import SessionAck

if TYPE_CHECKING:
    from chatd.server.factory import ChatFactory
    from chatd.server.protocol import ServerProtocol

__all__ = ["Admission"]

_RETRIED = frozenset(
    {ErrorCode.NOT_STORED, ErrorCode.TOO_MANY_ATTEMPTS, ErrorCode.TOO_MANY_SESSIONS}
)
"""Refusals that do not last."""


class Admission:
    """Decides who is let in.

    Args:
        factory: The server.
        bans: Who is banned.
        accounts: Who has an account; None where nobody needs one.
        rooms: The rooms that a session is let into which names none itself.
    """

    def __init__(
        self,
        factory: ChatFactory,
        bans: Bans,
        accounts: Accounts | None,
        rooms: Sequence[str],
    ) -> None:
        self._factory = factory
        self._bans = bans
        self._accounts = accounts
        self._rooms = rooms
        self._logins: dict[ServerProtocol, Deferred[Account]] = {}

    @property
    def asks_passwords(self) -> bool:
        """Whether nobody comes in without one."""
        return self._accounts is not None and not self._accounts.allows_guests

    def takes_passwords(self, identity: Identity) -> bool:
        """Whether a password may be sent: there are accounts, and nobody can listen."""
        is_open = identity.is_clear_tcp and not self._factory.has_key
        return self._accounts is not None and not is_open

    def admit(self, protocol: ServerProtocol, ack: SessionAck) -> Deferred[None] | None:
        """Let a client in, or refuse it.

        Returns:
            A Deferred that fires with None when that is done, or None where it is done already.
        """
        return call_hook(self._refuse, protocol, self._admit, protocol, ack)

    def ended(self, protocol: ServerProtocol) -> None:
        """Stop waiting for the login of a connection that has ended without a session.

        So each login that waits is one of a connection without a session, of which there are at
        most `Limits.max_unestablished`.
        """
        login = self._logins.get(protocol)
        if login is not None:
            login.cancel()

    async def _admit(self, protocol: ServerProtocol, ack: SessionAck) -> None:
        identity = identify(protocol.stream)
        self._bans.check(None, identity.address)
        self._factory.connections.check(identity.address)
        name, is_account = await self._name_of(protocol, ack, identity)
        try:
            self._bans.check(name, identity.address)
            rooms = await self._factory.hub.roster.open_all(
                self._rooms if ack.rooms is None else ack.rooms
            )
            try:
                # It may have been banned meanwhile, and others let in.
                self._bans.check(name, identity.address)
                self._factory.connections.check(identity.address)
                session = self._factory.session_class(
                    protocol, protocol.connection.session_id, name
                )
            except BaseException:
                self._factory.hub.roster.close_all(rooms)
                raise
        except BaseException:
            self._factory.hub.roster.names.release(name)
            raise
        session.address = identity.address
        session.has_account = is_account
        work = protocol.begin_session(session, rooms)
        if work is not None:
            await work

    async def _name_of(
        self, protocol: ServerProtocol, ack: SessionAck, identity: Identity
    ) -> tuple[str, bool]:
        """Return the name that a client may have and now holds, and whether it is an account's."""
        names = self._factory.hub.roster.names
        guest = protocol.connection.session_id.replace("-", "")
        if self._accounts is None:
            if ack.name is None and identity.login is not None:
                return names.claim_like(identity.login, guest), False
            return names.claim(ack.name, guest), False
        is_guest = ack.password is None and self._accounts.allows_guests
        if ack.name is not None and not fold(ack.name[:MAX_NAME]).startswith(GUEST):
            is_guest = False
        if not is_guest and not self.takes_passwords(identity):
            raise RequestError(
                ErrorCode.AUTH_IN_CLEAR,
                "this server asks for a password, which must not be sent in the clear: "
                "connect with a key file, over TLS or over a UNIX socket",
            )
        login = self._accounts.login(
            ack.name, ack.password, identity.address, lambda: _is_there(protocol)
        )
        self._logins[protocol] = login
        try:
            account = await login
        finally:
            del self._logins[protocol]
        if account.is_guest:
            return names.claim(ack.name, guest), False
        return names.claim(account.name, guest, is_account=True), True

    def _refuse(self, failure: Failure, protocol: ServerProtocol) -> None:
        error = failure.value
        if isinstance(error, CancelledError) and not _is_there(protocol):
            return  # nobody is left to be refused; what is not over yet ends when it is read on
        if isinstance(error, StoreError):
            self._factory.note_store_failure(error)
            error = RequestError(ErrorCode.NOT_STORED, "the server's store does not work now")
        elif not isinstance(error, RequestError):
            protocol.log_failure(failure, "admission")
            error = RequestError(ErrorCode.INTERNAL_ERROR, FAILED)
        protocol.connection.refuse(error.code, error.message, retry=error.code in _RETRIED)
        protocol.flush()  # now: it is not read from until this is done, but it is to its end


def _is_there(protocol: ServerProtocol) -> bool:
    """Say whether a client waits for its answer; it is not read from meanwhile."""
    return not (protocol.connection.is_over or has_hung_up(protocol.stream))
