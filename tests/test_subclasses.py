"""Tests of subclasses that forget `super()`, or return from a hook what it cannot return."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs, formatEvent

import chatd
from chatd.testing import MemoryServer
from tests.client.cases import ENDPOINT, NetworkCase


class ForgetfulClient(chatd.ChatClient):
    """Does not initialise its base."""

    def __init__(self, connection: Any, factory: Any) -> None:
        pass


class SilentClient(chatd.ChatClient):
    """Does not begin its connection."""

    def connectionMade(self) -> None:
        pass


class ForgetfulClientFactory(chatd.ChatClientFactory):
    """Does not initialise its base."""

    def __init__(self, clock: Any) -> None:
        pass


class ForgetfulFactory(chatd.ChatFactory):
    """Does not initialise its base."""

    def __init__(self, clock: Any, **options: Any) -> None:
        pass


class ForgetfulSession(chatd.Session):
    """Does not initialise its base."""

    def __init__(self, protocol: Any, id: str, name: str) -> None:
        pass


class ForgetfulService(chatd.ChatClientService):
    """Does not initialise its base."""

    def __init__(self) -> None:
        pass


class ForgetfulSessionFactory(chatd.ChatFactory[ForgetfulSession]):
    """Makes such sessions."""


class InitTests(NetworkCase):
    """An `__init__` without `super().__init__` is named at once."""

    def check(self, connecting: Deferred[Any]) -> None:
        """Check that a client fails to connect, and that Twisted closes its connection."""
        wrapper = self.reactor.tcpClients.pop()[2]
        self.assertIsNone(wrapper.buildProtocol(None))
        error = self.failureResultOf(connecting, chatd.ConfigurationError).value
        told = "ForgetfulClient.__init__ must call super().__init__(connection, factory)"
        self.assertEqual(str(error), f"cannot connect to {ENDPOINT}: TypeError: {told}")

    def test_connect(self) -> None:
        """`connect` does not wait for a client that cannot act."""
        self.check(self.connect(protocol=ForgetfulClient))

    def test_service_of_the_client(self) -> None:
        """Nor does a service, which does not try again."""
        factory = chatd.ChatClientFactory(self.reactor, protocol=ForgetfulClient)
        service = chatd.ChatClientService(self.reactor, ENDPOINT, factory)
        connected = service.whenConnected()
        service.startService()
        self.check(connected)
        self.successResultOf(service.when_given_up())

    def test_others(self) -> None:
        """The same holds for factories, and for a service."""
        client_factory = ForgetfulClientFactory(self.reactor)
        factory = ForgetfulFactory(self.reactor)
        mistakes = (
            (lambda: client_factory.buildProtocol(None), "ForgetfulClientFactory"),
            (
                lambda: chatd.ChatClientService(self.reactor, ENDPOINT, client_factory),
                "ForgetfulClientFactory",
            ),
            (lambda: ForgetfulService().startService(), "ForgetfulService"),
            (lambda: chatd.ChatService(MemoryReactorClock(), factory), "ForgetfulFactory"),
            (lambda: MemoryServer(ForgetfulFactory), "ForgetfulFactory"),
            (factory.startFactory, "ForgetfulFactory"),
        )
        for mistake, name in mistakes:
            error = self.assertRaises(TypeError, mistake)
            self.assertIn(f"{name}.__init__ must call super().__init__(", str(error))

    def test_session(self) -> None:
        """A session refuses its client, and the server's log names the class."""
        server = MemoryServer(ForgetfulSessionFactory)
        refused = self.assertRaises(chatd.SessionRefused, server.connect, "alice")
        self.assertEqual(refused.code, "internal-error")
        (failure,) = self.flushLoggedErrors(TypeError)
        told = "ForgetfulSession.__init__ must call super().__init__(protocol, id, name)"
        self.assertEqual(str(failure.value), told)


class ConnectionMadeTests(NetworkCase):
    """A `connectionMade` without `super().connectionMade` is named at once."""

    def test_connect(self) -> None:
        """`connect` does not wait for a client that does not read, and closes the connection."""
        connecting = self.connect(protocol=SilentClient)
        with capturedLogs() as logged:
            self.network.accept()
        end = self.failureResultOf(connecting, chatd.SessionEnded).value
        told = "SilentClient.connectionMade must call super().connectionMade()"
        self.assertEqual((end.code, end.reason, end.retry), ("internal-error", told, False))
        errors = [formatEvent(each) for each in logged if each["log_level"] is LogLevel.error]
        self.assertEqual(errors, [told])
        self.network.pump()
        self.assertEqual(len(self.network.factory.engine.connections), 0)


class EchoFactory(chatd.ChatFactory):
    """Returns its answer, as handlers of other libraries do."""

    def message_received(self, session: chatd.Session, message: chatd.Message) -> Any:
        return message.text


class Talker(chatd.ChatClient):
    """Returns its answer too."""

    def message_received(self, message: chatd.Message, is_receipt: bool) -> Any:
        return 5


class ReturnTests(NetworkCase):
    """A hook that returns something else than None or an awaitable is named."""

    def told(self) -> str:
        (failure,) = self.flushLoggedErrors(TypeError)
        return str(failure.value)

    def test_server(self) -> None:
        """The log of a server names the hook, and how to answer; the client is answered."""
        server = MemoryServer(EchoFactory)
        sending = server.connect("alice").send("hello")
        server.pump()
        error = self.failureResultOf(sending, chatd.RequestError).value
        self.assertEqual(error.code, "internal-error")
        self.assertEqual(
            self.told(),
            "EchoFactory.message_received returned str: a hook returns None or an awaitable; to "
            "answer a message, call reply",
        )

    def test_client(self) -> None:
        """So does the log of a client, and the session goes on."""
        server = MemoryServer()
        alice = server.connect("alice", protocol=Talker)
        alice.send("hello").addErrback(self.fail)
        server.pump()
        self.assertIn("Talker.message_received returned int: ", self.told())
        self.assertTrue(alice.is_active)
