"""Tests of a service whose program is far behind: its messages wait at the server."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from chatd.chat.policy import Policy
from chatd.storage.memory import MemoryStore
from chatd.storage.values import Retention
from chatd.wire.messages import Message
from tests.fakes.networks import ENDPOINT, BrokenNetwork, LastingTests

SIZE = 1024 * 1024
FITTING = 7
"""Number of messages of `SIZE` bytes that the inbox holds."""
MANY = 20
TURNS = 5 * MANY
"""Turns of the reactor in which all answers arrive."""


def keeping_all() -> MemoryStore:
    """Return a store that deletes no message of these tests."""
    return MemoryStore(Retention(), unix_time=lambda: 0.0)


class BehindTests(LastingTests):
    """Alice's service iterates, and bob says more than fits."""

    def setUp(self) -> None:
        super().setUp()
        self.network = BrokenNetwork(store=keeping_all(), policy=Policy())
        self.reactor = self.network.reactor
        self.clients = self.make_clients(name="alice")
        self.service = self.make_service(ENDPOINT)
        self.bob = self.hand()

    def say_numbers(self, *numbers: int, to: str | None = None) -> None:
        for number in numbers:
            self.bob.send(Message.chat(str(number).ljust(SIZE), to=to))
            self.reactor.advance(0)
        self.network.pump()

    def numbers(self) -> list[int]:
        """Iterate over all messages, and let the client fetch those that wait."""
        numbers: list[int] = []
        for _ in range(TURNS):
            numbers += [int(text) for text in self.taken()]
            self.network.advance(0)
        return numbers

    def acknowledge(self, count: int) -> Deferred[list[int]]:
        """Iterate, and await a message of one's own in the body of the loop."""

        async def iterate() -> list[int]:
            numbers: list[int] = []
            async for message in self.service:
                await self.service.send("got it")
                numbers.append(int(message.text))
                if len(numbers) == count:
                    break
            return numbers

        return Deferred.fromCoroutine(iterate())

    def test_after_a_reconnect(self) -> None:
        """A program that missed more than fits gets all of it, though its loop awaits receipts."""
        self.start()
        self.lose()
        self.say_numbers(*range(MANY))
        self.come_back()
        reading = self.acknowledge(MANY)
        for _ in range(TURNS):
            self.network.advance(0)
        self.assertEqual(self.successResultOf(reading), list(range(MANY)))
        self.assertEqual(self.numbers(), [])
        self.assertEqual(self.service.gaps, 0)

    def test_lost_while_behind(self) -> None:
        """Messages that wait at the server are fetched by the next session, in order and once."""
        self.start()
        self.say_numbers(*range(MANY))
        self.lose()
        self.assertEqual(self.taken(), [str(number).ljust(SIZE) for number in range(FITTING)])
        self.say_numbers(*range(MANY, MANY + 3))
        self.come_back()
        self.assertEqual(self.numbers(), list(range(FITTING, MANY + 3)))

    def test_direct(self) -> None:
        """The same holds of direct messages."""
        self.start()
        self.say_numbers(*range(MANY), to="alice")
        self.lose()
        self.say_numbers(*range(MANY, MANY + 3), to="alice")
        self.come_back()
        self.assertEqual(self.numbers(), list(range(MANY + 3)))
        self.assertEqual(self.service.gaps, 0)

    def test_break_and_send(self) -> None:
        """A program that left its loop sends on, in the same session."""
        client = self.start()
        self.say_numbers(0)
        self.assertEqual(self.numbers(), [0])
        self.say_numbers(*range(1, MANY))
        sending = self.service.send("hello")
        self.network.pump()
        self.successResultOf(sending)
        self.assertTrue(client.is_active)
        self.assertEqual(self.numbers(), list(range(1, MANY)))

    def test_new_server(self) -> None:
        """If the server lost its messages, the gap is told, and the new messages are fetched."""
        self.start()
        self.say_numbers(*range(MANY))
        self.network.restart(store=keeping_all())
        self.bob = self.hand()
        self.say_numbers(*range(100, 103))
        self.come_back()
        self.assertEqual(self.numbers(), [*range(FITTING), *range(100, 103)])
        self.assertGreater(self.service.gaps, 0)

    def test_stopped(self) -> None:
        """A program that stops its service while it is behind misses the rest, and learns it."""
        self.start()
        self.say_numbers(*range(MANY))
        self.service.stopService()
        self.assertEqual(self.service.gaps, 0)
        self.network.advance(0)
        self.assertEqual(self.service.gaps, 1)

    def test_stopped_without_session(self) -> None:
        """So it does if the service has no session then."""
        self.start()
        self.say_numbers(*range(MANY))
        self.lose()
        self.assertEqual(self.service.gaps, 0)
        self.service.stopService()
        self.assertEqual(self.service.gaps, 1)

    def test_given_up(self) -> None:
        """So it does if the service gives up."""
        client = self.start()
        self.say_numbers(*range(MANY))
        with capturedLogs() as logged:
            for session in list(self.network.factory.sessions.values()):
                session.end("goodbye", "good night")
            self.network.advance(0)
        self.assertIs(client.is_active, False)
        self.assertEqual(self.service.gaps, 1)
        said = "messages in lobby may be missing: the client cannot fetch them"
        self.assertIn(said, [formatEvent(event) for event in logged])

    def test_server_lost_messages(self) -> None:
        """A program that iterates learns that it may have missed messages while it was away."""
        self.start()
        self.say_numbers(1)
        self.assertEqual(self.numbers(), [1])
        self.network.restart()
        self.bob = self.hand()
        self.say(self.bob, "5")
        self.come_back()
        self.assertEqual(self.numbers(), [5])
        self.assertEqual(self.service.gaps, 1)
