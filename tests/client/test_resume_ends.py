"""Tests of the end of a client that reconnects: all waiting Deferreds end."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError

from chatd.chat.moderation import Ban
from chatd.client.service import ChatClientService
from chatd.errors import SessionEnded
from tests.fakes.networks import RETRY_S, LastingTests


class EndTests(LastingTests):
    """Bob is connected; the service ends."""

    def setUp(self) -> None:
        super().setUp()
        self.bob = self.hand()

    def next_of(self, service: ChatClientService) -> Deferred[str]:
        """Begin to take the next message; the Deferred fires with its text."""
        return Deferred.fromCoroutine(service.__anext__()).addCallback(lambda each: each.text)

    def stop(self) -> None:
        stopping = self.service.stopService()
        self.network.pump()
        self.successResultOf(stopping)

    def end(self, code: str = "kicked", *, retry: bool = False) -> None:
        """Let the server end alice's session."""
        (session,) = (each for each in self.server.sessions.values() if each.name == "alice")
        session.end(code, "that was enough", retry=retry)
        self.network.pump()

    def code_of(self, asked: Deferred[Any]) -> str:
        return self.failureResultOf(asked, SessionEnded).value.code


class StopTests(EndTests):
    """`stopService` ends all waiting."""

    def test_sends(self) -> None:
        """Messages that wait for a connection fail."""
        self.start()
        self.lose()
        sending = self.service.send("hello")
        self.stop()
        self.assertEqual(self.code_of(sending), "goodbye")

    def test_sends_on_their_way(self) -> None:
        """Sent messages get their receipts if these come first, and fail otherwise."""
        client = self.start()
        arrived = client.send("hello")
        self.network.pump()
        lost = client.send("hello")
        self.lose()
        self.stop()
        self.assertEqual(self.successResultOf(arrived).seq, 1)
        self.assertEqual(self.code_of(lost), "goodbye")

    def test_iteration(self) -> None:
        """The iteration ends after the remaining messages."""
        self.start()
        self.say(self.bob, "one")
        self.assertEqual(self.successResultOf(self.next_of(self.service)), "one")
        waiting = self.next_of(self.service)
        self.stop()
        self.failureResultOf(waiting, StopAsyncIteration)

    def test_busy_reader(self) -> None:
        """A busy reader gets the remaining messages, and then the end."""
        self.start()
        self.say(self.bob, "one", "two")
        self.assertEqual(self.successResultOf(self.next_of(self.service)), "one")
        self.stop()
        self.assertEqual(self.successResultOf(self.next_of(self.service)), "two")
        self.failureResultOf(self.next_of(self.service), StopAsyncIteration)

    def test_loop(self) -> None:
        """`async for` handles the end."""
        texts: list[str] = []

        async def read() -> None:
            async for message in self.service:
                texts.append(message.text)

        reading = Deferred.fromCoroutine(read())
        self.start()
        self.say(self.bob, "one")
        self.lose()
        self.say(self.bob, "two")
        self.come_back()
        self.stop()
        self.assertIsNone(self.successResultOf(reading))
        self.assertEqual(texts, ["one", "two"])

    def test_started_again(self) -> None:
        """After a new start, missed messages arrive, and the client sends new messages."""
        self.start()
        self.stop()
        self.say(self.bob, "missed")
        self.start()
        sending = self.service.send("hello")
        self.network.pump()
        self.assertEqual(self.successResultOf(sending).seq, 2)
        self.assertEqual(self.taken(), ["missed"])

    def test_started_again_at_once(self) -> None:
        """A new start before the old connection is closed works too."""
        self.start()
        waiting = self.next_of(self.service)
        stopping = self.service.stopService()
        self.service.startService()
        sending = self.service.send("hello")
        self.network.pump()
        self.successResultOf(stopping)
        self.accept()
        self.network.pump()
        self.assertEqual(self.successResultOf(sending).text, "hello")
        self.say(self.bob, "one")
        self.assertEqual(self.successResultOf(waiting), "one")


class GiveUpTests(EndTests):
    """A server that does not want the client back ends all waiting, too."""

    def test_session_ended(self) -> None:
        """All waits fail with the reason, later waits too; remaining messages come first."""
        self.start()
        self.say(self.bob, "one", "two")
        self.assertEqual(self.successResultOf(self.next_of(self.service)), "one")
        sending = self.service.send("hello")
        self.network.pump()
        self.assertEqual(self.successResultOf(sending).seq, 3)
        self.end()
        self.assertEqual(self.successResultOf(self.next_of(self.service)), "two")
        for asked in (
            self.next_of(self.service),
            self.service.send("hello"),
            self.service.whenConnected(),
            self.next_of(self.service),
        ):
            self.assertEqual(self.code_of(asked), "kicked")
        self.assertEqual(self.network.attempts, 0)

    def test_sends(self) -> None:
        """Messages without a receipt fail."""
        client = self.start()
        self.end(retry=True)
        sending = [client.send("never there"), self.service.send("waits")]
        self.refuse_for_good()
        self.assertEqual(self.code_of(sending[0]), "kicked")
        self.assertEqual(self.code_of(sending[1]), "banned")

    def refuse_for_good(self) -> None:
        """Let the server refuse the client after a reconnect."""
        self.server.bans.replace([Ban(name="alice")])
        self.network.advance(RETRY_S)
        self.network.accept()

    def test_refused(self) -> None:
        """A permanent refusal fails the waits for a connection and for receipts."""
        self.start()
        waiting = self.next_of(self.service)
        self.lose()
        connecting = self.service.whenConnected()
        self.refuse_for_good()
        for asked in (waiting, connecting, self.service.whenConnected()):
            self.assertEqual(self.code_of(asked), "banned")
        self.network.advance(100 * RETRY_S)
        self.assertEqual(self.network.attempts, 0)

    def test_clean(self) -> None:
        """A goodbye from the server ends the iteration without an error."""
        self.start()
        waiting = self.next_of(self.service)
        self.end("goodbye")
        self.failureResultOf(waiting, StopAsyncIteration)
        self.assertEqual(self.code_of(self.service.send("hello")), "goodbye")

    def test_started_again(self) -> None:
        """After a stop and a new start, it tries again."""
        self.start()
        self.end()
        self.stop()
        sending = self.service.send("hello")
        self.assertEqual(self.code_of(sending), "kicked")
        self.start()
        again = self.service.send("hello")
        self.network.pump()
        self.assertEqual(self.successResultOf(again).text, "hello")
        self.say(self.bob, "one")
        self.assertEqual(self.taken(), ["one"])

    def test_connections_that_fail(self) -> None:
        """A server that is down does not refuse: the waits go on."""
        sending = self.service.send("hello")
        self.service.startService()
        once = self.service.whenConnected(failAfterFailures=1)
        always = self.service.whenConnected()
        self.network.refuse()
        self.failureResultOf(once, ConnectError)
        self.assertNoResult(sending)
        self.come_back()
        self.network.pump()
        self.assertEqual(self.successResultOf(sending).seq, 1)
        self.assertTrue(self.successResultOf(always).is_active)


class IterationTests(EndTests):
    """A program that iterates over a service."""

    def test_stopped_and_started(self) -> None:
        """Messages that the program has not taken before a stop are there after the next start."""
        self.start()
        self.say(self.bob, "one")
        self.stop()
        self.say(self.bob, "two")
        self.service.startService()
        self.come_back()
        self.assertEqual(self.taken(), ["one", "two"])
        self.assertEqual(self.service.gaps, 0)

    def test_cancelled_wait(self) -> None:
        """After a cancelled wait, the next wait gets the message."""
        self.start()
        waiting = self.next_of(self.service)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.say(self.bob, "one")
        self.assertEqual(self.taken(), ["one"])
