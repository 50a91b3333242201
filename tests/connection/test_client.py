"""Tests of the client's side: its answer, the welcome, and refusals."""

from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from chatd.connection.client import ClientConnection
from chatd.connection.events import Ended, Faulted, Welcomed
from chatd.connection.states import State
from chatd.errors import LocalProtocolError, SessionEnded, SessionRefused
from chatd.wire.codec import Codec
from chatd.wire.messages import Disconnect, Message, MessageType, SessionAck
from tests.connection.wiring import (
    ACK,
    GOODBYE,
    GREETING,
    HELLO,
    INIT,
    KEY,
    LARGE,
    MAX_CONTENT,
    OTHER_KEY,
    ROOMS,
    SESSION_ID,
    WELCOME,
    WELCOMED,
    Pair,
    SideCases,
    answered,
    bring_to,
    channel_of,
    codes_of,
    error,
    make_client,
    make_server,
    ping,
    pong,
)
from tests.fakes.handserver import fields_of
from tests.wire.samples import raw_frame

REFUSAL = Message(
    MessageType.DISCONNECT, Disconnect(code="name-taken", reason="in use", retry=True)
)


class ClientCases(SideCases):
    make = staticmethod(make_client)

    # The answer to the greeting

    def test_says_nothing_first(self):
        """The client sends nothing before the server's greeting."""
        peer = self.at(State.GREETING)
        self.assertIsNone(peer.connection.init)
        self.assertEqual(peer.hear(), [])

    def test_answers_the_greeting(self):
        """The client answers the greeting with its session_id and the name, without a password."""
        for name, password in product(("bob", None), ("secret", None)):
            client = make_client(self.key, name=name, password=password)
            peer = bring_to(State.GREETING, client, self.key)
            self.assertEqual(peer.say(INIT), [])
            ack = SessionAck(session_id=SESSION_ID, name=name)
            self.assertEqual(peer.hear(), [Message(MessageType.SESSION_ACK, ack)])
            self.assertIs(peer.state, State.ADMISSION)
            self.assertEqual(client.init, GREETING)

    def test_password(self):
        """The client sends its password to a server that asks for a password."""
        client = make_client(self.key, name="bob", password="secret")
        peer = bring_to(State.GREETING, client, self.key)
        peer.say_frames(raw_frame(1, b'{"session_id":"s","auth":true}', b"", self.key))
        (ack,) = peer.hear()
        self.assertEqual(ack.header.password, "secret")

    def test_password_withheld(self):
        """The client never sends a withheld password, even if the server asks for a password."""
        client = make_client(self.key, name="bob", password="secret")
        peer = bring_to(State.GREETING, client, self.key)
        client.withhold_password()
        peer.say_frames(raw_frame(1, b'{"session_id":"s","auth":true}', b"", self.key))
        (ack,) = peer.hear()
        self.assertEqual((ack.header.name, ack.header.password), ("bob", None))

    def test_rooms(self):
        """The client asks for its first rooms; an empty list and None are different requests."""
        for rooms in (None, [], ["cellar", "Attic"]):
            client = make_client(self.key, rooms=rooms)
            peer = bring_to(State.GREETING, client, self.key)
            peer.say(INIT)
            (ack,) = peer.hear()
            self.assertEqual(ack.header.rooms, rooms)

    def test_second_greeting(self):
        """The client refuses a second greeting, and the first remains valid."""
        peer = self.at(State.ADMISSION)
        second = raw_frame(1, b'{"session_id":"other","max_content":5}', b"", self.key)
        self.assertEqual(peer.say_frames(second), [])
        self.assertEqual(codes_of(peer.hear()), [(5, "unexpected-type")])
        self.assertEqual(peer.connection.init, GREETING)
        self.assertEqual(peer.connection.max_content, MAX_CONTENT)

    def test_ill_formed_greeting(self):
        """A greeting with an impossible field is `bad-request`; a valid greeting may follow."""
        peer = self.at(State.GREETING)
        fields = (b'"x":1', b'"session_id":1', b'"session_id":"s","heartbeat":0')
        for header in (*fields, b'"session_id":"s","max_content":-1'):
            peer.say_frames(raw_frame(1, b"{%s}" % header, b"", self.key))
            self.assertEqual(codes_of(peer.hear()), [(5, "bad-request")])
        peer.say(INIT)
        self.assertEqual(peer.hear(), [ACK])

    def test_the_servers_limit(self):
        """The client adopts the server's lower limit, for its own codec only."""
        codec = Codec(self.key)
        limit = codec.max_content
        client = ClientConnection(codec, channel_of(self.key, is_server=False), 0.0)
        peer = bring_to(State.ESTABLISHED, client, self.key)
        self.assertEqual((client.max_content, codec.max_content), (MAX_CONTENT, limit))
        client.send(HELLO.type, HELLO.header, bytes(MAX_CONTENT))
        with self.assertRaises(LocalProtocolError):
            client.send(HELLO.type, HELLO.header, bytes(MAX_CONTENT + 1))
        self.assertEqual([len(message.content) for message in peer.hear()], [MAX_CONTENT])

    def test_own_limit(self):
        """A server cannot raise the client's own limit; a longer frame ends the session."""
        limit = MAX_CONTENT - 1
        codec = Codec(self.key, max_content=limit)
        client = ClientConnection(codec, channel_of(self.key, is_server=False), 0.0)
        peer = bring_to(State.ESTABLISHED, client, self.key)
        self.assertEqual(client.max_content, limit)
        frame = raw_frame(4, b'{"id":"x","room":"lobby"}', bytes(limit + 1), self.key)
        events = peer.say_frames(frame)
        self.assertEqual([type(event) for event in events], [Faulted])
        self.assertEqual(client.end_reason.code, "too-large")

    def test_small_limit(self):
        """With the smallest limit that a server can set, heartbeats still pass."""
        peer = self.at(State.GREETING)
        peer.say_frames(raw_frame(1, b'{"session_id":"s","max_content":4}', b"", self.key))
        peer.hear()
        peer.establish()
        self.assertEqual(peer.say(ping(1)), [])
        peer.connection.send_ping()
        self.assertEqual(peer.hear(), [pong(1), ping(1)])

    def test_name_that_cannot_be_sent(self):
        """A name that no frame can hold raises the caller's error at once."""
        for name in ("\ud800", "x" * 70_000):
            with self.assertRaises(LocalProtocolError):
                make_client(self.key, name=name)

    # The welcome

    def test_welcome(self):
        """The welcome establishes the session; its event has the name and the rooms, if any."""
        for room, rooms in (("lobby", ROOMS), (None, [])):
            peer = self.at(State.ADMISSION)
            fields = {**fields_of(WELCOME), "name": "bob", "room": room, "rooms": rooms}
            welcome = Message(MessageType.EVENT, fields)
            self.assertEqual(peer.say(welcome), [Welcomed("bob", room, rooms)])
            self.assertIs(peer.state, State.ESTABLISHED)
            self.assertEqual(peer.hear(), [])

    def test_welcome_without_rooms(self):
        """If the rooms are missing or unreadable, the named room is the only room."""
        for more in ({}, {"rooms": None}, {"rooms": "lobby"}, {"rooms": [{"room": 5}]}):
            for room, rooms in (("lobby", [{"room": "lobby"}]), (None, [])):
                peer = self.at(State.ADMISSION)
                fields = {"event": "welcome", "name": "bob", "room": room, **more}
                self.assertEqual(
                    peer.say(Message(MessageType.EVENT, fields)), [Welcomed("bob", room, rooms)]
                )

    def test_messages_behind_the_welcome(self):
        """Messages in the same piece as the greeting and the welcome follow it, even large ones."""
        peer = self.at(State.GREETING)
        events = peer.say(INIT, WELCOME, HELLO, LARGE)
        self.assertEqual(events, [WELCOMED, HELLO, LARGE])

    def test_ill_formed_welcome(self):
        """A welcome without a name is `bad-request`; a valid welcome may follow."""
        peer = self.at(State.ADMISSION)
        for fields in ({}, {"name": 5}, {"name": "a", "room": 5}):
            self.assertEqual(
                peer.say(Message(MessageType.EVENT, {"event": "welcome", **fields})), []
            )
            self.assertEqual(codes_of(peer.hear()), [(5, "bad-request")])
        self.assertEqual(peer.say(WELCOME), [WELCOMED])

    def test_welcome_too_soon(self):
        """The client refuses a welcome before the greeting."""
        peer = self.at(State.GREETING)
        self.assertEqual(peer.say(WELCOME), [])
        self.assertEqual(codes_of(peer.hear()), [(5, "unexpected-type")])
        self.assertIs(peer.state, State.GREETING)

    def test_another_event_before_the_welcome(self):
        """The client refuses another event before the welcome, and the handshake goes on."""
        peer = self.at(State.ADMISSION)
        self.assertEqual(peer.say(Message(MessageType.EVENT, {"event": "joined"})), [])
        self.assertEqual(codes_of(peer.hear()), [(5, "unexpected-type")])
        self.assertEqual(peer.say(WELCOME), [WELCOMED])

    def test_welcome_of_another_type(self):
        """Only an EVENT can be the welcome; the client refuses another type with its fields."""
        header = b'{"id":"x","command":"c","event":"welcome","name":"alice"}'
        kinds = ((7, "unknown-type"), (8, "unexpected-type"), (9, "unexpected-type"))
        for message_type, code in (*kinds, (99, "unknown-type")):
            peer = self.at(State.ADMISSION)
            self.assertEqual(peer.say_frames(raw_frame(message_type, header, b"", self.key)), [])
            self.assertEqual(codes_of(peer.hear()), [(5, code)])
            self.assertIs(peer.state, State.ADMISSION)

    # Refusals

    def test_refused(self):
        """ERROR and DISCONNECT before the welcome are a refusal, with the server's text."""
        for state in (State.GREETING, State.ADMISSION):
            peer = self.at(state)
            (ended,) = peer.say(error("name-taken"), REFUSAL)
            self.assertIsInstance(ended, Ended)
            self.assertIsInstance(ended.end, SessionRefused)
            self.assertEqual((ended.end.code, ended.end.reason), ("name-taken", "in use"))
            self.assertTrue(ended.end.retry)
            self.assertIs(peer.connection.end_reason, ended.end)
            self.assertEqual(peer.hear(), [])

    def test_refused_without_error(self):
        """DISCONNECT alone before the welcome is a refusal too."""
        (ended,) = self.at(State.ADMISSION).say(GOODBYE)
        self.assertIsInstance(ended.end, SessionRefused)

    def test_refused_without_disconnect(self):
        """An ERROR alone before the loss is a refusal too."""
        for state in (State.GREETING, State.ADMISSION):
            peer = self.at(state)
            peer.feed(peer.seal(peer.encode(error("name-taken")) + peer.encode(REFUSAL)[:-1]))
            self.assertIs(peer.state, state)
            peer.connection.connection_lost()
            end = peer.connection.end_reason
            self.assertIsInstance(end, SessionRefused)
            self.assertEqual((end.code, end.reason), ("name-taken", "it is so"))

    def test_lost_before_the_welcome(self):
        """A loss without ERROR or DISCONNECT is not a refusal."""
        peer = self.at(State.ADMISSION)
        peer.connection.connection_lost()
        self.assertNotIsInstance(peer.connection.end_reason, SessionRefused)
        self.assertEqual(peer.connection.end_reason.code, "connection-lost")

    def test_welcome_after_an_error(self):
        """An ERROR before the welcome is not a refusal."""
        peer = self.at(State.ADMISSION)
        self.assertEqual(peer.say(error("x"), WELCOME), [WELCOMED])
        peer.connection.connection_lost()
        self.assertNotIsInstance(peer.connection.end_reason, SessionRefused)
        self.assertEqual(peer.connection.end_reason.code, "connection-lost")

    def test_ended_after_the_welcome(self):
        """The end of an established session is not a refusal."""
        peer = self.at(State.ESTABLISHED)
        (_, ended) = peer.say(error("x"), REFUSAL)
        self.assertIs(type(ended.end), SessionEnded)

    # An established session

    def test_told(self):
        """MESSAGE, RESULT, ERROR and EVENT are returned unchanged."""
        peer = self.at(State.ESTABLISHED)
        result = Message(MessageType.RESULT, {"id": "c1", "more": [1]}, b"x")
        said = [HELLO, result, error("x", "m1"), WELCOME]
        self.assertEqual(peer.say(*said), said)
        self.assertEqual(peer.hear(), [])

    def test_not_told(self):
        """The client refuses frames that only a client sends with `unexpected-type`."""
        peer = self.at(State.ESTABLISHED)
        command = Message(MessageType.COMMAND, {"id": "c1", "command": "who"})
        self.assertEqual(peer.say(command, ACK), [])
        heard = peer.hear()
        self.assertEqual(codes_of(heard), [(5, "unexpected-type")] * 2)
        self.assertEqual([message.header.ref for message in heard], ["c1", None])


class ClientTests(ClientCases, SynchronousTestCase):
    pass


class EncryptedClientTests(ClientCases, SynchronousTestCase):
    key = KEY

    def test_send_before_the_channel(self):
        """Sending before the channel is open raises the caller's error."""
        peer = self.at(State.CONNECTING)
        with self.assertRaises(LocalProtocolError):
            peer.connection.send(HELLO.type, HELLO.header, HELLO.content)
        self.assertEqual(peer.connection.data_to_send(), b"")


class KeyMismatchTests(SynchronousTestCase):
    def check_mismatch(self, server_key, client_key, code, advice):
        """Check a client with a key at a server with another key, in any pieces of the bytes."""
        for piece_bytes in (None, 1):
            pair = Pair(make_server(server_key), make_client(client_key))
            pair.pump(piece_bytes)
            (fault,) = pair.client_events
            self.assertIsInstance(fault, Faulted)
            self.assertEqual(fault.error.code, code)
            self.assertIs(pair.client.state, State.CLOSING)
            end = pair.client.end_reason
            self.assertIsInstance(end, SessionRefused)
            self.assertEqual((end.code, end.retry), (code, False))
            self.assertIn(advice, end.reason)
            self.assertEqual(pair.server_events, [])
            pair.server.connection_lost()
            self.assertEqual(pair.server.end_reason.code, "connection-lost")

    def test_keys_at_the_end(self):
        """At the end of its transport, each side can forget the session's keys."""
        pair = Pair(make_server(KEY), make_client(KEY))
        pair.pump()
        channels = [side._channel for side in (pair.server, pair.client)]
        self.assertEqual([each.is_open for each in channels], [True, True])
        for side in (pair.server, pair.client):
            side.forget_keys()
        self.assertEqual([each.is_open for each in channels], [False, False])

    def test_key_required(self):
        """A client without a key gets an error that asks for the server's key file."""
        self.check_mismatch(KEY, None, "key-required", "--key-file")

    def test_key_unexpected(self):
        """A client with a key does not talk to a server without a key."""
        self.check_mismatch(None, KEY, "key-unexpected", "without")

    def test_wrong_key(self):
        """A client with another key gets an error that says that the keys differ."""
        self.check_mismatch(KEY, OTHER_KEY, "wrong-key", "same key file")

    def test_no_server(self):
        """A foreign server is recognized by its first bytes."""
        for key, greeting in product(
            (None, KEY), (b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 400 ", b"\x15")
        ):
            client = make_client(key)
            client.receive_data(greeting)
            (fault,) = answered(client)
            self.assertEqual(fault.error.code, "bad-magic")
            self.assertEqual(client.end_reason.code, "bad-magic")
            self.assertIs(client.state, State.CLOSING)
