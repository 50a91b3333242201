"""Tests of many commands at once: other clients have their turn, and the client must read."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.server.pace import MAX_COMMANDS_IN_TURN
from chatd.server.session import Session
from chatd.storage.memory import MemoryStore
from chatd.storage.values import Retention
from chatd.transport.protocol import HOLD_PENDING
from chatd.wire.messages import Message, MessageType
from tests.fakes.handserver import fields_of
from tests.fakes.peers import command, hand_client, memory_factory, settle

MIB = 1024 * 1024


class ServedPaceTests(SynchronousTestCase):
    def setUp(self) -> None:
        store = MemoryStore(Retention(max_bytes=10 * MIB), unix_time=lambda: 0.0)
        self.factory = memory_factory(store=store)
        self.alice = hand_client(self.factory)

    def ask(self, number: int, name: str, **fields: object) -> None:
        """Send a command several times, in one piece."""
        self.alice.send(*(command(name, id=str(each), **fields) for each in range(number)))

    def answered(self) -> list[str]:
        """Return the ids of the received RESULTs."""
        return [told.header["id"] for told in self.alice.take() if told.type == MessageType.RESULT]

    def test_turns(self) -> None:
        """Many commands run a few in each turn, and in the end all have run, in order."""
        done: list[str] = []
        received = self.factory.command_received

        def command_received(session: Session, asked: Message) -> object:
            done.append(fields_of(asked)["id"])
            return received(session, asked)

        self.factory.command_received = command_received
        ids = [str(each) for each in range(3 * MAX_COMMANDS_IN_TURN)]
        self.ask(len(ids), "who", room="lobby")
        self.assertEqual(done, ids[:MAX_COMMANDS_IN_TURN])
        self.assertFalse(self.alice.transport.is_reading)
        settle(self.factory)
        self.assertEqual((done, self.answered()), (ids, ids))
        self.assertTrue(self.alice.transport.is_reading)

    def test_bytes(self) -> None:
        """A client that does not read its results gets no more answers until it does."""
        self.alice.send(Message.chat(bytes(2 * HOLD_PENDING), id="large"))
        settle(self.factory)
        self.alice.take()
        self.alice.transport.accept_no_more()
        self.ask(5, "history", room="lobby", limit=1)
        for _ in range(10):
            settle(self.factory)
        self.assertLess(self.alice.protocol.connection.bytes_to_send, 3 * HOLD_PENDING)
        for _ in range(100):
            self.alice.transport.accept_again()
            settle(self.factory)
        self.assertEqual(self.answered(), ["0", "1", "2", "3", "4"])

    def test_gone(self) -> None:
        """A client that leaves instead leaves no timer."""
        self.alice.send(Message.chat(bytes(2 * HOLD_PENDING), id="large"))
        settle(self.factory)
        self.alice.transport.accept_no_more()
        self.ask(5, "history", room="lobby", limit=1)
        settle(self.factory)
        self.alice.transport.lose()
        settle(self.factory)
        self.assertEqual(self.factory.sessions, {})
        self.assertEqual(self.factory.clock.getDelayedCalls(), [])
