"""Base cases for the tests of the server: a server, and clients driven by hand."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import RequestError
from chatd.server.factory import ChatFactory
from chatd.server.session import Session
from chatd.wire.codec import Codec
from chatd.wire.large import Frame
from chatd.wire.messages import Error, Heartbeat, Message, MessageType, SessionAck
from tests.chat.slowstore import SlowStore
from tests.fakes.handserver import fields_of
from tests.fakes.networks import UnixTransport
from tests.fakes.peers import (
    GatedStore,
    Peer,
    PipeTransport,
    SocketTransport,
    hand_client,
    memory_factory,
    settle,
)

SECRET = "open sesame"
PING = Message(MessageType.HEARTBEAT, Heartbeat(7), b"ping")


class UserTransport(UnixTransport):
    """The address of a client on a UNIX socket, for the user who runs the tests."""

    uid = os.getuid()


class AdmissionCase(SynchronousTestCase):
    """A server, and clients driven by hand that answer its greeting."""

    transport_class: type[PipeTransport] = SocketTransport

    def setUp(self) -> None:
        self.serve()

    def serve(self, factory_class: type[ChatFactory] = ChatFactory, **options: Any) -> None:
        clock = Clock()
        self.store = SlowStore(unix_time=clock.seconds)
        options.setdefault("store", self.store)
        self.factory: Any = factory_class(clock, unix_time=clock.seconds, **options)

    def knock(
        self,
        name: str | None = None,
        *,
        transport_class: type[PipeTransport] | None = None,
        **fields: Any,
    ) -> Peer:
        """Answer a greeting, and end the turn."""
        protocol = self.factory.buildProtocol(None)
        peer = Peer(protocol, self.factory.codec, transport_class or self.transport_class)
        (greeting,) = peer.take()
        peer.auth = greeting.header.auth
        answer = SessionAck(session_id=greeting.header.session_id, name=name, **fields)
        peer.send(Message(MessageType.SESSION_ACK, answer))
        settle(self.factory)
        return peer

    def welcome(self, name: str | None = None, **options: Any) -> dict[str, Any]:
        """Log in, and return the welcome."""
        (told,) = self.knock(name, **options).take()
        self.assertEqual((told.type, told.header["event"]), (MessageType.EVENT, "welcome"))
        return told.header

    def refusal(self, name: str | None = None, **options: Any) -> tuple[str, bool]:
        """Be refused; return the code, and whether the client may retry."""
        peer = self.knock(name, **options)
        return self.refusal_of(peer)

    def refusal_of(self, peer: Peer) -> tuple[str, bool]:
        error, end = peer.take()
        self.assertEqual((error.type, end.type), (MessageType.ERROR, MessageType.DISCONNECT))
        self.assertEqual(error.header.code, end.header.code)
        peer.transport.lose()
        return end.header.code, end.header.retry

    def check_nothing_left(self) -> None:
        """Check that no session, name, room or timer remains."""
        hub = self.factory.hub
        self.assertEqual((self.factory.sessions, hub.roster.here, hub.roster.rooms), ({}, {}, {}))
        claims = hub.roster.shared.claims
        self.assertEqual((claims._holders, claims._accounts), ({}, set()))
        self.factory.engine.finish()  # their timers belong to the server, not to a session
        self.assertEqual(self.factory.clock.getDelayedCalls(), [])


def gist(message: Message) -> str:
    """Return the distinguishing part of a message in these tests: text, code, event or command."""
    if message.type == MessageType.MESSAGE:
        return message.text
    if message.type == MessageType.HEARTBEAT:
        return message.content.decode()
    if isinstance(message.header, dict):
        return message.header.get("event") or message.header["id"]
    ref = getattr(message.header, "ref", None)
    return message.header.code if ref is None else f"{message.header.code} {ref}"


class PickyFactory(ChatFactory):
    """Refuses some messages, and notes the received commands."""

    def message_received(self, session: Session, message: Message) -> None:
        if message.text == "bad":
            raise RequestError("too-bad", "no")
        self.publish(session, message)

    def command_received(self, session: Session, command: Message):
        self.commanded = [*getattr(self, "commanded", ()), fields_of(command)["command"]]
        return super().command_received(session, command)


class AnswerCase(SynchronousTestCase):
    """A server on a slow store, with a client driven by hand and another that listens."""

    def setUp(self) -> None:
        self.store = GatedStore()
        self.factory = memory_factory(PickyFactory, store=self.store, heartbeat_s=1.0)
        self.alice = hand_client(self.factory, "alice")
        self.bob = hand_client(self.factory, "bob")
        self.told(self.alice)

    def told(self, client: Peer) -> list[str]:
        """End the turn, and return the messages for a client."""
        settle(self.factory)
        return [gist(message) for message in client.take()]

    def answered(self, client: Peer) -> list[str]:
        """Let the store answer once, and return the messages for a client."""
        self.store.answer()
        return self.told(client)

    def names(self) -> list[str]:
        """Return the names of the sessions."""
        return [session.name for session in self.factory.sessions.values()]


class CountingCodec(Codec):
    """Counts the messages that it encodes."""

    count = 0

    def encode_run(self, messages: Sequence[Message]) -> Sequence[Frame]:
        frames = super().encode_run(messages)
        self.count += len(frames)
        return frames


def count_encodings(factory: ChatFactory) -> CountingCodec:
    """Return a codec that counts the messages that a server encodes for its rooms from now on."""
    codec = CountingCodec()
    for session in factory.sessions.values():
        session.encoder = codec
    return codec


class FactoryCase(SynchronousTestCase):
    """A server, and clients driven by hand."""

    def setUp(self) -> None:
        self.factory = memory_factory()

    def clients(self, *names: str) -> list[Peer]:
        """Connect clients, and discard the events about each other."""
        clients = [hand_client(self.factory, name) for name in names]
        for client in clients:
            client.take()
        return clients

    def end_turn(self) -> None:
        settle(self.factory)

    def error_of(self, client: Peer) -> Error:
        """Return the only ERROR that a client gets in this turn."""
        self.end_turn()
        (message,) = client.take()
        self.assertEqual(message.type, MessageType.ERROR)
        return message.header


class HookFactory(ChatFactory):
    """Calls a hook of the test.

    Attributes:
        hook: Called by `message_received` and `command_received`.
        texts: The texts of the processed messages, and the names of the commands.
    """

    hook = staticmethod(lambda session, message: None)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.texts: list[str] = []

    def message_received(self, session: Session, message: Message):
        self.texts.append(message.text)
        return self.hook(session, message)

    def command_received(self, session: Session, command: Message):
        self.texts.append(fields_of(command)["command"])
        return self.hook(session, command)


class ServerCase(SynchronousTestCase):
    """A server, and the answers to clients driven by hand."""

    def setUp(self) -> None:
        self.factory = memory_factory(HookFactory)

    def told(self, client: Peer) -> list[tuple[int, str, str | None]]:
        """End the turn; return the types, codes and refs of the client's messages."""
        settle(self.factory)
        return [
            (message.type, message.header.code, getattr(message.header, "ref", None))
            for message in client.take()
        ]
