"""`Accounts` decides who may log in, by the checkers of `twisted.cred`."""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

from twisted.cred.checkers import ANONYMOUS, ICredentialsChecker
from twisted.cred.credentials import Anonymous, IAnonymous, IUsernamePassword
from twisted.cred.error import LoginFailed
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from chatd.chat.names import GUEST, check_name, fold
from chatd.errors import ConfigurationError, ErrorCode, RequestError
from chatd.server.attempts import Attempts
from chatd.server.checkers import CheckersInTurn, ClearFileChecker, adapt
from chatd.server.fairqueue import FairQueue
from chatd.transport.hooks import FAILED

__all__ = ["MAX_CHECKS", "Account", "Accounts"]

MAX_CHECKS = 2
"""How many passwords are checked at once; with argon2 each takes 64 MiB while it is."""

_WRONG = "the name or the password is wrong"


@dataclass(frozen=True, slots=True)
class Account:
    """Who has logged in.

    Attributes:
        name: The account's name, as its checker spells it; None for an anonymous guest.
    """

    name: str | None

    @property
    def is_guest(self) -> bool:
        """Whether it is an anonymous guest."""
        return self.name is None


class Accounts:
    """Decides who may log in.

    Args:
        clock: What tells the time; the reactor, or a test's clock.
        checkers: Which check `IUsernamePassword`, one after the other until one knows the name and
            the password; or `IAnonymous`, which lets guests in. They are given the name and the
            password in UTF-8.
        attempts: How often each address may try; `Attempts()` where there is none.
        max_checks: How many passwords are checked at once.

    Raises:
        ConfigurationError: A checker checks neither, or cannot read its file.

    Attributes:
        allows_guests: Whether one may log in without a password.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        checkers: Iterable[ICredentialsChecker],
        *,
        attempts: Attempts | None = None,
        max_checks: int = MAX_CHECKS,
    ) -> None:
        self._clock = clock
        self._attempts = Attempts() if attempts is None else attempts
        self._line = FairQueue(max_checks)
        self._portal = Portal(_Realm())
        self._with_files: list[ClearFileChecker] = []
        with_passwords = []
        for checker in checkers:
            interfaces = set(checker.credentialInterfaces)
            if not interfaces & {IUsernamePassword, IAnonymous}:
                kind = type(checker).__name__
                raise ConfigurationError(f"{kind} checks neither passwords nor anonymous guests")
            adapted = adapt(checker)
            if isinstance(adapted, ClearFileChecker):
                self._with_files.append(adapted)
            if IUsernamePassword in interfaces:
                with_passwords.append(adapted)
            if IAnonymous in interfaces:
                self._portal.registerChecker(adapted, IAnonymous)
        if with_passwords:
            # A portal has one checker for an interface.
            self._portal.registerChecker(CheckersInTurn(with_passwords), IUsernamePassword)
        self.allows_guests = IAnonymous in self._portal.listCredentialsInterfaces()
        self.check_files()

    def check_files(self) -> None:
        """Check that the files that are read at each login can be read.

        Raises:
            ConfigurationError: A file cannot be read, or begins with a byte order mark.
        """
        for checker in self._with_files:
            checker.check_file()

    def login(
        self,
        name: str | None,
        password: str | None,
        address: str,
        is_there: Callable[[], bool] = lambda: True,
    ) -> Deferred[Account]:
        """Check a name and a password, or let a guest in.

        An attempt with a password is one of those that its address has; a login that succeeds
        gives it back. Logins wait for their check in turn of their addresses. How many wait is
        bounded by those who ask, as each is to be cancelled when its connection ends: then it is
        not checked, and its attempt stays spent. Cancelling does not stop a check that has begun.

        Args:
            name: The name asked for, if any.
            password: Proves the right to it; None for a guest.
            address: Who attempts it; see `chatd.transport.identity.Identity`.
            is_there: Called before a password is checked; where it says no, it is not.

        Returns:
            A Deferred that fires with the account. It fails with `RequestError`: `bad-name`;
            `auth-required` where there is no password and guests are not allowed, where a guest
            asks for a name that is no guest's, or where there is a password without a name;
            `auth-failed`, whichever of name and password is wrong; `too-many-attempts`, before
            anything is checked; or `internal-error`, when a checker failed, which is logged. It
            fails with `CancelledError` where it was cancelled, or nobody was there.
        """
        return Deferred.fromCoroutine(self._login(name, password, address, is_there))

    async def _login(
        self,
        name: str | None,
        password: str | None,
        address: str,
        is_there: Callable[[], bool],
    ) -> Account:
        name = None if name is None else check_name(name)
        if password is not None:
            if name is None:
                raise RequestError(ErrorCode.AUTH_REQUIRED, "a password needs a name with it")
            account = await self._log_in_with(name, password, address, is_there)
        elif self.allows_guests:
            account = await self._ask(Anonymous())
        else:
            raise RequestError(ErrorCode.AUTH_REQUIRED, "a name and its password are required")
        if account.name is not None and fold(account.name).startswith(GUEST):
            # Any guest could have the name, too.
            self.log.warn(
                "the account {name} is refused: {guest} is for guests",
                name=account.name,
                guest=GUEST,
            )
            raise RequestError(ErrorCode.AUTH_FAILED, _WRONG)
        if account.is_guest and name is not None and not fold(name).startswith(GUEST):
            raise RequestError(
                ErrorCode.AUTH_REQUIRED,
                f"that name needs a password; without one, a name begins with {GUEST}",
            )
        return account

    async def _log_in_with(
        self, name: str, password: str, address: str, is_there: Callable[[], bool]
    ) -> Account:
        wait_s = self._attempts.take(address, self._clock.seconds())
        if wait_s:
            raise RequestError(
                ErrorCode.TOO_MANY_ATTEMPTS,
                f"too many attempts to log in; try again in {math.ceil(wait_s)} s",
            )
        try:
            credentials = _Credentials(name.encode(), password.encode())
        except UnicodeEncodeError:  # not chained: it holds the password
            raise RequestError(ErrorCode.AUTH_FAILED, _WRONG) from None
        await self._line.acquire(address, is_there)
        return await self._ask_in_slot(credentials, address)

    def _ask_in_slot(self, credentials: _Credentials, address: str) -> Deferred[Account]:
        """Ask, and free the slot when that is done: a check goes on in its thread if cancelled."""

        def answered(result: Account | Failure) -> Account | Failure:
            self._line.release()
            if isinstance(result, Account):
                self._attempts.give_back(address, self._clock.seconds())
            return result

        answer: Deferred[Account] = Deferred()
        self._ask(credentials).addBoth(answered).chainDeferred(answer)
        return answer

    def _ask(self, credentials: object) -> Deferred[Account]:
        asked = self._portal.login(cast(Any, credentials), None, _IAccount)
        return asked.addCallbacks(lambda avatar: cast(Account, avatar[1]), self._refuse)

    def _refuse(self, failure: Failure) -> Account:
        error = failure.value
        if isinstance(error, RequestError):  # a checker's own words
            raise error
        if isinstance(error, LoginFailed):
            raise RequestError(ErrorCode.AUTH_FAILED, _WRONG) from None
        self.log.failure("a login could not be checked", failure=failure)
        raise RequestError(ErrorCode.INTERNAL_ERROR, FAILED) from None


@implementer(IUsernamePassword)
class _Credentials:
    """A name and a password; unlike Twisted's own, it compares in constant time."""

    __slots__ = ("password", "username")

    def __init__(self, username: bytes, password: bytes) -> None:
        self.username = username
        self.password = password

    def checkPassword(self, password: bytes) -> bool:
        """Whether the password is this one."""
        return hmac.compare_digest(self.password, password)


class _IAccount(Interface):
    """What a login asks the realm for."""


@implementer(IRealm)
class _Realm:
    """Makes an `Account` of what a checker answered."""

    def requestAvatar(
        self, avatarId: bytes | str | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> tuple[type[Interface], object, Callable[[], None]]:
        """Return the account, which there is no need to log out of."""
        name = None if avatarId == ANONYMOUS else _text(cast("bytes | str", avatarId))
        return _IAccount, Account(name), lambda: None


def _text(data: str | bytes) -> str:
    return data.decode() if isinstance(data, bytes) else data
