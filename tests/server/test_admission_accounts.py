"""Tests of admission on a server with accounts."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import (
    AllowAnonymousAccess,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from chatd.client.factory import ChatClientFactory
from chatd.server.accounts import Accounts
from chatd.server.attempts import Attempts
from chatd.server.factory import ChatFactory
from tests.fakes.networks import link
from tests.fakes.peers import (
    KEY,
    SocketTransport,
    TlsTransport,
)
from tests.server.cases import SECRET, AdmissionCase, UserTransport


class AccountTests(AdmissionCase):
    """A server with accounts, and clients over TLS."""

    transport_class = TlsTransport

    def serve(
        self,
        factory_class: type[ChatFactory] = ChatFactory,
        *,
        guests: bool = False,
        **options: Any,
    ) -> None:
        database = InMemoryUsernamePasswordDatabaseDontUse(Alice=SECRET.encode(), bob=b"secret")
        checkers = [database, AllowAnonymousAccess()] if guests else [database]
        self.accounts = Accounts(Clock(), checkers, attempts=Attempts())
        super().serve(factory_class, accounts=self.accounts, **options)

    def test_right_password(self) -> None:
        """A client with the right password gets the account's name."""
        welcome = self.welcome("Alice", password=SECRET)
        self.assertEqual(welcome["name"], "Alice")
        self.assertTrue(self.factory.sessions[welcome["session_id"]].has_account)

    def test_several_sessions(self) -> None:
        """An account may have several sessions at once."""
        for _ in range(3):
            self.assertEqual(self.welcome("Alice", password=SECRET)["name"], "Alice")
        self.assertEqual(len(self.factory.hub.roster.sessions_of("alice")), 3)

    def test_logged(self) -> None:
        """The log has the code, the address and the name of each refusal, and no password."""
        with capturedLogs() as events:
            self.refusal("alice\nbob" + "x" * 100, password="guess")
            self.refusal("alice", password="guess")
        lines = [formatEvent(event) or "" for event in events if "code" in event]
        self.assertEqual(len(lines), 2)
        self.assertIn("refused: code=bad-name address=192.0.2.1 name='alice\\nbobxx", lines[0])
        self.assertLess(len(lines[0]), 300)
        self.assertIn("refused: code=auth-failed address=192.0.2.1 name='alice' reason=", lines[1])
        self.assertNotIn("guess", "".join(lines))

    def test_wrong(self) -> None:
        """The server refuses a wrong login, with the same text for every reason."""
        for name in ("Alice", "nobody"):
            self.assertEqual(self.refusal(name, password="guess"), ("auth-failed", False))
        self.check_nothing_left()

    def test_none(self) -> None:
        """The server refuses a login without a password, and a password without a name."""
        self.assertEqual(self.refusal("Alice"), ("auth-required", False))
        self.assertEqual(self.refusal(password=SECRET), ("auth-required", False))
        self.assertEqual(self.refusal("a b", password=SECRET), ("bad-name", False))

    def test_too_many_attempts(self) -> None:
        """After too many guesses, the server refuses a client without a check; it may retry."""
        codes = [self.refusal("Alice", password="guess") for _ in range(20)]
        self.assertEqual(codes[0], ("auth-failed", False))
        self.assertEqual(codes[-1], ("too-many-attempts", True))
        refusal = self.refusal("Alice", password=SECRET)
        self.assertEqual(refusal, ("too-many-attempts", True))

    def test_login_name_is_no_proof(self) -> None:
        """A UNIX socket's client needs the password, too; its login name is not enough."""
        refusal = self.refusal(transport_class=UserTransport)
        self.assertEqual(refusal, ("auth-required", False))
        welcome = self.welcome("Alice", password=SECRET, transport_class=UserTransport)
        self.assertEqual(welcome["name"], "Alice")

    def test_guests(self) -> None:
        """If guests are allowed, a client without a password can only have a guest's name."""
        self.serve(guests=True)
        self.assertRegex(self.welcome()["name"], "^guest-")
        self.assertEqual(self.welcome("guest-bob")["name"], "guest-bob")
        self.assertEqual(self.refusal("Alice"), ("auth-required", False))
        self.assertEqual(self.welcome("Alice", password=SECRET)["name"], "Alice")
        self.assertEqual(self.refusal("guest-bob"), ("name-taken", False))
        session = self.factory.hub.roster.sessions_of("guest-bob")[0]
        self.assertFalse(session.has_account)

    def test_in_the_clear(self) -> None:
        """Over TCP in the clear, the server refuses passwords, and the error tells the remedy."""
        for fields in ({}, {"password": SECRET}):
            peer = self.knock("Alice", transport_class=SocketTransport, **fields)
            error = peer.take()[0].header
            self.assertEqual(error.code, "auth-in-clear")
            for way in ("key file", "TLS", "UNIX socket"):
                self.assertIn(way, error.message)
            peer.transport.lose()
        self.check_nothing_left()

    def test_guests_in_the_clear(self) -> None:
        """Guests may connect in the clear; clients with a password may not."""
        self.serve(guests=True)
        self.assertRegex(self.welcome(transport_class=SocketTransport)["name"], "^guest-")
        refusal = self.refusal("Alice", password=SECRET, transport_class=SocketTransport)
        self.assertEqual(refusal, ("auth-in-clear", False))
        # A client that withholds its password in the clear needs to know why it is refused.
        refusal = self.refusal("Alice", transport_class=SocketTransport)
        self.assertEqual(refusal, ("auth-in-clear", False))

    def test_asks_for_passwords(self) -> None:
        """The greeting allows a password only on connections on which nobody can listen."""
        for transport_class, auth in (
            (SocketTransport, False),
            (TlsTransport, True),
            (UserTransport, True),
        ):
            peer = self.knock("Alice", password=SECRET, transport_class=transport_class)
            self.assertEqual(peer.auth, auth, transport_class)

    def test_asks_for_none(self) -> None:
        """Without accounts, the greeting asks for no password."""
        AdmissionCase.serve(self)
        self.assertFalse(self.knock("Alice").auth)

    def test_with_a_key(self) -> None:
        """With a key, nobody can listen, even over TCP."""
        for key, auth in ((KEY, True), (None, False)):
            self.serve(key=key)
            client = ChatClientFactory(
                self.factory.clock, key=key, name="Alice", password=SECRET
            ).buildProtocol(None)
            link(self.factory.buildProtocol(None), client, self.factory.clock)
            self.assertEqual((client.connection.init.auth, client.is_active), (auth, auth))

    def test_key_alone(self) -> None:
        """A client with the key needs a password, too, unless guests are allowed."""
        for guests in (False, True):
            self.serve(key=KEY, guests=guests)
            client = ChatClientFactory(self.factory.clock, key=KEY).buildProtocol(None)
            link(self.factory.buildProtocol(None), client, self.factory.clock)
            end = client.connection.end_reason
            expected = (True, None) if guests else (False, "auth-required")
            self.assertEqual((client.is_active, end and end.code), expected)
