"""Base classes without tests, which the client's tests extend."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from chatd.chat.policy import Policy
from chatd.client.client import ChatClient
from chatd.client.connect import connect
from chatd.errors import RequestError
from chatd.server.factory import ChatFactory
from chatd.testing import MemoryServer
from chatd.wire.messages import Message
from tests.fakes.peers import MemoryNetwork


class ClientCase(SynchronousTestCase):
    """Clients of a server in memory."""

    factory_class: type[ChatFactory] = ChatFactory

    def setUp(self) -> None:
        self.server = MemoryServer(self.factory_class, max_content=20 * 1024 * 1024)
        self.alice = self.server.connect("alice")
        self.bob = self.server.connect("bob")

    def pump(self) -> None:
        self.server.pump()

    def tell(self, client: ChatClient, message: Message) -> None:
        """Let the server send a client any frame."""
        self.server.session_of(client).deliver(self.server.factory.codec.encode(message))
        self.pump()

    def lose(self, client: ChatClient) -> None:
        """Break a client's connection; unsent data is lost."""
        client.transport.loseConnection()
        self.pump()

    def next_of(self, client: ChatClient) -> Deferred[str]:
        """Ask a client for the next message; the Deferred fires with its text."""
        return Deferred.fromCoroutine(client.__anext__()).addCallback(lambda message: message.text)


class AnswersCase(SynchronousTestCase):
    """Waits for the answers of a server in memory, which the subclass makes."""

    server: MemoryServer[Any]

    def result(self, asked: Deferred[Any]) -> Any:
        """Return the server's answer."""
        self.server.pump()
        return self.successResultOf(asked)

    def error(self, asked: Deferred[Any]) -> str:
        """Return the code of the server's refusal."""
        self.server.pump()
        return self.failureResultOf(asked, RequestError).value.code


class CommandsCase(AnswersCase):
    """Alice, an operator, and bob, in the lobby of a server in memory."""

    def setUp(self) -> None:
        self.server = MemoryServer(policy=Policy(operators=("alice",), max_rooms=2_000))
        self.alice = self.server.connect("alice")
        self.bob = self.server.connect("bob")

    def say(self, client: ChatClient, *texts: str, **options: str) -> list[Message]:
        """Send messages, and return the receipts."""
        return [self.result(client.send(text, **options)) for text in texts]


ENDPOINT = "tcp:localhost:9999"


@implementer(IStreamClientEndpoint)
class RaisingEndpoint:
    """An endpoint that cannot connect."""

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        raise NotImplementedError("not here")


class NetworkCase(SynchronousTestCase):
    """A server at `ENDPOINT` of a reactor in memory."""

    key: bytes | None = None

    def setUp(self) -> None:
        self.network = MemoryNetwork(key=self.key)
        self.reactor = self.network.reactor
        self.factory = self.network.factory

    def connect(self, **options: Any) -> Deferred[ChatClient]:
        return Deferred.fromCoroutine(connect(self.reactor, ENDPOINT, **options))

    def names(self) -> list[str]:
        """Return the names of the connected clients."""
        return [session.name for session in self.factory.sessions.values()]
