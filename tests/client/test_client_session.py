"""Tests of a client's session: its beginning, its messages, and its end."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.client import ChatClient
from chatd.client.factory import ChatClientFactory
from chatd.client.inbox import MAX_UNREAD
from chatd.client.results import Joined
from chatd.errors import SessionEnded, SessionRefused
from chatd.wire.codec import Codec
from chatd.wire.messages import ChatHeader, Disconnect, Message, MessageType, SessionInit
from tests.client.cases import ClientCase
from tests.fakes.peers import Peer


class IterationTests(ClientCase):
    """Iterating a client yields the messages of others."""

    def test_others_only(self) -> None:
        """Messages of others and of the server are iterated, in order; the client's own are not."""
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

    def test_sender(self) -> None:
        """The client takes the sender's name from the server, whoever that is."""
        listening = Deferred.fromCoroutine(self.alice.__anext__())
        header = ChatHeader(id="m1", room="lobby", sender="bob", seq=1, time=1.0)
        self.tell(self.alice, Message(MessageType.MESSAGE, header, b"made by the server"))
        message = self.successResultOf(listening)
        self.assertEqual((message.sender, message.text), ("bob", "made by the server"))

    def test_ends_cleanly(self) -> None:
        """The iteration ends after the earlier messages when a session ends cleanly."""

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
        """The iteration raises if the session is lost."""
        listening = self.next_of(self.alice)
        self.lose(self.alice)
        self.assertEqual(
            self.failureResultOf(listening, SessionEnded).value.code, "connection-lost"
        )

    def test_not_read_at_all(self) -> None:
        """A program that never iterates keeps its session."""
        for _ in range(3):
            self.bob.send(bytes(MAX_UNREAD // 2))
            self.pump()
        self.assertTrue(self.alice.is_active)

    def test_not_read_in_time(self) -> None:
        """A program that iterates too slowly keeps its session."""
        listening = self.next_of(self.alice)
        self.bob.send("one")
        self.pump()
        self.successResultOf(listening)
        for _ in range(3):
            self.bob.send(bytes(MAX_UNREAD // 2))
            self.pump()
        self.assertTrue(self.alice.is_active)

    def test_largest_message(self) -> None:
        """A message at the server's limit reaches a waiting program."""
        listening = self.next_of(self.alice)
        self.bob.send(b"x" * (MAX_UNREAD + 1))
        self.pump()
        self.assertEqual(len(self.successResultOf(listening)), MAX_UNREAD + 1)
        self.assertTrue(self.alice.is_active)


class FirstRoomsTests(ClientCase):
    """The rooms in which a session begins."""

    def test_members(self) -> None:
        """Their number of members is unknown at first; that of a room joined later is known."""
        joined: list[tuple[str, int | None]] = []

        class Greeting(ChatClient):
            def room_joined(self, room: Joined) -> None:
                joined.append((room.room, room.members))

        carol = self.server.connect("carol", protocol=Greeting)
        carol.join("garden")
        self.pump()
        self.assertEqual(joined, [("lobby", None), ("garden", 1)])


class EndTests(ClientCase):
    """When the session ends, all waiting Deferreds end."""

    def test_all_that_wait(self) -> None:
        """All unanswered requests fail with the reason of the end."""
        asked = [self.alice.send("hello"), self.alice.command("dance"), self.alice.ping()]
        asked.append(self.next_of(self.alice))
        self.lose(self.alice)
        for waiting in asked:
            error = self.failureResultOf(waiting, SessionEnded).value
            self.assertEqual((error.code, error.retry), ("connection-lost", True))

    def test_ended_by_the_server(self) -> None:
        """The reason is the server's reason."""
        ended = self.alice.when_ended()
        self.server.session_of(self.alice).end("enough", "that was enough", retry=True)
        self.pump()
        end = self.successResultOf(ended)
        self.assertEqual((end.code, end.reason, end.retry), ("enough", "that was enough", True))
        self.assertFalse(self.alice.is_active)

    def test_disconnect(self) -> None:
        """The client sends messages before a disconnect; it fires when the connection is closed."""
        sending = self.alice.send("last words")
        ended = self.alice.disconnect()
        self.assertNoResult(ended)
        self.pump()
        self.assertTrue(self.successResultOf(ended).is_clean)
        self.assertEqual(self.successResultOf(sending).text, "last words")
        self.assertEqual(self.successResultOf(self.next_of(self.bob)), "last words")
        self.assertEqual([one.name for one in self.server.factory.sessions.values()], ["bob"])

    def test_disconnect_twice(self) -> None:
        """A second disconnect waits for the same end, and so does a disconnect after it."""
        first, second = self.alice.disconnect(), self.alice.disconnect()
        self.pump()
        third = self.alice.disconnect()
        ends = [self.successResultOf(ended) for ended in (first, second, third)]
        self.assertEqual([end.code for end in ends], ["goodbye"] * 3)

    def test_use_after_disconnect(self) -> None:
        """A caller after the program's own goodbye learns that the program has left."""
        self.alice.disconnect()
        self.pump()
        for asked in (self.alice.send("hello"), self.alice.ping(), self.alice.who("lobby")):
            error = self.failureResultOf(asked, SessionEnded).value
            told = "goodbye: this client has left: disconnect() was called"
            self.assertEqual(str(error), told)

    def test_disconnect_after_it_was_lost(self) -> None:
        """A disconnect of a lost session fires with the reason of the loss."""
        self.lose(self.alice)
        self.assertEqual(self.successResultOf(self.alice.disconnect()).code, "connection-lost")

    def test_when_ended_cancelled(self) -> None:
        """A cancelled wait for the end does not fire, and others do."""
        cancelled, other = self.alice.when_ended(), self.alice.when_ended()
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)
        self.lose(self.alice)
        self.successResultOf(other)

    def test_context(self) -> None:
        """A client as a context is disconnected at its end, also after an exception."""

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
        """The client leaves a server that is silent for three intervals."""
        for _ in range(5 * 50):
            self.server.clock.advance(0.1)  # without delivering anything
        self.assertEqual(self.alice.connection.end_reason.code, "heartbeat-timeout")

    def test_quiet_conversation(self) -> None:
        """Heartbeats keep a session without messages."""
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
        """A wait that begins before the greeting lasts until the welcome."""
        waiting = self.client.when_established()
        self.assertIsNone(self.client.session_id)
        self.greet()
        self.assertEqual(self.client.session_id, "s1")
        self.assertNoResult(waiting)
        self.welcome()
        self.assertIs(self.successResultOf(waiting), self.client)

    def test_after_the_greeting(self) -> None:
        """So does a wait that begins after the greeting."""
        self.greet()
        waiting = self.client.when_established()
        self.assertFalse(self.client.is_active)
        self.welcome()
        self.assertIs(self.successResultOf(waiting), self.client)
        self.assertEqual((self.client.name, self.client.room), ("alice", None))

    def test_after_the_welcome(self) -> None:
        """A wait that begins after the welcome ends at once."""
        self.greet()
        self.welcome()
        self.assertIs(self.successResultOf(self.client.when_established()), self.client)

    def test_refused(self) -> None:
        """If the server refuses the client, present and later waits fail."""
        waiting = self.client.when_established()
        self.greet()
        self.end("name-taken")
        error = self.failureResultOf(waiting, SessionRefused).value
        self.assertEqual(error.code, "name-taken")
        self.failureResultOf(self.client.when_established(), SessionRefused)

    def test_ended(self) -> None:
        """A wait that begins after the session's end fails with the end."""
        self.greet()
        self.welcome()
        self.end("shutting-down")
        error = self.failureResultOf(self.client.when_established(), SessionEnded).value
        self.assertEqual(error.code, "shutting-down")
        self.assertNotIsInstance(error, SessionRefused)

    def test_lost(self) -> None:
        """If the connection is lost, a wait fails."""
        waiting = self.client.when_established()
        self.server.transport.lose()
        error = self.failureResultOf(waiting, SessionEnded).value
        self.assertEqual(error.code, "connection-lost")
        self.assertIn("the endpoint is ws://HOST:PORT/ws", error.reason)

    def test_too_slow(self) -> None:
        """If the server is silent, a wait fails after ten seconds."""
        waiting = self.client.when_established()
        self.clock.advance(10)
        error = self.failureResultOf(waiting, SessionEnded).value
        self.assertEqual(error.code, "handshake-timeout")

    def test_cancelled(self) -> None:
        """A cancelled wait does not fire, and others do."""
        cancelled, other = self.client.when_established(), self.client.when_established()
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)
        self.greet()
        self.welcome()
        self.successResultOf(other)

    def test_disconnect_before_the_welcome(self) -> None:
        """A disconnect before the welcome fails waits, and says goodbye."""
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
