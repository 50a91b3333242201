"""`Accounts`: checks logins with the checkers of `twisted.cred`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import cast

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import Anonymous, IAnonymous, ICredentials, IUsernamePassword
from twisted.cred.error import LoginFailed, UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.arguments import check_number, check_type, wrong_type
from chatd.chat.names import GUEST, check_name, fold
from chatd.errors import ConfigurationError, ErrorCode, RequestError
from chatd.server.attempts import Attempts
from chatd.server.checkers import (
    CheckersInTurn,
    ClearFileChecker,
    IPasswordChanger,
    adapt,
)
from chatd.server.fairqueue import FairQueue
from chatd.server.realm import Account, Credentials, IAccount, Realm
from chatd.transport.hooks import FAILED

__all__ = ["MAX_CHECKS", "Accounts"]

MAX_CHECKS = 2
"""How many passwords are checked at once; each argon2 check takes 64 MiB."""

_WRONG = "the name or the password is wrong"


class Accounts:
    """Checks logins.

    Args:
        clock: The reactor, or a test's clock.
        checkers: Checkers of `IUsernamePassword`, asked in order until a checker accepts the name
            and the password; or of `IAnonymous`, which admits guests. They get the name and the
            password in UTF-8.
        attempts: Limits the attempts of each address; None for `Attempts()`.
        max_checks: How many passwords are checked at once.

    Raises:
        ConfigurationError: A checker has neither interface, or cannot read its file.

    Attributes:
        allows_guests: Whether clients may log in without a password.
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
        if not callable(getattr(clock, "callLater", None)):
            raise wrong_type("the clock", clock, "the reactor or a Clock")
        if not isinstance(checkers, Iterable):
            raise wrong_type("checkers", checkers, "a list of checkers")
        check_type("attempts", attempts, (Attempts, type(None)), "an Attempts")
        check_number("max_checks", max_checks)
        self._clock = clock
        self._attempts = Attempts() if attempts is None else attempts
        self._line = FairQueue(max_checks)
        self._portal = Portal(Realm())
        self._with_files: list[ClearFileChecker] = []
        self._changers: list[IPasswordChanger] = []
        self._are_some_unknown = False
        with_passwords = []
        for checker in checkers:
            interfaces = set(getattr(checker, "credentialInterfaces", ()))
            if not interfaces & {IUsernamePassword, IAnonymous}:
                kind = type(checker).__name__
                raise ConfigurationError(f"{kind} checks neither passwords nor anonymous guests")
            adapted = adapt(checker)
            if isinstance(adapted, ClearFileChecker):
                self._with_files.append(adapted)
            if IPasswordChanger.providedBy(checker):
                self._changers.append(checker)
            elif IUsernamePassword in interfaces:
                self._are_some_unknown = True
            if IUsernamePassword in interfaces:
                with_passwords.append(adapted)
            if IAnonymous in interfaces:
                self._portal.registerChecker(adapted, IAnonymous)
        if with_passwords:
            # A portal has only one checker for each interface.
            self._portal.registerChecker(CheckersInTurn(with_passwords), IUsernamePassword)
        self.allows_guests = IAnonymous in self._portal.listCredentialsInterfaces()
        self.check_files()

    def check_files(self) -> None:
        """Check that the files of the checkers that read them at each login are readable.

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
        """Check a name and a password, or admit a guest.

        Each attempt with a password counts against its address; a successful login does not count.
        Logins wait for their check, and the addresses take turns. The number of waiting logins is
        not limited here: the caller must cancel a login when its connection ends. A cancelled login
        is not checked, but its attempt counts. Cancelling does not stop a check that has begun.

        Args:
            name: The requested name, if any.
            password: The name's password; None for a guest.
            address: The client's address: an IP address, `uid:` and a number, or `local`.
            is_there: Called before the password is checked; if it returns False, the password is
                not checked.

        Returns:
            A Deferred that fires with the account. It fails with a `RequestError` of one of these
            codes: `bad-name`; `auth-required` if there is no password and guests are not allowed,
            if a guest requests a name without the guest prefix, or if there is a password without a
            name;
            `auth-failed` if the name or the password is wrong, without telling which;
            `too-many-attempts`, before anything is checked; or `internal-error` if a checker
            failed, which is logged. It fails with `CancelledError` if the login was cancelled, or
            if `is_there` returned False.
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
            # Any guest could take the same name.
            self.log.warn(
                "refused the account {name!r}: names that begin with {guest} are for guests",
                name=account.name,
                guest=GUEST,
            )
            raise RequestError(ErrorCode.AUTH_FAILED, _WRONG)
        if account.is_guest and name is not None and not fold(name).startswith(GUEST):
            raise RequestError(
                ErrorCode.AUTH_REQUIRED,
                f"that name needs a password; without a password, a name begins with {GUEST}",
            )
        return account

    async def _log_in_with(
        self, name: str, password: str, address: str, is_there: Callable[[], bool]
    ) -> Account:
        self._count_attempt(address)
        try:
            credentials = Credentials(name.encode(), password.encode())
        except UnicodeEncodeError:  # not chained: the exception holds the password
            raise RequestError(ErrorCode.AUTH_FAILED, _WRONG) from None
        await self._line.acquire(address, is_there)
        return await self._ask_in_slot(credentials, address)

    def _ask_in_slot(self, credentials: Credentials, address: str) -> Deferred[Account]:
        """Ask the checkers, and free the slot afterwards.

        A check goes on in its thread after the login is cancelled, and keeps its slot until then.
        """

        def answered(result: Account | Failure) -> Account | Failure:
            self._line.release()
            if isinstance(result, Account):
                self._attempts.give_back(address, self._clock.seconds())
            return result

        answer: Deferred[Account] = Deferred()
        self._ask(credentials).addBoth(answered).chainDeferred(answer)
        return answer

    def has_account(self, name: str) -> bool | None:
        """Return whether an account of a name exists; None if a checker cannot tell."""
        if any(changer.has_account(name) for changer in self._changers):
            return True
        return None if self._are_some_unknown else False

    def change_password(
        self, name: str, old: str, new: str, address: str, is_there: Callable[[], bool]
    ) -> Deferred[None]:
        """Change the password of an account, if the checker that has it can do so.

        A wrong password counts against the address, and changes wait for their turn, as logins do.

        Args:
            name: The account.
            old: The present password.
            new: The new password.
            address: The client's address.
            is_there: See `login`.

        Returns:
            A Deferred that fires with None when the change is kept. It fails with a `RequestError`
            of one of these codes: `password-fixed` if no checker can change the password;
            `auth-failed` if `old` is wrong;
            `bad-password` if `new` cannot be a password; `too-many-attempts`; `not-stored` if the
            change cannot be kept now, which is logged; or `internal-error` if a checker failed,
            which is logged. It fails with `CancelledError` if `is_there` returned False.
        """
        return Deferred.fromCoroutine(self._change_password(name, old, new, address, is_there))

    async def _change_password(
        self, name: str, old: str, new: str, address: str, is_there: Callable[[], bool]
    ) -> None:
        changer = next((each for each in self._changers if each.has_account(name)), None)
        if changer is None:
            raise RequestError(
                ErrorCode.PASSWORD_FIXED, "the server cannot change the password of this account"
            )
        self._count_attempt(address)
        is_wrong = False
        try:
            await self._line.acquire(address, is_there)
            try:
                await changer.change_password(name, old, new)
            finally:
                self._line.release()
        except UnauthorizedLogin:
            is_wrong = True
            raise RequestError(ErrorCode.AUTH_FAILED, "the old password is wrong") from None
        except (RequestError, CancelledError):
            raise
        except ConfigurationError as error:
            self.log.error("a password could not be changed: {error}", error=error)
            raise RequestError(
                ErrorCode.NOT_STORED, "the server cannot change passwords now; try again later"
            ) from None
        except Exception:
            self.log.failure("a password could not be changed")
            raise RequestError(ErrorCode.INTERNAL_ERROR, FAILED) from None
        finally:
            if not is_wrong:
                self._attempts.give_back(address, self._clock.seconds())

    def _count_attempt(self, address: str) -> None:
        wait_s = self._attempts.take(address, self._clock.seconds())
        if wait_s:
            raise RequestError(
                ErrorCode.TOO_MANY_ATTEMPTS,
                f"too many attempts to log in; try again in {math.ceil(wait_s)} s",
            )

    def _ask(self, credentials: ICredentials) -> Deferred[Account]:
        asked = self._portal.login(credentials, None, IAccount)
        return asked.addCallbacks(lambda avatar: cast(Account, avatar[1]), self._refuse)

    def _refuse(self, failure: Failure) -> Account:
        error = failure.value
        if isinstance(error, RequestError):  # the checker's own error text
            raise error
        if isinstance(error, LoginFailed):
            raise RequestError(ErrorCode.AUTH_FAILED, _WRONG) from None
        self.log.failure("a login could not be checked", failure=failure)
        raise RequestError(ErrorCode.INTERNAL_ERROR, FAILED) from None
