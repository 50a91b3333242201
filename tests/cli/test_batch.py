"""Sending the lines of a file or a pipe."""

import os
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError
from twisted.trial.unittest import SynchronousTestCase

from chatd import (
    ChatFactory,
    ConfigurationError,
    RequestError,
    Session,
    SessionEnded,
    SessionRefused,
)
from chatd.cli import batch
from chatd.cli.batch import Batch
from chatd.cli.colours import PLAIN, Ink
from chatd.cli.login import Login
from chatd.cli.status import Status
from tests.cli.wiring import ENDPOINT, CommandReactor, Streams, run_until_done

KEY = bytes(range(32))


class Listed(ChatFactory):
    """A server that keeps what it was sent."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.heard = []

    def message_received(self, session, message):
        self.heard.append(message.text)
        return super().message_received(session, message)


class Gated(Listed):
    """A server that answers nothing until it is told to."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.gate: Deferred[Any] = Deferred()

    async def message_received(self, session, message):
        if not self.gate.called:
            await self.gate
        super().message_received(session, message)


class Strict(ChatFactory):
    """A server that takes nothing."""

    def message_received(self, session, message):
        raise RequestError("not-allowed", "not that")


class BatchCase(SynchronousTestCase):
    """Runs a batch in memory.

    Attributes:
        streams: What it reads and writes.
        complaints: What it complained of.
    """

    def start(
        self, *inputs, ink=PLAIN, server=Listed, as_json=False, rooms=(), name="alice", **options
    ):
        """Make a batch of what is read, and return the coroutine that runs it."""
        self.reactor = CommandReactor(server, **options)
        self.streams = Streams(*inputs)
        self.patch(batch, "StandardIO", self.streams)
        self.complaints: list[Any] = []
        self.source = os.open(os.devnull, os.O_RDONLY)
        self.addCleanup(os.close, self.source)
        login = Login(key=options.get("key"), name=name, rooms=rooms)
        work = Batch(self.reactor, ENDPOINT, login, self.complaints.append)
        return work.run(self.source, as_json=as_json, ink=ink)

    def send(self, *inputs, **options):
        """Run a batch to its end, and return its status."""
        work = self.start(*inputs, **options)
        return self.successResultOf(run_until_done(self.reactor, work))


class SendingTests(BatchCase):
    def test_lines(self):
        """Each line is sent and shown when it was received, and the end is clean."""
        status = self.send(b"one\ntwo\n", b"th", b"ree")
        self.assertEqual(status, Status.DONE)
        self.assertEqual(self.reactor.server.heard, ["one", "two", "three"])
        self.assertEqual(
            self.streams.written,
            ["* you are alice, in lobby", "alice: one", "alice: two", "alice: three"],
        )
        self.assertEqual(self.complaints, [])
        self.assertEqual(self.reactor.server.sessions, {})

    def test_key(self):
        """It is so with a key too."""
        self.assertEqual(self.send(b"one\n", key=KEY), Status.DONE)
        self.assertEqual(self.reactor.server.heard, ["one"])

    def test_json(self):
        """As JSON, what is received is shown as that."""
        self.send(b"one\n", as_json=True)
        self.assertEqual(len(self.streams.written), 2)
        self.assertTrue(all(line.startswith('{"event":') for line in self.streams.written))

    def test_rooms(self):
        """Lines are said in the first of the rooms, and it is told which room each is about."""
        self.assertEqual(self.send(b"one\n", rooms=("ops", "attic")), Status.DONE)
        self.assertEqual(
            self.streams.written, ["* you are alice, in ops, attic", "[ops] alice: one"]
        )

    def test_commands(self):
        """What would be a command at a terminal is said as it is."""
        lines = ["/quit", "//", "/join ops"]
        self.assertEqual(self.send("\n".join(lines).encode()), Status.DONE)
        self.assertEqual(self.reactor.server.heard, lines)

    def test_colours(self):
        """Names are written with the ink that is given."""
        self.send(b"one\n", ink=Ink("31"))
        self.assertEqual(self.streams.written[1], "\x1b[31malice\x1b[39m: one")

    def test_exit(self):
        """What follows a line `exit` is not sent."""
        self.assertEqual(self.send(b"one\nexit\n", b"two\n"), Status.DONE)
        self.assertEqual(self.reactor.server.heard, ["one"])

    def test_exit_is_a_whole_line(self):
        """A line that holds more than `exit` is sent."""
        self.send(b"exit now\n exit\nEXIT\n")
        self.assertEqual(self.reactor.server.heard, ["exit now", " exit", "EXIT"])

    def test_nothing(self):
        """Without a line there is nothing to send, and the end is as clean."""
        self.assertEqual(self.send(b""), Status.DONE)
        self.assertEqual(self.reactor.server.heard, [])

    def test_shared_streams(self):
        """The input blocks again when all is done: other programs may share it."""
        work = self.start(b"one\n")
        os.set_blocking(self.source, False)
        self.successResultOf(run_until_done(self.reactor, work))
        self.assertTrue(os.get_blocking(self.source))


class PacingTests(BatchCase):
    def heard_before_answer(self, line, number):
        """Send lines to a server that does not answer; return how many of them are read."""
        work = self.start(*[line + b"\n"] * number, server=Gated)
        done = Deferred.fromCoroutine(work)
        self.reactor.settle()
        read = number - len(self.streams._inputs)
        self.assertNoResult(done)
        self.reactor.server.gate.callback(None)
        self.reactor.pass_until(lambda: done.called)
        self.assertEqual(self.successResultOf(done), Status.DONE)
        self.assertEqual(self.reactor.server.heard, [line.decode()] * number)
        return read

    def test_many_lines(self):
        """Of many lines no more are read than may wait, until the server answers."""
        self.assertLess(self.heard_before_answer(b"x", 5_000), 2_500)

    def test_long_lines(self):
        """Of long lines too, however few they are."""
        self.assertLess(self.heard_before_answer(b"x" * 100_000, 100), 50)


class FaultTests(BatchCase):
    def test_not_utf_8(self):
        """A line that is not UTF-8 is named by its number, and the others are sent."""
        status = self.send(b"one\n\xff\nthree\n")
        self.assertEqual(status, Status.USAGE)
        self.assertEqual(self.reactor.server.heard, ["one", "three"])
        self.assertEqual(self.complaints, ["line 2 was not sent: it is not UTF-8"])

    def test_mark(self):
        """A byte order mark is not sent; a file that consists of it holds nothing."""
        self.assertEqual(self.send(b"\xef\xbb", b"\xbfone\n"), Status.DONE)
        self.assertEqual(self.reactor.server.heard, ["one"])
        self.assertEqual(self.send(b"\xef\xbb\xbfexit\ntwo\n"), Status.DONE)
        self.assertEqual(self.reactor.server.heard, [])

    def test_other_encodings(self):
        """Of text in UTF-16 nothing is sent, and one line says so; the end is clean."""
        for encoding in ("utf-16-le", "utf-16-be"):
            data = "\ufeffone\ntwo\n".encode(encoding)
            for pieces in ((data,), (data[:1], data[1:])):
                self.assertEqual(self.send(*pieces), Status.USAGE)
                self.assertEqual(self.reactor.server.heard, [])
                self.assertEqual(
                    self.complaints,
                    ["standard input is no UTF-8 text but UTF-16; save it as UTF-8"],
                )
                self.assertEqual(self.reactor.server.sessions, {})

    def test_too_long(self):
        """A line that is longer than the server takes is named by its number."""
        status = self.send(b"12345\n123456\n1\n", max_content=5)
        self.assertEqual(status, Status.USAGE)
        self.assertEqual(self.reactor.server.heard, ["12345", "1"])
        self.assertEqual(self.complaints, ["line 2 was not sent: the server's limit is 5 bytes"])

    def test_refused_line(self):
        """A line that the server refuses is named by its number, with the server's reason."""
        status = self.send(b"one\ntwo\n", server=Strict)
        self.assertEqual(status, Status.LOST)
        self.assertEqual(len(self.complaints), 2)
        for number, complaint in enumerate(self.complaints, start=1):
            self.assertRegex(complaint, rf"\Aline {number} was refused: not that \(not-allowed\)\Z")

    def test_output_closed(self):
        """When nobody reads what is shown, that is told, and the session ends cleanly."""
        work = self.start(*[b"x\n"] * 10, server=Gated)
        done = Deferred.fromCoroutine(work)
        self.reactor.settle()
        self.streams.protocol.writeConnectionLost()
        self.reactor.server.gate.callback(None)
        self.reactor.pass_until(lambda: done.called)
        self.assertEqual(self.successResultOf(done), Status.LOST)
        self.assertEqual(
            self.complaints, ["standard output was closed; the lines after that were not sent"]
        )
        self.assertEqual(self.reactor.server.sessions, {})


class EndTests(BatchCase):
    def test_nobody_there(self):
        """Where nobody listens, that is what it fails with."""
        work = self.start(b"one\n", server=None)
        self.failureResultOf(run_until_done(self.reactor, work), ConnectError)

    def test_refused(self):
        """A session that is refused is what it fails with; nothing is read."""
        work = self.start(b"one\n", name="server")
        failure = self.failureResultOf(run_until_done(self.reactor, work), SessionRefused)
        self.assertEqual(failure.value.code, "name-taken")
        self.assertEqual(self.streams.written, [])
        self.assertTrue(self.streams.transport.disconnecting)

    def test_lost(self):
        """A session that ends while lines may still come is what it fails with."""
        work = self.start(b"one\n", b"never ends")
        self.streams.read = lambda: self.streams.protocol.dataReceived(b"one\n")
        done = Deferred.fromCoroutine(work)
        self.reactor.settle()
        self.assertNoResult(done)
        self.reactor.server.shut_down()
        self.reactor.pass_until(lambda: done.called)
        failure = self.failureResultOf(done, SessionEnded)
        self.assertEqual(failure.value.code, "shutting-down")
        self.assertIn("alice: one", self.streams.written)
        self.assertTrue(self.streams.transport.disconnecting)

    def test_lost_before_receipts(self):
        """A session that ends before all receipts came is what it fails with, once."""
        done = Deferred.fromCoroutine(self.start(b"one\ntwo\n", server=Gated))
        self.reactor.settle()
        self.reactor.server.shut_down()
        self.reactor.pass_until(lambda: done.called)
        self.failureResultOf(done, SessionEnded)
        self.assertEqual(self.complaints, [])

    def test_cancelled(self):
        """Where a signal ends it, it says goodbye first."""
        reasons: list[Any] = []
        ends: list[Any] = []
        self.patch(Session, "ended", lambda session, reason: reasons.append(reason.code))
        work = self.start(b"never ends")
        self.streams.read = lambda: None
        done = Deferred.fromCoroutine(work).addErrback(ends.append)
        self.reactor.settle()
        done.cancel()
        self.reactor.pass_until(lambda: ends)
        self.assertIsNotNone(ends[0].check(CancelledError))
        self.assertEqual(reasons, ["goodbye"])
        self.assertTrue(self.streams.transport.disconnecting)

    def test_bad_endpoint(self):
        """An endpoint string that is none is a matter of configuration."""
        work = Batch(CommandReactor(), "bogus", Login(), self.fail)
        done = Deferred.fromCoroutine(work.run(0, as_json=False))
        self.failureResultOf(done, ConfigurationError)
