"""Cases that run a batch in memory, and servers for them."""

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd import ChatFactory, RequestError
from chatd.cli import batch
from chatd.cli.batch import Batch, Output
from chatd.cli.colours import PLAIN
from chatd.cli.login import Login
from tests.cli.wiring import ENDPOINT, CommandReactor, Streams, run_until_done


class Listed(ChatFactory):
    """A server that keeps its received messages."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.heard = []

    def message_received(self, session, message):
        self.heard.append(message.text)
        return super().message_received(session, message)


class Gated(Listed):
    """A server that answers only when a test tells it to."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.gate: Deferred[Any] = Deferred()

    async def message_received(self, session, message):
        if not self.gate.called:
            await self.gate
        super().message_received(session, message)


class Strict(ChatFactory):
    """A server that refuses every message."""

    def message_received(self, session, message):
        raise RequestError("not-allowed", "not that")


class BatchCase(SynchronousTestCase):
    """Runs a batch in memory.

    Attributes:
        streams: The standard streams.
        complaints: The errors.
    """

    def start(
        self,
        *inputs,
        ink=PLAIN,
        server=Listed,
        output=Output.TEXT,
        rooms=(),
        name="alice",
        reconnects=False,
        follow=False,
        **options,
    ):
        """Make a batch with a given input, and return the coroutine that runs it."""
        self.reactor = CommandReactor(server, **options)
        self.streams = Streams(*inputs)
        self.patch(batch, "StandardIO", self.streams)
        self.complaints: list[Any] = []
        self.source = os.open(os.devnull, os.O_RDONLY)
        self.addCleanup(os.close, self.source)
        login = Login(key=options.get("key"), name=name, rooms=rooms)
        work = Batch(
            self.reactor,
            ENDPOINT,
            login,
            self.complaints.append,
            output=output,
            ink=ink,
            reconnects=reconnects,
        )
        return work.follow() if follow else work.run(self.source)

    def end(self, done):
        """Let the command end, and return its status."""
        self.reactor.pass_until(lambda: done.called)
        return self.successResultOf(done)

    def send(self, *inputs, **options):
        """Run a batch to its end, and return its status."""
        work = self.start(*inputs, **options)
        return self.successResultOf(run_until_done(self.reactor, work))
