"""Tests of a server that cannot store for a while: messages wait, and are sent again in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.client import RECEIPTS_S, ChatClient
from chatd.client.factory import ChatClientFactory
from chatd.client.outage import FIRST_DELAY_S, LONGEST_DELAY_S, MAX_OUTAGE_S, Outage
from chatd.errors import ErrorCode, RequestError, SessionEnded, StoreError
from chatd.storage.memory import MemoryStore
from chatd.storage.values import Entry, Outcome
from chatd.wire.messages import Error, Message, MessageType
from tests.client.cases import ClientCase
from tests.fakes.handserver import HandServer, answer_commands, said, turn, welcome
from tests.fakes.networks import RETRY_S, LastingTests

REFUSAL = RequestError(ErrorCode.NOT_STORED, "the store does not work now")


class OutageTests(SynchronousTestCase):
    """An outage alone, which is told of refusals and answers."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000)
        self.told: list[object] = []
        self.has_messages = True
        self.outage = Outage(
            self.clock, self.told.append, self.attempt, self.release, self.told.append
        )

    def attempt(self) -> bool:
        self.told.append("attempt")
        return self.has_messages

    def release(self) -> None:
        self.told.append("release")

    def refuse(self) -> None:
        self.outage.refused(REFUSAL)
        self.outage.all_answered()

    def wait(self) -> int:
        """Return the seconds until the next attempt or the end."""
        before = len(self.told)
        for seconds in range(1, 100):
            self.clock.advance(1)
            if len(self.told) > before:
                return seconds
        raise AssertionError("nothing happens")

    def test_delays(self) -> None:
        """The delays grow to their limit, and begin anew with the next outage."""
        for _ in range(2):
            self.refuse()
            delays = [self.wait()]
            for _ in range(5):
                self.refuse()
                delays.append(self.wait())
            longest = int(LONGEST_DELAY_S)
            self.assertEqual(delays, [int(FIRST_DELAY_S), 2, 4, longest, longest, longest])
            self.outage.all_answered()
            self.assertEqual(self.told, [REFUSAL, *["attempt"] * 6, "release"])
            self.told.clear()

    def test_answers_that_are_late(self) -> None:
        """The delay begins when all that was sent is answered, and only once."""
        for _ in range(3):
            self.outage.refused(REFUSAL)
        self.clock.advance(10)
        self.assertEqual(self.told, [REFUSAL])
        self.outage.all_answered()
        self.clock.advance(FIRST_DELAY_S / 2)
        self.outage.all_answered()
        self.clock.advance(FIRST_DELAY_S / 2)
        self.assertEqual(self.told, [REFUSAL, "attempt"])

    def test_patience(self) -> None:
        """After a minute, the last refusal is final."""
        last = RequestError(ErrorCode.NOT_STORED, "the last")
        self.refuse()
        self.clock.advance(FIRST_DELAY_S)
        self.clock.advance(MAX_OUTAGE_S - FIRST_DELAY_S - 1)
        self.refuse()
        self.assertEqual(self.told, [REFUSAL, "attempt"])
        self.wait()
        self.outage.refused(last)
        self.outage.all_answered()
        self.assertEqual(self.told, [REFUSAL, "attempt", "attempt", last])
        self.assertFalse(self.outage.is_on)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_left(self) -> None:
        """An outage is over if no message is left for the next attempt."""
        self.has_messages = False
        self.refuse()
        self.wait()
        self.assertEqual(self.told, [REFUSAL, "attempt", "release"])
        self.assertFalse(self.outage.is_on)

    def test_stopped(self) -> None:
        """A stopped outage makes no attempt."""
        self.refuse()
        self.outage.stop()
        self.assertFalse(self.outage.is_on)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_none(self) -> None:
        """Answers without an outage change nothing."""
        self.outage.all_answered()
        self.assertEqual(self.told, [])


class Held(ChatClient):
    """A client that records the refusals that begin outages in its factory."""

    factory: Any

    def messages_held(self, refusal: RequestError) -> None:
        self.factory.held.append(str(refusal))

    def error_received(self, error: RequestError) -> None:
        self.factory.errors.append((error.code, error.ref))


class ByHandTests(LastingTests):
    """A service of a server by hand, which stores messages or refuses to."""

    clients: Any

    def setUp(self) -> None:
        super().setUp()
        self.by_hand = HandServer()
        self.service = self.make_service(self.by_hand)
        self.service.startService()
        self.welcome()
        self.seq = 0

    def make_clients(self, **options: Any) -> Any:
        clients: Any = ChatClientFactory(self.reactor, protocol=Held, **options)
        clients.held, clients.errors = [], []
        return clients

    def welcome(self) -> None:
        welcome(self.by_hand.peer)
        answer_commands(
            self.by_hand.peer,
            lambda asked: (
                {"conversations": []}
                if asked["command"] == "conversations"
                else {"room": "lobby", "epoch": "e", "seq": 0, "recovered": True, "missed": 0}
            ),
        )

    def send(self, *texts: str) -> list[Deferred[Message]]:
        """Send messages whose ids are their texts."""
        return [self.service.send(text, id=text) for text in texts]

    def sent(self) -> list[str]:
        """Return the ids of the messages that have reached the server since the last call."""
        self.reactor.advance(0)
        taken = self.by_hand.peer.take()
        return [each.id or "" for each in taken if each.type == MessageType.MESSAGE]

    def refuse(self, *ids: str, code: str = ErrorCode.NOT_STORED) -> None:
        for id in ids:
            error = Error(code=code, message="not now", ref=id)
            self.by_hand.peer.send(Message(MessageType.ERROR, error))
        turn(self.by_hand.peer)

    def store(self, *ids: str) -> None:
        for id in ids:
            self.seq += 1
            self.by_hand.peer.send(said(id, self.seq, sender="alice"))
        turn(self.by_hand.peer)

    def advance(self, seconds: float) -> None:
        """Let time pass, with a server that pings."""
        self.reactor.advance(seconds)

    def seqs(self, sending: Sequence[Deferred[Message]]) -> list[int | None]:
        """Return the places of receipts that have come."""
        return [self.successResultOf(each).seq for each in sending]

    def test_waits(self) -> None:
        """Refused messages and those after them wait, and then go in their order."""
        sending = self.send("a", "b", "c")
        self.assertEqual(self.sent(), ["a", "b", "c"])
        self.refuse("a")
        sending += self.send("d")
        self.refuse("b", "c")
        self.assertEqual(self.sent(), [])
        self.advance(FIRST_DELAY_S)
        self.assertEqual(self.sent(), ["a"])
        sending += self.send("e")
        self.assertEqual(self.sent(), [])
        for each in sending:
            self.assertNoResult(each)
        self.store("a")
        self.assertEqual(self.sent(), ["b", "c", "d", "e"])
        self.store("b", "c", "d", "e")
        self.assertEqual(self.seqs(sending), [1, 2, 3, 4, 5])
        self.assertEqual(self.clients.held, ["not-stored: not now"])

    def test_waits_for_what_is_on_its_way(self) -> None:
        """The first attempt waits for the answers to all messages that were sent."""
        sending = self.send("a", "b")
        self.refuse("a")
        self.advance(FIRST_DELAY_S)
        self.assertEqual(self.sent(), ["a", "b"])
        self.store("b")
        self.advance(FIRST_DELAY_S)
        self.assertEqual(self.sent(), ["a"])
        self.store("a")
        self.assertEqual(self.seqs(sending), [2, 1])

    def test_several_refusals(self) -> None:
        """Each refused attempt sends only the first message; the order stays."""
        sending = self.send("a", "b")
        self.refuse("a", "b")
        self.sent()
        for delay_s in (1, 2, 4):
            self.advance(delay_s)
            self.assertEqual(self.sent(), ["a"])
            self.refuse("a")
        self.advance(8)
        self.assertEqual(self.sent(), ["a"])
        self.store("a")
        self.assertEqual(self.sent(), ["b"])
        self.store("b")
        self.assertEqual(self.seqs(sending), [1, 2])
        self.assertEqual(len(self.clients.held), 1)

    def test_another_answer(self) -> None:
        """Any other answer to the attempt ends the outage; a refusal is the program's."""
        sending = self.send("a", "b")
        self.refuse("a", "b")
        self.sent()
        self.advance(FIRST_DELAY_S)
        self.sent()
        self.refuse("a", code=ErrorCode.NOT_IN_ROOM)
        self.assertEqual(self.failureResultOf(sending[0], RequestError).value.code, "not-in-room")
        self.assertEqual(self.sent(), ["b"])

    def test_patience(self) -> None:
        """After a minute the refusal is final, for each message that waits."""
        sending = self.send("a", "b")
        self.refuse("a", "b")
        sending += self.send("c")
        sending[1].cancel()
        self.failureResultOf(sending[1], CancelledError)
        waited = 0.0
        for delay_s in (1, 2, 4, *[8] * 7):
            self.advance(delay_s)
            waited += delay_s
            self.assertNoResult(sending[0])
            self.refuse("a")
        self.assertGreaterEqual(waited, MAX_OUTAGE_S)
        for id, each in zip("ac", sending[::2], strict=True):
            error = self.failureResultOf(each, RequestError).value
            self.assertEqual((error.code, error.ref), ("not-stored", id))
        self.assertEqual(self.clients.errors, [("not-stored", "b")])
        self.assertEqual(self.clients.progress.unconfirmed, {})
        self.sent()
        self.send("d")[0].addErrback(lambda _: None)
        self.assertEqual(self.sent(), ["d"])

    def test_commands(self) -> None:
        """Commands are sent meanwhile, and their refusals are told at once."""
        self.send("a")
        self.refuse("a")
        asked = self.service.client.command("topic", room="lobby")
        self.reactor.advance(0)
        answer_commands(self.by_hand.peer, lambda _: "not-stored")
        self.assertEqual(self.failureResultOf(asked, RequestError).value.code, "not-stored")

    def test_lost(self) -> None:
        """The next session sends all of them again, at once."""
        sending = self.send("a", "b")
        self.refuse("a", "b")
        self.sent()
        self.by_hand.peer.transport.lose()
        sending += self.send("c")
        self.advance(RETRY_S)
        self.welcome()
        for id in "abc":
            self.store(id)
        self.assertEqual(self.seqs(sending), [1, 2, 3])

    def test_stopped(self) -> None:
        """A service that stops waits for the server, for the time of receipts."""
        (sending,) = self.send("a")
        self.refuse("a")
        self.sent()
        stopping = self.service.stopService()
        for delay_s in (1, 2):
            self.advance(delay_s)
            self.assertEqual(self.sent(), ["a"])
            if delay_s == 1:
                self.refuse("a")
        self.store("a")
        self.assertEqual(self.seqs([sending]), [1])
        self.by_hand.peer.transport.lose()
        self.successResultOf(stopping)

    def test_stopped_in_vain(self) -> None:
        """If the server still cannot store then, the messages fail with the goodbye."""
        (sending,) = self.send("a")
        self.refuse("a")
        stopping = self.service.stopService()
        self.advance(RECEIPTS_S)
        self.by_hand.peer.transport.lose()
        self.successResultOf(stopping)
        self.assertEqual(self.failureResultOf(sending, SessionEnded).value.code, "goodbye")


class BrokenStore(MemoryStore):
    """A store that can be broken.

    Attributes:
        is_broken: Whether it fails to store.
    """

    is_broken = False

    async def append(self, entries: Sequence[Entry]) -> list[Outcome]:
        """Store messages, or fail."""
        if self.is_broken:
            raise StoreError("the disk is full")
        return await super().append(entries)


class BrokenStoreTests(LastingTests):
    """A whole server whose store fails for a while."""

    def setUp(self) -> None:
        super().setUp()
        self.store = BrokenStore(unix_time=self.reactor.seconds)
        self.network.restart(store=self.store)
        self.bob = self.hand()
        self.start()

    def test_order(self) -> None:
        """Others hear each message once, in the order of the sender."""
        texts = [str(number) for number in range(30)]
        sending = [self.service.send(text) for text in texts[:10]]
        self.network.pump()
        self.store.is_broken = True
        sending += [self.service.send(text) for text in texts[10:20]]
        self.network.pump()
        self.network.advance(FIRST_DELAY_S)
        self.store.is_broken = False
        sending += [self.service.send(text) for text in texts[20:]]
        self.network.advance(2)
        self.network.pump()
        self.assertEqual([self.successResultOf(each).seq for each in sending], [*range(1, 31)])
        self.assertEqual(self.bob.take_texts(), texts)


class AloneTests(ClientCase):
    """A client of one session."""

    def test_told_at_once(self) -> None:
        """It gives the refusal to the program at once."""
        sending = self.alice.send("a", id="a")
        refusal = Error(code=ErrorCode.NOT_STORED, message="not now", ref="a")
        self.tell(self.alice, Message(MessageType.ERROR, refusal))
        self.assertEqual(self.failureResultOf(sending, RequestError).value.code, "not-stored")

    def test_log(self) -> None:
        """By default, the log has a line for an outage."""
        with capturedLogs() as events:
            self.alice.tell_held(REFUSAL)
        told = [formatEvent(event) for event in events]
        self.assertEqual(
            told, ["messages wait, and are sent again: not-stored: the store does not work now"]
        )
