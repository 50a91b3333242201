"""Sending the lines of a file or a pipe."""

import os
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError

from chatd import ConfigurationError, Session, SessionRefused
from chatd.cli.batch import WINDOW, Batch, Output
from chatd.cli.colours import Ink
from chatd.cli.login import Login
from chatd.cli.status import Status
from tests.cli.cases import BatchCase, Gated, Strict
from tests.cli.wiring import CommandReactor, run_until_done

KEY = bytes(range(32))


class SendingTests(BatchCase):
    def test_lines(self):
        """The command sends each line, and shows it when the server has it; the end is clean."""
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
        """The same holds with a key."""
        self.assertEqual(self.send(b"one\n", key=KEY), Status.DONE)
        self.assertEqual(self.reactor.server.heard, ["one"])

    def test_json(self):
        """With JSON, received messages and events are printed as JSON."""
        self.send(b"one\n", output=Output.JSON)
        self.assertEqual(len(self.streams.written), 2)
        self.assertTrue(all(line.startswith('{"event":') for line in self.streams.written))

    def test_rooms(self):
        """Lines go to the first room, and each shown line names its room."""
        self.assertEqual(self.send(b"one\n", rooms=("ops", "attic")), Status.DONE)
        self.assertEqual(
            self.streams.written, ["* you are alice, in ops, attic", "[ops] alice: one"]
        )

    def test_commands(self):
        """The command sends a line that is a command at a terminal as a message."""
        lines = ["/quit", "//", "/join ops"]
        self.assertEqual(self.send("\n".join(lines).encode()), Status.DONE)
        self.assertEqual(self.reactor.server.heard, lines)

    def test_colours(self):
        """Names have the colours of the given ink."""
        self.send(b"one\n", ink=Ink("31"))
        self.assertEqual(self.streams.written[1], "\x1b[31malice\x1b[39m: one")

    def test_exit(self):
        """The command does not send lines after a line `exit`."""
        self.assertEqual(self.send(b"one\nexit\n", b"two\n"), Status.DONE)
        self.assertEqual(self.reactor.server.heard, ["one"])

    def test_exit_is_a_whole_line(self):
        """The command sends a line that holds more than `exit`."""
        self.send(b"exit now\n exit\nEXIT\n")
        self.assertEqual(self.reactor.server.heard, ["exit now", " exit", "EXIT"])

    def test_nothing(self):
        """Without lines, the batch sends nothing, and the session ends cleanly."""
        self.assertEqual(self.send(b""), Status.DONE)
        self.assertEqual(self.reactor.server.heard, [])

    def test_shared_streams(self):
        """The input blocks again at the end: other programs may share it."""
        work = self.start(b"one\n")
        os.set_blocking(self.source, False)
        self.successResultOf(run_until_done(self.reactor, work))
        self.assertTrue(os.get_blocking(self.source))


class PacingTests(BatchCase):
    def heard_before_answer(self, line, number):
        """Send lines to a server that does not answer; return the number of lines read."""
        work = self.start(*[line + b"\n"] * number, server=Gated)
        done = Deferred.fromCoroutine(work)
        self.reactor.settle()
        read = number - len(self.streams._inputs)
        self.assertNoResult(done)
        self.reactor.server.gate.callback(None)
        self.assertEqual(self.end(done), Status.DONE)
        self.assertEqual(self.reactor.server.heard, [line.decode()] * number)
        return read

    def test_many_lines(self):
        """Reading pauses at the limit on waiting lines, until the server answers."""
        self.assertLess(self.heard_before_answer(b"x", 5_000), 2_500)

    def test_long_lines(self):
        """Reading also pauses at the limit on waiting bytes, with few but long lines."""
        self.assertLess(self.heard_before_answer(b"x" * 100_000, 100), 50)


class EndTests(BatchCase):
    def test_nobody_there(self):
        """If no server listens, the batch fails with that error."""
        work = self.start(b"one\n", server=None)
        self.failureResultOf(run_until_done(self.reactor, work), ConnectError)

    def test_refused(self):
        """If the server refuses the session, the batch fails with that error, and reads nothing."""
        work = self.start(b"one\n", name="server")
        failure = self.failureResultOf(run_until_done(self.reactor, work), SessionRefused)
        self.assertEqual(failure.value.code, "name-taken")
        self.assertEqual(self.streams.written, [])
        self.assertTrue(self.streams.transport.disconnecting)

    def test_lost(self):
        """If the session ends while lines may still come, an error names the next line."""
        work = self.start(b"one\n", b"never ends")
        self.streams.read = lambda: self.streams.protocol.dataReceived(b"one\n")
        done = Deferred.fromCoroutine(work)
        self.reactor.settle()
        self.assertNoResult(done)
        self.reactor.server.shut_down()
        self.assertEqual(self.end(done), Status.LOST)
        self.assertEqual(
            self.complaints,
            ["the server is shutting down: 1 line is confirmed, the next is line 2"],
        )
        self.assertIn("alice: one", self.streams.written)
        self.assertTrue(self.streams.transport.disconnecting)

    def test_lost_before_receipts(self):
        """If the session ends before all receipts, an error names the lines without a receipt."""
        done = Deferred.fromCoroutine(self.start(b"one\ntwo\n", server=Gated))
        self.reactor.settle()
        self.reactor.server.shut_down()
        self.assertEqual(self.end(done), Status.LOST)
        self.assertEqual(
            self.complaints,
            [
                "the server is shutting down: no line is confirmed, "
                "lines 1-2 were sent but not confirmed, no other line is left"
            ],
        )

    def test_lost_with_a_full_window(self):
        """A line that waits for room in the window counts as not sent."""
        work = self.start(b"x\n" * 3 * WINDOW, server=Gated)
        done = Deferred.fromCoroutine(work)
        self.reactor.settle()
        self.reactor.server.shut_down()
        self.assertEqual(self.end(done), Status.LOST)
        self.assertEqual(
            self.complaints,
            [
                "the server is shutting down: no line is confirmed, "
                f"lines 1-{WINDOW} were sent but not confirmed, the next is line {WINDOW + 1}"
            ],
        )

    def test_ended_by_the_server(self):
        """If the server ends the session for good, the error names its reason and the lines."""
        work = self.start(b"one\n", b"never ends")
        self.streams.read = lambda: self.streams.protocol.dataReceived(b"one\n")
        done = Deferred.fromCoroutine(work)
        self.reactor.settle()
        (session,) = self.reactor.server.sessions.values()
        session.end("goodbye", "")
        self.assertEqual(self.end(done), Status.LOST)
        self.assertEqual(
            self.complaints,
            ["the server ended the session (goodbye): 1 line is confirmed, the next is line 2"],
        )

    def test_output_closed_in_between(self):
        """If standard output is closed while lines may still come, the error names the next."""
        work = self.start(b"one\n", b"never ends")
        self.streams.read = lambda: self.streams.protocol.dataReceived(b"one\n")
        done = Deferred.fromCoroutine(work)
        self.reactor.settle()
        self.streams.protocol.writeConnectionLost()
        self.assertEqual(self.end(done), Status.LOST)
        self.assertEqual(
            self.complaints,
            ["standard output was closed: 1 line is confirmed, the next is line 2"],
        )

    def test_cancelled(self):
        """If a signal ends it, the client says goodbye first."""
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
        """An invalid endpoint string is a configuration error."""
        with self.assertRaises(ConfigurationError):
            Batch(CommandReactor(), "bogus", Login(), self.fail)


class QuietTests(BatchCase):
    def test_lines(self):
        """A quiet command sends the lines and prints nothing."""
        self.assertEqual(self.send(b"one\n", output=Output.NOTHING), Status.DONE)
        self.assertEqual(self.reactor.server.heard, ["one"])
        self.assertEqual((self.streams.written, self.complaints), ([], []))

    def test_errors(self):
        """It shows errors: refused lines, and a room that cannot be entered."""
        self.send(b"one\n", output=Output.NOTHING, server=Strict)
        self.assertEqual(self.complaints, ["line 1 was refused: not that (not-allowed)"])
        self.assertEqual(self.streams.written, [])
