"""Tests of a server that cannot store for a while: messages wait, and are sent again in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.backlog import READY_BELOW
from chatd.client.client import RECEIPTS_S, ChatClient
from chatd.client.factory import ChatClientFactory
from chatd.client.outage import FIRST_DELAY_S, LONGEST_DELAY_S, PATIENCE_S, Outage
from chatd.client.service import ChatClientService
from chatd.errors import (
    ConfigurationError,
    ErrorCode,
    LocalProtocolError,
    RequestError,
    SessionEnded,
)
from chatd.wire.messages import Error, Heartbeat, Message, MessageType
from tests.client.cases import ClientCase
from tests.fakes.brokenstore import BrokenStore
from tests.fakes.handserver import HandServer, answer_commands, said, turn, welcome
from tests.fakes.networks import RETRY_S, LastingTests

REFUSAL = RequestError(ErrorCode.NOT_STORED, "the store does not work now")


class OutageTests(SynchronousTestCase):
    """An outage alone, which is told of refusals and receipts."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000)
        self.woken = 0
        self.outage = Outage(self.clock, PATIENCE_S, self.wake)

    def wake(self) -> None:
        self.woken += 1

    def refuse(self, id: str = "a") -> int:
        """Refuse a message, and return how many to send now."""
        self.assertTrue(self.outage.refused(id, REFUSAL))
        return self.outage.next_size()

    def wait(self) -> int:
        """Return the seconds until it wakes its owner."""
        woken = self.woken
        for seconds in range(1, 100):
            self.clock.advance(1)
            if self.woken > woken:
                return seconds
        raise AssertionError("nothing happens")

    def test_delays(self) -> None:
        """The delays between refused attempts grow to their limit, and begin anew each time."""
        for _ in range(2):
            delays = []
            for _ in range(6):
                self.assertEqual(self.refuse(), 0)
                self.assertEqual(self.outage.next_size(), 0)
                delays.append(self.wait())
                self.assertEqual(self.outage.next_size(), 1)
            self.assertEqual(delays, [int(FIRST_DELAY_S), 2, 4, *[int(LONGEST_DELAY_S)] * 3])
            self.outage.end()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_sizes(self) -> None:
        """Attempts without a refusal are twice as large each time; after a refusal, it is one."""
        self.refuse()
        self.wait()
        sizes = []
        for _ in range(4):
            sizes.append(self.outage.next_size())
            self.outage.stored("a")
        self.outage.refused("b", REFUSAL)
        self.assertEqual(self.outage.next_size(), 0)
        self.assertEqual(self.wait(), FIRST_DELAY_S)
        self.assertEqual((sizes, self.outage.next_size()), ([1, 2, 4, 8], 1))

    def test_delay_after_a_success(self) -> None:
        """The delays begin anew when a message was stored."""
        for _ in range(3):
            self.refuse()
            self.wait()
            self.outage.next_size()
        self.outage.stored("a")
        self.assertEqual(self.refuse("b"), 0)
        self.assertEqual(self.wait(), FIRST_DELAY_S)

    def test_stored_meanwhile(self) -> None:
        """A receipt during the delay ends it."""
        self.assertEqual(self.refuse(), 0)
        self.outage.stored("a")
        self.assertEqual(self.outage.next_size(), 1)

    def test_patience(self) -> None:
        """A minute after the last message that was stored, it is time to give up."""
        self.refuse()
        self.clock.advance(PATIENCE_S - 1)
        self.outage.stored("b")
        self.clock.advance(PATIENCE_S - 1)
        self.assertFalse(self.outage.has_lost_patience)
        woken = self.woken
        self.clock.advance(1)
        self.assertTrue(self.outage.has_lost_patience)
        self.assertEqual(self.woken, woken + 1)

    def test_last_tries(self) -> None:
        """Messages that were never refused get a last try, whose refusal is final."""
        self.refuse("a")
        self.refuse("b")
        self.outage.stored("b")
        self.assertEqual(self.outage.give_up(["a", "b", "c"]), ["a"])
        self.assertEqual((self.outage.is_on, self.outage.watches), (False, True))
        self.outage.stored("b")
        self.assertFalse(self.outage.refused("c", REFUSAL))
        self.assertEqual((self.outage.is_on, self.outage.watches), (False, False))
        self.assertTrue(self.outage.refused("c", REFUSAL))
        self.assertTrue(self.outage.is_on)
        self.outage.end()
        self.refuse("a")
        self.assertEqual(self.outage.give_up(["a", "c"]), ["a"])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Held(ChatClient):
    """A client that records the refusals that begin outages in its factory."""

    factory: Any

    def messages_held(self, refusal: RequestError) -> None:
        self.factory.held.append(str(refusal))

    def messages_released(self) -> None:
        self.factory.held.append("released")

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
        """Let time pass, after a ping of the server."""
        self.by_hand.peer.send(Message(MessageType.HEARTBEAT, Heartbeat(n=1), b"ping"))
        self.reactor.advance(seconds)

    def seqs(self, sending: Sequence[Deferred[Message]]) -> list[int | None]:
        """Return the places of receipts that have come."""
        return [self.successResultOf(each).seq for each in sending]

    def test_waits(self) -> None:
        """Refused messages and those after them wait, and then go in their order."""
        timers = len(self.reactor.getDelayedCalls())
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
        self.assertEqual(self.sent(), ["b", "c"])
        self.store("b", "c")
        self.assertEqual(self.sent(), ["d", "e"])
        self.store("d", "e")
        self.assertEqual(self.seqs(sending), [1, 2, 3, 4, 5])
        self.assertEqual(self.clients.held, ["not-stored: not now", "released"])
        self.assertEqual(len(self.reactor.getDelayedCalls()), timers)

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
        self.assertEqual(len(self.clients.held), 2)

    def test_one_at_a_time(self) -> None:
        """A server that stores one message of each attempt gets about two for each."""
        texts = [str(number) for number in range(40)]
        sending = self.send(*texts)
        self.refuse(*self.sent())
        got = 0
        while self.clients.progress.unconfirmed:
            self.advance(FIRST_DELAY_S)
            while sent := self.sent():
                got += len(sent)
                self.store(sent[0])
                self.refuse(*sent[1:])
        self.assertEqual(self.seqs(sending), [*range(1, 41)])
        self.assertLess(got, 130)
        self.assertEqual(self.clients.held, ["not-stored: not now", "released"])

    def test_another_answer(self) -> None:
        """Another refusal is the program's, and the next attempt follows at once."""
        sending = self.send("a", "b")
        self.refuse("a", "b")
        self.sent()
        self.advance(FIRST_DELAY_S)
        self.sent()
        self.refuse("a", code=ErrorCode.NOT_IN_ROOM)
        self.assertEqual(self.failureResultOf(sending[0], RequestError).value.code, "not-in-room")
        self.assertEqual(self.sent(), ["b"])

    def test_patience(self) -> None:
        """After a minute, refused messages fail, and the others get a last try."""
        sending = self.send("a", "b")
        self.sent()
        self.refuse("a", "b")
        sending += self.send("c", "d")
        sending[1].cancel()
        self.failureResultOf(sending[1], CancelledError)
        ready = self.service.when_ready_to_send()
        sending[0].addErrback(lambda failure: self.send("again") and failure)
        for _ in range(int(PATIENCE_S) - 1):
            self.advance(1)
            self.refuse(*self.sent())
        self.assertNoResult(sending[0])
        self.advance(1)
        self.assertEqual(self.sent(), ["c", "d", "again"])
        error = self.failureResultOf(sending[0], RequestError).value
        self.assertEqual((error.code, error.ref), ("not-stored", "a"))
        self.assertEqual(self.clients.errors, [("not-stored", "b")])
        self.refuse("c")
        self.store("d", "again")
        error = self.failureResultOf(sending[2], RequestError).value
        self.assertEqual((error.code, error.ref), ("not-stored", "c"))
        self.assertEqual(self.seqs(sending[3:]), [1])
        self.assertEqual(self.clients.progress.unconfirmed, {})
        self.successResultOf(ready)
        self.assertEqual(self.clients.held, ["not-stored: not now", "released"])

    def test_other_end_of_a_last_try(self) -> None:
        """A message whose last try had any answer but a receipt can be sent and held again."""
        for each in self.send("a", "b"):
            each.addErrback(lambda _: None)
        self.refuse(*self.sent())
        last = self.send("c", "d")
        for _ in range(int(PATIENCE_S)):
            self.refuse(*self.sent())
            self.advance(1)
        self.assertEqual(self.sent(), ["c", "d"])
        self.refuse("c", code=ErrorCode.NOT_IN_ROOM)
        self.by_hand.peer.send(Message(MessageType.RESULT, {"id": "d"}))
        turn(self.by_hand.peer)
        codes = [self.failureResultOf(each, RequestError).value.code for each in last]
        self.assertEqual(codes, ["not-in-room", "bad-request"])
        again = self.send("c", "d")
        self.refuse(*self.sent())
        for each in again:
            self.assertNoResult(each)
        self.store("c", "d")
        self.assertEqual(self.seqs(again), [1, 2])

    def test_ready_after_it(self) -> None:
        """Whoever waits for few messages goes on when the outage gives up."""
        for each in self.send(*(str(number) for number in range(READY_BELOW))):
            each.addErrback(lambda _: None)
        self.refuse(*self.sent())
        ready = self.service.when_ready_to_send()
        for _ in range(int(PATIENCE_S)):
            self.assertNoResult(ready)
            self.advance(1)
            self.refuse(*self.sent())
        self.successResultOf(ready)

    def test_answer_that_never_comes(self) -> None:
        """After a minute, one answer that never comes blocks nothing more."""
        sending = self.send("never", "a", "b")
        self.sent()
        self.refuse("a")
        sending += self.send("c")
        self.store("b")
        for _ in range(int(PATIENCE_S)):
            self.assertNoResult(sending[1])
            self.advance(1)
        self.assertEqual(self.sent(), ["c"])
        self.failureResultOf(sending[1], RequestError)
        self.store("c", "never")
        self.assertEqual(self.seqs([sending[0], sending[3]]), [3, 2])

    def test_refused_again(self) -> None:
        """A refusal of a message that waits changes nothing."""
        sending = self.send("a", "b")
        self.refuse("a", "b")
        sending += self.send("c")
        self.refuse("a", "c")
        self.sent()
        self.advance(FIRST_DELAY_S)
        for ids in ("a", "bc"):
            self.assertEqual(self.sent(), [*ids])
            self.store(*ids)
        self.assertEqual(self.seqs(sending), [1, 2, 3])

    def test_stored_after_all(self) -> None:
        """A receipt for a message that waits counts, and the next attempt follows at once."""
        sending = self.send("a")
        self.refuse("a")
        sending += self.send("b")
        self.sent()
        self.store("a")
        self.assertEqual(self.sent(), ["b"])
        self.store("b")
        self.assertEqual(self.seqs(sending), [1, 2])

    def test_only_too_large(self) -> None:
        """If none of the messages that wait can be sent here, the outage is over."""
        client: Any = self.service.client
        self.send("a")
        self.refuse("a")
        large = self.service.send(bytes(client.max_content + 1))
        self.store("a")
        self.failureResultOf(large, LocalProtocolError)
        self.assertEqual(self.clients.held, ["not-stored: not now", "released"])

    def test_too_large(self) -> None:
        """A message that cannot be sent here fails when those behind it are sent."""
        client: Any = self.service.client
        sending = self.send("a")
        self.refuse("a")
        self.sent()
        large = self.service.send(bytes(client.max_content + 1))
        large.addErrback(lambda _: self.send("short"))
        self.send("b", "c")
        self.advance(FIRST_DELAY_S)
        self.sent()
        self.store("a")
        sent = self.sent()
        self.store(*sent)
        sent += self.sent()
        self.store(*sent)
        sent += self.sent()
        self.assertEqual(sent, ["b", "c", "short"])
        self.assertEqual(self.seqs(sending), [1])

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
        """If the server still cannot store then, the messages fail with its refusal."""
        sending = self.send("unanswered", "a")
        self.sent()
        self.refuse("a")
        sending += self.send("b")
        stopping = self.service.stopService()
        self.advance(RECEIPTS_S)
        for each in sending[1:]:
            self.assertEqual(self.failureResultOf(each, RequestError).value.code, "not-stored")
        self.reactor.advance(0)
        self.assertEqual(self.clients.held, ["not-stored: not now"])
        self.by_hand.peer.transport.lose()
        self.successResultOf(stopping)
        self.assertEqual(self.failureResultOf(sending[0], SessionEnded).value.code, "goodbye")

    def test_stopped_when_stored(self) -> None:
        """The goodbye follows at once when nothing waits any more."""
        sending = self.send("a")
        self.refuse("a")
        stopping = self.service.stopService()
        self.store("a")
        self.assertEqual(self.seqs(sending), [1])
        self.by_hand.peer.transport.lose()
        self.successResultOf(stopping)

    def test_own_patience(self) -> None:
        """A service may have another patience, and none below 0."""
        self.assertRaises(TypeError, ChatClientService, *self.made(), patience_s="1")
        self.assertRaises(ConfigurationError, ChatClientService, *self.made(), patience_s=-1)
        clients, endpoint = self.make_clients(), HandServer()
        self.service = ChatClientService(self.reactor, endpoint, clients, patience_s=0)
        self.service.startService()
        welcome(endpoint.peer)
        answer_commands(endpoint.peer, lambda _: {"conversations": []})
        (sending,) = self.send("a")
        self.reactor.advance(0)
        error = Error(code=ErrorCode.NOT_STORED, message="not now", ref="a")
        endpoint.peer.send(Message(MessageType.ERROR, error))
        turn(endpoint.peer)
        self.failureResultOf(sending, RequestError)
        stopping = self.service.stopService()
        endpoint.peer.transport.lose()
        self.successResultOf(stopping)

    def made(self) -> tuple[Any, ...]:
        return self.reactor, HandServer(), self.make_clients()


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
