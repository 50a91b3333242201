"""Tests of the server's protocol: greetings, refusals, and hostile clients."""

from __future__ import annotations

from typing import Any

from twisted.logger import capturedLogs, formatEvent

from chatd.errors import RequestError
from chatd.server.session import Session
from chatd.server.sessionprotocol import EARLY_BYTES
from chatd.transport import lifecycle
from chatd.transport.lifecycle import READ_BYTES
from chatd.wire.messages import Error, Message, MessageType, SessionAck
from tests.fakes.peers import (
    GOODBYE,
    Peer,
    SocketTransport,
    ack,
    greeted_client,
    hand_client,
    settle,
)
from tests.server.cases import ServerCase


class Nameless(SocketTransport):
    """A transport without a peer's address, like a process's."""

    def getPeer(self):
        raise NotImplementedError


class BeginningTests(ServerCase):
    """A connection begins on any transport."""

    def test_no_peer(self) -> None:
        """A transport without a peer's address works like any other."""
        client = hand_client(self.factory, transport_class=Nameless)
        (session,) = self.factory.sessions.values()
        self.assertEqual((session.address, repr(session.peer)), ("local", "NoAddress()"))
        client.transport.lose()
        greeted_client(self.factory, Nameless).transport.lose()
        self.assertEqual(self.factory.sessions, {})

    def test_cannot_begin(self) -> None:
        """The server aborts a connection that cannot begin, and goes on."""
        empty: dict[str, Any] = {}
        admission = self.factory.engine.admission
        self.patch(admission, "takes_passwords", lambda identity: empty["no"])
        client = Peer(self.factory.buildProtocol(None), self.factory.codec)
        self.assertEqual(client.transport.ends, ["abort"])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.successResultOf(self.factory.shut_down())


class SizeTests(ServerCase):
    """A connection takes little memory."""

    def test_attributes(self) -> None:
        """Far less than 30 attributes are outside of slots, which would take 1.3 KiB more."""
        hand_client(self.factory)
        (session,) = self.factory.sessions.values()
        self.assertLessEqual(len(vars(session.protocol)), 20)


class ReadTests(ServerCase):
    """Little is read at once from a client that has no session."""

    def test_bytes_at_once(self) -> None:
        """As soon as the session begins, much is read at once."""
        self.patch(lifecycle, "FileDescriptor", SocketTransport)
        client = greeted_client(self.factory)
        transport: Any = client.transport
        self.assertEqual(transport.bufferSize, EARLY_BYTES)
        client.send(ack(client, "alice"))
        settle(self.factory)
        self.assertEqual(transport.bufferSize, READ_BYTES)


class AdmissionTests(ServerCase):
    """A client that answers the greeting gets a session, or the reason for a refusal."""

    def test_welcome(self) -> None:
        """A client is welcomed under its requested name."""
        client = greeted_client(self.factory)
        client.send(ack(client, "alice"))
        settle(self.factory)
        (welcome,) = client.take()
        self.assertEqual(welcome.type, MessageType.EVENT)
        session_id = client.protocol.connection.session_id
        lobby = self.factory.hub.roster.rooms["lobby"]
        self.assertEqual(
            welcome.header,
            {
                "event": "welcome",
                "session_id": session_id,
                "name": "alice",
                "room": "lobby",
                "rooms": [{"room": "lobby", "epoch": lobby.epoch, "seq": 0}],
            },
        )
        self.assertEqual(len(lobby.epoch), 32)
        self.assertEqual(self.factory.sessions[session_id].name, "alice")

    def test_guest(self) -> None:
        """A client that requests no name gets a name."""
        client = greeted_client(self.factory)
        client.send(ack(client, None))
        settle(self.factory)
        (welcome,) = client.take()
        self.assertRegex(welcome.header["name"], r"^guest-[0-9a-f]{6}$")

    def refused(self, answer: SessionAck, code: str) -> None:
        """Check that the server refuses a client for its answer."""
        client = greeted_client(self.factory)
        client.send(Message(MessageType.SESSION_ACK, answer))
        self.assertEqual(
            self.told(client),
            [(MessageType.ERROR, code, None), (MessageType.DISCONNECT, code, None)],
        )
        self.assertEqual(client.transport.ends, ["half-close"])

    def test_name_taken(self) -> None:
        """The server refuses a name that another client has in any case."""
        hand_client(self.factory, "alice")
        client = greeted_client(self.factory)
        client.send(ack(client, "ALICE"))
        self.assertEqual(
            self.told(client),
            [
                (MessageType.ERROR, "name-taken", None),
                (MessageType.DISCONNECT, "name-taken", None),
            ],
        )
        self.assertEqual(len(self.factory.sessions), 1)

    def test_name_of_the_server(self) -> None:
        """The server refuses the server's own name."""
        client = greeted_client(self.factory)
        client.send(ack(client, "server"))
        self.assertEqual(self.told(client)[0][1], "name-taken")

    def test_bad_name(self) -> None:
        """The server refuses an invalid name."""
        client = greeted_client(self.factory)
        client.send(ack(client, "al ice"))
        self.assertEqual(self.told(client)[1], (MessageType.DISCONNECT, "bad-name", None))

    def test_wrong_session_id(self) -> None:
        """The server refuses an answer to another greeting."""
        self.refused(SessionAck(session_id="another", name="alice"), "bad-session")

    def test_name_is_free_after_the_end(self) -> None:
        """A name is free again as soon as its session is over."""
        client = hand_client(self.factory, "alice")
        client.send(GOODBYE)
        settle(self.factory)
        self.assertTrue(hand_client(self.factory, "alice").protocol.connection.is_established)

    def test_session_that_cannot_be_made(self) -> None:
        """A session class that fails costs the connection, but the name is free again."""

        class FailingSession(Session):
            def __init__(self, *args: object) -> None:
                raise ValueError("no")

        self.factory.session_class = FailingSession
        client = greeted_client(self.factory)
        client.send(ack(client, "alice"))
        self.assertEqual(
            self.told(client),
            [
                (MessageType.ERROR, "internal-error", None),
                (MessageType.DISCONNECT, "internal-error", None),
            ],
        )
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.factory.session_class = Session
        self.assertTrue(hand_client(self.factory, "alice").protocol.connection.is_established)


class HostileTests(ServerCase):
    """No client can make the server fail."""

    def setUp(self) -> None:
        super().setUp()
        self.client = hand_client(self.factory)

    def test_fault_in_the_bytes(self) -> None:
        """The client gets the error of damaged bytes, the log has it, and the session ends."""
        with capturedLogs() as events:
            self.client.protocol.dataReceived(b"GET / HTTP/1.1\r\n\r\n")
            told = self.told(self.client)
        self.assertEqual(
            told,
            [(MessageType.ERROR, "too-large", None), (MessageType.DISCONNECT, "too-large", None)],
        )
        (line,) = map(formatEvent, events)
        self.assertIn("ended: code=too-large ", line)

    def test_error_from_the_client(self) -> None:
        """The server logs a client's ERROR, and does not answer it."""
        with capturedLogs() as events:
            self.client.send(Message(MessageType.ERROR, Error(code="bad-day", message="no")))
        self.assertEqual(self.told(self.client), [])
        self.assertTrue(any("bad-day" in formatEvent(event) for event in events))

    def test_room_of_a_long_name(self) -> None:
        """The server refuses a room's name as long as a header before it looks it up."""
        self.factory.hook = self.factory.publish
        self.client.send(Message.chat("hello", id="m1", room="r" * 65_490))
        self.assertEqual(self.told(self.client), [(MessageType.ERROR, "bad-request", "m1")])

    def test_unknown_type_with_a_long_id(self) -> None:
        """The server refuses a frame of an unknown type with any header."""
        self.client.send(Message(99, {"id": "i" * 65_500}))
        ((kind, code, _),) = self.told(self.client)
        self.assertEqual((kind, code), (MessageType.ERROR, "unknown-type"))
        self.assertTrue(self.client.protocol.connection.is_established)

    def test_content_is_never_logged(self) -> None:
        """Contents of messages never appear in the log."""

        def hook(session: Session, message: Message) -> None:
            raise RequestError("not-today", "come back tomorrow")

        self.factory.hook = hook
        with capturedLogs() as events:
            self.client.say("the word of the day")
            self.client.transport.lose()
        lines = [formatEvent(event) for event in events]
        self.assertTrue(lines)
        self.assertFalse([line for line in lines if "the word of the day" in line])
