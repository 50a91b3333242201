"""Parts for the command's tests: a reactor in memory with a server, and standard streams."""

from __future__ import annotations

import errno
import io
import sys
import tempfile
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError as NobodyError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.test import iosim
from twisted.trial.unittest import SynchronousTestCase

from chatd import ChatFactory, Message, SessionEnded
from chatd.cli.main import main
from chatd.wire.messages import ChatHeader, MessageType

ENDPOINT = "unix:/where/the/server/is"
_PATIENCE_S = 60


def said(text, *, sender="bob", content_type=None, time=0.0, id="m1", seq=7, room="lobby", to=None):
    """Make a message as a server delivers it."""
    header = ChatHeader(
        id=id, room=room, to=to, sender=sender, seq=seq, time=time, content_type=content_type
    )
    content = text.encode() if isinstance(text, str) else text
    return Message(MessageType.MESSAGE, header, content)


class Recorder:
    """A display that records its calls."""

    def __init__(self):
        self.shown = []

    def message(self, message, me):
        self.shown.append((message.sender, message.text))

    def event(self, event):
        self.shown.append(event)


class CommandReactor(MemoryReactorClock):
    """A reactor without a network: every connection reaches its server, if it has one.

    `run` lets time pass until it is stopped, and fails after a minute of that time.

    Attributes:
        server: The factory of the server, or None if no server listens.
    """

    def __init__(self, server_class=ChatFactory, **options):
        super().__init__()
        self.server = None
        if server_class is not None:
            self.server = server_class(self, unix_time=self.seconds, **options)
        self._pumps = []

    def connectUNIX(self, address, factory, timeout=30, checkPID=0):
        connector = super().connectUNIX(address, factory, timeout, checkPID)
        self.callLater(0, self._connect, connector, factory)
        return connector

    def restart(self, server_class=ChatFactory, **options):
        """Stop the server, and replace it by a server with the same stored messages."""
        self.server.shut_down()
        self.settle()
        options.setdefault("store", self.server.store)
        self.server = server_class(self, unix_time=self.seconds, **options)

    def _connect(self, connector, factory):
        server = self.server and self.server.buildProtocol(None)
        if not server:
            factory.clientConnectionFailed(connector, Failure(NobodyError(errno.ECONNREFUSED)))
            return
        client = factory.buildProtocol(None)
        ends = (iosim.makeFakeServer(server), iosim.makeFakeClient(client))
        self._pumps.append(iosim.connect(server, ends[0], client, ends[1], greet=False, clock=self))

    def settle(self):
        """Run due calls, and deliver sent data, until there are no more."""
        while self.settle_once():
            pass

    def settle_once(self):
        """Run due calls, and deliver sent data, once; return whether there were any."""
        is_moving = any(call.getTime() <= self.seconds() for call in self.getDelayedCalls())
        self.advance(0)
        for pump in self._pumps:
            is_moving = bool(pump.pump()) or is_moving
        return is_moving

    def pass_until(self, is_done):
        """Let time pass until a condition holds."""
        deadline = self.seconds() + _PATIENCE_S
        self.settle()
        while not is_done():
            assert self.seconds() < deadline, "it does not happen"
            self.advance(0.1)
            self.settle()

    def run(self, installSignalHandlers=True):
        self.running = self.hasRun = True
        for call, arguments, options in self.whenRunningHooks:
            call(*arguments, **options)
        self.pass_until(lambda: self.hasStopped)

    def callFromThread(self, call, *arguments):
        self.callLater(0, call, *arguments)


class Streams:
    """Stands in for Twisted's `StandardIO`, and for the file or the pipe behind it.

    Calling an instance, like that class, connects a protocol to it.

    Attributes:
        written: The written lines.
    """

    def __init__(self, *inputs):
        self._inputs = list(inputs)
        self.protocol = None
        self.transport = None

    def __call__(self, protocol, stdin, stdout, reactor):
        self.protocol = protocol
        self.transport = StreamsTransport(self, reactor)
        protocol.makeConnection(self.transport)

    @property
    def written(self):
        return self.transport.value().decode().splitlines()

    def read(self):
        """Give the protocol its input, as long as it does not pause."""
        while self._inputs and self.transport.producerState == "producing":
            self.protocol.dataReceived(self._inputs.pop(0))
            if not self._inputs:
                self.protocol.readConnectionLost()


class StreamsTransport(StringTransport):
    """The transport of standard streams: it reads and closes in later reactor turns."""

    def __init__(self, streams, clock):
        super().__init__()
        self._streams = streams
        self._clock = clock

    def resumeProducing(self):
        super().resumeProducing()
        self._clock.callLater(0, self._streams.read)

    def loseConnection(self):
        if not self.disconnecting:
            super().loseConnection()
            self._clock.callLater(0, self._streams.protocol.connectionLost)


def run_until_done(reactor, coroutine):
    """Run a coroutine, advance time until it ends, and return its Deferred."""
    results = []
    done = Deferred.fromCoroutine(coroutine)

    def note(result):
        results.append(result)
        return result

    done.addBoth(note)
    reactor.pass_until(lambda: results)
    return done


LOST = SessionEnded("connection-lost", "the connection was lost", retry=True)


class CommandCase(SynchronousTestCase):
    """Runs the command in this process.

    Attributes:
        directory: The test's own directory.
    """

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def run_command(self, *arguments, reactor=None):
        """Run the command; return its status, its output and its errors."""
        import twisted.internet.reactor  # imported first, so that there is a reactor to restore

        output, complaints = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", complaints)
        self.patch(twisted.internet, "reactor", reactor)
        try:
            status = main(list(map(str, arguments)))
        except SystemExit as exit:  # argparse exits
            status = int(exit.code or 0)
        return status, output.getvalue(), complaints.getvalue()
