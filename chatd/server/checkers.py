"""Password checkers: for chatd's password files, for Twisted's files, and for several in turn."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
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
from twisted.internet.defer import Deferred, maybeDeferred
from zope.interface import implementer

from chatd.config.ownfile import absolute_path, read_regular_file, strip_mark, why
from chatd.config.passwordfile import load_passwords
from chatd.errors import ConfigurationError

__all__ = ["CheckersInTurn", "ClearFileChecker", "PasswordFileChecker", "adapt"]

_MARK_BYTES = 4  # the longest byte order mark


@implementer(ICredentialsChecker)
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

    @property
    def accounts(self) -> Collection[str]:
        """The names of the accounts; `in` finds a name in any spelling."""
        return self._passwords

    def reload(self) -> None:
        """Read the file again.

        Raises:
            ConfigurationError: The file cannot be read, is not a password file, or held accounts
                before and holds none now, as after a full disk. The previous accounts stay valid.
        """
        passwords = load_passwords(self.path, hasher=self._hasher)
        if self._passwords and not passwords:
            raise ConfigurationError(f"{self.path} holds no account any more")
        self._passwords = passwords

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:  # noqa: ANN401
        """Check a name and a password.

        Returns:
            A Deferred that fires with the name in the file's spelling, in UTF-8, or fails with
            `UnauthorizedLogin`.
        """
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: Any) -> bytes | tuple[()]:  # noqa: ANN401
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
            raise ConfigurationError(f"{path} begins with a byte order mark; save it without one")

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:  # noqa: ANN401
        """Check a name and a password.

        Returns:
            A Deferred that fires with the name in the file. It fails with `UnauthorizedLogin`, or
            with `OSError` if the file cannot be read.
        """
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: Any) -> bytes | tuple[()]:  # noqa: ANN401
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

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:  # noqa: ANN401
        """Return a Deferred of the first answer that is not `UnauthorizedLogin`."""
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: Any) -> bytes | tuple[()]:  # noqa: ANN401
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
