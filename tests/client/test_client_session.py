"""Tests of a client's session: its beginning, what it is told, and its end."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.factory import ChatClientFactory
from chatd.client.inbox import MAX_UNREAD
from chatd.errors import SessionEnded, SessionRefused
from chatd.wire.codec import Codec
from chatd.wire.messages import Disconnect, Message, MessageType, SessionInit
from tests.client.cases import ClientCase
from tests.fakes.peers import Peer


class IterationTests(ClientCase):
    """A client is iterated for what others say."""

    def test_others_only(self) -> None:
        """What others and the server say is iterated, in order; what the client says is not."""
        for client, text in ((self.bob, "one"), (self.alice, "mine"), (self.bob, "two")):
            client.send(text)
            self.pump()
        self.server.factory.send_to_room("lobby", "three")
        self.pump()
        self.assertEqual(
            [self.successResultOf(self.next_of(self.alice)) for _ in range(3)],
            ["one", "two", "three"],
        )
        self.assertNoResult(self.next_of(self.alice))

    def test_ends_cleanly(self) -> None:
        """The iteration ends with a session that ends cleanly, after what came before."""

        async def listen() -> list[str]:
            return [message.text async for message in self.alice]

        listening = Deferred.fromCoroutine(listen())
        for text in ("one", "two"):
            self.bob.send(text)
        self.pump()
        self.alice.disconnect()
        self.pump()
        self.assertEqual(self.successResultOf(listening), ["one", "two"])

    def test_raises(self) -> None:
        """The iteration raises where the session is lost."""
        listening = self.next_of(self.alice)
        self.lose(self.alice)
        self.assertEqual(
            self.failureResultOf(listening, SessionEnded).value.code, "connection-lost"
        )

    def test_not_read_at_all(self) -> None:
        """A program that never iterates is not ended for it."""
        for _ in range(3):
            self.bob.send(bytes(MAX_UNREAD // 2))
            self.pump()
        self.assertTrue(self.alice.is_active)

    def test_not_read_in_time(self) -> None:
        """A program that does not iterate as fast as others speak is ended, and told so."""
        listening = self.next_of(self.alice)
        self.bob.send("one")
        self.pump()
        self.successResultOf(listening)
        for _ in range(3):
            self.bob.send(bytes(MAX_UNREAD // 2))
            self.pump()
        ended = self.successResultOf(self.alice.when_ended())
        self.assertEqual((ended.code, ended.retry), ("slow-consumer", True))
        self.assertNotIn("alice", [one.name for one in self.server.factory.sessions.values()])

    def test_largest_message(self) -> None:
        """A message as large as the server allows reaches who waits for it."""
        listening = self.next_of(self.alice)
        self.bob.send(b"x" * (MAX_UNREAD + 1))
        self.pump()
        self.assertEqual(len(self.successResultOf(listening)), MAX_UNREAD + 1)
        self.assertTrue(self.alice.is_active)


class EndTests(ClientCase):
    """When the session ends, everyone who waits is told."""

    def test_all_that_wait(self) -> None:
        """All that was asked and not answered fails with the reason of the end."""
        asked = [self.alice.send("hello"), self.alice.command("dance"), self.alice.ping()]
        asked.append(self.next_of(self.alice))
        self.lose(self.alice)
        for waiting in asked:
            error = self.failureResultOf(waiting, SessionEnded).value
            self.assertEqual((error.code, error.retry), ("connection-lost", True))

    def test_ended_by_the_server(self) -> None:
        """The reason is the one that the server gave."""
        ended = self.alice.when_ended()
        self.server.session_of(self.alice).end("enough", "that was enough", retry=True)
        self.pump()
        end = self.successResultOf(ended)
        self.assertEqual((end.code, end.reason, end.retry), ("enough", "that was enough", True))
        self.assertFalse(self.alice.is_active)

    def test_disconnect(self) -> None:
        """What was said before a disconnect is sent; it fires when the connection is closed."""
        sending = self.alice.send("last words")
        ended = self.alice.disconnect()
        self.assertNoResult(ended)
        self.pump()
        self.assertTrue(self.successResultOf(ended).is_clean)
        self.failureResultOf(sending, SessionEnded)
        self.assertEqual(self.successResultOf(self.next_of(self.bob)), "last words")
        self.assertEqual([one.name for one in self.server.factory.sessions.values()], ["bob"])

    def test_disconnect_twice(self) -> None:
        """A second disconnect waits for the same end, and so does one after it."""
        first, second = self.alice.disconnect(), self.alice.disconnect()
        self.pump()
        third = self.alice.disconnect()
        ends = [self.successResultOf(ended) for ended in (first, second, third)]
        self.assertEqual([end.code for end in ends], ["goodbye"] * 3)

    def test_disconnect_after_it_was_lost(self) -> None:
        """A disconnect from a session that was lost fires with why it was."""
        self.lose(self.alice)
        self.assertEqual(self.successResultOf(self.alice.disconnect()).code, "connection-lost")

    def test_when_ended_cancelled(self) -> None:
        """Who no longer waits for the end is not told, and others are."""
        cancelled, other = self.alice.when_ended(), self.alice.when_ended()
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)
        self.lose(self.alice)
        self.successResultOf(other)

    def test_context(self) -> None:
        """A client that is left as a context is disconnected, however it is left."""

        async def use() -> None:
            async with self.alice as client:
                self.assertIs(client, self.alice)
                raise ValueError("no")

        using = Deferred.fromCoroutine(use())
        self.assertNoResult(using)
        self.pump()
        self.failureResultOf(using, ValueError)
        self.assertEqual(self.alice.connection.end_reason.code, "goodbye")

    def test_silent_server(self) -> None:
        """A server from which nothing is heard for three intervals is left."""
        for _ in range(5 * 50):
            self.server.clock.advance(0.1)  # and nothing is pumped
        self.assertEqual(self.alice.connection.end_reason.code, "heartbeat-timeout")

    def test_quiet_conversation(self) -> None:
        """A session in which nobody speaks is kept by its heartbeats."""
        self.server.advance(120)
        self.assertTrue(self.alice.is_active)


class EstablishmentTests(SynchronousTestCase):
    """`when_established` in each state, with a server by hand."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.client = ChatClientFactory(self.clock, name="alice").buildProtocol(None)
        self.server = Peer(self.client, Codec())

    def greet(self) -> None:
        self.server.send(Message(MessageType.SESSION_INIT, SessionInit(session_id="s1")))
        self.clock.advance(0)

    def welcome(self) -> None:
        header = {"event": "welcome", "session_id": "s1", "name": "alice", "room": None}
        self.server.send(Message(MessageType.EVENT, header))
        self.clock.advance(0)

    def end(self, code: str) -> None:
        self.server.send(Message(MessageType.DISCONNECT, Disconnect(code=code)))
        self.clock.advance(0)

    def test_before_the_greeting(self) -> None:
        """Who asks before the greeting waits for the welcome."""
        waiting = self.client.when_established()
        self.assertIsNone(self.client.session_id)
        self.greet()
        self.assertEqual(self.client.session_id, "s1")
        self.assertNoResult(waiting)
        self.welcome()
        self.assertIs(self.successResultOf(waiting), self.client)

    def test_after_the_greeting(self) -> None:
        """Who asks after the greeting waits for the welcome, too."""
        self.greet()
        waiting = self.client.when_established()
        self.assertFalse(self.client.is_active)
        self.welcome()
        self.assertIs(self.successResultOf(waiting), self.client)
        self.assertEqual((self.client.name, self.client.room), ("alice", None))

    def test_after_the_welcome(self) -> None:
        """Who asks after the welcome is told at once."""
        self.greet()
        self.welcome()
        self.assertIs(self.successResultOf(self.client.when_established()), self.client)

    def test_refused(self) -> None:
        """Who waits where the server refuses is told so, and so is who asks later."""
        waiting = self.client.when_established()
        self.greet()
        self.end("name-taken")
        error = self.failureResultOf(waiting, SessionRefused).value
        self.assertEqual(error.code, "name-taken")
        self.failureResultOf(self.client.when_established(), SessionRefused)

    def test_ended(self) -> None:
        """Who asks after the end of an established session is told of the end."""
        self.greet()
        self.welcome()
        self.end("shutting-down")
        error = self.failureResultOf(self.client.when_established(), SessionEnded).value
        self.assertEqual(error.code, "shutting-down")
        self.assertNotIsInstance(error, SessionRefused)

    def test_lost(self) -> None:
        """Who waits where the connection is lost is told so."""
        waiting = self.client.when_established()
        self.server.transport.lose()
        self.assertEqual(self.failureResultOf(waiting, SessionEnded).value.code, "connection-lost")

    def test_too_slow(self) -> None:
        """Who waits where the server says nothing is told after ten seconds."""
        waiting = self.client.when_established()
        self.clock.advance(10)
        error = self.failureResultOf(waiting, SessionEnded).value
        self.assertEqual(error.code, "handshake-timeout")

    def test_cancelled(self) -> None:
        """Who no longer waits is not told, and others are."""
        cancelled, other = self.client.when_established(), self.client.when_established()
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)
        self.greet()
        self.welcome()
        self.successResultOf(other)

    def test_disconnect_before_the_welcome(self) -> None:
        """A client that leaves before it is welcomed tells who waits, and says goodbye."""
        waiting = self.client.when_established()
        self.greet()
        self.server.take()
        ended = self.client.disconnect()
        self.clock.advance(0)
        (goodbye,) = self.server.take()
        self.assertEqual(goodbye.header.code, "goodbye")
        self.failureResultOf(waiting, SessionEnded)
        self.assertNoResult(ended)
        self.server.transport.lose()
        self.assertTrue(self.successResultOf(ended).is_clean)
