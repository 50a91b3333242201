"""Tests of the methods of a client that a program overrides."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.client import ChatClient
from chatd.client.hooks import ClientHooks
from chatd.client.results import Joined
from chatd.errors import RequestError, SessionEnded, SessionRefused
from chatd.transport.hooks import DONE
from chatd.wire.messages import Error, Message, MessageType
from tests.client.cases import ClientCase


class DefaultTests(SynchronousTestCase):
    """The default hooks."""

    def test_nothing(self) -> None:
        """The default hooks do nothing, and an `async` override may await that."""
        hooks = ClientHooks()
        end = SessionEnded("goodbye", "the client is leaving")
        for told in (
            hooks.established(),
            hooks.ended(end),
            hooks.message_received(Message.chat("hello"), False),
            hooks.event_received({"event": "eclipse"}),
            hooks.room_joined(Joined(room="r", epoch="e", seq=1)),
        ):
            self.assertIs(told, DONE)

    def test_error(self) -> None:
        """The client logs an error."""
        with capturedLogs() as events:
            self.assertIs(ClientHooks().error_received(RequestError("bad-day", "no")), DONE)
        self.assertEqual(
            [formatEvent(event) for event in events], ["the server reported an error: bad-day: no"]
        )


class OverridingClient(ChatClient):
    """Notes the calls of its hooks."""

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
    """A subclass can override the hooks."""

    def test_message_received(self) -> None:
        """It gets all messages, and learns which are receipts."""
        carol = self.server.connect("carol", protocol=OverridingClient)
        carol.send("mine")
        self.bob.send("another's")
        self.pump()
        self.assertEqual(sorted(carol.told), [("another's", False), ("mine", True)])

    def test_event_received(self) -> None:
        """It gets the server's events."""
        carol = self.server.connect("carol", protocol=OverridingClient)
        self.server.connect("dave")
        self.assertEqual(carol.told, [{"event": "joined", "room": "lobby", "name": "dave"}])

    def test_error_received(self) -> None:
        """It gets an ERROR that answers no request."""
        carol = self.server.connect("carol", protocol=OverridingClient)
        self.tell(carol, Message(MessageType.ERROR, Error(code="bad-day", ref="what")))
        self.assertEqual(carol.told, ["bad-day"])

    def test_not_overridden(self) -> None:
        """Without an override, the client ignores events and logs errors."""
        self.tell(self.alice, Message(MessageType.EVENT, {"event": "eclipse"}))
        with capturedLogs() as events:
            self.tell(self.alice, Message(MessageType.ERROR, Error(code="bad-day")))
        self.assertTrue(any("bad-day" in formatEvent(event) for event in events))
        self.assertTrue(self.alice.is_active)


class FailingClient(ChatClient):
    """A client with failing hooks."""

    def message_received(self, message: Message, is_receipt: bool) -> None:
        raise KeyError(message.text)

    async def event_received(self, event: dict[str, object]) -> None:
        raise LookupError(event["event"])


class FailingClientTests(ClientCase):
    """Failures of hooks."""

    def test_message_received_fails(self) -> None:
        """The log has a hook's failure; the receipt comes, and the session goes on."""
        client = self.server.connect("carol", protocol=FailingClient)
        sending = client.send("hello")
        self.pump()
        self.assertEqual(self.successResultOf(sending).text, "hello")
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.assertTrue(client.is_active)

    def test_async_fails(self) -> None:
        """So is the failure of an async hook."""
        client = self.server.connect("carol", protocol=FailingClient)
        self.server.connect("dave")
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)
        self.assertTrue(client.is_active)


class AnsweringClient(ChatClient):
    """A client with a hook that waits for the server's answer."""

    async def message_received(self, message: Message, is_receipt: bool) -> None:
        if not is_receipt:
            await self.command(message.text)


class AnsweringClientTests(ClientCase):
    """Hooks that wait for an answer and do not get it."""

    def warnings(self) -> list[str]:
        """Run a hook that asks, and return the logged texts."""
        with capturedLogs() as events:
            self.alice.send("dance").addErrback(lambda _: None)
            self.pump()
        lines = [formatEvent(each) for each in events]
        return [each for each in lines if each.startswith("message_received")]

    def test_refused(self) -> None:
        """The log has a refusal in one line."""
        self.server.connect("carol", protocol=AnsweringClient)
        self.assertEqual(
            self.warnings(), ["message_received: unknown-command: there is no command dance"]
        )

    def test_session_ends(self) -> None:
        """The end of the session is no failure of the hook."""
        carol = self.server.connect("carol", protocol=AnsweringClient)
        self.server.session_of(carol).protocol.act_on = lambda event: Deferred()
        self.assertEqual(self.warnings(), [])
        with capturedLogs() as events:
            self.server.session_of(carol).protocol.end_session("kicked", "kicked")
            self.pump()
        self.assertFalse(carol.is_active)
        self.assertEqual([each for each in events if "log_failure" in each], [])


class RememberingClient(ChatClient):
    """A client that notes its beginning and its end."""

    told: tuple[str, ...] = ()

    def established(self) -> None:
        self.told += (f"{self.name} is in {self.room}",)

    def ended(self, reason: SessionEnded) -> None:
        self.told += (reason.code,)


class HookTests(ClientCase):
    """The hooks of a session's beginning and end."""

    def test_beginning_and_end(self) -> None:
        """The client calls each of the two once."""
        client = self.server.connect("carol", protocol=RememberingClient)
        self.assertEqual(client.told, ("carol is in lobby",))
        client.disconnect()
        self.pump()
        self.assertEqual(client.told, ("carol is in lobby", "goodbye"))

    def test_refused(self) -> None:
        """A refused client only gets the end."""
        made: list[RememberingClient] = []

        class RefusedClient(RememberingClient):
            def __init__(self, *args: Any) -> None:
                super().__init__(*args)
                made.append(self)

        with self.assertRaises(SessionRefused):
            self.server.connect("alice", protocol=RefusedClient)
        self.assertEqual([client.told for client in made], [("name-taken",)])
