"""Benchmarks of a turn in process, without sockets; only `-m benchmark` runs them."""

from typing import Any

import pytest
from twisted.internet.task import Clock

from chatd import ChatFactory
from chatd.connection.client import ClientConnection
from chatd.connection.events import Welcomed
from chatd.wire.channel import SecureChannel
from chatd.wire.codec import Codec
from chatd.wire.keys import noise_psk
from chatd.wire.messages import Message
from tests.fakes.peers import SocketTransport

KEY = bytes(range(32))
CONTENT = bytes(100)

pytestmark = pytest.mark.benchmark(max_time=1, min_rounds=20, warmup=False)


class CountingTransport(SocketTransport):
    """A transport that counts the written bytes, and keeps the last write.

    Attributes:
        count: The number of written bytes.
    """

    count = 0

    def write(self, data: bytes) -> None:
        self.count += len(data)
        self.writes = [bytes(data)]


class Member:
    """A client of the server, driven by hand.

    Attributes:
        protocol: The server's side of the connection.
        transport: Its transport.
    """

    def __init__(self, factory: ChatFactory, clock: Clock, name: str) -> None:
        self._session = ClientConnection(
            Codec(KEY), SecureChannel(noise_psk(KEY), initiator=False), 0.0, name=name
        )
        protocol: Any = factory.buildProtocol(None)
        self.protocol = protocol
        self.transport = CountingTransport(protocol)
        transport: Any = self.transport
        self.protocol.makeConnection(transport)
        while not self._is_welcome():
            self.protocol.dataReceived(self._session.data_to_send())
            clock.advance(0)

    def seal(self, number: int) -> bytes:
        """Return the bytes of some new messages."""
        for _ in range(number):
            message = Message.chat(CONTENT)
            self._session.send(message.type, message.header, message.content)
        return self._session.data_to_send()

    def _is_welcome(self) -> bool:
        data, self.transport.writes = b"".join(self.transport.writes), []
        self._session.receive_data(data)
        return any(isinstance(event, Welcomed) for event in self._session.events())


@pytest.mark.parametrize("messages", [1, 500], ids=["one message", "500 messages"])
@pytest.mark.parametrize("members", [1, 10, 100])
def test_turn(benchmark, members, messages):
    """What one read brings goes to all members of a room, signed and encrypted."""
    benchmark.group = f"a turn of {messages} to {members}"
    clock = Clock()
    factory = ChatFactory(clock, key=KEY)
    speaker, *others = [Member(factory, clock, f"m{number}") for number in range(members)]
    before = [member.transport.count for member in others]

    def setup():
        return (speaker.seal(messages),), {}

    def turn(data):
        speaker.protocol.dataReceived(data)
        clock.advance(0)

    rounds = 20 if messages > 1 else 200
    benchmark.pedantic(turn, setup=setup, rounds=rounds)
    for member, count in zip(others, before, strict=True):
        assert member.transport.count - count > messages * len(CONTENT)
