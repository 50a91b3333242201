"""Tests of a client's requests and their answers."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from chatd.client.factory import ChatClientFactory
from chatd.errors import LocalProtocolError, RequestError, SessionEnded
from chatd.server.factory import ChatFactory
from chatd.server.session import Session
from chatd.wire.messages import Message
from tests.client.cases import ClientCase
from tests.fakes.handserver import fields_of
from tests.fakes.peers import pong


class SendTests(ClientCase):
    """`send` returns the receipt."""

    def test_receipt(self) -> None:
        """The receipt is the message as the server ordered it."""
        self.server.advance(2.5)
        sending = self.alice.send("hello", id="m1", room="lobby", content_type="text/x-greeting")
        self.assertNoResult(sending)
        self.pump()
        receipt = self.successResultOf(sending)
        self.assertEqual((receipt.text, receipt.id, receipt.room), ("hello", "m1", "lobby"))
        self.assertEqual((receipt.sender, receipt.seq), ("alice", 1))
        self.assertEqual(receipt.content_type, "text/x-greeting")
        self.assertAlmostEqual(receipt.time, 2.5)

    def test_many(self) -> None:
        """Each of many messages sent at once gets its own receipt."""
        sending = [self.alice.send(str(number).encode()) for number in range(100)]
        self.pump()
        receipts = [self.successResultOf(receipt) for receipt in sending]
        self.assertEqual([receipt.text for receipt in receipts], list(map(str, range(100))))
        self.assertEqual([receipt.seq for receipt in receipts], list(range(1, 101)))

    def test_not_in_room(self) -> None:
        """The refusal names the room, unless nothing can be named so."""
        carol = self.server.connect("carol", rooms=())
        for room, told in (
            ("cellar", "not in cellar"),
            (None, "in no room"),
            ("a\x1b[1m", "not in that room"),
            ("a\u202eb", "not in that room"),
        ):
            sending = carol.send("hello", room=room)
            self.pump()
            error = self.failureResultOf(sending, RequestError).value
            self.assertEqual((error.code, error.message), ("not-in-room", f"you are {told}"))

    def test_misuse(self) -> None:
        """An id, content type or limit out of range is refused at once, by its name."""
        for mistake, told in (
            (lambda: self.alice.send("x", id=""), "id must have 1 to 64 characters, not 0"),
            (
                lambda: self.alice.send("x", content_type="a" * 256),
                "content_type must have 1 to 255 characters, not 256",
            ),
            (lambda: self.alice.history("lobby", limit=501), "limit must be 1 to 500, not 501"),
        ):
            error = self.assertRaises(LocalProtocolError, mistake)
            self.assertEqual(str(error), told)
        asked = self.alice.command("who")
        self.pump()
        error = self.failureResultOf(asked, RequestError).value
        self.assertEqual(str(error), "bad-request: room is missing")

    def test_refused(self) -> None:
        """A refused message fails, and the session goes on."""
        sending = self.alice.send("hello", id="m1", room="cellar")
        self.pump()
        error = self.failureResultOf(sending, RequestError).value
        self.assertEqual((error.code, error.ref), ("not-in-room", "m1"))
        again = self.alice.send("hello")
        self.pump()
        self.successResultOf(again)

    def test_too_much(self) -> None:
        """The client refuses content over the server's limit at once, and nothing waits for it."""
        self.assertEqual(self.alice.max_content, 20 * 1024 * 1024)
        too_much = bytes(self.alice.max_content + 1)
        self.assertRaises(LocalProtocolError, self.alice.send, too_much, id="m1")
        sending = self.alice.send("less", id="m1")
        self.pump()
        self.successResultOf(sending)

    def test_id_too_long(self) -> None:
        """The client refuses an id over the limit at once: no server would answer it."""
        self.assertRaises(LocalProtocolError, self.alice.send, "hello", id="i" * 300)

    def test_same_id_waits(self) -> None:
        """An id that waits for its receipt cannot be sent again."""
        sending = self.alice.send("hello", id="m1")
        self.assertRaises(LocalProtocolError, self.alice.send, "hello", id="m1")
        self.pump()
        self.successResultOf(sending)

    def test_same_id_again(self) -> None:
        """The server answers the same id again with the first receipt, and delivers nothing."""
        receipts = []
        for _ in range(2):
            sending = self.alice.send("hello", id="m1")
            self.pump()
            receipts.append(self.successResultOf(sending))
        self.assertEqual(receipts[0], receipts[1])
        self.assertEqual(self.successResultOf(self.next_of(self.bob)), "hello")
        self.assertNoResult(self.next_of(self.bob))

    def test_same_id_of_another(self) -> None:
        """The client does not take another client's message with the same id for the receipt."""
        sending = self.alice.send("mine", id="m1")
        self.bob.send("not yours", id="m1")
        self.bob.flush()
        self.pump()
        self.assertEqual(self.successResultOf(sending).text, "mine")
        self.assertEqual(self.successResultOf(self.next_of(self.alice)), "not yours")

    def test_cancelled(self) -> None:
        """A cancelled wait for a receipt does not fire, and the id can be sent again."""
        sending = self.alice.send("hello", id="m1")
        sending.cancel()
        self.failureResultOf(sending, CancelledError)
        again = self.alice.send("hello", id="m1")
        self.pump()
        self.assertEqual(self.successResultOf(again).seq, 1)

    def test_cancelled_is_not_iterated(self) -> None:
        """The client's own message is not iterated, even after a cancelled wait."""
        sending = self.alice.send("hello")
        sending.cancel()
        self.failureResultOf(sending, CancelledError)
        self.pump()
        self.assertNoResult(self.next_of(self.alice))

    def test_after_the_end(self) -> None:
        """After the session's end, sending fails with the reason."""
        self.server.session_of(self.alice).end("enough", "that was enough", retry=True)
        self.pump()
        error = self.failureResultOf(self.alice.send("hello"), SessionEnded).value
        self.assertEqual((error.code, error.retry), ("enough", True))

    def test_before_the_beginning(self) -> None:
        """Before the welcome, the client refuses sending."""
        client = ChatClientFactory(Clock()).buildProtocol(None)
        for ask in (lambda: client.send("hello"), client.ping, lambda: client.command("dance")):
            with self.assertRaises(LocalProtocolError):
                ask()


class AnsweringFactory(ChatFactory):
    """Answers a message to its sender alone, and adds numbers."""

    def message_received(self, session: Session, message: Message) -> None:
        session.reply(message, message.text.upper())

    def command_received(self, session: Session, command: Message) -> None:
        session.send_result(command, sum=sum(fields_of(command)["numbers"]))


class AnswerTests(ClientCase):
    """A service that answers."""

    factory_class = AnsweringFactory

    def test_reply_is_the_receipt(self) -> None:
        """The server's reply to a message is the result of `send`."""
        sending = self.alice.send("hello")
        self.pump()
        answer = self.successResultOf(sending)
        self.assertEqual((answer.text, answer.sender), ("HELLO", "server"))
        self.assertNoResult(self.next_of(self.alice))

    def test_command(self) -> None:
        """A command's Deferred fires with the fields of its RESULT."""
        adding = self.alice.command("add", numbers=[1, 2, 3])
        self.pump()
        self.assertEqual(self.successResultOf(adding), {"sum": 6})

    def test_command_fails(self) -> None:
        """A command that fails at the server fails here, and the server's log says why."""
        adding = self.alice.command("add", numbers="none")
        self.pump()
        error = self.failureResultOf(adding, RequestError).value
        self.assertEqual(error.code, "internal-error")
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_result_for_nobody(self) -> None:
        """The client drops the RESULT of a cancelled command."""
        adding = self.alice.command("add", numbers=[1])
        adding.cancel()
        self.failureResultOf(adding, CancelledError)
        self.pump()
        self.assertTrue(self.alice.is_active)


class CommandTests(ClientCase):
    """`command` on a server without commands."""

    def test_unknown(self) -> None:
        """An unknown command fails."""
        asking = self.alice.command("dance")
        self.pump()
        error = self.failureResultOf(asking, RequestError).value
        self.assertEqual(error.code, "unknown-command")

    def test_not_sendable(self) -> None:
        """The client refuses a field that is not a JSON value at once."""
        self.assertRaises(LocalProtocolError, self.alice.command, "dance", partner=object())


class ReplyTests(ClientCase):
    """Answering a message where it came from."""

    def receipt_of(self, sending: Deferred[Message]) -> Message:
        self.pump()
        return self.successResultOf(sending)

    def test_in_its_room(self) -> None:
        """The answer to a message of a room goes to that room, not to the first room."""
        for client in (self.alice, self.bob):
            client.join("tea")
        said = self.receipt_of(self.bob.send("hello", room="tea"))
        answer = self.receipt_of(self.alice.reply(said, "hello, bob"))
        self.assertEqual((answer.room, answer.to), ("tea", None))

    def test_direct(self) -> None:
        """The answer to a direct message goes to its sender alone."""
        said = self.receipt_of(self.bob.send("hello", to="alice"))
        answer = self.receipt_of(self.alice.reply(said, "hello, bob", id="a1"))
        self.assertEqual((answer.room, answer.to, answer.id), (None, "bob", "a1"))

    def test_own(self) -> None:
        """The answer to the client's own direct message goes to the same receiver."""
        said = self.receipt_of(self.bob.send("hello", to="alice"))
        again = self.receipt_of(self.bob.reply(said, "are you there?"))
        self.assertEqual(again.to, "alice")

    def test_of_no_room(self) -> None:
        """The client answers a message of the server to this session alone as `send` does."""
        said = Message.chat("hello", id="m1")
        answer = self.receipt_of(self.alice.reply(said, "hello, server"))
        self.assertEqual((answer.room, answer.to), ("lobby", None))


class PingTests(ClientCase):
    """`ping` returns the round-trip time."""

    def test_round_trip(self) -> None:
        """The time is measured with the clock."""
        pinging = self.alice.ping()
        self.alice.flush()
        self.server.clock.advance(0.25)
        self.assertNoResult(pinging)
        self.pump()
        self.assertEqual(self.successResultOf(pinging), 0.25)

    def test_many(self) -> None:
        """Each of several pings gets its own answer."""
        first = self.alice.ping()
        self.alice.flush()
        self.server.clock.advance(1)
        second = self.alice.ping()
        self.pump()
        self.assertEqual((self.successResultOf(first), self.successResultOf(second)), (1, 0))

    def test_pong_that_nobody_asked_for(self) -> None:
        """The client ignores a pong without a ping."""
        pinging = self.alice.ping()
        self.tell(self.alice, pong(77))
        self.successResultOf(pinging)
        self.assertTrue(self.alice.is_active)

    def test_cancelled(self) -> None:
        """A cancelled ping does not fire."""
        pinging = self.alice.ping()
        pinging.cancel()
        self.failureResultOf(pinging, CancelledError)
        self.pump()
        self.assertTrue(self.alice.is_active)

    def test_after_the_end(self) -> None:
        """After the session's end, a ping fails."""
        self.lose(self.alice)
        self.failureResultOf(self.alice.ping(), SessionEnded)
