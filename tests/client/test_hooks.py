"""Tests of the methods of a client that a program overrides."""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.client import ChatClient
from chatd.client.hooks import ClientHooks
from chatd.client.results import Joined
from chatd.errors import RequestError, SessionEnded
from chatd.testing import MemoryServer
from chatd.wire.messages import Error, Message, MessageType
from tests.client.cases import ClientCase

C = TypeVar("C", bound=ChatClient)


def connected(server: MemoryServer, name: str, kind: type[C]) -> C:
    """Connect a client of a kind."""
    client = server.connect(name, protocol=kind)
    assert isinstance(client, kind)
    return client


class DefaultTests(SynchronousTestCase):
    """What is not overridden."""

    def test_nothing(self) -> None:
        """It does nothing, and nothing is waited for."""
        hooks = ClientHooks()
        end = SessionEnded("goodbye", "the client is leaving")
        for told in (
            hooks.established(),
            hooks.ended(end),
            hooks.message_received(Message.chat("hello"), False),
            hooks.event_received({"event": "eclipse"}),
            hooks.room_joined(Joined(room="r", epoch="e", seq=1)),
        ):
            self.assertIsNone(told)

    def test_error(self) -> None:
        """An error is logged."""
        with capturedLogs() as events:
            self.assertIsNone(ClientHooks().error_received(RequestError("bad-day", "no")))
        self.assertEqual(
            [formatEvent(event) for event in events], ["the server reported an error: bad-day: no"]
        )


class OverridingClient(ChatClient):
    """Notes what it is told."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.told: list[object] = []

    def message_received(self, message: Message, is_receipt: bool) -> None:
        self.told.append((message.text, is_receipt))

    def event_received(self, event: dict[str, object]) -> None:
        self.told.append(event)

    def error_received(self, error: RequestError) -> None:
        self.told.append(error.code)


class OverridingTests(ClientCase):
    """A subclass may act on what arrives."""

    def test_message_received(self) -> None:
        """It is told of all messages, and which of them are receipts."""
        carol = connected(self.server, "carol", OverridingClient)
        carol.send("mine")
        self.bob.send("another's")
        self.pump()
        self.assertEqual(sorted(carol.told), [("another's", False), ("mine", True)])

    def test_event_received(self) -> None:
        """It is told of what the server says unasked."""
        carol = connected(self.server, "carol", OverridingClient)
        self.server.connect("dave")
        self.assertEqual(carol.told, [{"event": "joined", "room": "lobby", "name": "dave"}])

    def test_error_received(self) -> None:
        """It is told of an ERROR that answers nothing."""
        carol = connected(self.server, "carol", OverridingClient)
        self.tell(carol, Message(MessageType.ERROR, Error(code="bad-day", ref="what")))
        self.assertEqual(carol.told, ["bad-day"])

    def test_not_overridden(self) -> None:
        """What is not overridden ignores events and logs errors."""
        self.tell(self.alice, Message(MessageType.EVENT, {"event": "eclipse"}))
        with capturedLogs() as events:
            self.tell(self.alice, Message(MessageType.ERROR, Error(code="bad-day")))
        self.assertTrue(any("bad-day" in formatEvent(event) for event in events))
        self.assertTrue(self.alice.is_active)


class FailingClient(ChatClient):
    """A client whose methods fail."""

    def message_received(self, message: Message, is_receipt: bool) -> None:
        raise KeyError(message.text)

    async def event_received(self, event: dict[str, object]) -> None:
        raise LookupError(event["event"])


class FailingClientTests(ClientCase):
    """What a program does wrong when it is told something."""

    def test_message_received_fails(self) -> None:
        """A method that fails is logged; the receipt comes, and the session goes on."""
        client = connected(self.server, "carol", FailingClient)
        sending = client.send("hello")
        self.pump()
        self.assertEqual(self.successResultOf(sending).text, "hello")
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.assertTrue(client.is_active)

    def test_async_fails(self) -> None:
        """So is one that is async."""
        client = connected(self.server, "carol", FailingClient)
        self.server.connect("dave")
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)
        self.assertTrue(client.is_active)


class RememberingClient(ChatClient):
    """A client that remembers its beginning and its end."""

    told: tuple[str, ...] = ()

    def established(self) -> None:
        self.told += (f"{self.name} is in {self.room}",)

    def ended(self, reason: SessionEnded) -> None:
        self.told += (reason.code,)


class HookTests(ClientCase):
    """What a program is told of its session."""

    def test_beginning_and_end(self) -> None:
        """It is told once of the beginning and once of the end."""
        client = connected(self.server, "carol", RememberingClient)
        self.assertEqual(client.told, ("carol is in lobby",))
        client.disconnect()
        self.pump()
        self.assertEqual(client.told, ("carol is in lobby", "goodbye"))

    def test_refused(self) -> None:
        """Who is refused is told of the end alone."""
        client = connected(self.server, "alice", RememberingClient)
        self.assertEqual(client.told, ("name-taken",))
