"""Shared cases of the transport's tests, which have no tests of their own, and their socket."""

from __future__ import annotations

from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SynchronousTestCase

from chatd.connection.events import AdmissionAsked, Event, Run
from chatd.connection.server import ServerConnection
from chatd.errors import SessionEnded
from chatd.transport.flush import Turn
from chatd.transport.protocol import ChatProtocol
from chatd.wire.channel import ClearChannel
from chatd.wire.codec import Codec
from chatd.wire.envelope import MAX_CONTENT
from chatd.wire.messages import Message, SessionInit
from tests.fakes.peers import (
    Peer,
    PipeTransport,
    SocketTransport,
    ack,
)


class Socket(FileDescriptor):
    """A socket that takes a limited number of bytes.

    Attributes:
        room: Number of bytes that it still takes; None if it is broken.
        taken: The bytes that it took.
    """

    def __init__(self, reactor: MemoryReactor, room: int | None) -> None:
        super().__init__(reactor)
        self.connected = 1
        self.room = room
        self.taken = b""

    def writeSomeData(self, data: bytes) -> int | Exception:
        if self.room is None:
            return ConnectionLost()
        part = bytes(data)[: min(self.room, 10)]
        self.room -= len(part)
        self.taken += part
        return len(part)


MAX_PENDING = 1000


class RecordingProtocol(ChatProtocol):
    """Admits every client, and records its events.

    Attributes:
        works: The results of `act_on` for the next messages; None if the list is empty.
        owes: Whether it owes answers.
        longest_run: The most messages that `act_on` takes together.
    """

    def __init__(self, clock: Clock, max_pending: int | None = MAX_PENDING) -> None:
        connection = ServerConnection(
            Codec(), ClearChannel(), SessionInit(session_id="s"), clock.seconds()
        )
        super().__init__(None, Turn(clock), clock, max_pending)
        self.connection: Any = connection
        self.owes = False
        self.texts: list[str] = []
        self.events: list[Event] = []
        self.works: list[Deferred[None]] = []
        self.ends: list[SessionEnded] = []
        self.closed = 0
        self.longest_run = 1

    def act_on(self, event: Event) -> Deferred[None] | None:
        if isinstance(event, AdmissionAsked):
            self.connection.admit(event.ack.name)
            self.handshake_done()
        elif isinstance(event, Run):
            self.texts += [message.text for message in event.messages]
            return self.works.pop(0) if self.works else None
        else:
            self.events.append(event)
        return None

    def begin_run(self) -> tuple[int, int]:
        return self.longest_run, MAX_CONTENT

    def begin_answers(self) -> bool:
        return self.owes

    def session_ended(self, end_reason: SessionEnded) -> None:
        self.ends.append(end_reason)

    def connection_closed(self) -> None:
        self.closed += 1


class ProtocolCase(SynchronousTestCase):
    """A protocol on a transport without a socket, and a peer that the test drives."""

    transport_class: type[PipeTransport] = SocketTransport
    max_pending: int | None = MAX_PENDING

    def setUp(self) -> None:
        self.clock = Clock()
        self.protocol = RecordingProtocol(self.clock, self.max_pending)
        self.peer = Peer(self.protocol, Codec(), self.transport_class)
        self.transport = self.peer.transport

    def establish(self) -> None:
        """Finish the handshake."""
        self.peer.send(ack(self.peer, "alice"))
        self.end_turn()
        self.peer.take()

    def end_turn(self) -> None:
        self.clock.advance(0)

    def deliver(self, text: str) -> None:
        """Deliver a MESSAGE to the peer."""
        self.protocol.deliver(self.peer.codec.encode(Message.chat(text, id="id")))

    def half_close(self) -> None:
        """Close the peer's sending half."""
        self.protocol.readConnectionLost()

    def end_codes(self) -> list[str]:
        """Return the codes of the reported ends, in order."""
        return [end.code for end in self.protocol.ends]
