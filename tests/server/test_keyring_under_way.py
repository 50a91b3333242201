"""Tests of a server whose key is replaced during its work: each client gets its key's signatures.

The clients' codecs check all frames: a frame that is signed with another key ends the session.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.policy import Policy
from chatd.client.client import ChatClient
from chatd.errors import RequestError
from chatd.server.factory import ChatFactory
from chatd.server.session import Session
from chatd.testing import MemoryServer
from chatd.wire.messages import Message
from tests.fakes.peers import KEY, OTHER_KEY, GatedStore

KEYS = [bytes(range(first, first + 32)) for first in range(5)]
"""Keys; the first two are `KEY` and `OTHER_KEY`."""


class Listener(ChatClient):
    """A client that notes its messages."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.heard: list[str] = []
        self.events: list[str] = []
        self.errors: list[str] = []

    def message_received(self, message: Message, is_receipt: bool) -> None:
        self.heard.append(message.text)

    def event_received(self, event: dict[Any, Any]) -> None:
        self.events.append(event["event"])

    def error_received(self, error: RequestError) -> None:
        self.errors.append(error.code)


class ReplyFactory(ChatFactory):
    """Answers messages to it with a question mark; publishes all other messages.

    Attributes:
        thinking: Fires when the answer is ready; None for at once.
    """

    thinking: Deferred[None] | None = None

    async def message_received(self, session: Session, message: Message) -> None:
        if message.text.endswith("?"):
            if self.thinking is not None:
                await self.thinking
            session.reply(message, f"you asked: {message.text}")
        else:
            self.publish(session, message)


class NewKeyTests(SynchronousTestCase):
    """A server with a key, whose clients note their messages."""

    def setUp(self) -> None:
        self.server = MemoryServer(ReplyFactory, key=KEY, policy=Policy(operators=("alice",)))
        self.factory: Any = self.server.factory

    def connect(self, name: str, key: bytes = KEY) -> Any:
        client: Any = self.server.connect(name, key=key, protocol=Listener)
        self.assertTrue(client.is_active, client.connection.end_reason)
        return client

    def leave(self, client: ChatClient) -> None:
        """Disconnect a client."""
        left = client.disconnect()
        self.server.pump()
        self.successResultOf(left)

    def check_all_are_here(self, *clients: ChatClient) -> None:
        """Check that no session ended, and that all clients can send and ping."""
        asked: list[Deferred[Any]] = [each.ping() for each in clients]
        asked += [each.send(f"{each.name} is here", id=f"here {each.name}") for each in clients]
        self.server.pump()
        for answer in asked:
            self.successResultOf(answer)
        for each in clients:
            self.assertTrue(each.is_active)


class UnderWayTests(NewKeyTests):
    """Sessions with an earlier key keep everything that they can do."""

    def test_answers(self) -> None:
        """Replies, refusals and errors for unknown commands reach a session of the old key."""
        alice = self.connect("alice")
        self.factory.use_key(OTHER_KEY)
        asked = alice.send("who am I?")
        refused = [alice.send("hello", room="nowhere"), alice.command("dance")]
        self.server.pump()
        self.assertEqual(self.successResultOf(asked).text, "you asked: who am I?")
        codes = [self.failureResultOf(each, RequestError).value.code for each in refused]
        self.assertEqual(codes, ["not-in-room", "unknown-command"])
        self.check_all_are_here(alice)

    def test_answer_that_takes_its_time(self) -> None:
        """A reply that began before the key changed reaches it, too, even after two changes."""
        alice = self.connect("alice")
        self.factory.thinking = Deferred()
        asked = alice.send("how long?")
        self.server.pump()
        for key in KEYS[1:3]:
            self.factory.use_key(key)
        self.factory.thinking.callback(None)
        self.server.pump()
        self.assertEqual(self.successResultOf(asked).text, "you asked: how long?")
        self.check_all_are_here(alice)

    def test_comings_and_goings(self) -> None:
        """Sessions of both keys get events about joins, leaves and the topic."""
        alice = self.connect("alice")
        self.factory.use_key(OTHER_KEY)
        bob = self.connect("bob", OTHER_KEY)
        topic = bob.topic("lobby", "keys")
        self.server.pump()
        self.successResultOf(topic)
        left = bob.leave("lobby")
        self.server.pump()
        self.successResultOf(left)
        self.assertEqual(alice.events, ["joined", "topic", "left"])
        self.check_all_are_here(alice)

    def test_kick(self) -> None:
        """An operator with the earlier key kicks a client with the new key, and the reverse."""
        alice, bob = self.connect("alice"), self.connect("bob")
        self.factory.use_key(OTHER_KEY)
        carol = self.connect("carol", OTHER_KEY)
        kicked = alice.kick("carol")
        self.server.pump()
        self.assertEqual(self.successResultOf(kicked), 1)
        self.assertEqual(carol.connection.end_reason.code, "kicked")
        self.leave(alice)
        alice_too = self.connect("alice", OTHER_KEY)
        kicked = alice_too.kick("bob")
        self.server.pump()
        self.assertEqual(self.successResultOf(kicked), 1)
        self.assertEqual(bob.connection.end_reason.code, "kicked")

    def test_shutdown(self) -> None:
        """All sessions get the server's goodbye."""
        clients: list[Any] = []
        for key in KEYS[:3]:
            self.factory.use_key(key)
            clients.append(self.connect(f"c{len(clients)}", key))
        self.factory.shut_down()
        self.server.pump()
        ends = [each.connection.end_reason for each in clients]
        self.assertEqual([(end.code, end.retry) for end in ends], [("shutting-down", True)] * 3)

    def test_what_was_missed(self) -> None:
        """Joining with `after` gives messages from under other keys, in order."""
        alice = self.connect("alice")
        sent = alice.send("one")
        self.server.pump()
        first = self.successResultOf(sent)
        self.factory.use_key(OTHER_KEY)
        bob = self.connect("bob", OTHER_KEY)
        bob.send("two")
        self.server.pump()
        epoch = self.factory.hub.roster.rooms["lobby"].epoch
        self.factory.use_key(KEYS[2])
        for late in (alice, bob, self.connect("carol", KEYS[2])):
            left = late.leave("lobby")
            self.server.pump()
            self.successResultOf(left)
            late.heard.clear()
            joined = late.join("lobby", after=first.seq, epoch=epoch)
            self.server.pump()
            self.assertTrue(self.successResultOf(joined).recovered)
            self.assertEqual(late.heard, ["two"])
            self.assertTrue(late.is_active)

    def test_heartbeats(self) -> None:
        """Heartbeats go on for longer than silence is allowed."""
        clients: list[Any] = []
        for key in KEYS[:3]:
            self.factory.use_key(key)
            clients.append(self.connect(f"c{len(clients)}", key))
        self.server.advance(60, step_s=1)
        self.check_all_are_here(*clients)

    def test_back_and_forth(self) -> None:
        """An earlier key may come back; sessions of each key go on."""
        clients = [self.connect("c0")]
        for key in (OTHER_KEY, KEY, OTHER_KEY, KEY):
            self.factory.use_key(key)
            clients.append(self.connect(f"c{len(clients)}", key))
            self.check_all_are_here(*clients)
        self.assertEqual({len(each.errors) for each in clients}, {0})

    def test_large_and_small(self) -> None:
        """Contents of any size pass between sessions of both keys, in one flush."""
        alice = self.connect("alice")
        self.factory.use_key(OTHER_KEY)
        bob = self.connect("bob", OTHER_KEY)
        texts = ["x" * size for size in (0, 1, 70_000, 3, 300_000)]
        for text in texts:
            alice.send(text)
            bob.send(text)
        self.server.pump()
        for each in (alice, bob):
            self.assertEqual(sorted(map(len, each.heard)), sorted([*map(len, texts)] * 2))
        self.check_all_are_here(alice, bob)

    def test_who_is_gone(self) -> None:
        """Sessions that ended before the change of key do not disturb it."""
        alice, bob = self.connect("alice"), self.connect("bob")
        sent = alice.send("goodbye")
        self.leave(alice)
        self.assertEqual(self.successResultOf(sent).text, "goodbye")
        self.factory.use_key(OTHER_KEY)
        self.server.pump()
        self.assertEqual(bob.heard, ["goodbye"])


class HandshakeTests(NewKeyTests):
    """A connection in its handshake when the key changes goes on with its first key."""

    def begin(self, key: bytes = KEY) -> tuple[ChatClient, Any]:
        """Connect a client without moving bytes; return it and a function that moves its bytes."""
        pump, self.server.pump = self.server.pump, lambda: None
        client = self.server.connect("late", key=key, protocol=Listener)
        self.server.pump = pump
        return client, self.server._pumps[-1]

    def test_at_each_step(self) -> None:
        """At each step of the handshake, it gets its session, and can send and receive."""
        alice = self.connect("alice")
        for steps in range(8):
            late, pump = self.begin()
            for _ in range(steps):
                self.server.clock.advance(0)
                pump.pump()
            self.factory.use_key(OTHER_KEY)
            self.server.pump()
            self.assertTrue(late.is_active, (steps, late.connection.end_reason))
            self.check_all_are_here(alice, late)
            self.leave(late)
            self.factory.use_key(KEY)

    def test_other_key(self) -> None:
        """A client with the new key that was greeted with the old key is refused, and may retry."""
        late, _ = self.begin(OTHER_KEY)
        self.factory.use_key(OTHER_KEY)
        self.server.pump()
        self.assertEqual(late.connection.end_reason.code, "wrong-key")
        self.check_all_are_here(self.connect("late", OTHER_KEY))


class SlowStoreTests(SynchronousTestCase):
    """Messages that wait for the store when the key changes get each receiver's signature."""

    def setUp(self) -> None:
        self.store = GatedStore()
        self.server = MemoryServer(key=KEY, store=self.store)

    def connect(self, name: str, key: bytes = KEY) -> Any:
        client: Any = self.server.connect(name, key=key, protocol=Listener)
        self.assertTrue(client.is_active)
        return client

    def answer(self) -> None:
        while self.store.is_asked:
            self.store.answer()
            self.server.pump()

    def test_generations(self) -> None:
        """Room and direct messages, the server's own, refusals and results come in order."""
        clients: list[Listener] = []
        asked = []
        for index, key in enumerate(KEYS[:4]):
            self.server.factory.use_key(key)
            clients.append(self.connect(f"c{index}", key))
            for each in clients:
                asked.append(each.send(f"{each.name} to all, {index}"))
                asked.append(each.send(f"{each.name} to c0, {index}", to="c0"))
            self.server.session_of(clients[0]).send(f"server to c0, {index}")
            self.server.pump()
        self.answer()
        for answer in asked:
            self.successResultOf(answer)
        for index, client in enumerate(clients):
            said = [f"c{who} to all, {when}" for when in range(index, 4) for who in range(when + 1)]
            told = [text for text in client.heard if "to all" in text]
            self.assertEqual([text for text in told if text in said], said)
            self.assertTrue(client.is_active)
        to_first = [text for text in clients[0].heard if " to c0" in text]
        said = [
            *(f"c{who} to c0, {when}" for when in range(4) for who in range(when + 1)),
            *(f"server to c0, {when}" for when in range(4)),
        ]
        self.assertEqual(sorted(to_first), sorted(said))

    def test_failure(self) -> None:
        """If the store fails after the key changed, the senders get an error."""
        alice = self.connect("alice")
        sent = alice.send("lost")
        self.server.pump()
        self.server.factory.use_key(OTHER_KEY)
        self.store.fail()
        self.server.pump()
        self.assertEqual(self.failureResultOf(sent, RequestError).value.code, "not-stored")
        self.assertTrue(alice.is_active)

    def test_end(self) -> None:
        """A session that is to end after its answer gets the answer and then the end."""
        alice = self.connect("alice")
        sent = alice.send("last words")
        self.server.pump()
        self.server.session_of(alice).end("enough", "that was enough")
        self.server.factory.use_key(OTHER_KEY)
        self.server.pump()
        self.assertTrue(alice.is_active)
        self.answer()
        self.assertEqual(self.successResultOf(sent).text, "last words")
        self.assertEqual(alice.connection.end_reason.code, "enough")
