"""Tests of the command `password` on a server: its permissions and its costs."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import (
    AllowAnonymousAccess,
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from chatd.client.client import ChatClient
from chatd.errors import ConfigurationError, RequestError
from chatd.server import passwordchange
from chatd.server.accounts import Accounts
from chatd.server.attempts import Attempts
from chatd.server.checkers import IPasswordChanger
from chatd.testing import MemoryServer
from chatd.transport.identity import Identity

SECRET, NEW = "open sesame", "open barley"
KEY = b"k" * 32


@implementer(ICredentialsChecker, IPasswordChanger)
class OwnChecker:
    """A checker of a program's own, which offers changes.

    Attributes:
        error: Raised by each change, if set.
        waiting: The Deferred that changes wait for, if set.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self) -> None:
        self.passwords = {"alice": SECRET}
        self.error: Exception | None = None
        self.waiting: Deferred[None] | None = None
        self.asked = 0

    def requestAvatarId(self, credentials: Any) -> Any:
        name = credentials.username.decode()
        if self.passwords.get(name) != credentials.password.decode():
            raise UnauthorizedLogin
        return name.encode()

    def has_account(self, name: str) -> bool:
        return name in self.passwords

    async def change_password(self, name: str, old: str, new: str) -> None:
        self.asked += 1
        if self.waiting is not None:
            await self.waiting
        if self.error is not None:
            raise self.error
        if self.passwords[name] != old:
            raise UnauthorizedLogin
        self.passwords[name] = new


class ChangeCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.checker = OwnChecker()
        others = InMemoryUsernamePasswordDatabaseDontUse(bob=SECRET.encode())
        self.serve([self.checker, others, AllowAnonymousAccess()])

    def serve(self, checkers: list[Any] | None, key: bytes | None = KEY) -> None:
        accounts = None
        if checkers is not None:
            accounts = Accounts(Clock(), checkers, attempts=Attempts(3, 10.0))
        self.server = MemoryServer(key=key, accounts=accounts)

    def client(self, name: str) -> ChatClient:
        return self.server.connect(name, password=None if name.startswith("guest") else SECRET)

    def change(self, client: ChatClient, old: str = SECRET, new: str = NEW) -> Deferred[Any]:
        changing = client.command("password", old=old, new=new)
        self.server.pump()
        return changing

    def refused(self, client: ChatClient, **passwords: str) -> RequestError:
        error = self.failureResultOf(self.change(client, **passwords), RequestError).value
        for secret in (SECRET, NEW):
            self.assertNotIn(secret, str(error))
        return error


class KnownTests(ChangeCase):
    """What the server knows of the accounts of its checkers."""

    def test_has_account(self) -> None:
        """A name is unknown, unless every checker of passwords tells its accounts."""
        tells, silent = self.checker, InMemoryUsernamePasswordDatabaseDontUse(bob=b"x")
        for checkers, answers in (
            ([tells], [True, False]),
            ([tells, AllowAnonymousAccess()], [True, False]),
            ([tells, silent], [True, None]),
            ([silent], [None, None]),
            ([AllowAnonymousAccess()], [False, False]),
        ):
            accounts = Accounts(Clock(), checkers)
            self.assertEqual([accounts.has_account(name) for name in ("alice", "eve")], answers)


class WhoTests(ChangeCase):
    def test_change(self) -> None:
        """The command changes an account's password, and the session goes on."""
        alice = self.client("alice")
        self.assertEqual(self.successResultOf(self.change(alice)), {})
        self.assertEqual(self.checker.passwords, {"alice": NEW})
        self.assertTrue(alice.is_active)

    def test_no_accounts(self) -> None:
        """A server without accounts has no passwords."""
        self.serve(None)
        self.assertEqual(self.refused(self.server.connect("alice")).code, "needs-accounts")

    def test_guest(self) -> None:
        """A guest has no password."""
        self.assertEqual(self.refused(self.client("guest-1")).code, "not-allowed")

    def test_not_offered(self) -> None:
        """An account of a checker that offers no changes keeps its password."""
        self.assertEqual(self.refused(self.client("bob")).code, "password-fixed")
        self.assertEqual(self.checker.asked, 0)

    def test_in_the_clear(self) -> None:
        """The server refuses a password over TCP without a key or TLS, as at the login."""
        alice = self.client("alice")
        open_to_all = Identity("192.0.2.1", None, is_clear_tcp=True)
        self.patch(passwordchange, "identify", lambda _: open_to_all)
        self.successResultOf(self.change(alice))
        self.patch(self.server.factory.engine.admission, "_is_encrypted", False)
        self.assertEqual(self.refused(alice, old=NEW).code, "auth-in-clear")
        self.assertEqual(self.checker.asked, 1)

    def test_logged(self) -> None:
        """The log has a line for each refused password, with the code and the address."""
        alice = self.client("alice")
        with capturedLogs() as events:
            self.refused(alice, old=NEW)
            self.refused(self.client("guest-1"))
        (line,) = [text for text in map(formatEvent, events) if "password refused" in text]
        self.assertRegex(
            line,
            r"^session [0-9a-f-]{36} alice: password refused: code=auth-failed address=\S+ "
            r"name='alice' reason='.+'$",
        )
        self.assertNotIn(NEW, line)

    def test_nonsense(self) -> None:
        """The server refuses missing fields, and fields that are no texts, without a check."""
        alice = self.client("alice")
        wrong: list[dict[str, Any]] = [{}, {"old": SECRET}, {"old": SECRET, "new": 1}]
        for fields in (*wrong, {"old": [SECRET], "new": NEW}):
            asked = alice.command("password", **fields)
            self.server.pump()
            error = self.failureResultOf(asked, RequestError).value
            self.assertEqual(error.code, "bad-request")
            self.assertNotIn(SECRET, error.message)
        self.assertEqual(self.checker.asked, 0)


class OutcomeTests(ChangeCase):
    def test_wrong(self) -> None:
        """A wrong password counts like one at a login; after too many, the server checks none."""
        alice = self.client("alice")
        codes = [self.refused(alice, old="wrong").code for _ in range(4)]
        self.assertEqual(codes, ["auth-failed"] * 3 + ["too-many-attempts"])
        self.assertEqual(self.refused(alice).code, "too-many-attempts")
        self.assertEqual(self.checker.asked, 3)
        self.assertEqual(self.checker.passwords, {"alice": SECRET})

    def test_right(self) -> None:
        """Changes with the right password do not count."""
        alice = self.client("alice")
        for old, new in ((SECRET, NEW), (NEW, SECRET)) * 3:
            self.successResultOf(self.change(alice, old, new))

    def test_refusal_of_the_checker(self) -> None:
        """The checker's own refusal reaches the client, and does not count."""
        alice = self.client("alice")
        self.checker.error = RequestError("bad-password", "too short")
        for _ in range(5):
            self.assertEqual(self.refused(alice).code, "bad-password")

    def test_cannot_be_kept(self) -> None:
        """If the file cannot be written, the client may try later; the log has the reason."""
        alice = self.client("alice")
        self.checker.error = ConfigurationError("cannot write /etc/users")
        error = self.refused(alice)
        self.assertEqual(error.code, "not-stored")
        self.assertNotIn("/etc", error.message)
        self.checker.error = None
        self.successResultOf(self.change(alice))

    def test_failure(self) -> None:
        """The server logs a failure of the checker, and the client gets no detail."""
        alice = self.client("alice")
        self.checker.error = ValueError("detail")
        error = self.refused(alice)
        self.assertEqual(error.code, "internal-error")
        self.assertNotIn("detail", error.message)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_client_gone(self) -> None:
        """If the session ends before its change's turn, the server changes and logs nothing."""
        self.checker.waiting = Deferred()
        clients = [self.client("alice") for _ in range(3)]
        for client in clients:
            self.change(client).addErrback(lambda _: None)
        self.assertEqual(self.checker.asked, 2)
        clients[2].transport.loseConnection()
        self.server.pump()
        self.checker.waiting.callback(None)
        self.server.pump()
        self.assertEqual(self.checker.asked, 2)
        self.assertEqual(self.checker.passwords, {"alice": NEW})
