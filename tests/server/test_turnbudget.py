"""Tests of `chatd.server.turnbudget`, and of commands that share their time."""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.server.session import Session
from chatd.server.turnbudget import MOST_S, TurnBudget
from chatd.wire.messages import Message, MessageType
from tests.fakes.peers import command, hand_client, memory_factory, settle


def turn(clock: Clock) -> None:
    """Run one turn of a reactor; calls for the next turn run then."""
    for call in [each for each in clock.calls if each.getTime() <= clock.seconds()]:
        if call.active():
            act = partial(call.func, *call.args, **call.kw)
            call.cancel()
            act()


class TimeShareTests(SynchronousTestCase):
    """Work begins in the order of asking, for a limited time in each turn."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.share = TurnBudget(self.clock, 1.0)
        self.done: list[str] = []

    def work(self, name: str, seconds: float) -> None:
        """Work as soon as that may begin."""

        def begin(_: object = None) -> None:
            self.done.append(name)
            self.share.spend(seconds)

        asked = self.share.ask()
        if asked is None:
            begin()
        else:
            asked.addCallback(begin)

    def test_at_once(self) -> None:
        """Work within the budget begins at once; work that takes no time needs no turn."""
        for name in "abc":
            self.work(name, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.work("d", 0.9)
        self.work("e", 5)
        self.assertEqual("".join(self.done), "abcde")

    def test_in_turn(self) -> None:
        """Work beyond the budget waits, behind earlier work."""
        for name in "abcdefg":
            self.work(name, 0.5)
        self.assertEqual("".join(self.done), "ab")
        turn(self.clock)
        self.assertEqual("".join(self.done), "abcd")
        self.work("h", 0.5)
        turn(self.clock)
        self.assertEqual("".join(self.done), "abcdef")
        turn(self.clock)
        self.assertEqual("".join(self.done), "abcdefgh")
        turn(self.clock)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertIsNone(self.share.ask())

    def test_given_up(self) -> None:
        """A caller that does nothing in its turn takes no time from others."""
        self.work("a", 1)
        waiting: list[Any] = [self.share.ask() for _ in range(100)]
        self.work("b", 1)
        turn(self.clock)
        self.assertEqual(self.done, ["a", "b"])
        for each in waiting:
            self.assertIsNotNone(each)
            self.assertIsNone(self.successResultOf(each))


class CommandTests(SynchronousTestCase):
    """Many commands at once do not delay other work."""

    def setUp(self) -> None:
        self.factory = memory_factory()
        self.began: list[str] = []
        received = self.factory.command_received

        def command_received(session: Session, asked: Message) -> object:
            self.began.append(session.name)
            self.factory.clock.rightNow += MOST_S / 2
            return received(session, asked)

        self.factory.command_received = command_received

    def test_others(self) -> None:
        """The server answers a message before earlier commands."""
        asking = [hand_client(self.factory, f"a{number}") for number in range(20)]
        bob = hand_client(self.factory, "bob")
        for client in asking:
            client.send(command("who", room="lobby"))
        bob.say("meanwhile")
        self.assertEqual(self.began, ["a0", "a1"])
        turn(self.factory.clock)
        self.assertEqual(bob.take_texts(), ["meanwhile"])
        self.assertLess(len(self.began), 6)
        for _ in range(20):
            settle(self.factory)
        self.assertEqual(self.began, [f"a{number}" for number in range(20)])
        for client in asking:
            self.assertIn(MessageType.RESULT, [told.type for told in client.take()])

    def test_gone(self) -> None:
        """A command does not run if its client has left."""
        asking = [hand_client(self.factory, f"a{number}") for number in range(4)]
        for client in asking:
            client.send(command("who", room="lobby"))
        asking[3].transport.lose()
        for _ in range(4):
            settle(self.factory)
        self.assertEqual(self.began, ["a0", "a1", "a2"])

    def test_hooks_that_wait(self) -> None:
        """A command that waits takes no time from others."""
        answers: list[Deferred[None]] = []

        def command_received(session: Session, asked: Message) -> Deferred[None]:
            answers.append(Deferred())
            return answers[-1]

        self.factory.command_received = command_received
        for number in range(20):
            hand_client(self.factory, f"a{number}").send(command("own"))
        self.assertEqual(len(answers), 20)
