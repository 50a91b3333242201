"""Lines that cannot be sent, or are refused, and a closed output."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from chatd.cli.status import Status
from tests.cli.cases import BatchCase, Gated, Strict


class FaultTests(BatchCase):
    def test_not_utf_8(self):
        """An error names the number of a line that is not UTF-8; the command sends the others."""
        status = self.send(b"one\n\xff\nthree\n")
        self.assertEqual(status, Status.USAGE)
        self.assertEqual(self.reactor.server.heard, ["one", "three"])
        self.assertEqual(self.complaints, ["line 2 was not sent: it is not UTF-8"])

    def test_mark(self):
        """The batch sends no byte order mark; a file with nothing else has no lines."""
        self.assertEqual(self.send(b"\xef\xbb", b"\xbfone\n"), Status.DONE)
        self.assertEqual(self.reactor.server.heard, ["one"])
        self.assertEqual(self.send(b"\xef\xbb\xbfexit\ntwo\n"), Status.DONE)
        self.assertEqual(self.reactor.server.heard, [])

    def test_other_encodings(self):
        """The batch does not send text in UTF-16, says so in one line, and ends cleanly."""
        for encoding in ("utf-16-le", "utf-16-be"):
            data = "\ufeffone\ntwo\n".encode(encoding)
            for pieces in ((data,), (data[:1], data[1:])):
                self.assertEqual(self.send(*pieces), Status.USAGE)
                self.assertEqual(self.reactor.server.heard, [])
                self.assertEqual(
                    self.complaints,
                    ["standard input is UTF-16, not UTF-8 text; save it as UTF-8"],
                )
                self.assertEqual(self.reactor.server.sessions, {})

    def test_too_long(self):
        """An error names the number of a line over the server's limit."""
        status = self.send(b"12345\n123456\n1\n", max_content=5)
        self.assertEqual(status, Status.USAGE)
        self.assertEqual(self.reactor.server.heard, ["12345", "1"])
        self.assertEqual(self.complaints, ["line 2 was not sent: the limit is 5 bytes"])

    def test_many_unsendable_lines(self):
        """Of many lines that cannot be sent, the first are told one by one, the others together."""
        for count, last in (
            (6, ["1 more line was not sent: 7"]),
            (2000, ["1995 more lines were not sent: 7-2001"]),
            (5, []),
        ):
            lines = [(b"\xff\n", b"123456\n")[number % 2] for number in range(count)]
            status = self.send(b"one\n", *lines, b"two\n", max_content=5)
            self.assertEqual(status, Status.USAGE)
            self.assertEqual(self.reactor.server.heard, ["one", "two"])
            self.assertEqual(
                self.complaints[:2],
                [
                    "line 2 was not sent: it is not UTF-8",
                    "line 3 was not sent: the limit is 5 bytes",
                ],
            )
            more = ["more lines were not sent; the end says which"] if last else []
            self.assertEqual(self.complaints[5:], more + last)

    def test_cancelled_with_untold_lines(self):
        """If a signal ends it, the lines that were not told yet are told first."""
        data = b"\xff\n" * 7 + b"one\n"
        work = self.start(data, b"never ends", server=Gated)
        self.streams.read = lambda: self.streams.protocol.dataReceived(data)
        ends: list[Any] = []
        done = Deferred.fromCoroutine(work).addErrback(ends.append)
        self.reactor.settle()
        done.cancel()
        self.reactor.pass_until(lambda: ends)
        self.assertIsNotNone(ends[0].check(CancelledError))
        self.assertEqual(
            self.complaints[5:],
            [
                "more lines were not sent; the end says which",
                "2 more lines were not sent: 6-7",
                "interrupted: no line is confirmed, line 8 was sent but not confirmed, the next "
                "is line 9",
            ],
        )

    def test_refused_line(self):
        """An error names the number of a refused line, and the server's reason."""
        status = self.send(b"one\ntwo\n", server=Strict)
        self.assertEqual(status, Status.LOST)
        self.assertEqual(len(self.complaints), 2)
        for number, complaint in enumerate(self.complaints, start=1):
            self.assertRegex(complaint, rf"\Aline {number} was refused: not that \(not-allowed\)\Z")

    def test_many_refused_lines(self):
        """Of many refused lines, the first are told one by one, and the others together."""
        for count, last in (
            (6, ["1 more line was refused: 6"]),
            (2000, ["1995 more lines were refused: 6-2000"]),
            (5, []),
        ):
            self.assertEqual(self.send(b"x\n" * count, server=Strict), Status.LOST)
            more = ["more lines were refused; the end says which"] if last else []
            self.assertEqual(self.complaints[5:], more + last)

    def test_output_closed(self):
        """If standard output is closed, an error says so, and the session ends cleanly."""
        work = self.start(*[b"x\n"] * 10, server=Gated)
        done = Deferred.fromCoroutine(work)
        self.reactor.settle()
        self.streams.protocol.writeConnectionLost()
        self.reactor.server.gate.callback(None)
        self.assertEqual(self.end(done), Status.LOST)
        self.assertEqual(
            self.complaints,
            ["standard output was closed: 10 lines are confirmed, no other line is left"],
        )
        self.assertEqual(self.reactor.server.sessions, {})
