"""Tests that the log names a service which does not answer a message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import RequestError
from chatd.server.factory import ChatFactory
from chatd.server.session import Session
from chatd.testing import MemoryServer
from chatd.wire.messages import Message

Act = Callable[[ChatFactory, Session, Message], Any]

NOT_ANSWERED = (
    "ActingFactory.command_received has not answered a command: call send_result, raise "
    "RequestError, or await or return the result of super().command_received; else the client "
    "waits for ever (this is logged once)"
)


class ActingFactory(ChatFactory):
    """A service that acts as the test says."""

    act: Act

    def message_received(self, session: Session, message: Message) -> Any:
        return self.act(self, session, message)

    def command_received(self, session: Session, command: Message) -> Any:
        return self.act(self, session, command)


class ServiceTests(SynchronousTestCase):
    """A client of a service."""

    def ask(self) -> Deferred[Any]:
        """Send what the service must answer."""
        return self.client.send("hello")

    def warnings(self, act: Act, count: int = 1) -> list[str]:
        """Ask a service some times, and return the warnings of its log."""
        self.server = MemoryServer(ActingFactory)
        self.server.factory.act = act
        self.client = self.server.connect("alice")
        with capturedLogs() as events:
            self.asked = [self.ask() for _ in range(count)]
            for each in self.asked:
                each.addErrback(lambda _: None)
            self.server.pump()
        return [formatEvent(each) for each in events if each["log_level"] is LogLevel.warn]


class UnansweredTests(ServiceTests):
    """`message_received` publishes, replies or refuses; or the log names it."""

    def test_forgotten(self) -> None:
        """The log names a service that gives no answer, once, plain or async."""

        async def forget(factory: ChatFactory, session: Session, message: Message) -> None:
            return

        for act in (lambda *_: None, forget):
            self.assertEqual(
                self.warnings(act, count=3),
                [
                    "ActingFactory.message_received has not answered a message: publish it, reply "
                    "to it, raise RequestError, or await or return the result of "
                    "super().message_received; else the sender waits for ever (this is logged "
                    "once)"
                ],
            )
            self.assertNoResult(self.asked[0])

    def test_answered(self) -> None:
        """The log names no service that answers in one of the three ways, plain or async."""

        def refuse(factory: ChatFactory, session: Session, message: Message) -> None:
            raise RequestError("no", "no")

        async def publish(factory: ChatFactory, session: Session, message: Message) -> None:
            factory.publish(session, message)

        async def inherit(factory: ChatFactory, session: Session, message: Message) -> None:
            await ChatFactory.message_received(factory, session, message)

        acts: list[Act] = [
            lambda factory, session, message: factory.publish(session, message),
            lambda factory, session, message: session.reply(message, "yes"),
            lambda factory, session, message: session.send("yes", id=message.id),
            refuse,
            publish,
            inherit,
        ]
        for act in acts:
            self.assertEqual(self.warnings(act, count=2), [])
            self.assertTrue(all(each.called for each in self.asked))

    def test_another_message(self) -> None:
        """A message to the session that answers no other is no answer."""
        warnings = self.warnings(lambda factory, session, message: session.send("hello too"))
        self.assertEqual(len(warnings), 1)

    def test_not_done(self) -> None:
        """If a service waits and then gives no answer, the log names it after the wait."""
        gate: Deferred[None] = Deferred()
        self.assertEqual(self.warnings(lambda *_: gate), [])
        with capturedLogs() as events:
            gate.callback(None)
        self.assertEqual([each["log_level"] for each in events], [LogLevel.warn])

    def test_end_of_the_session(self) -> None:
        """A service that ends the session owes no answer."""
        act: Act = lambda factory, session, message: session.end("enough", "enough")  # noqa: E731
        self.assertEqual(self.warnings(act), [])
        self.assertFalse(self.client.is_active)


class SecondAnswerTests(ServiceTests):
    """A message has one answer; a second is named."""

    def test_twice(self) -> None:
        """A service that replies again, or replies to what it published, is named once."""

        def reply_twice(factory: ChatFactory, session: Session, message: Message) -> None:
            session.reply(message, "yes")
            session.reply(message, "and yes")

        def publish_and_reply(factory: ChatFactory, session: Session, message: Message) -> None:
            factory.publish(session, message)
            session.reply(message, "yes")

        for act in (reply_twice, publish_and_reply):
            self.assertEqual(
                self.warnings(act, count=2),
                [
                    "ActingFactory.message_received has replied to a message that was answered "
                    "already: the client's send has the first answer, and the second is an "
                    "ordinary message (this is logged once)"
                ],
            )

    def test_later(self) -> None:
        """A service that answers a message later answers it once."""
        kept: list[Message] = []
        self.warnings(lambda factory, session, message: kept.append(message))
        session = self.server.session_of(self.client)
        with capturedLogs() as events:
            session.reply(kept[0], "at last")
            self.server.pump()
        self.assertEqual(events, [])
        self.assertTrue(self.asked[0].called)


class CommandTests(ServiceTests):
    """`command_received` sends a result, refuses, or leaves the command to chatd."""

    command = "dance"

    def ask(self) -> Deferred[Any]:
        """Give a command."""
        return self.client.command(self.command)

    def test_forgotten(self) -> None:
        """A service that does nothing is named once, plain or async."""

        async def send_something_else(factory: Any, session: Session, command: Message) -> None:
            session.send("dancing")

        for act in (lambda *_: None, send_something_else):
            self.assertEqual(
                self.warnings(act, count=2),
                [NOT_ANSWERED],
            )
            self.assertNoResult(self.asked[0])

    def test_forgotten_result(self) -> None:
        """A service that neither awaits nor returns the result of chatd's method is named once."""

        def drop(factory: ChatFactory, session: Session, command: Message) -> None:
            ChatFactory.command_received(factory, session, command)

        async def forget(factory: ChatFactory, session: Session, command: Message) -> None:
            ChatFactory.command_received(factory, session, command)

        self.command = "rooms"
        for act in (drop, forget):
            self.assertEqual(self.warnings(act, count=2), [NOT_ANSWERED])
            self.assertNoResult(self.asked[0])
            warned = self.flushWarnings()  # Python's own, which does not name the override
            self.assertEqual({each["category"] for each in warned}, {RuntimeWarning})

    def test_answered(self) -> None:
        """A service that answers in one of the three ways is not named, plain or async."""

        def refuse(factory: ChatFactory, session: Session, command: Message) -> None:
            raise RequestError("no", "no")

        async def inherit(factory: ChatFactory, session: Session, command: Message) -> None:
            await ChatFactory.command_received(factory, session, command)

        acts: list[Act] = [
            lambda factory, session, command: session.send_result(command),
            ChatFactory.command_received,
            refuse,
            inherit,
        ]
        for act in acts:
            for self.command in ("dance", "rooms"):
                self.assertEqual(self.warnings(act, count=2), [])
                self.assertTrue(all(each.called for each in self.asked))

    def test_end_of_the_session(self) -> None:
        """A service that ends the session owes no answer."""
        act: Act = lambda factory, session, command: session.end("enough", "enough")  # noqa: E731
        self.assertEqual(self.warnings(act), [])
