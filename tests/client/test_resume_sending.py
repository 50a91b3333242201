"""Tests of messages without a receipt: they wait for the next session, which sends them once."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent

from chatd.client.progress import MAX_UNCONFIRMED
from chatd.errors import LocalProtocolError, RequestError, SessionEnded
from chatd.wire.messages import Message, MessageType
from tests.fakes.handserver import HandServer, answer_commands, turn, welcome
from tests.fakes.networks import RETRY_S, LastingTests


class SendingTests(LastingTests):
    """Bob is connected, and gets alice's messages."""

    def setUp(self) -> None:
        super().setUp()
        self.bob = self.hand()

    def bob_hears(self) -> list[str]:
        """Return bob's messages since the last call."""
        self.network.pump()
        return self.bob.take_texts()

    def receipt(self, sending: Deferred[Message]) -> tuple[str, int | None]:
        """Return the text and the place of a receipt that has come."""
        receipt = self.successResultOf(sending)
        return receipt.text, receipt.seq

    def error(self, sending: Deferred[Message]) -> str:
        """Return the code of the session's end that failed a send."""
        return self.failureResultOf(sending, SessionEnded).value.code


class WithoutConnectionTests(SendingTests):
    """Messages without a connection wait for a connection."""

    def test_while_away(self) -> None:
        """The client sends them after a reconnect, in their order."""
        self.start()
        self.lose()
        sending = [self.service.send(text) for text in ("one", "two", "three")]
        for each in sending:
            self.assertNoResult(each)
        self.come_back()
        self.assertEqual(self.bob_hears(), ["one", "two", "three"])
        receipts = [self.receipt(each) for each in sending]
        self.assertEqual(receipts, [("one", 1), ("two", 2), ("three", 3)])

    def test_place(self) -> None:
        """A message without a room goes to the room that was the first when it was sent."""
        self.start()
        self.assertEqual(self.service.client.room, "lobby")
        self.lose()
        sending = self.service.send("one")
        self.come_back()
        self.assertEqual(self.successResultOf(sending).room, "lobby")
        self.assertEqual(self.service.client.room, "lobby")
        self.assertEqual(self.bob_hears(), ["one"])

    def test_before_the_first(self) -> None:
        """So it is before the service is connected or started."""
        before = self.service.send("before")
        self.service.startService()
        connecting = self.service.send("connecting")
        self.accept()
        self.assertEqual(self.bob_hears(), ["before", "connecting"])
        self.assertEqual((self.receipt(before)[1], self.receipt(connecting)[1]), (1, 2))

    def test_after_what_was_missed(self) -> None:
        """They come after the missed messages of others."""
        self.start()
        self.lose()
        sending = self.service.send("mine")
        self.say(self.bob, "yours")
        self.come_back()
        self.network.pump()
        self.assertEqual(self.heard(), ["yours", "mine"])
        self.assertEqual(self.receipt(sending), ("mine", 2))

    def test_while_coming_back(self) -> None:
        """Messages before the client is in its rooms wait, and keep their order."""
        self.start()
        self.lose()
        first = self.service.send("first")
        self.network.advance(RETRY_S)
        self.network.accept_welcome()
        self.assertTrue(self.service.client.is_active)
        sending = self.service.send("hello")
        self.assertNoResult(self.service.client.when_established())
        self.assertEqual(self.bob_hears(), ["first", "hello"])
        self.assertEqual((self.receipt(first)[1], self.receipt(sending)[1]), (1, 2))

    def test_cancelled(self) -> None:
        """The client sends a message all the same if its wait was cancelled, for example timed out.

        So it is before the service is started, without a session, and before it is in its rooms.
        """
        sending = [self.service.send("one")]
        sending[-1].cancel()
        self.start()
        self.lose()
        sending += [self.service.send("two"), self.service.send("three")]
        sending[-2].cancel()
        self.network.advance(RETRY_S)
        self.network.accept_welcome()
        sending += [self.service.send("four")]
        sending[-1].cancel()
        self.assertEqual(self.bob_hears(), ["one", "two", "three", "four"])
        self.assertEqual(self.receipt(sending.pop(2)), ("three", 3))
        for cancelled in sending:
            self.failureResultOf(cancelled, CancelledError)
        self.assertEqual(self.clients.progress.unconfirmed, {})

    def test_cancelled_and_sent_again(self) -> None:
        """A cancelled message that is sent again with its id is sent once, and gets its receipt."""
        self.service.send("one", id="m1").cancel()
        again = self.service.send("one", id="m1")
        self.assertRaises(LocalProtocolError, self.service.send, "one", id="m1")
        again.cancel()
        self.failureResultOf(again, CancelledError)
        client = self.start()
        self.service.send("two", id="m2").cancel()
        at_once = self.service.send("two", id="m2")
        self.assertRaises(LocalProtocolError, client.send, "other", id="m2")
        self.lose()
        self.service.send("three", id="m3").cancel()
        later = self.service.send("three", id="m3", room="lobby")
        self.come_back()
        self.assertEqual(self.bob_hears(), ["one", "two", "three"])
        self.assertEqual((self.receipt(at_once), self.receipt(later)), (("two", 2), ("three", 3)))
        self.assertEqual(self.clients.errors, [])

    def test_cancelled_and_refused(self) -> None:
        """The refusal of a cancelled message goes to the hook, for nobody else waits for it."""
        self.service.send("there", room="cellar").cancel()
        self.start()
        self.assertEqual((self.bob_hears(), self.clients.errors), ([], ["not-in-room"]))
        self.assertEqual(self.clients.progress.unconfirmed, {})

    def test_cancelled_and_over_the_limit(self) -> None:
        """The log tells of a cancelled message that is over this server's limit."""
        self.network.restart(max_content=10)
        self.service.send("x" * 11).cancel()
        with capturedLogs() as logged:
            self.start()
        told = [formatEvent(event) for event in logged if event["log_level"] is LogLevel.warn]
        self.assertEqual(len(told), 1)
        self.assertIn("a message cannot be sent: ", told[0])
        self.assertEqual(self.clients.progress.unconfirmed, {})

    def test_cancelled_and_never_sent(self) -> None:
        """When the service stops, the log counts a cancelled message that it never sent."""
        self.service.send("one").cancel()
        with capturedLogs() as logged:
            self.successResultOf(self.service.stopService())
        told = [formatEvent(event) for event in logged if event["log_level"] is LogLevel.warn]
        self.assertEqual(told, ["the service stopped: 1 message has no receipt"])

    def test_refused(self) -> None:
        """A message that the server refuses then fails, and the client sends the others."""
        there, here = self.service.send("there", room="cellar"), self.service.send("here")
        self.start()
        self.assertEqual(self.bob_hears(), ["here"])
        self.assertEqual(self.failureResultOf(there, RequestError).value.code, "not-in-room")
        self.assertEqual(self.receipt(here), ("here", 1))

    def test_cannot_be_sent(self) -> None:
        """A message over this server's limit fails, and the client sends the others."""
        self.network.restart(max_content=10)
        self.bob = self.hand()
        large = self.service.send("x" * 11)
        good = self.service.send("good")
        self.start()
        self.assertEqual(self.bob_hears(), ["good"])
        self.failureResultOf(large, LocalProtocolError)
        self.assertEqual(self.receipt(good), ("good", 1))

    def test_misuse(self) -> None:
        """An id that waits, or too many waiting messages, are the caller's mistake."""
        self.service.send("one", id="m1").addErrback(lambda _: None)
        self.assertRaises(LocalProtocolError, self.service.send, "two", id="m1")
        for number in range(MAX_UNCONFIRMED - 1):
            self.service.send("x", id=str(number)).addErrback(lambda _: None)
        self.assertRaises(LocalProtocolError, self.service.send, "one too many")
        self.service.startService()
        stopping = self.service.stopService()
        self.successResultOf(stopping)


class LostTests(SendingTests):
    """After a lost connection, the client sends messages again if necessary."""

    def test_did_not_arrive(self) -> None:
        """The client sends a lost message again under its id, from either `send`."""
        client = self.start()
        sending = [client.send("one", id="m1"), self.service.send("two", id="m2")]
        self.lose()
        self.assertEqual(self.bob_hears(), [])
        self.come_back()
        told = [each for each in self.bob.take() if each.type == MessageType.MESSAGE]
        self.assertEqual([(each.id, each.text) for each in told], [("m1", "one"), ("m2", "two")])
        self.assertEqual([self.receipt(each) for each in sending], [("one", 1), ("two", 2)])

    def test_arrived(self) -> None:
        """The client does not send again a message that arrived: its copy is a missed message."""
        self.start()
        sending = self.service.send("one")
        self.network.deliver_and_lose()
        self.assertEqual(self.bob_hears(), ["one"])
        self.assertNoResult(sending)
        said = self.count_said()
        self.come_back()
        self.assertEqual(self.receipt(sending), ("one", 1))
        self.assertEqual((said, self.bob_hears()), ([], []))
        self.assertEqual((self.clients.heard, self.taken()), ([("alice", "one")], []))

    def count_said(self) -> list[str]:
        """Return a list to which the server's received texts are added."""
        said: list[str] = []
        receive = self.server.message_received

        def received(session, message):
            said.append(message.text)
            return receive(session, message)

        self.server.message_received = received
        return said

    def test_some_arrived(self) -> None:
        """Of many messages, the client sends only the lost ones again; each gets one receipt."""
        client = self.start()
        arrived = [client.send(f"a{number}") for number in range(3)]
        self.network.deliver_and_lose()
        self.say(self.bob, "bob's")
        others = [self.service.send(f"b{number}") for number in range(3)]
        said = self.count_said()
        self.come_back()
        self.assertEqual([self.receipt(each)[1] for each in arrived + others], [1, 2, 3, 5, 6, 7])
        self.assertEqual(said, ["b0", "b1", "b2"])
        self.assertEqual(self.heard(), ["a0", "a1", "a2", "bob's", "b0", "b1", "b2"])

    def test_copy_that_is_not_told(self) -> None:
        """If its copy does not come, the client sends a message again, which brings the receipt."""
        client = self.start()
        self.successResultOf(self.pumped(client.join("cellar")))
        sending = client.send("one", room="cellar", id="m1")
        self.network.deliver_and_lose()
        del self.clients.progress.rooms["cellar"]
        self.come_back()
        self.assertEqual(self.failureResultOf(sending, RequestError).value.code, "not-in-room")
        sending = self.service.send("one", id="m2")
        self.network.deliver_and_lose()
        self.clients.progress.rooms["lobby"].seq = None  # it rejoins without its missed messages
        self.come_back()
        self.assertEqual(self.receipt(sending), ("one", 1))
        self.assertEqual(self.bob_hears(), ["one"])

    def pumped(self, asked: Deferred[Any]) -> Deferred[Any]:
        self.network.pump()
        return asked

    def test_again_and_again(self) -> None:
        """After any number of losses, the room has a message once, with one receipt."""
        self.start()
        sending = [self.service.send(str(number)) for number in range(4)]
        for _ in range(3):
            self.network.deliver_and_lose()
            self.network.advance(RETRY_S)
            self.network.accept_welcome()
            sending += [self.service.send(f"more {len(sending)}")]
        self.network.pump()
        self.assertEqual(self.bob_hears(), ["0", "1", "2", "3", "more 4", "more 5", "more 6"])
        self.assertEqual([self.receipt(each)[1] for each in sending], list(range(1, 8)))

    def test_forgotten_by_the_server(self) -> None:
        """For a restarted server, the message is new."""
        self.start()
        sending = self.service.send("one")
        self.network.deliver_and_lose()
        self.network.restart()
        self.bob = self.hand()
        self.come_back()
        self.assertEqual(self.bob_hears(), ["one"])
        self.assertEqual(self.receipt(sending), ("one", 1))

    def test_direct(self) -> None:
        """The same holds for direct messages."""
        self.start()
        arrived = self.service.send("one", to="bob")
        self.network.deliver_and_lose()
        self.assertEqual(self.bob_hears(), ["one"])
        lost = self.service.send("two", to="bob")
        self.come_back()
        self.assertEqual((self.receipt(arrived)[1], self.receipt(lost)[1]), (1, 2))
        self.assertEqual(self.bob_hears(), ["two"])
        self.assertEqual(self.heard(), ["one", "two"])

    def test_cancelled(self) -> None:
        """The client sends a message again whose wait was cancelled, before the loss or after."""
        client = self.start()
        one = client.send("one")
        one.cancel()
        self.network.pump()
        two, three = client.send("two"), client.send("three")
        two.cancel()
        self.lose()
        three.cancel()
        for cancelled in (one, two, three):
            self.failureResultOf(cancelled, CancelledError)
        self.come_back()
        self.assertEqual(self.bob_hears(), ["one", "two", "three"])
        self.assertEqual(self.heard(), ["one", "two", "three"])

    def test_cancelled_at_the_end(self) -> None:
        """The goodbye waits for the receipt of a cancelled message too."""
        client = self.start()
        client.send("one").cancel()
        self.network.deliver_and_lose()
        self.come_back()
        self.service.send("two").cancel()
        stopping = self.service.stopService()
        self.assertNoResult(stopping)
        self.assertEqual(self.bob_hears(), ["one", "two"])
        self.successResultOf(stopping)

    def test_too_much(self) -> None:
        """The client refuses content over the limit at once, and nothing waits for it."""
        client = self.start()
        too_much = bytes(client.max_content + 1)
        self.assertRaises(LocalProtocolError, client.send, too_much, id="m1")
        sending = client.send("less", id="m1")
        self.network.pump()
        self.assertEqual(self.receipt(sending), ("less", 1))

    def test_what_does_not_wait(self) -> None:
        """Commands and pings do not wait for another session."""
        client = self.start()
        for asked in (client.who("lobby"), client.ping()):
            self.network.lose()
            self.failureResultOf(asked, SessionEnded)
        self.come_back()


class ByHandTests(LastingTests):
    """A server by hand."""

    def setUp(self) -> None:
        super().setUp()
        self.by_hand = HandServer()
        self.service = self.make_service(self.by_hand)
        self.sending = self.service.send("hello", id="m1")
        self.service.startService()
        welcome(self.by_hand.peer)

    def test_reply(self) -> None:
        """A reply has no place, and is the receipt of the message with its id."""
        answer_commands(self.by_hand.peer, lambda _: {"conversations": []})
        self.by_hand.peer.send(Message.chat("hello yourself", id="m1"))
        self.assertEqual(self.successResultOf(self.sending).text, "hello yourself")
        turn(self.by_hand.peer)

    def test_left_at_an_error(self) -> None:
        """A program that leaves in an error's hook sends nothing more."""
        self.clients.on_error = lambda client: client.disconnect()
        commands = answer_commands(self.by_hand.peer, lambda _: "unknown-command")
        self.assertEqual((len(commands), self.clients.errors), (1, ["unknown-command"]))
        self.assertNoResult(self.sending)
        self.by_hand.peer.transport.lose()
        self.assertEqual(self.failureResultOf(self.sending, SessionEnded).value.code, "goodbye")
