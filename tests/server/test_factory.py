"""Tests of the server: receipts, rooms, fan-out, its own messages, and its key."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import ConfigurationError, LocalProtocolError, RequestError
from chatd.server.delivery import TOO_LARGE_TYPE
from chatd.server.factory import ChatFactory
from chatd.server.session import Session
from chatd.storage.memory import MemoryStore
from chatd.storage.streamkeys import room_stream
from chatd.testing import MemoryServer
from chatd.wire.messages import Message, MessageType
from tests.fakes.peers import (
    GOODBYE,
    KEY,
    ack,
    command,
    greeted_client,
    hand_client,
    memory_factory,
    settle,
)
from tests.server.cases import FactoryCase, count_encodings


class SettingsTests(SynchronousTestCase):
    """The arguments of a server."""

    def test_heartbeat_out_of_range(self) -> None:
        """The server refuses an interval that no client accepts."""
        for heartbeat_s in (0.0, -1.0, 0.001, 1e9, float("nan")):
            with self.assertRaises(ConfigurationError):
                memory_factory(heartbeat_s=heartbeat_s)


class PublishTests(FactoryCase):
    """A message reaches everyone in its room, and the sender as its receipt."""

    def test_receipt(self) -> None:
        """Everyone gets the same message: room, sender, place in the order, time."""
        alice, bob = self.clients("alice", "bob")
        self.factory.clock.advance(12.5)
        for client in (alice, bob):
            client.take()
        alice.send(Message.chat("hello", id="m1"))
        self.end_turn()
        (receipt,), (copy,) = alice.take(), bob.take()
        self.assertEqual(receipt, copy)
        self.assertEqual(
            (receipt.id, receipt.room, receipt.sender, receipt.seq, receipt.time, receipt.text),
            ("m1", "lobby", "alice", 1, 12.5, "hello"),
        )
        self.assertEqual(receipt.content_type, "text/plain; charset=utf-8")

    def test_room_in_any_case(self) -> None:
        """A client can name a room in another case."""
        (alice,) = self.clients("alice")
        alice.send(Message.chat("hello", room="LOBBY"))
        self.end_turn()
        (receipt,) = alice.take()
        self.assertEqual(receipt.room, "lobby")

    def test_same_id_again(self) -> None:
        """The server answers a repeated id with the first receipt, to the sender only."""
        alice, bob = self.clients("alice", "bob")
        alice.say("one")
        self.factory.clock.advance(5.0)
        (first,) = (message for message in alice.take() if message.type == MessageType.MESSAGE)
        bob.take()
        alice.say("one", "two")
        self.end_turn()
        again, new = alice.take()
        self.assertEqual(again, first)
        self.assertEqual(new.seq, first.seq + 1)
        self.assertEqual(bob.take_texts(), ["two"])

    def test_same_id_again_in_one_turn(self) -> None:
        """The second receipt follows the first, and no other client gets a second copy."""
        alice, bob = self.clients("alice", "bob")
        alice.say("one", "one", "two")
        self.end_turn()
        self.assertEqual(alice.take_texts(), ["one", "one", "two"])
        self.assertEqual(bob.take_texts(), ["one", "two"])

    def test_same_id_of_another(self) -> None:
        """Two members may use the same id."""
        alice, bob = self.clients("alice", "bob")
        alice.say("one")
        bob.say("one")
        self.end_turn()
        self.assertEqual([message.sender for message in bob.take()], ["alice", "bob"])

    def test_id_reused(self) -> None:
        """The server refuses the same id with another content, and does not deliver it."""
        alice, bob = self.clients("alice", "bob")
        alice.send(Message.chat("one", id="m1"))
        self.end_turn()
        for client in (alice, bob):
            client.take()
        alice.send(Message.chat("two", id="m1"))
        error = self.error_of(alice)
        self.assertEqual((error.code, error.ref), ("id-reused", "m1"))
        self.assertEqual(bob.take(), [])

    def test_not_in_room(self) -> None:
        """The server refuses a message to a room that does not exist, or without the sender."""
        (alice,) = self.clients("alice")
        alice.send(Message.chat("hello", id="m1", room="cellar"))
        error = self.error_of(alice)
        self.assertEqual((error.code, error.ref), ("not-in-room", "m1"))

    def test_to_a_name(self) -> None:
        """A message to a name reaches both ends, in their own order, and nobody else."""
        alice, bob, carol = self.clients("alice", "bob", "carol")
        alice.say("to the room")
        alice.send(Message.chat("hello", id="m1", to="BOB"))
        bob.send(Message.chat("hello yourself", id="m2", to="alice"))
        self.end_turn()
        heard = alice.take()
        self.assertEqual(bob.take(), heard)
        self.assertEqual(
            [(each.room, each.sender, each.to, each.seq, each.text) for each in heard],
            [
                ("lobby", "alice", None, 1, "to the room"),
                (None, "alice", "bob", 1, "hello"),
                (None, "bob", "alice", 2, "hello yourself"),
            ],
        )
        self.assertEqual(carol.take_texts(), ["to the room"])

    def test_to_a_name_that_nobody_has(self) -> None:
        """The server stores a message to an absent name, and tells the sender of the absence."""
        (alice,) = self.clients("alice")
        alice.send(Message.chat("hello", id="m1", to="bob"))
        self.end_turn()
        receipt, event = alice.take()
        self.assertEqual((receipt.id, receipt.to, receipt.seq), ("m1", "bob", 1))
        self.assertEqual(event.header, {"event": "absent", "name": "bob", "ref": "m1"})

    def test_to_a_room_and_a_name(self) -> None:
        """The server refuses a message to both a room and a name."""
        alice, bob = self.clients("alice", "bob")
        alice.send(Message.chat("hello", id="m1", room="lobby", to="bob"))
        error = self.error_of(alice)
        self.assertEqual((error.code, error.ref), ("bad-request", "m1"))
        self.assertEqual(bob.take(), [])

    def test_to_no_name(self) -> None:
        """The server refuses a message to an invalid name."""
        (alice,) = self.clients("alice")
        alice.send(Message.chat("hello", id="m1", to="b ob"))
        error = self.error_of(alice)
        self.assertEqual((error.code, error.ref), ("bad-name", "m1"))

    def test_unknown_command(self) -> None:
        """The server refuses an unknown command by its name."""
        (alice,) = self.clients("alice")
        alice.send(Message(MessageType.COMMAND, {"id": "c1", "command": "dance"}))
        error = self.error_of(alice)
        self.assertEqual((error.code, error.ref), ("unknown-command", "c1"))
        self.assertIn("dance", error.message)


class FanOutTests(FactoryCase):
    """A turn's messages are encoded once each, and written once to each member."""

    def test_one_write_for_each_member(self) -> None:
        """Each member gets a single write, even if a turn brings many messages."""
        clients = self.clients("alice", "bob", "carol")
        for client in clients:
            client.say(*(f"{client.protocol} {number}" for number in range(50)))
        self.assertEqual([client.count_writes() for client in clients], [0, 0, 0])
        self.end_turn()
        self.assertEqual([client.count_writes() for client in clients], [1, 1, 1])
        self.assertEqual([len(client.take_texts()) for client in clients], [150, 150, 150])

    def test_encoded_once(self) -> None:
        """A message is encoded once for any number of members."""
        clients = self.clients("alice", "bob", "carol", "dave")
        codec = count_encodings(self.factory)
        clients[0].say("one", "two")
        self.end_turn()
        self.assertEqual(codec.count, 2)
        self.assertEqual(len({client.transport.writes[-1] for client in clients}), 1)

    def test_who_joins_in_the_same_turn(self) -> None:
        """A new member does not get messages that have an earlier place, even in the same turn."""
        alice, _ = self.clients("alice", "carol")  # carol is read last: the turn goes on
        bob = greeted_client(self.factory)
        alice.say("before")
        self.factory.hub.commits.begin()
        bob.send(ack(bob, "bob"))
        alice.say("after")
        self.end_turn()
        self.assertEqual((alice.count_writes(), bob.count_writes()), (1, 1))
        welcome, after = bob.take()
        self.assertEqual(welcome.header["rooms"][0]["seq"], 1)
        self.assertEqual((after.text, after.seq), ("after", 2))
        told = [message.text or message.header["event"] for message in alice.take()]
        self.assertEqual(told, ["before", "joined", "after"])

    def test_who_joins_before_it_has_its_place(self) -> None:
        """A new member gets all messages after the `seq` of its welcome, whenever sent."""
        alice, _ = self.clients("alice", "carol")  # carol is read last: the turn goes on
        bob = greeted_client(self.factory)
        alice.say("said before")
        bob.send(ack(bob, "bob"))
        self.end_turn()
        welcome, message = bob.take()
        self.assertEqual(welcome.header["rooms"][0]["seq"], 0)
        self.assertEqual((message.text, message.seq), ("said before", 1))
        self.assertEqual(alice.take_texts(), ["said before"])

    def test_who_leaves_in_the_same_turn(self) -> None:
        """A member that leaves gets all earlier messages, even in the same turn."""
        alice, bob = self.clients("alice", "bob")
        alice.say("before")
        bob.send(GOODBYE)
        self.end_turn()
        alice.say("after")
        self.end_turn()
        self.assertEqual(bob.take_texts(), ["before"])
        told = [message.text or message.header["event"] for message in alice.take()]
        self.assertEqual(told, ["before", "left", "after"])

    def test_last_words(self) -> None:
        """The server delivers the message of a client that leaves at once, with its receipt."""
        alice, bob = self.clients("alice", "bob")
        bob.send(Message.chat("bye all"), GOODBYE)
        self.end_turn()
        self.assertEqual((alice.take_texts(), bob.take_texts()), (["bye all"], ["bye all"]))

    def test_presence(self) -> None:
        """The members get events about joins and leaves; a new member gets none about itself."""
        (alice,) = self.clients("alice")
        bob = hand_client(self.factory, "bob")
        self.assertEqual(bob.take(), [])
        twin = greeted_client(self.factory)
        twin.send(ack(twin, "Bob"))  # refused, so nobody is told of it
        bob.transport.lose()
        self.end_turn()
        self.assertEqual(
            [message.header for message in alice.take()],
            [
                {"event": "joined", "room": "lobby", "name": "bob"},
                {"event": "left", "room": "lobby", "name": "bob"},
            ],
        )


class RoomTests(FactoryCase):
    """A server with several rooms."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.clients("alice", "bob")
        self.alice.send(command("join", room="Cellar"))
        self.end_turn()
        self.alice.take()
        self.cellar = self.factory.hub.roster.rooms["cellar"]

    def test_members_only(self) -> None:
        """A message to a room reaches its members, and has its place in the room's order."""
        self.alice.say("to the lobby")
        self.alice.send(Message.chat("to the cellar", room="cellar"))
        self.end_turn()
        lobby, cellar = self.alice.take()
        self.assertEqual((lobby.room, lobby.seq), ("lobby", 1))
        self.assertEqual((cellar.room, cellar.seq), ("Cellar", 1))
        self.assertEqual(self.bob.take_texts(), ["to the lobby"])

    def test_made_by_being_joined(self) -> None:
        """Joining makes a room, under the name that the first member gave."""
        self.bob.send(command("join", room="CELLAR"))
        self.end_turn()
        (result,) = self.bob.take()
        self.assertEqual(result.type, MessageType.RESULT)
        self.assertEqual((result.header["room"], result.header["members"]), ("Cellar", 2))
        names = [room.name for room in self.factory.hub.roster.rooms.values()]
        self.assertEqual(names, ["lobby", "Cellar"])

    def test_room_of_the_welcome(self) -> None:
        """A message without a room is for the sender's first room."""
        self.alice.send(command("leave", room="lobby"))
        self.alice.say("where am I?")
        self.end_turn()
        self.assertEqual(self.alice.take()[-1].room, "Cellar")

    def test_who_is_not_a_member(self) -> None:
        """A client that is not a member cannot send to a room."""
        self.bob.send(Message.chat("hello", id="m1", room="cellar"))
        self.assertEqual(self.error_of(self.bob).code, "not-in-room")

    def test_leaves_all(self) -> None:
        """A client that leaves the server leaves all its rooms, and an empty room ends."""
        lobby = self.factory.hub.roster.rooms["lobby"]
        self.alice.transport.lose()
        self.assertEqual((self.cellar.members, self.cellar.count), ({}, 0))
        self.assertEqual(self.factory.hub.roster.rooms, {"lobby": lobby})
        self.bob.transport.lose()
        self.assertEqual((lobby.members, lobby.count), ({}, 0))
        self.assertEqual((self.factory.hub.roster.rooms, self.factory.hub.roster.here), ({}, {}))


class KeptTests(SynchronousTestCase):
    """Messages that were stored under another limit."""

    def test_too_large(self) -> None:
        """The server sends a stored message over the limit with its place, without its content."""
        clock = Clock()
        store = MemoryStore(unix_time=clock.seconds)
        before = memory_factory(store=store)
        alice = hand_client(before)
        alice.send(Message.chat("small", id="1"), Message.chat("x" * 100, id="2"))
        settle(before)
        factory = memory_factory(store=store, max_content=10)
        bob = hand_client(factory, "bob")
        bob.send(Message(MessageType.COMMAND, {"id": "h", "command": "history", "room": "lobby"}))
        settle(factory)
        small, large, result = bob.take()
        self.assertEqual((small.text, small.seq), ("small", 1))
        self.assertEqual((large.content, large.seq, large.id), (b"", 2, "2"))
        self.assertEqual(large.content_type, TOO_LARGE_TYPE)
        self.assertEqual(result.header["count"], 2)

    def test_publish_too_much(self) -> None:
        """The server does not store a message over the limit."""
        factory = memory_factory(max_content=10)
        hand_client(factory)
        (session,) = factory.sessions.values()
        too_much = Message.chat("x" * 11)
        self.assertRaises(LocalProtocolError, factory.publish, session, too_much)
        self.assertTrue(factory.hub.commits.is_idle)


class SendToRoomTests(FactoryCase):
    """Messages from the server to a room."""

    def said(self, *args: object, **options: object) -> Message:
        """Send a message, end the turn, and return the delivered message."""
        saying = self.factory.send_to_room(*args, **options)
        self.end_turn()
        return self.successResultOf(saying)

    def refused(self, *args: object, **options: object) -> RequestError:
        """Send a message that the server refuses, end the turn, and return the error."""
        saying = self.factory.send_to_room(*args, **options)
        self.end_turn()
        return self.failureResultOf(saying, RequestError).value

    def test_send(self) -> None:
        """Everyone gets it, in the room's order, from the server's name."""
        alice, bob = self.clients("alice", "bob")
        alice.say("one")
        saying = self.factory.send_to_room("Lobby", "two", id="s1", content_type="text/x-news")
        self.assertNoResult(saying)
        self.end_turn()
        said = self.successResultOf(saying)
        _, news = bob.take()
        self.assertEqual(news, said)
        self.assertEqual(alice.take()[1], said)
        self.assertEqual((said.sender, said.seq, said.id), ("server", 2, "s1"))
        self.assertEqual((said.text, said.content_type), ("two", "text/x-news"))

    def test_name_of_the_server(self) -> None:
        """The server's name can be set."""
        self.factory = memory_factory(name="Concierge")
        self.assertEqual(self.said("lobby", "hello").sender, "Concierge")

    def test_nobody_is_there(self) -> None:
        """The room may be empty: the server keeps the message, and the room ends again."""
        self.assertEqual(self.said("Cellar", "hello").seq, 1)
        again = self.said("cellar", "again")
        self.assertEqual((again.room, again.seq), ("Cellar", 2))
        self.assertEqual(self.factory.hub.roster.rooms, {})

    def test_bad_room(self) -> None:
        """The server refuses an invalid room name."""
        for name in ("", "the cellar", "c" * 65):
            self.assertEqual(self.refused(name, "hello").code, "bad-room")

    def test_too_much(self) -> None:
        """A content over the limit is the caller's error, and leaves no gap in the order."""
        self.factory = memory_factory(max_content=10)
        self.said("lobby", "one")
        self.assertRaises(LocalProtocolError, self.factory.send_to_room, "lobby", bytes(11))
        self.assertEqual(self.said("lobby", "two").seq, 2)

    def test_same_id_again(self) -> None:
        """The server does not deliver a repeated id twice."""
        (alice,) = self.clients("alice")
        first = self.factory.send_to_room("lobby", "one", id="s1")
        again = self.said("lobby", "one", id="s1")
        self.assertEqual(again, self.successResultOf(first))
        self.assertEqual(self.said("lobby", "one", id="s1"), again)
        self.assertEqual(alice.take_texts(), ["one"])

    def test_id_reused(self) -> None:
        """The server refuses the same id with another content."""
        (alice,) = self.clients("alice")
        self.said("lobby", "one", id="s1")
        error = self.refused("lobby", "two", id="s1")
        self.assertEqual((error.code, error.ref), ("id-reused", "s1"))
        self.assertEqual(alice.take_texts(), ["one"])


class KeyTests(FactoryCase):
    """A factory with a key encrypts its sessions."""

    def test_with_a_key(self) -> None:
        """Clients with the key get sessions, and no message goes in the clear."""
        server = MemoryServer(key=KEY)
        self.assertTrue(server.factory.has_key)
        alice = server.connect("alice")
        receipt = alice.send("a word in secret")
        alice.flush()
        (sent,) = alice.transport.stream
        self.assertNotIn(b"a word in secret", sent)
        server.pump()
        self.assertEqual(self.successResultOf(receipt).text, "a word in secret")

    def test_keys_at_the_end(self) -> None:
        """Both sides forget a session's keys when its connection has ended."""
        server = MemoryServer(key=KEY)
        alice = server.connect("alice")
        (session,) = server.factory.sessions.values()
        channels = [side.connection._channel for side in (alice, session.protocol)]
        self.assertEqual([each.is_open for each in channels], [True, True])
        alice.transport.abortConnection()
        server.pump()
        self.assertEqual([each.is_open for each in channels], [False, False])

    def test_without_a_key(self) -> None:
        """Without a key, `has_key` is false, and messages go in the clear."""
        server = MemoryServer()
        self.assertFalse(server.factory.has_key)
        alice = server.connect("alice")
        receipt = alice.send("a word for everyone")
        alice.flush()
        (sent,) = alice.transport.stream
        self.assertIn(b"a word for everyone", sent)
        server.pump()
        self.assertEqual(self.successResultOf(receipt).text, "a word for everyone")

    def test_read_by_the_server(self) -> None:
        """With a key too, the server's hooks and its store get messages in plain text."""
        hooked = []

        class ReadingFactory(ChatFactory):
            def message_received(self, session: Session, message: Message) -> None:
                hooked.append(message.text)
                self.publish(session, message)

        store = MemoryStore()
        server = MemoryServer(ReadingFactory, key=KEY, store=store)
        alice = server.connect("alice")
        receipt = alice.send("a word in secret")
        server.pump()
        self.successResultOf(receipt)
        self.assertEqual(hooked, ["a word in secret"])
        reading = store.read(room_stream("lobby"), limit=1, max_bytes=100)
        (kept,) = self.successResultOf(Deferred.fromCoroutine(reading)).messages
        self.assertEqual(kept.content, b"a word in secret")

    def test_no_key_at_all(self) -> None:
        """A key of another length is an error of configuration."""
        self.assertRaises(ConfigurationError, memory_factory, key=b"too short")
