"""A person who talks, for the tests of the terminal's commands and output."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.policy import Policy
from chatd.cli.commands import act_on
from chatd.cli.display import TextDisplay
from chatd.cli.login import Login
from chatd.cli.notdone import NotDone
from chatd.cli.talk import Talk
from chatd.client.endpoints import client_endpoint
from tests.cli.wiring import ENDPOINT, CommandReactor


class Talker:
    """A person who talks, without a terminal.

    Args:
        reactor: A `CommandReactor`.
        name: The name to ask for.
        rooms: The rooms to join.
        password: The password of the name, or None.
        login: Further fields of `Login`.
        options: Options of `Talk`.

    Attributes:
        lines: The shown lines.
        ends: The reasons of the sessions' ends.
    """

    def __init__(self, reactor, name, *rooms, password=None, login=None, **options):
        self.lines: list[Any] = []
        self.ends: list[Any] = []
        self._reactor = reactor
        display = TextDisplay(
            self.lines.append,
            with_rooms=lambda: self.talk.whereabouts.needs_room_names,
            unix_time=reactor.seconds,
        )
        self.talk = Talk(
            reactor,
            client_endpoint(reactor, ENDPOINT),
            Login(name=name, rooms=rooms, password=password, **(login or {})),
            display,
            client_ended=lambda client, end: self.ends.append(end.code),
            retry_policy=lambda attempt: 2.0,
            **options,
        )
        self.talk.service.startService()
        reactor.settle()

    @property
    def client(self):
        return self.talk.service.client

    def type(self, line):
        """Type a line; return the lines shown for it, and fail if it was not carried out."""
        before = len(self.lines)
        doing = Deferred.fromCoroutine(act_on(self.talk, line))
        self._reactor.settle()
        failures: list[Any] = []
        doing.addErrback(failures.append)
        if failures:
            failures[0].raiseException()
        return self.lines[before:]

    def mistype(self, line):
        """Type a line that is not carried out; return the reason."""
        try:
            self.type(line)
        except NotDone as error:
            return str(error)
        raise AssertionError(f"{line} was done")

    def leave(self):
        """Leave; return a Deferred that fires at the end."""
        left = self.talk.service.stopService()
        self._reactor.settle()
        return left


class CommandsCase(SynchronousTestCase):
    """Has alice, an operator, and bob in the lobby."""

    def setUp(self):
        self.reactor = CommandReactor(policy=Policy(operators=("alice",)))
        self.alice = Talker(self.reactor, "alice")
        self.bob = Talker(self.reactor, "bob")
        self.alice.lines.clear()
        self.bob.lines.clear()

    def say(self, number, room="lobby"):
        """Let bob send several messages, and forget the shown lines."""
        for index in range(number):
            self.bob.talk.service.send(f"line {index}", room=room)
        self.reactor.settle()
        self.alice.lines.clear()
