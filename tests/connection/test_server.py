"""Tests of the server's side: the greeting, the admission, and the events for its owner."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.connection.events import AdmissionAsked, Ended, Faulted, PongReceived
from chatd.connection.states import State
from chatd.errors import LocalProtocolError, SessionRefused, WrongKeyError
from chatd.wire.channel import PREAMBLE
from chatd.wire.messages import Message, MessageType, SessionAck
from tests.connection.wiring import (
    ACK,
    ACK_HEADER,
    GOODBYE,
    HELLO,
    INIT,
    KEY,
    LARGE,
    ROOMS,
    SESSION_ID,
    WELCOME,
    WELCOMED,
    Pair,
    Peer,
    SideCases,
    answered,
    bring_to,
    codes_of,
    error,
    make_client,
    make_server,
    ping,
    pong,
)
from tests.fakes.handserver import fields_of
from tests.wire.samples import raw_frame


class ServerCases(SideCases):
    make = staticmethod(make_server)

    # The greeting

    def test_greets(self):
        """The server sends SESSION_INIT, and nothing else, as soon as the channel is open."""
        server = make_server(self.key)
        peer = Peer(server, self.key)
        peer.open_channel()
        self.assertEqual(peer.hear(), [INIT])
        self.assertEqual(server.session_id, SESSION_ID)

    def test_handshake(self):
        """Greeting, answer and welcome establish the session on both sides, in any pieces."""
        for piece_bytes in (None, 1, 7):
            pair = Pair(make_server(self.key), make_client(self.key))
            pair.pump(piece_bytes)
            self.assertEqual(pair.server_events, [AdmissionAsked(ACK_HEADER)])
            self.assertEqual(pair.client_events, [WELCOMED])
            self.assertIs(pair.server.state, State.ESTABLISHED)
            self.assertIs(pair.client.state, State.ESTABLISHED)

    def test_messages_after_the_handshake(self):
        """Messages after the handshake arrive on the other side, both ways, in any pieces."""
        for piece_bytes in (None, 1):
            pair = Pair(make_server(self.key), make_client(self.key))
            pair.pump()
            for side in (pair.server, pair.client):
                side.send(HELLO.type, HELLO.header, HELLO.content)
                side.send_ping()
            pair.pump(piece_bytes)
            self.assertEqual(pair.server_events[1:], [HELLO, PongReceived(1)])
            self.assertEqual(pair.client_events[1:], [HELLO, PongReceived(1)])

    # The answer to the greeting

    def test_admission_is_asked(self):
        """A SESSION_ACK causes an event with name and password, and the session waits."""
        peer = self.at(State.GREETING)
        ack = SessionAck(session_id=SESSION_ID, name="bob", password="secret")
        events = peer.say(Message(MessageType.SESSION_ACK, ack))
        self.assertEqual(events, [AdmissionAsked(ack)])
        self.assertIs(peer.state, State.ADMISSION)

    def test_wrong_session_id(self):
        """The server refuses an answer to another greeting, without an event."""
        peer = self.at(State.GREETING)
        peer.hear()
        other = Message(MessageType.SESSION_ACK, SessionAck(session_id=SESSION_ID[:-1] + "1"))
        self.assertEqual(peer.say(other, ACK), [])
        self.assertEqual(codes_of(peer.hear()), [(5, "bad-session"), (6, "bad-session")])
        self.assertIs(peer.state, State.CLOSING)
        end = peer.connection.end_reason
        self.assertEqual((end.code, end.retry), ("bad-session", False))

    def test_ill_formed_answer(self):
        """An answer with a field of the wrong type is `bad-request`; a valid answer may follow."""
        peer = self.at(State.GREETING)
        peer.hear()
        for header in (b"{}", b'{"session_id":7}', b'{"session_id":"s","name":[]}'):
            self.assertEqual(peer.say_frames(raw_frame(2, header, b"", self.key)), [])
            self.assertEqual(codes_of(peer.hear()), [(5, "bad-request")])
        self.assertEqual(peer.say(ACK), [AdmissionAsked(ACK_HEADER)])

    def test_other_types_too_soon(self):
        """The server refuses other frames before the answer, and the handshake goes on."""
        peer = self.at(State.GREETING)
        peer.hear()
        command = Message(MessageType.COMMAND, {"id": "c1", "command": "who"})
        self.assertEqual(peer.say(HELLO, command, WELCOME, INIT), [])
        heard = peer.hear()
        self.assertEqual(codes_of(heard), [(5, "unexpected-type")] * 4)
        self.assertEqual([message.header.ref for message in heard], ["m1", "c1", None, None])
        self.assertEqual(peer.say(ACK), [AdmissionAsked(ACK_HEADER)])

    def test_leaving_too_soon(self):
        """A client may leave during the handshake."""
        peer = self.at(State.GREETING)
        (ended,) = peer.say(GOODBYE)
        self.assertIsInstance(ended, Ended)
        self.assertIs(peer.state, State.DRAINING)

    # Admission

    def test_admit(self):
        """The welcome of an admitted client has its name and its rooms, the first room twice."""
        for room, rooms in (("lobby", ROOMS), ("Cellar", ROOMS[1:]), (None, [])):
            peer = self.at(State.ADMISSION)
            peer.connection.admit("alice", rooms)
            welcome = Message(10, {**fields_of(WELCOME), "room": room, "rooms": rooms})
            self.assertEqual(peer.hear(), [welcome])
            self.assertIs(peer.state, State.ESTABLISHED)

    def test_admit_unasked(self):
        """Admitting a client that did not ask, or is admitted already, is the caller's error."""
        for state in (State.GREETING, State.ESTABLISHED):
            peer = self.at(state)
            peer.hear()
            with self.assertRaises(LocalProtocolError):
                peer.connection.admit("alice", ROOMS)
            self.assertIs(peer.state, state)
            self.assertEqual(peer.hear(), [])

    def test_admit_too_late(self):
        """Admitting a client whose session is over does nothing."""
        for state in (State.DRAINING, State.CLOSING, State.CLOSED):
            peer = self.at(state)
            peer.hear()
            peer.connection.admit("alice", ROOMS)
            self.assertIs(peer.state, state)
            self.assertEqual(peer.hear(), [])

    def test_refuse(self):
        """A refused client gets ERROR and DISCONNECT with the same code and text."""
        peer = self.at(State.ADMISSION)
        peer.connection.refuse("name-taken", "the name alice is in use", retry=True)
        refusal, last = peer.hear()
        self.assertEqual(codes_of([refusal, last]), [(5, "name-taken"), (6, "name-taken")])
        self.assertEqual(refusal.header.message, "the name alice is in use")
        self.assertEqual(last.header.reason, "the name alice is in use")
        self.assertTrue(last.header.retry)
        self.assertIs(peer.state, State.CLOSING)

    def test_refuse_after_the_end(self):
        """Refusing a client whose session is over sends nothing, and is not an error."""
        for state in (State.DRAINING, State.CLOSING, State.CLOSED):
            peer = self.at(state)
            peer.hear()
            peer.connection.refuse("name-taken", "the name alice is in use")
            self.assertIs(peer.state, state)
            self.assertEqual(peer.hear(), [])

    def test_messages_behind_the_answer(self):
        """Messages in one piece with the answer follow it, if the program admits the client."""
        peer = self.at(State.GREETING)
        peer.connection.receive_data(peer.seal(peer.encode(ACK, HELLO, pong(4), HELLO)))
        events = answered(peer.connection)
        self.assertEqual(next(events), AdmissionAsked(ACK_HEADER))
        peer.connection.admit("alice", ROOMS)
        self.assertEqual(list(events), [HELLO, PongReceived(4), HELLO])

    def test_large_message_behind_the_answer(self):
        """The limit before establishment does not apply to frames behind the answer."""
        peer = self.at(State.GREETING)
        peer.connection.receive_data(peer.seal(peer.encode(ACK, LARGE)))
        told = []
        for event in answered(peer.connection):
            told.append(event)
            if isinstance(event, AdmissionAsked):
                peer.connection.admit("alice", ROOMS)
        self.assertEqual(told, [AdmissionAsked(ACK_HEADER), LARGE])

    def test_waiting_for_admission(self):
        """During admission everything waits, and is read in order afterwards."""
        peer = self.at(State.GREETING)
        peer.hear()
        self.assertEqual(peer.say(ACK, HELLO), [AdmissionAsked(ACK_HEADER)])
        self.assertEqual(peer.say(LARGE, ping(1)), [])
        self.assertEqual(peer.say(GOODBYE), [])
        self.assertEqual(peer.hear(), [])
        self.assertIs(peer.state, State.ADMISSION)
        peer.connection.admit("alice")
        *told, ended = answered(peer.connection)
        self.assertEqual(told, [HELLO, LARGE])
        self.assertIsInstance(ended, Ended)
        self.assertEqual(peer.hear()[1:], [pong(1)])

    def test_waiting_for_a_refusal(self):
        """After a refusal, the waiting frames are never read."""
        peer = self.at(State.GREETING)
        peer.say(ACK, HELLO)
        peer.connection.refuse("bad-name", "no")
        self.assertEqual(list(answered(peer.connection)), [])
        self.assertEqual(peer.say(HELLO), [])

    # An established session

    def test_told(self):
        """MESSAGE, COMMAND and ERROR are returned unchanged."""
        peer = self.at(State.ESTABLISHED)
        command = Message(MessageType.COMMAND, {"id": "c1", "command": "who", "more": [1]}, b"x")
        self.assertEqual(peer.say(HELLO, command, error("x")), [HELLO, command, error("x")])
        self.assertEqual(peer.hear(), [])

    def test_not_told(self):
        """The server refuses frames that only a server sends with `unexpected-type`."""
        peer = self.at(State.ESTABLISHED)
        result = Message(MessageType.RESULT, {"id": "c1"})
        self.assertEqual(peer.say(WELCOME, result), [])
        heard = peer.hear()
        self.assertEqual(codes_of(heard), [(5, "unexpected-type")] * 2)
        self.assertEqual([message.header.ref for message in heard], [None, "c1"])


class ServerTests(ServerCases, SynchronousTestCase):
    def test_speaks_first(self):
        """Without a key, the server's first bytes are a frame."""
        server = make_server()
        self.assertEqual(server.bytes_to_send, len(raw_greeting()))
        self.assertEqual(server.data_to_send(), raw_greeting())

    def test_encrypted_client(self):
        """A client with a key learns that the server has no key; the server sees it leave."""
        pair = Pair(make_server(), make_client(KEY))
        pair.pump()
        self.assertEqual(pair.server_events, [])
        self.assertEqual(pair.client.end_reason.code, "key-unexpected")


class EncryptedServerTests(ServerCases, SynchronousTestCase):
    key = KEY

    def test_speaks_first(self):
        """With a key, the server's first bytes are the preamble and one handshake record."""
        server = make_server(KEY)
        data = server.data_to_send()
        self.assertTrue(data.startswith(PREAMBLE + b"\x00\x30"))
        self.assertEqual(len(data), len(PREAMBLE) + 2 + 48)
        self.assertEqual(server.data_to_send(), b"")

    def test_another_key(self):
        """The server refuses a client with another key; without a channel, it cannot say so."""
        peer = bring_to(State.CONNECTING, make_server(KEY), KEY)
        peer.connection.data_to_send()
        (fault,) = peer.feed(b"\x00\x30" + bytes(range(48)))
        self.assertIsInstance(fault, Faulted)
        self.assertIsInstance(fault.error, WrongKeyError)
        self.assertEqual(peer.connection.data_to_send(), b"")
        self.assertIs(peer.state, State.CLOSING)
        self.assertIsInstance(peer.connection.end_reason, SessionRefused)
        self.assertEqual(peer.connection.end_reason.code, "wrong-key")
        self.assertEqual(peer.feed(b"\x00\x30" + bytes(48)), [])

    def test_bad_record(self):
        """The server cuts off a client without a key; without a channel, it cannot say so."""
        peer = bring_to(State.CONNECTING, make_server(KEY), KEY)
        peer.connection.data_to_send()
        (fault,) = peer.feed(make_server().data_to_send())
        self.assertEqual(fault.error.code, "bad-record")
        self.assertEqual(peer.connection.data_to_send(), b"")
        self.assertEqual(peer.connection.end_reason.code, "bad-record")

    def test_forged_record(self):
        """A record that cannot be decrypted gets one ERROR, and ends the session."""
        for state in (State.GREETING, State.ESTABLISHED):
            peer = self.at(state)
            peer.hear()
            sealed = peer.seal(peer.encode(HELLO))
            (fault,) = peer.feed(sealed[:-1] + bytes([sealed[-1] ^ 1]) + sealed)
            self.assertEqual(fault.error.code, "bad-record")
            self.assertEqual(codes_of(peer.hear()), [(5, "bad-record"), (6, "bad-record")])

    def test_replayed_record(self):
        """A repeated record is read once, and ends the session."""
        peer = self.at(State.ESTABLISHED)
        sealed = peer.seal(peer.encode(HELLO))
        told, fault = peer.feed(sealed + sealed)
        self.assertEqual(told, HELLO)
        self.assertEqual(fault.error.code, "bad-record")

    def test_end_before_the_channel(self):
        """A session that ends before the channel is open sends nothing, and is over."""
        peer = self.at(State.CONNECTING)
        peer.hear()
        peer.connection.end("shutting-down", "bye", retry=True)
        self.assertEqual(peer.connection.data_to_send(), b"")
        self.assertIs(peer.state, State.CLOSING)
        self.assertEqual(peer.connection.end_reason.code, "shutting-down")

    def test_refuse_before_the_channel(self):
        """The server can refuse a client before the channel is open; the client gets no reason."""
        peer = self.at(State.CONNECTING)
        peer.hear()
        peer.connection.refuse("too-many", "there are too many")
        self.assertEqual(peer.connection.data_to_send(), b"")
        self.assertEqual(peer.connection.end_reason.code, "too-many")

    def test_send_before_the_channel(self):
        """Sending before the channel is open raises the caller's error."""
        peer = self.at(State.CONNECTING)
        with self.assertRaises(LocalProtocolError):
            peer.connection.send(HELLO.type, HELLO.header, HELLO.content)
        with self.assertRaises(LocalProtocolError):
            peer.connection.admit("alice", ROOMS)
        self.assertEqual(peer.hear(), [])


def raw_greeting() -> bytes:
    """Return the bytes of the greeting without a key."""
    return Peer(make_server()).encode(INIT)
