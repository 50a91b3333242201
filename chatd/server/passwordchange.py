"""`PasswordChange`: changes the password of a session's account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic

from twisted.internet.defer import CancelledError

from chatd.errors import ErrorCode, RequestError, SessionEnded
from chatd.server.accounts import Accounts
from chatd.server.served import S
from chatd.server.sessionlog import SessionLog
from chatd.transport.identity import Identity, identify

__all__ = ["PasswordChange"]


class PasswordChange(Generic[S]):
    """Changes the passwords of sessions' accounts, under the rules of logins.

    Args:
        accounts: The accounts; None if the server has none.
        takes_passwords: Returns whether a client of an identity may send a password.
        is_here: Returns whether a session goes on.
        log: Logs refused passwords.
    """

    def __init__(
        self,
        accounts: Accounts | None,
        takes_passwords: Callable[[Identity], bool],
        is_here: Callable[[S], bool],
        log: SessionLog,
    ) -> None:
        self._accounts = accounts
        self._takes_passwords = takes_passwords
        self._is_here = is_here
        self._log = log

    async def __call__(self, member: S, old: str, new: str) -> None:
        """Change the password of a session's account.

        Args:
            member: The session.
            old: The present password.
            new: The new password.

        Raises:
            RequestError: `needs-accounts`; `not-allowed` for a guest; `auth-in-clear`; or a reason
                of `Accounts.change_password`.
            SessionEnded: The session ended before its turn; the password is unchanged.
        """
        if self._accounts is None:
            raise RequestError(
                ErrorCode.NEEDS_ACCOUNTS, "a server without accounts has no passwords"
            )
        if not member.has_account:
            raise RequestError(ErrorCode.NOT_ALLOWED, "a guest has no password")
        if not self._takes_passwords(identify(member.protocol.stream)):
            raise RequestError(ErrorCode.AUTH_IN_CLEAR, "a password must not be sent in the clear")
        try:
            await self._accounts.change_password(
                member.name, old, new, member.address, lambda: self._is_here(member)
            )
        except RequestError as error:
            self._log.password_refused(member.protocol, error, member.address, member.name)
            raise
        except CancelledError:
            raise SessionEnded(ErrorCode.CONNECTION_LOST, "the session has ended") from None
