"""Tests of admission that fails, or comes too late: it leaves nothing behind."""

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
    """A client that is gone before it could be let in leaves nothing behind."""

    transport_class = UserTransport

    def test_while_its_password_is_checked(self) -> None:
        """Its password turns out to be right, and nobody is there any more."""
        checker = SlowChecker()
        self.serve(accounts=Accounts(Clock(), [checker]))
        peer = self.knock("alice", password=SECRET)
        self.assertEqual(checker.asked, [b"alice"])
        peer.transport.lose()
        checker.answer(b"alice")
        settle(self.factory)
        self.check_nothing_left()

    def test_while_its_rooms_are_opened(self) -> None:
        """Its rooms can be opened, and nobody is there to go in."""
        self.store.is_slow = True
        peer = self.knock("alice", rooms=["cellar", "attic"])
        peer.transport.lose()
        while self.store.owes_answers:
            self.store.answer_next()
        settle(self.factory)
        self.check_nothing_left()

    def test_while_its_rooms_cannot_be_opened(self) -> None:
        """One of its rooms cannot be opened, and nobody is there to be told."""
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
        """A store that is too slow lets the time for the handshake pass."""
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
        """Who is banned before its rooms are opened is not let in."""
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
        """Its name is its own until it is done, and then another's."""
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
    """What fails at admission is told in a few words, and logged."""

    def errors_of(self, name: str, **options: Any) -> tuple[tuple[str, bool], list[str]]:
        """Be refused; return how, and what the log says."""
        with capturedLogs() as events:
            refusal = self.refusal(name, **options)
        errors = [event for event in events if event["log_level"] >= LogLevel.error]
        return refusal, [formatEvent(event) for event in errors]

    def test_store(self) -> None:
        """Where the store does not work the client may come back, and is not told more."""
        self.store.failure = StoreError("the disk is on fire")
        refusal, errors = self.errors_of("alice")
        self.assertEqual(refusal, ("not-stored", True))
        self.assertEqual(errors, ["the store failed: the disk is on fire"])
        self.check_nothing_left()
        self.store.failure = None
        self.welcome("alice")

    def test_any_failure(self) -> None:
        """Any other failure is one of the server's."""

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
        """A session whose `established` takes its time is in already, and read from after it."""
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
