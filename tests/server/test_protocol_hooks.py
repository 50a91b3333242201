"""Tests of a server's hooks, plain and async, and of their failures."""

from __future__ import annotations

from asyncio import CancelledError

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from chatd.errors import RequestError, SessionEnded, SessionRefused
from chatd.server.session import Session
from chatd.wire.messages import Message, MessageType
from tests.fakes.peers import Peer, hand_client, settle
from tests.server.cases import ServerCase


class PlainHookTests(ServerCase):
    """The client gets an ERROR for a plain hook's exception, and the session goes on."""

    def setUp(self) -> None:
        super().setUp()
        self.client = hand_client(self.factory)

    def raising(self, error: BaseException) -> None:
        """Raise the test's exception."""

        def hook(session: Session, message: Message) -> None:
            raise error

        self.factory.hook = hook

    def test_request_error(self) -> None:
        """A `RequestError` becomes an ERROR that names the message."""
        self.raising(RequestError("not-today", "come back tomorrow"))
        self.client.say("one", "two")
        self.assertEqual(
            self.told(self.client),
            [(MessageType.ERROR, "not-today", "one"), (MessageType.ERROR, "not-today", "two")],
        )

    def test_request_error_for_another_frame(self) -> None:
        """A `RequestError` of another server names that server's message; the answer does not."""
        self.raising(RequestError("not-today", "come back tomorrow", ref="another"))
        self.client.say("one")
        self.client.send(Message(MessageType.COMMAND, {"id": "c1", "command": "dance"}))
        self.assertEqual(
            self.told(self.client),
            [(MessageType.ERROR, "not-today", "one"), (MessageType.ERROR, "not-today", "c1")],
        )

    def test_request_error_for_a_command(self) -> None:
        """A `RequestError` for a COMMAND names the command's id."""
        self.raising(RequestError("not-today", "come back tomorrow"))
        self.client.send(Message(MessageType.COMMAND, {"id": "c1", "command": "dance"}))
        self.assertEqual(self.told(self.client), [(MessageType.ERROR, "not-today", "c1")])
        self.assertEqual(self.factory.texts, ["dance"])

    def test_other_error(self) -> None:
        """The server logs any other exception, and reports it without details."""
        self.raising(ValueError("the secret of the house"))
        self.client.say("one")
        settle(self.factory)
        (error,) = self.client.take()
        self.assertEqual((error.header.code, error.header.ref), ("internal-error", "one"))
        self.assertNotIn("secret", error.header.message)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_session_goes_on(self) -> None:
        """After a failure, the next message is processed."""
        self.raising(ValueError("no"))
        self.client.say("one")
        self.factory.hook = lambda session, message: session.reply(message, "fine")
        self.client.say("two")
        settle(self.factory)
        self.assertEqual(self.client.take_texts(), ["fine"])
        self.assertEqual(self.factory.texts, ["one", "two"])
        self.flushLoggedErrors(ValueError)

    def test_spoke_to_a_session_that_is_over(self) -> None:
        """After the answer, a hook that sends to a session that is over has not failed."""

        def hook(session: Session, message: Message) -> None:
            if message.type == MessageType.COMMAND:
                session.send_result(message)
            else:
                session.reply(message, "yes")
            raise SessionEnded("goodbye", "gone")

        self.factory.hook = hook
        self.client.say("one")
        self.client.send(Message(MessageType.COMMAND, {"id": "c1", "command": "dance"}))
        settle(self.factory)
        types = [each.type for each in self.client.take()]
        self.assertEqual(types, [MessageType.MESSAGE, MessageType.RESULT])

    def test_own_session_is_over(self) -> None:
        """A hook that sends to its client after the session's end has not failed."""

        def hook(session: Session, message: Message) -> None:
            session.end("enough", "that was enough")
            session.send("and another thing")

        self.factory.hook = hook
        self.client.say("one")
        self.assertEqual(self.told(self.client), [(MessageType.DISCONNECT, "enough", None)])

    def test_end_of_another_session(self) -> None:
        """If a session with another server ends before the answer, the client is told."""
        for end in (SessionEnded, SessionRefused):
            self.raising(end("goodbye", "gone"))
            self.client.say("one")
            self.client.send(Message(MessageType.COMMAND, {"id": "c1", "command": "dance"}))
            self.assertEqual(
                self.told(self.client),
                [
                    (MessageType.ERROR, "internal-error", "one"),
                    (MessageType.ERROR, "internal-error", "c1"),
                ],
            )
            self.assertEqual(len(self.flushLoggedErrors(end)), 2)

    def test_cancelled(self) -> None:
        """A cancelled task of asyncio is a failure like any other, and the session goes on."""

        async def hook(session: Session, message: Message) -> None:
            raise CancelledError

        self.raising(CancelledError())
        self.client.say("one")
        self.client.send(Message(MessageType.COMMAND, {"id": "c1", "command": "dance"}))
        self.factory.hook = hook
        self.client.say("two")
        self.client.send(Message(MessageType.COMMAND, {"id": "c2", "command": "dance"}))
        self.assertEqual(
            self.told(self.client),
            [(MessageType.ERROR, "internal-error", each) for each in ("one", "c1", "two", "c2")],
        )
        self.assertEqual(len(self.flushLoggedErrors(CancelledError)), 4)

    def test_what_fails_after_the_end(self) -> None:
        """The log has a hook's failure after it ended the session; no client gets it."""

        def hook(session: Session, message: Message) -> None:
            session.end("enough", "that was enough")
            raise ValueError("no")

        self.factory.hook = hook
        self.client.say("one")
        self.assertEqual(self.told(self.client), [(MessageType.DISCONNECT, "enough", None)])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_log_tells_what_failed(self) -> None:
        """The log names the hook that failed."""
        self.raising(ValueError("no"))
        with capturedLogs() as events:
            self.client.say("one")
            self.client.send(Message(MessageType.COMMAND, {"id": "c1", "command": "dance"}))
        failed = [formatEvent(event) for event in events if "log_failure" in event]
        self.assertIn("message_received failed", failed[0])
        self.assertIn("command_received failed", failed[1])
        self.flushLoggedErrors(ValueError)


class AsyncHookTests(ServerCase):
    """An async hook holds up only its own session."""

    def setUp(self) -> None:
        super().setUp()
        self.gates: dict[str, Deferred[None]] = {}

        async def hook(session: Session, message: Message) -> None:
            gate = self.gates[message.text] = Deferred()
            await gate
            session.reply(message, f"did {message.text}")

        self.factory.hook = hook
        self.client = hand_client(self.factory)

    def texts(self, client: Peer) -> list[str]:
        settle(self.factory)
        return client.take_texts()

    def test_in_order(self) -> None:
        """The server processes messages singly, in the order of arrival."""
        self.client.say("one", "two")
        self.assertEqual(self.factory.texts, ["one"])
        self.assertFalse(self.client.transport.is_reading)
        self.gates["one"].callback(None)
        self.assertEqual(self.texts(self.client), ["did one"])
        self.assertEqual(self.factory.texts, ["one", "two"])
        self.gates["two"].callback(None)
        self.assertEqual(self.texts(self.client), ["did two"])
        self.assertTrue(self.client.transport.is_reading)

    def test_others_are_not_held_up(self) -> None:
        """Another session's messages do not wait."""
        other = hand_client(self.factory, "bob")
        self.client.say("slow")
        other.say("quick")
        self.gates["quick"].callback(None)
        self.assertEqual(self.texts(other), ["did quick"])
        self.assertFalse(self.client.transport.is_reading)

    def test_request_error(self) -> None:
        """The server reports its exception after waiting like a plain hook's exception."""
        self.client.say("one")
        self.gates["one"].errback(RequestError("not-today", "come back tomorrow"))
        self.assertEqual(self.told(self.client), [(MessageType.ERROR, "not-today", "one")])
        self.assertTrue(self.client.transport.is_reading)

    def test_other_error(self) -> None:
        """The server logs a failure after waiting, and the next message is processed."""
        self.client.say("one", "two")
        self.gates["one"].errback(ValueError("no"))
        self.assertEqual(self.told(self.client), [(MessageType.ERROR, "internal-error", "one")])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(self.factory.texts, ["one", "two"])

    def test_end_of_another_session(self) -> None:
        """An error of another server that arrives later answers the message at hand."""
        self.client.say("one", "two")
        self.gates["one"].errback(SessionEnded("goodbye", "gone"))
        self.gates["two"].errback(RequestError("not-today", "come back", ref="another"))
        self.assertEqual(
            self.told(self.client),
            [(MessageType.ERROR, "internal-error", "one"), (MessageType.ERROR, "not-today", "two")],
        )
        self.assertEqual(len(self.flushLoggedErrors(SessionEnded)), 1)

    def test_session_ends_while_it_runs(self) -> None:
        """If the session ends first, the server drops the hook's answer, and logs no failure."""
        self.client.say("one", "two")
        self.client.transport.lose()
        self.gates["one"].callback(None)
        settle(self.factory)
        self.assertEqual(self.factory.texts, ["one"])
        self.assertEqual(self.factory.sessions, {})

    def test_failure_after_the_end(self) -> None:
        """If the session ends first, a failure is still logged."""
        self.client.say("one")
        self.client.transport.lose()
        self.gates["one"].errback(ValueError("no"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)


class EndingHookTests(ServerCase):
    """A hook that ends the session of its message."""

    def test_async(self) -> None:
        """The server still reads the client's end, so that the connection closes in time."""
        gate: Deferred[None] = Deferred()

        async def hook(session: Session, message: Message) -> None:
            await gate
            session.end()

        self.factory.hook = hook
        client = hand_client(self.factory)
        client.say("one")
        settle(self.factory)
        self.assertFalse(client.transport.is_reading)
        gate.callback(None)
        settle(self.factory)
        self.assertEqual(client.take()[-1].header.code, "goodbye")
        self.assertTrue(client.transport.is_reading)
