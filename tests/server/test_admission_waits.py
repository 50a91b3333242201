"""Tests of logins that wait for their check: clients that have left delay no others."""

from __future__ import annotations

from functools import cache
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from chatd.connection.limits import HANDSHAKE_TIMEOUT_S
from chatd.server import sessionprotocol
from chatd.server.accounts import Accounts
from chatd.server.factory import ChatFactory
from tests.fakes.passwords import SlowChecker
from tests.fakes.peers import Peer, TlsTransport, settle
from tests.server.cases import SECRET, AdmissionCase

ADDRESSES = [f"192.0.2.{number}" for number in range(100, 160)]


@cache
def transport_of(address: str) -> type[TlsTransport]:
    """Make a class of transports with an address."""

    class AddressTransport(TlsTransport):
        def getPeer(self) -> IPv4Address:
            return IPv4Address("TCP", address, 40_000)

    return AddressTransport


class WaitingTests(AdmissionCase):
    """A server that checks two passwords at once, and is busy."""

    def serve(self, factory_class: type[ChatFactory] = ChatFactory, **options: Any) -> None:
        self.checker = SlowChecker()
        self.accounts = Accounts(Clock(), [self.checker])
        super().serve(factory_class, accounts=self.accounts, **options)

    def log_in(self, address: str, name: str) -> Peer:
        """Send a name and a password, without waiting for the answer."""
        return self.knock(name, password=SECRET, transport_class=transport_of(address))

    def log_in_often(self) -> list[Peer]:
        """Send ten logins from each of sixty addresses."""
        return [self.log_in(address, "eve") for address in ADDRESSES for _ in range(10)]

    def answer(self, *names: bytes) -> None:
        """Accept the first waiting passwords."""
        for name in names:
            self.checker.answer(name)
        settle(self.factory)

    def check_nothing_waits(self) -> None:
        """Check that no state of any login remains."""
        self.assertEqual((len(self.accounts._line), self.factory.engine.admission._logins), (0, {}))
        self.check_nothing_left()

    def test_hung_up(self) -> None:
        """Six hundred clients that hang up delay nobody: the server checks a new client next."""
        eves = self.log_in_often()
        for eve in eves:
            eve.transport.lose()
        self.assertEqual(len(self.accounts._line), 0)
        alice = self.log_in("192.0.2.1", "alice")
        self.assertEqual(self.checker.asked, [b"eve", b"eve"])  # a running check goes on
        self.answer(b"eve")
        self.assertEqual(self.checker.asked, [b"eve", b"eve", b"alice"])
        self.answer(b"eve", b"alice")
        self.assertEqual(alice.take()[0].header["event"], "welcome")
        alice.transport.lose()
        self.check_nothing_waits()

    def test_staying(self) -> None:
        """If they stay, a new client waits for one login of each address."""
        eves = self.log_in_often()
        alice = self.log_in("192.0.2.1", "alice")
        for _ in ADDRESSES:
            self.answer(b"eve")
        self.assertNotIn(b"alice", self.checker.asked)
        self.answer(b"eve")
        self.assertEqual(self.checker.asked[-1], b"alice")
        for peer in (*eves, alice):
            peer.transport.lose()
        self.answer(b"eve", b"alice")
        self.check_nothing_waits()

    def test_out_of_time(self) -> None:
        """The server refuses logins that wait for too long, without a check."""
        eves = [self.log_in(ADDRESSES[0], "eve") for _ in range(4)]
        self.factory.clock.advance(HANDSHAKE_TIMEOUT_S)
        settle(self.factory)
        for eve in eves:
            self.assertEqual(eve.take()[0].header.code, "handshake-timeout")
        self.answer(b"eve", b"eve")
        self.assertEqual(len(self.checker.asked), 2)
        for eve in eves:
            eve.transport.lose()
        self.check_nothing_waits()

    def test_end_not_read(self) -> None:
        """The server skips the check of a client with an unread end, and then reads the end."""
        eves = [self.log_in(ADDRESSES[0], "eve") for _ in range(2)]
        mallory, alice = self.log_in(ADDRESSES[1], "mallory"), self.log_in(ADDRESSES[2], "alice")
        self.assertFalse(mallory.transport.is_reading)
        self.patch(sessionprotocol, "has_hung_up", lambda transport: transport is mallory.transport)
        self.answer(b"eve")
        self.assertEqual(self.checker.asked, [b"eve", b"eve", b"alice"])
        self.assertTrue(mallory.transport.is_reading)
        self.assertEqual(mallory.take(), [])
        for peer in (*eves, mallory, alice):
            peer.transport.lose()
        self.answer(b"eve", b"alice")
        self.check_nothing_waits()

    def test_shut_down(self) -> None:
        """A server that stops checks no waiting login."""
        eves = self.log_in_often()
        stopped = self.factory.shut_down()
        settle(self.factory)
        self.assertEqual(eves[-1].take()[0].header.code, "shutting-down")
        self.answer(b"eve", b"eve")
        self.assertEqual(len(self.checker.asked), 2)
        for eve in eves:
            eve.transport.lose()
        self.successResultOf(stopped)
        self.check_nothing_waits()
