"""Tests of long reads of WebSockets, which wait for other clients' turn."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from websockets.frames import Opcode

from chatd.server.limits import Limits
from chatd.server.turnbudget import MOST_S
from chatd.transport.reading import Reason
from chatd.web.websocket import SHORT_FRAMES
from chatd.wire.messages import Message
from tests.fakes.peers import GatedStore
from tests.web.cases import WebCase

TEXTS = [f"a{number:03}" for number in range(100)]


class LongReadTests(WebCase):
    """Two browsers, in a turn in which long reads have taken long."""

    def serve(self, *arguments: Any, **options: Any) -> None:
        super().serve(*arguments, **options)
        self.alice, self.bob = self.join("alice"), self.join("bob")
        self.clock.finish()
        self.bob.texts()
        self.budget = self.chat.engine.read_budget
        self.budget.spend(MOST_S)

    def single(self, *texts: str) -> bytes:
        """Return messages, each in a frame of its own."""
        messages = [Message.chat(text, id=text) for text in texts]
        return b"".join(self.alice.frame(self.alice.codec.encode(each)) for each in messages)

    def heard(self) -> list[str]:
        """Make turns until nothing is left to do, and return what was said."""
        self.clock.finish()
        return self.bob.texts()

    @property
    def arriving_bytes(self) -> int:
        return self.chat.engine.connections.arriving_bytes

    def test_others(self) -> None:
        """Another client's message goes before a long read, of which nothing is lost."""
        self.alice.send(self.single(*TEXTS))
        self.bob.say("hello")
        self.assertFalse(self.alice.transport.is_reading)
        self.assertEqual(self.heard(), ["hello", *TEXTS])
        self.assertTrue(self.alice.transport.is_reading)

    def test_one_turn(self) -> None:
        """What is in frames that have waited does not wait again, though others do."""
        self.alice.send(self.single(*TEXTS))
        self.bob.send(self.single(*TEXTS))
        self.slow_frames()
        self.clock.turn()
        self.assertIsNone(self.alice.session._work)
        self.assertFalse(self.bob.transport.is_reading)

    def test_empty_frames(self) -> None:
        """Frames that carry nothing wait, too."""
        self.alice.send(self.alice.frame(b"", Opcode.PONG) * SHORT_FRAMES)
        self.assertFalse(self.alice.transport.is_reading)
        self.assertGreater(self.arriving_bytes, SHORT_FRAMES)
        self.clock.finish()
        self.assertEqual((self.alice.transport.is_reading, self.arriving_bytes), (True, 0))

    def test_time_left(self) -> None:
        """In other turns, all frames are acted on at once."""
        self.clock.turn()
        self.alice.send(self.single(*TEXTS))
        self.assertTrue(self.alice.transport.is_reading)
        self.assertEqual(self.heard(), TEXTS)

    def test_short_reads(self) -> None:
        """Few frames do not wait, and their time does not count."""
        self.alice.send(self.single("one"))
        self.assertTrue(self.alice.transport.is_reading)
        self.clock.turn()
        self.slow_frames()
        self.alice.send(self.single("two"))
        self.assertIsNone(self.budget.ask())

    def test_time_of_frames(self) -> None:
        """The time of many frames counts, even if they carry nothing."""
        self.clock.turn()
        self.slow_frames()
        self.alice.send(self.alice.frame(b"", Opcode.PONG) * SHORT_FRAMES)
        self.assertIsNotNone(self.budget.ask())

    def slow_frames(self) -> None:
        """Let each read of alice's frames take long."""
        websocket = self.alice.transport.protocol._websocket
        receive = websocket.receive_data

        def receive_slowly(data: bytes) -> None:
            self.clock.rightNow += MOST_S
            receive(data)

        self.patch(websocket, "receive_data", receive_slowly)

    def test_more_arrives(self) -> None:
        """What a TLS connection gives on while it is paused comes after that."""
        data = self.single(*TEXTS)
        self.alice.send(data[:-10])
        self.alice.send(data[-10:])
        self.assertEqual(self.arriving_bytes, len(data))
        self.assertEqual(self.heard(), TEXTS)
        self.assertEqual(self.arriving_bytes, 0)

    def test_paused_session(self) -> None:
        """Reading goes on when neither the session nor others' turn is a reason to wait."""
        transport, reading = self.alice.transport, self.alice.session._reading
        self.alice.send(self.single(*TEXTS))
        reading.pause(Reason.WORK)
        reading.resume(Reason.WORK)
        self.assertFalse(transport.is_reading)
        reading.pause(Reason.WORK)
        self.assertEqual(self.heard(), TEXTS)
        self.assertFalse(transport.is_reading)
        reading.resume(Reason.WORK)
        self.assertTrue(transport.is_reading)

    def test_silence(self) -> None:
        """A client whose frames wait is not silent."""
        self.alice.send(self.single(*TEXTS))
        self.budget._next_turn.stop()  # nobody's turn comes
        for _ in range(10):
            self.alice.session.tick(self.clock.seconds())
            self.clock.rightNow += 5
        self.assertTrue(self.alice.session.connection.is_established)

    def test_rate(self) -> None:
        """A client over its rate waits for that after its turn."""
        self.serve(limits=Limits(message_rate=10))
        self.alice.send(self.single(*TEXTS * 2))
        self.clock.finish()
        self.assertFalse(self.alice.transport.is_reading)
        self.clock.advance(60)
        self.assertEqual(self.heard(), TEXTS)  # the others have the same ids
        self.assertTrue(self.alice.transport.is_reading)

    def test_no_room(self) -> None:
        """Frames do not wait if many bytes wait already."""
        self.serve(limits=Limits(max_arriving=1000))
        self.alice.send(self.single(*TEXTS))
        self.assertTrue(self.alice.transport.is_reading)
        self.assertEqual(self.heard(), TEXTS)

    def test_close(self) -> None:
        """A client that closes behind its messages leaves after them."""
        self.alice.send(self.single(*TEXTS) + self.close())
        self.assertEqual(self.heard(), TEXTS)
        self.check_gone()

    def test_close_behind_slow_frames(self) -> None:
        """So does one whose frames use up the time of the turn."""
        self.clock.turn()
        self.slow_frames()
        self.alice.send(self.single(*TEXTS) + self.close())
        self.assertEqual(self.heard(), TEXTS)
        self.check_gone()

    def test_close_behind_other_waits(self) -> None:
        """So does one that waits for the store or for its rate."""
        store = GatedStore()
        self.serve(store=store, limits=Limits(max_in_work=10))
        self.alice.send(self.single(*TEXTS) + self.close())
        self.clock.finish()
        while store.is_asked:
            store.answer()
            self.clock.finish()
        self.assertEqual(self.bob.texts(), TEXTS)
        self.check_gone()
        self.serve(limits=Limits(message_rate=10))
        self.alice.send(self.single(*TEXTS) + self.close())
        self.assertEqual(self.heard(), TEXTS)
        self.assertEqual(len(self.chat.sessions), 2)
        self.clock.advance(60)
        self.check_gone()

    def test_lost(self) -> None:
        """What had arrived before the end of a connection is acted on."""
        self.alice.send(self.single(*TEXTS))
        self.alice.transport.protocol.connectionLost(Failure(ConnectionLost()))
        self.assertEqual((self.heard(), self.arriving_bytes), (TEXTS, 0))
        self.check_gone()

    def test_lost_behind_a_close(self) -> None:
        """Nothing is done with the ended connection, whatever the last frames are."""
        for last in (self.close(), self.alice.frame(b"text", Opcode.TEXT), b"\xff" * 10):
            self.serve()
            transport = self.alice.transport
            self.alice.send(self.single(*TEXTS) + last)
            for name in ("loseConnection", "loseWriteConnection", "abortConnection", "write"):
                self.patch(transport, name, self.fail_now)
            transport.protocol.connectionLost(Failure(ConnectionLost()))
            self.assertEqual((self.heard(), self.arriving_bytes), (TEXTS, 0))
            self.check_gone()
            self.assertEqual(len(self.chat.engine.connections), 1)

    def test_lost_and_failed(self) -> None:
        """The session ends even if its last frames cannot be read."""
        self.alice.send(self.single(*TEXTS))
        self.patch(self.alice.transport.protocol._websocket, "receive_data", self.fail_now)
        self.alice.transport.protocol.connectionLost(Failure(ConnectionLost()))
        self.check_gone()
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_ended(self) -> None:
        """What comes after a session does not pile up."""
        self.alice.send(self.single(*TEXTS))
        self.alice.session.end_session("kicked", "out")
        for _ in range(10):
            self.alice.send(self.alice.frame(bytes(10_000)))
        self.assertEqual(self.alice.transport.protocol._waiting, b"")
        self.assertEqual((self.heard(), self.arriving_bytes), ([], 0))

    def test_ended_over_its_rate(self) -> None:
        """The bytes of an ended session count for nothing, whatever it waited for."""
        self.serve(limits=Limits(message_rate=10))
        self.clock.turn()
        begun = self.alice.frame(self.alice.codec.encode(Message.chat("begun"))[:-1])
        self.alice.send(self.single(*TEXTS) + begun + self.alice.frame(bytes(3000))[:2000])
        self.assertGreater(self.arriving_bytes, 0)
        self.alice.session.end_session("kicked", "out")
        self.clock.turn()
        self.alice.session.dataReceived(b"more")
        self.assertEqual(self.arriving_bytes, 0)

    def test_end_of_a_long_frame(self) -> None:
        """A short read that completes a long frame gives its contents no turn."""
        self.clock.turn()
        messages = [Message.chat(text, id=text) for text in TEXTS]
        frame = self.alice.frame(b"".join(map(self.alice.codec.encode, messages)))
        self.alice.send(frame[:-10])
        self.budget.spend(MOST_S)
        self.alice.send(frame[-10:])
        self.bob.say("hello")
        self.assertEqual(self.heard(), ["hello", *TEXTS])

    def test_failed(self) -> None:
        """A fault of this side ends the session of frames that have waited."""
        self.alice.send(self.single(*TEXTS))
        self.patch(self.alice.transport.protocol, "carried", self.fail_now)
        self.assertEqual((self.heard(), self.arriving_bytes), ([], 0))
        self.assertTrue(self.alice.transport.is_lost)
        self.check_gone()
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def fail_now(self, *arguments: object) -> None:
        raise KeyError("no")

    def close(self) -> bytes:
        """Return a Close frame."""
        return self.alice.frame(b"\x03\xe8", Opcode.CLOSE)

    def check_gone(self) -> None:
        """Check that only bob has a session."""
        self.assertEqual([each.name for each in self.chat.sessions.values()], ["bob"])
