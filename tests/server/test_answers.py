"""Tests of the answers to messages while the store is slow."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent

from chatd.errors import RequestError
from chatd.server.limits import Limits
from chatd.server.pacedprotocol import MAX_SAID_IN_TURN
from chatd.server.session import Session
from chatd.wire.messages import Error, Message, MessageType
from tests.fakes.peers import (
    ack,
    command,
    greeted_client,
    settle,
)
from tests.server.cases import PING, AnswerCase
from tests.wire.hostile import NO_FRAME

UNKNOWN = Message(99, {"id": "unknown"})


class TransactionTests(AnswerCase):
    """The store gets messages before their delivery, in a single transaction at a time."""

    def test_nobody_hears_it_before(self) -> None:
        """No member gets a message before it is stored; then all get it in one write."""
        self.alice.say("one", "two")
        self.assertEqual((self.told(self.alice), self.told(self.bob)), ([], []))
        self.assertEqual(self.store.batches, [["one", "two"]])
        self.store.answer()
        settle(self.factory)
        self.assertEqual((self.alice.count_writes(), self.bob.count_writes()), (1, 1))
        self.assertEqual(self.told(self.alice), ["one", "two"])
        self.assertEqual(self.told(self.bob), ["one", "two"])

    def test_what_is_said_meanwhile(self) -> None:
        """Messages that arrive during a transaction go into the next transaction together."""
        self.alice.say("one")
        settle(self.factory)
        for client, text in ((self.bob, "two"), (self.alice, "three"), (self.bob, "four")):
            client.say(text)
            settle(self.factory)
        self.assertEqual(self.store.batches, [["one"]])
        self.assertEqual(self.answered(self.alice), ["one"])
        self.assertEqual(self.store.batches, [["one"], ["two", "three", "four"]])
        self.assertEqual(self.answered(self.alice), ["two", "three", "four"])
        self.assertFalse(self.store.is_asked)
        self.assertEqual([message.seq for message in self.bob.take()], [1, 2, 3, 4])

    def test_who_joins_meanwhile(self) -> None:
        """A session that joins meanwhile gets all messages after the `seq` of its welcome."""
        self.alice.say("one")
        settle(self.factory)
        carol = greeted_client(self.factory)
        carol.send(ack(carol, "carol"))
        settle(self.factory)
        self.store.answer()
        settle(self.factory)
        welcome, one = carol.take()
        self.assertEqual((welcome.header["rooms"][0]["seq"], one.seq, one.text), (0, 1, "one"))

    def test_too_much(self) -> None:
        """Reading pauses for a client with too many waiting messages, until they are stored."""
        self.alice.say(*(f"{number}" for number in range(Limits().max_in_work + 3)))
        settle(self.factory)
        self.assertFalse(self.alice.transport.is_reading)
        self.assertTrue(self.bob.transport.is_reading)
        self.assertEqual([len(batch) for batch in self.store.batches], [Limits().max_in_work])
        self.assertEqual(len(self.answered(self.alice)), Limits().max_in_work)
        self.assertTrue(self.alice.transport.is_reading)
        self.assertEqual([len(batch) for batch in self.store.batches], [Limits().max_in_work, 3])
        self.assertEqual(len(self.answered(self.alice)), 3)

    def test_as_much_as_is_allowed(self) -> None:
        """The server reads on from a client with fewer waiting messages."""
        self.alice.say(*(f"{number}" for number in range(Limits().max_in_work - 1)))
        settle(self.factory)
        self.assertTrue(self.alice.transport.is_reading)


class OrderTests(AnswerCase):
    """A client gets its answers in the order of its messages."""

    def test_command(self) -> None:
        """A command waits for the answers to earlier messages, and later messages wait for it."""
        self.alice.say("one")
        self.alice.send(command("history", room="lobby"))
        self.alice.say("two")
        self.assertEqual(self.told(self.alice), [])
        self.assertEqual(self.store.batches, [["one"]])
        self.assertFalse(self.alice.transport.is_reading)
        self.assertEqual(self.answered(self.alice), ["one", "one", "history"])
        self.assertEqual(self.store.batches, [["one"], ["two"]])
        self.assertTrue(self.alice.transport.is_reading)
        self.assertEqual(self.answered(self.alice), ["two"])

    def test_commands_of_others(self) -> None:
        """Other clients' commands do not wait."""
        self.alice.say("one")
        settle(self.factory)
        self.bob.send(command("who", room="lobby"))
        self.assertEqual(self.told(self.bob), ["who"])

    def test_name(self) -> None:
        """Messages before a change of name bear the old name."""
        self.alice.say("one")
        self.alice.send(command("name", name="alina"))
        self.alice.say("two")
        settle(self.factory)
        for _ in range(2):
            self.store.answer()
            settle(self.factory)
        one, renamed, two = self.bob.take()
        self.assertEqual((one.sender, two.sender), ("alice", "alina"))
        self.assertEqual(renamed.header, {"event": "renamed", "name": "alina", "old_name": "alice"})
        self.assertEqual(self.told(self.alice), ["one", "name", "two"])

    def test_name_after_a_direct_message(self) -> None:
        """Receipts of direct messages survive a change of the sender's name."""
        self.alice.send(Message.chat("hello", id="m1", to="bob"), command("name", name="alina"))
        settle(self.factory)
        self.assertEqual(self.answered(self.alice), ["hello", "name"])
        self.assertEqual(self.told(self.bob), ["hello", "renamed"])

    def test_errors(self) -> None:
        """A refusal from any source takes the place of the receipt."""
        self.alice.say("one", "bad")
        self.alice.send(UNKNOWN)
        self.alice.say("two")
        self.alice.send(Message.chat("x", id="x", room="cellar"))
        self.assertEqual(self.told(self.alice), [])
        self.assertEqual(self.store.batches, [["one", "two"]])
        self.assertEqual(
            self.answered(self.alice),
            ["one", "too-bad bad", "unknown-type unknown", "two", "not-in-room x"],
        )
        self.assertEqual(self.told(self.bob), ["one", "two"])

    def test_nothing_waits(self) -> None:
        """If no earlier message waits for the store, a refusal comes at once."""
        self.bob.say("one")
        settle(self.factory)
        self.alice.say("bad")
        self.alice.send(UNKNOWN)
        self.assertEqual(self.told(self.alice), ["too-bad bad", "unknown-type unknown"])

    def test_only_refusals_wait(self) -> None:
        """Refusals that wait for a transaction need no further transaction."""
        self.alice.say("one")
        settle(self.factory)
        self.alice.say("bad")
        settle(self.factory)
        self.assertEqual(self.answered(self.alice), ["one", "too-bad bad"])
        self.assertFalse(self.store.is_asked)

    def test_same_id_again(self) -> None:
        """A repeated receipt and an `id-reused` come in order, too."""
        self.alice.say("one")
        self.alice.send(Message.chat("two", id="one"))
        self.alice.say("one", "three")
        settle(self.factory)
        self.assertEqual(self.answered(self.alice), ["one", "id-reused one", "one", "three"])
        self.assertEqual(self.told(self.bob), ["one", "three"])

    def test_absence(self) -> None:
        """The notice of an absent recipient follows right after the direct message's receipt."""
        self.alice.send(*(Message.chat(id, id=id, to="carol") for id in ("one", "two")))
        settle(self.factory)
        self.assertEqual(self.answered(self.alice), ["one", "absent", "two", "absent"])

    def test_fault_in_the_bytes(self) -> None:
        """The server reports a fault in the bytes after the receipts, logs it, and stops."""
        self.alice.say("one")
        with capturedLogs() as events:
            self.alice.protocol.dataReceived(NO_FRAME)
            self.alice.say("two")
            self.assertEqual(self.told(self.alice), [])
            self.assertEqual(events, [])
            self.assertEqual(self.answered(self.alice), ["one", "bad-length", "bad-length"])
        (line,) = map(formatEvent, events)
        self.assertIn("ended: code=bad-length ", line)
        self.assertEqual(self.alice.transport.ends, ["half-close"])
        self.assertEqual(self.store.batches, [["one"]])
        self.assertEqual(self.told(self.bob), ["one", "left"])

    def test_fault_that_waits_for_long(self) -> None:
        """The peer gets the error even if the store is slow; silence does not end the session."""
        self.alice.say("one")
        self.alice.protocol.dataReceived(NO_FRAME)
        for _ in range(40):
            self.factory.clock.advance(0.5)
            self.bob.send(PING)
        self.assertEqual(self.answered(self.alice), ["one", "bad-length", "bad-length"])

    def test_hears_others_until_then(self) -> None:
        """Until the client gets the error of its fault, it still gets others' messages."""
        self.bob.say("from bob")
        settle(self.factory)
        self.alice.say("one")
        self.alice.protocol.dataReceived(NO_FRAME)
        settle(self.factory)
        self.assertEqual(self.answered(self.alice), ["from bob"])
        self.assertEqual(self.answered(self.alice), ["one", "bad-length", "bad-length"])

    def test_errors_of_the_client(self) -> None:
        """A client's ERROR waits like other frames, and gets no answer."""
        self.alice.say("one")
        self.alice.send(Message(MessageType.ERROR, Error(code="bad-day", message="no")))
        self.alice.say("two")
        settle(self.factory)
        self.assertEqual(self.answered(self.alice), ["one"])
        self.assertEqual(self.answered(self.alice), ["two"])

    def test_pings(self) -> None:
        """The server answers a ping at once, even if messages wait."""
        self.alice.say("one")
        self.alice.send(PING)
        self.assertEqual(self.told(self.alice), ["pong"])
        self.assertEqual(self.answered(self.alice), ["one"])


class BoundsTests(AnswerCase):
    """The bounds of a client's unanswered messages."""

    def test_bytes(self) -> None:
        """Reading pauses when many bytes wait, and goes on after their answers."""
        half = Limits().max_in_work_bytes // 2
        self.alice.send(Message.chat(bytes(half - 1), id="1"))
        self.assertTrue(self.alice.transport.is_reading)
        self.alice.send(Message.chat(bytes(half + 1), id="2"))
        settle(self.factory)
        self.assertFalse(self.alice.transport.is_reading)
        self.store.answer()
        settle(self.factory)
        self.assertTrue(self.alice.transport.is_reading)
        self.assertEqual([message.id for message in self.alice.take()], ["1", "2"])
        self.alice.send(Message.chat(bytes(half + 1), id="3"))
        self.assertTrue(self.alice.transport.is_reading)

    def test_refused(self) -> None:
        """The bytes of a refused message do not count, alone or beside another message."""
        refused = Message.chat(bytes(Limits().max_in_work_bytes), id="1", room="nowhere")
        self.alice.send(refused, Message.chat("2", id="2"))
        self.assertTrue(self.alice.transport.is_reading)
        self.alice.send(refused)
        settle(self.factory)
        self.assertTrue(self.alice.transport.is_reading)
        self.store.answer()
        settle(self.factory)
        self.assertEqual(len(self.alice.take()), 3)

    def test_async_hook(self) -> None:
        """A hook that waits and then publishes is bounded likewise."""
        gates: list[Deferred[None]] = []

        async def wait_and_publish(session: Session, message: Message) -> None:
            gates.append(Deferred())
            await gates[-1]
            self.factory.publish(session, message)

        self.factory.message_received = wait_and_publish
        half = Limits().max_in_work_bytes // 2
        self.alice.send(*(Message.chat(bytes(half), id=f"{number}") for number in range(3)))
        for number in range(2):
            gates[number].callback(None)
        self.assertEqual(len(gates), 2)
        self.assertEqual(len(self.answered(self.alice)), 2)
        self.assertEqual(len(gates), 3)

    def test_replies(self) -> None:
        """A reply that waits behind a message counts with its bytes."""

        def publish_or_reply(session: Session, message: Message) -> None:
            if message.id == "publish":
                self.factory.publish(session, message)
            else:
                session.reply(message, bytes(Limits().max_in_work_bytes // 2))

        self.factory.message_received = publish_or_reply
        self.alice.send(*(Message.chat("hello", id=id) for id in ("publish", "1")))
        self.assertTrue(self.alice.transport.is_reading)
        self.alice.send(Message.chat("hello", id="2"))
        self.assertFalse(self.alice.transport.is_reading)
        settle(self.factory)
        self.assertEqual(len(self.answered(self.alice)), 3)
        self.assertTrue(self.alice.transport.is_reading)

    def test_much_in_a_turn(self) -> None:
        """A turn with many messages ends early, except during a transaction."""
        texts = [f"{number}" for number in range(MAX_SAID_IN_TURN // 2)]
        self.alice.say(*texts)
        self.assertEqual(self.store.batches, [])
        self.bob.say(*texts)
        self.assertEqual([len(batch) for batch in self.store.batches], [2 * len(texts)])
        before = self.alice.count_writes()
        for client in (self.alice, self.bob):
            client.say(*texts[:-1])
        self.assertEqual((len(self.store.batches), self.alice.count_writes()), (1, before))


class NotStoredTests(AnswerCase):
    """A store that cannot store."""

    def test_in_order(self) -> None:
        """The server refuses all messages, each in its place, and delivers none."""
        self.alice.say("one", "bad", "two")
        self.bob.say("three")
        settle(self.factory)
        with capturedLogs() as events:
            self.store.fail()
        self.assertEqual(self.told(self.alice), ["not-stored one", "too-bad bad", "not-stored two"])
        self.assertEqual(self.told(self.bob), ["not-stored three"])
        (error,) = (event for event in events if event["log_level"] is LogLevel.error)
        self.assertIn("the disk is full", formatEvent(error))

    def test_no_detail(self) -> None:
        """Clients get no details of the store's failure."""
        self.alice.say("one")
        settle(self.factory)
        self.store.fail()
        settle(self.factory)
        (error,) = self.alice.take()
        self.assertNotIn("disk", error.header.message)

    def test_session_goes_on(self) -> None:
        """What waits behind is refused too; the store gets later messages, also with those ids."""
        self.alice.say("one")
        settle(self.factory)
        self.alice.say("two")
        settle(self.factory)
        self.store.fail()
        self.assertEqual(self.told(self.alice), ["not-stored one", "not-stored two"])
        for text in ("three", "one"):
            self.alice.say(text)
            settle(self.factory)
            self.store.answer()
            settle(self.factory)
        heard = [(message.text, message.seq) for message in self.alice.take()]
        self.assertEqual(heard, [("three", 1), ("one", 2)])

    def test_any_failure(self) -> None:
        """The server answers any exception of the store."""
        self.alice.say("one")
        settle(self.factory)
        self.store.fail(KeyError("a bug"))
        self.assertEqual(self.told(self.alice), ["not-stored one"])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_fault_after_it(self) -> None:
        """The server reports a later fault after it, and a half-closed connection closes."""
        self.alice.say("one")
        self.alice.protocol.dataReceived(NO_FRAME)
        self.bob.say("two")
        self.bob.protocol.readConnectionLost()
        settle(self.factory)
        self.store.fail()
        self.assertEqual(self.told(self.alice), ["not-stored one", "bad-length", "bad-length"])
        self.store.fail()
        self.assertEqual(self.told(self.bob), ["left", "not-stored two"])
        self.assertEqual(self.bob.transport.ends, ["close"])

    def test_what_the_server_says(self) -> None:
        """A message from the server that cannot be stored fails."""
        saying = self.factory.send_to_room("lobby", "hello", id="s1")
        settle(self.factory)
        self.store.fail()
        error = self.failureResultOf(saying, RequestError).value
        self.assertEqual((error.code, error.ref), ("not-stored", "s1"))
        self.assertEqual(self.told(self.bob), [])
