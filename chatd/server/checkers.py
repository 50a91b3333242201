"""Password checkers: for chatd's password files, for Twisted's files, and for several in turn."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from twisted.cred.checkers import (
    FilePasswordDB,
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, DeferredLock, maybeDeferred
from zope.interface import Interface, implementer

from chatd.config.ownfile import absolute_path, read_regular_file, strip_mark, why
from chatd.config.passwordedit import change_password
from chatd.config.passwordfile import Passwords, load_passwords
from chatd.config.passwordhash import check_password
from chatd.errors import ConfigurationError, ErrorCode, RequestError

__all__ = [
    "CheckersInTurn",
    "ClearFileChecker",
    "IPasswordChanger",
    "PasswordFileChecker",
    "adapt",
]

_MARK_BYTES = 4  # the longest byte order mark


class IPasswordChanger(Interface):
    """A checker that lets people change their own passwords.

    A checker of `IUsernamePassword` may provide it, too; without it, nobody can change a password
    that the checker knows.
    """

    def has_account(name: str) -> bool:
        """Return whether the checker has an account of this name."""

    def change_password(name: str, old: str, new: str) -> Awaitable[None]:
        """Change the password of an account.

        Args:
            name: The account.
            old: The present password; check it, as at a login.
            new: The new password.

        Raises:
            UnauthorizedLogin: The present password is wrong.
            RequestError: Another refusal, which the client gets, such as `bad-password`.
            ConfigurationError: The change cannot be kept now; the text is for the log.
        """


@implementer(ICredentialsChecker, IPasswordChanger)
class PasswordFileChecker:
    """Checks passwords against a password file; see `chatd.config.passwordfile`.

    Names are compared as everywhere in a chat; the avatar id is the file's spelling of the name.

    Args:
        path: The file.
        run_in_thread: Calls a function with arguments in a thread, and returns a Deferred of its
            result, such as `partial(deferToThreadPool, reactor, reactor.getThreadPool())`.
        hasher: See `chatd.config.passwordfile.load_passwords`.

    Raises:
        ConfigurationError: The file cannot be read, or is not a password file.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(
        self,
        path: str | Path,
        run_in_thread: Callable[..., Deferred[Any]],
        *,
        hasher: PasswordHasher | None = None,
    ) -> None:
        self.path = path
        self._run_in_thread = run_in_thread
        self._hasher = hasher
        self._passwords = load_passwords(path, hasher=hasher)
        self._changing = DeferredLock()
        self._reloads = 0

    @property
    def accounts(self) -> Collection[str]:
        """The names of the accounts; `in` finds a name in any spelling."""
        return self._passwords

    @property
    def hashes(self) -> Mapping[str, str]:
        """The hashes of the passwords, by the folded names of the accounts."""
        return self._passwords.hashes

    def reload(self) -> None:
        """Read the file again.

        Raises:
            ConfigurationError: The file cannot be read, is not a password file, or held accounts
                before and holds none now, as after a full disk. The previous accounts stay valid.
        """
        passwords = load_passwords(self.path, hasher=self._hasher)
        if self._passwords and not passwords:
            raise ConfigurationError(f"{self.path} no longer has an account")
        self._use(passwords)

    def has_account(self, name: str) -> bool:
        """See `IPasswordChanger`."""
        return name in self._passwords

    async def change_password(self, name: str, old: str, new: str) -> None:
        """See `IPasswordChanger`; the change is written to the file, which is then read again.

        So other changes of the file take effect, too, as with `reload`.
        """
        try:
            check_password(new)
        except ConfigurationError as error:
            raise RequestError(ErrorCode.BAD_PASSWORD, str(error)) from None
        async with self._changing:
            change = partial(change_password, self.path, name, old, new, hasher=self._hasher)
            if not await self._run_in_thread(change):
                raise UnauthorizedLogin
            await self._reload_in_thread()

    async def _reload_in_thread(self) -> None:
        """Read the file again; read it again if `reload` did so during the wait."""
        while True:
            reloads = self._reloads
            passwords = await self._run_in_thread(
                partial(load_passwords, self.path, hasher=self._hasher)
            )
            if reloads == self._reloads:
                self._use(passwords)
                return

    def _use(self, passwords: Passwords) -> None:
        self._passwords = passwords
        self._reloads += 1

    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[bytes | tuple[()]]:
        """Check a name and a password.

        Returns:
            A Deferred that fires with the name in the file's spelling, in UTF-8, or fails with
            `UnauthorizedLogin`.
        """
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: IUsernamePassword) -> bytes | tuple[()]:
        try:
            name, password = credentials.username.decode(), credentials.password.decode()
        except UnicodeDecodeError:  # not chained: the exception holds the name or the password
            raise UnauthorizedLogin from None
        spelling: str | None = await self._run_in_thread(self._passwords.verify, name, password)
        if spelling is None:
            raise UnauthorizedLogin
        return spelling.encode()


@implementer(ICredentialsChecker)
class ClearFileChecker:
    """Wraps a `FilePasswordDB`, which reads a file of plain-text passwords at each login.

    Twisted treats an unreadable file as an empty file; this checker reports the error. A relative
    path becomes absolute at once: a daemon changes its directory later.

    Args:
        checker: Twisted's checker.
    """

    def __init__(self, checker: FilePasswordDB) -> None:
        self.credentialInterfaces = checker.credentialInterfaces
        self._checker = checker
        checker.filename = absolute_path(os.fsdecode(checker.filename))

    def check_file(self) -> None:
        """Check that the file can be read.

        Raises:
            ConfigurationError: The file cannot be read, or begins with a byte order mark, which
                Twisted would take as part of the first name.
        """
        path = self._checker.filename
        try:
            start, _ = read_regular_file(path, _MARK_BYTES)
        except OSError as error:
            raise ConfigurationError(f"cannot read {path}: {why(error)}") from error
        if strip_mark(start, path) != start:
            raise ConfigurationError(f"{path} begins with a byte order mark; save it without that")

    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[bytes | tuple[()]]:
        """Check a name and a password.

        Returns:
            A Deferred that fires with the name in the file. It fails with `UnauthorizedLogin`, or
            with `OSError` if the file cannot be read.
        """
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: IUsernamePassword) -> bytes | tuple[()]:
        try:
            return await maybeDeferred(self._checker.requestAvatarId, credentials)
        except UnauthorizedLogin:
            with open(self._checker.filename, "rb"):
                pass
            raise


@implementer(ICredentialsChecker)
class CheckersInTurn:
    """Asks several checkers in turn, until a checker accepts the name and the password.

    Args:
        checkers: The checkers, in the order of asking.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, checkers: list[ICredentialsChecker]) -> None:
        self._checkers = checkers

    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[bytes | tuple[()]]:
        """Return a Deferred of the first answer that is not `UnauthorizedLogin`."""
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: IUsernamePassword) -> bytes | tuple[()]:
        for checker in self._checkers:
            try:
                return await maybeDeferred(checker.requestAvatarId, credentials)
            except UnauthorizedLogin:
                continue
        raise UnauthorizedLogin


def adapt(checker: ICredentialsChecker) -> ICredentialsChecker:
    """Return a checker that takes bytes, and that reports an unreadable file.

    The checker of the string `memory:alice:secret` holds text, which never equals bytes.
    """
    if isinstance(checker, FilePasswordDB):
        return ClearFileChecker(checker)
    if type(checker) is not InMemoryUsernamePasswordDatabaseDontUse:
        return checker
    taking_bytes = InMemoryUsernamePasswordDatabaseDontUse()
    for name, password in checker.users.items():
        taking_bytes.addUser(_bytes(name), _bytes(password))
    return taking_bytes


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
