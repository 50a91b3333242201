"""Tests of failed and late admissions, after which no state of the client remains."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent

from chatd.chat.moderation import Ban
from chatd.errors import StoreError
from chatd.server.accounts import Accounts
from chatd.server.factory import ChatFactory
from chatd.server.session import Session
from tests.fakes.passwords import SlowChecker
from tests.fakes.peers import settle
from tests.server.cases import SECRET, AdmissionCase, UserTransport


class VanishedTests(AdmissionCase):
    """After a client leaves before its admission, no state of it remains."""

    transport_class = UserTransport

    def test_while_its_password_is_checked(self) -> None:
        """The client leaves while the server checks its password, which is right."""
        checker = SlowChecker()
        self.serve(accounts=Accounts(Clock(), [checker]))
        peer = self.knock("alice", password=SECRET)
        self.assertEqual(checker.asked, [b"alice"])
        peer.transport.lose()
        checker.answer(b"alice")
        settle(self.factory)
        self.check_nothing_left()

    def test_while_its_rooms_are_opened(self) -> None:
        """The client leaves while the server opens its rooms."""
        self.store.is_slow = True
        peer = self.knock("alice", rooms=["cellar", "attic"])
        peer.transport.lose()
        while self.store.owes_answers:
            self.store.answer_next()
        settle(self.factory)
        self.check_nothing_left()

    def test_while_its_rooms_cannot_be_opened(self) -> None:
        """The client leaves while the server fails to open a room."""
        self.store.is_slow = True
        peer = self.knock("alice", rooms=["cellar", "attic"])
        peer.transport.lose()
        self.store.answer_next()
        self.store.answer_next(StoreError("the disk is on fire"))
        while self.store.owes_answers:
            self.store.answer_next()
        settle(self.factory)
        self.check_nothing_left()

    def test_out_of_time(self) -> None:
        """If the store is too slow, the handshake times out."""
        self.store.is_slow = True
        peer = self.knock("alice")
        for _ in range(200):
            self.factory.clock.advance(0.1)
        self.assertIn("handshake-timeout", [told.header.code for told in peer.take()])
        while self.store.owes_answers:
            self.store.answer_next()
        settle(self.factory)
        peer.transport.lose()
        self.check_nothing_left()

    def test_banned_meanwhile(self) -> None:
        """The server refuses a client that is banned while its rooms are opened."""
        self.store.is_slow = True
        peer = self.knock("alice")
        self.factory.bans.replace([Ban(name="alice")])
        while self.store.owes_answers:
            self.store.answer_next()
        settle(self.factory)
        self.assertEqual(self.refusal_of(peer), ("banned", False))
        while self.store.owes_answers:
            self.store.answer_next()
        self.check_nothing_left()

    def test_another_of_that_name(self) -> None:
        """The client has its name until the refusal; then another client can have it."""
        self.store.is_slow = True
        peer = self.knock("alice")
        peer.transport.lose()
        self.assertEqual(self.refusal("alice"), ("name-taken", False))
        self.store.answer_next()
        self.store.is_slow = False
        while self.store.owes_answers:
            self.store.answer_next()
        self.welcome("alice")


class FailureTests(AdmissionCase):
    """The log has failures at admission; the client gets a short text."""

    def errors_of(self, name: str, **options: Any) -> tuple[tuple[str, bool], list[str]]:
        """Be refused; return the refusal and the log."""
        with capturedLogs() as events:
            refusal = self.refusal(name, **options)
        errors = [event for event in events if event["log_level"] >= LogLevel.error]
        return refusal, [formatEvent(event) for event in errors]

    def test_store(self) -> None:
        """If the store fails, the client may retry, and gets no detail."""
        self.store.failure = StoreError("the disk is on fire")
        refusal, errors = self.errors_of("alice")
        self.assertEqual(refusal, ("not-stored", True))
        self.assertEqual(errors, ["the store failed: the disk is on fire"])
        self.check_nothing_left()
        self.store.failure = None
        self.welcome("alice")

    def test_any_failure(self) -> None:
        """Any other failure is an internal error."""

        class BrokenSession(Session):
            def __init__(self, *arguments: object) -> None:
                raise KeyError("a secret of the server's")

        class BrokenFactory(ChatFactory):
            session_class = BrokenSession

        self.serve(BrokenFactory)
        self.assertEqual(self.refusal("alice"), ("internal-error", False))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.check_nothing_left()

    def test_established_in_its_own_time(self) -> None:
        """A session is established before its slow `established` ends, for which reading waits."""
        gate: Deferred[None] = Deferred()

        class SlowSession(Session):
            async def established(self) -> None:
                await gate

        class SlowFactory(ChatFactory):
            session_class = SlowSession

        self.serve(SlowFactory)
        peer = self.knock("alice")
        self.assertEqual(len(peer.take()), 1)
        peer.say("hello")
        settle(self.factory)
        self.assertEqual(peer.take_texts(), [])
        gate.callback(None)
        settle(self.factory)
        self.assertEqual(peer.take_texts(), ["hello"])
