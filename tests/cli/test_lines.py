"""Lines in and out of standard streams."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from chatd import ConfigurationError
from chatd.cli.lines import LineTooLong, StandardLines
from tests.fakes.sources import RecordingSource

MAX_LINE = 100
MIB = 1024 * 1024
LONG = "too long"


def make_lines(max_line=MAX_LINE):
    """Make lines that are being read, and their transport."""
    lines = StandardLines()
    transport = StringTransport()
    lines.makeConnection(transport)
    lines.start(max_line)
    return lines, transport


def next_of(lines):
    """Ask for the next line; return the Deferred that fires with it."""
    return Deferred.fromCoroutine(lines.__anext__())


class ReadingTests(SynchronousTestCase):
    def all_of(self, lines):
        """Return all lines; reading must have ended."""

        async def collect():
            return [LONG if isinstance(line, LineTooLong) else line async for line in lines]

        return self.successResultOf(Deferred.fromCoroutine(collect()))

    def lines_of(self, *pieces, max_line=MAX_LINE):
        """Return the lines of a stream that arrives in pieces."""
        lines, _ = make_lines(max_line)
        for piece in pieces:
            lines.dataReceived(piece)
        lines.readConnectionLost()
        return self.all_of(lines)

    def test_lines(self):
        """Lines come without their line ends, and the last line needs no line end."""
        for stream, expected in (
            (b"", []),
            (b"one", [b"one"]),
            (b"one\n", [b"one"]),
            (b"one\r\ntwo\n", [b"one", b"two"]),
            (b"\n\none\n\n", [b"", b"", b"one", b""]),
            (b"a\rb\r\r\n", [b"a\rb\r"]),
            (b"\xff\0\n", [b"\xff\0"]),
        ):
            self.assertEqual(self.lines_of(stream), expected)
            pieces = [stream[at : at + 1] for at in range(len(stream))]
            self.assertEqual(self.lines_of(*pieces), expected)

    @given(st.lists(st.text("ab\r\n", max_size=12).map(str.encode), max_size=12))
    def test_any_pieces(self, pieces):
        """The pieces of a stream do not change its lines."""
        *whole, rest = b"".join(pieces).split(b"\n")
        expected = [line.removesuffix(b"\r") for line in whole]
        if rest:
            expected.append(rest.removesuffix(b"\r"))
        self.assertEqual(self.lines_of(*pieces), expected)

    def test_mark(self):
        """A byte order mark at the beginning is not part of the first line, in any pieces."""
        mark = b"\xef\xbb\xbf"
        for stream, expected in (
            (mark, []),
            (mark + b"one\n" + mark + b"two", [b"one", mark + b"two"]),
            (mark + mark + b"one", [mark + b"one"]),
            (mark + b"x" * MAX_LINE, [b"x" * MAX_LINE]),
            (mark[:2], [mark[:2]]),
            (mark[:1] + b"\n", [mark[:1]]),
            (b"\0\n", [b"\0"]),
        ):
            pieces = [stream[at : at + 1] for at in range(len(stream))]
            self.assertEqual(self.lines_of(stream), expected)
            self.assertEqual(self.lines_of(*pieces), expected)

    def test_other_encodings(self):
        """Text with another byte order mark fails, in any pieces, and has no lines."""
        for encoding in ("UTF-16-LE", "UTF-16-BE", "UTF-32-LE", "UTF-32-BE"):
            for text in ("\ufeffone\ntwo\n", "\ufeff"):
                stream = text.encode(encoding)
                for size in (1, 3, len(stream)):
                    lines, _ = make_lines()
                    line = next_of(lines)
                    for at in range(0, len(stream), size):
                        lines.dataReceived(stream[at : at + size])
                    lines.readConnectionLost()
                    fault = str(self.failureResultOf(line, ConfigurationError).value)
                    self.assertIn(f"standard input is {encoding[:6]}, not UTF-8 text", fault)
                    self.failureResultOf(next_of(lines), ConfigurationError)

    def test_longest(self):
        """A line may be as long as the limit, without its line end."""
        line = b"x" * MAX_LINE
        self.assertEqual(self.lines_of(line + b"\r\n" + line), [line, line])

    def test_too_long(self):
        """A longer line is marked as too long, and the lines around it are whole."""
        stream = b"one\n" + b"x" * (MAX_LINE + 1) + b"\ntwo\n" + b"y" * 10 * MAX_LINE
        expected = [b"one", LONG, b"two", LONG]
        self.assertEqual(self.lines_of(stream), expected)
        self.assertEqual(self.lines_of(*(bytes([byte]) for byte in stream)), expected)

    def test_too_long_is_not_kept(self):
        """Of a line over the limit, the reader keeps no more than the limit."""
        lines, _ = make_lines()
        piece = bytes(MIB)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for _ in range(50):
            lines.dataReceived(piece)
        _, peak_bytes = tracemalloc.get_traced_memory()
        self.assertLess(peak_bytes, 10 * MIB)

    def test_wait(self):
        """A wait for a line ends when the line comes."""
        lines, _ = make_lines()
        line = next_of(lines)
        lines.dataReceived(b"on")
        self.assertNoResult(line)
        lines.dataReceived(b"e\n")
        self.assertEqual(self.successResultOf(line), b"one")

    def test_wait_for_end(self):
        """A wait for a line ends with the iteration if no line comes."""
        lines, _ = make_lines()
        line = next_of(lines)
        lines.readConnectionLost()
        self.failureResultOf(line, StopAsyncIteration)

    def test_stop_reading(self):
        """After the end of reading, the reader drops waiting and later lines."""
        lines, _ = make_lines()
        lines.dataReceived(b"one\ntwo\nthr")
        self.assertEqual(self.successResultOf(next_of(lines)), b"one")
        lines.stop_reading()
        lines.dataReceived(b"ee\nfour\n")
        lines.readConnectionLost()
        self.assertEqual(self.all_of(lines), [])

    def test_lost(self):
        """When the streams have ended, the reader gives no more lines."""
        lines, _ = make_lines()
        line = next_of(lines)
        lines.connectionLost()
        self.failureResultOf(line, StopAsyncIteration)


class PacingTests(SynchronousTestCase):
    def test_nothing_before_start(self):
        """The reader reads nothing before `start`."""
        lines = StandardLines()
        transport = StringTransport()
        lines.makeConnection(transport)
        self.assertEqual(transport.producerState, "paused")
        lines.start(MAX_LINE)
        self.assertEqual(transport.producerState, "producing")

    def test_many_lines(self):
        """Reading pauses when many lines wait, until the taker has half of them."""
        lines, transport = make_lines()
        lines.dataReceived(b"x\n" * 999)
        self.assertEqual(transport.producerState, "producing")
        lines.dataReceived(b"x\n" * 2)
        self.assertEqual(transport.producerState, "paused")

        taken = 0
        while transport.producerState == "paused":
            self.successResultOf(next_of(lines))
            taken += 1
        self.assertGreaterEqual(taken, 500)

    def test_long_lines(self):
        """Reading pauses when many bytes wait, with few lines too."""
        lines, transport = make_lines(max_line=MIB)
        pieces = 0
        while transport.producerState == "producing" and pieces < 500:
            lines.dataReceived(bytes(65_535) + b"\n")
            pieces += 1
        self.assertLess(pieces, 500)

        for _ in range(pieces):
            self.successResultOf(next_of(lines))
        self.assertEqual(transport.producerState, "producing")


class WritingTests(SynchronousTestCase):
    def setUp(self):
        self.lines, self.transport = make_lines()

    def test_write(self):
        """The writer writes a line as UTF-8, with its line end."""
        self.lines.write_line("caf\xe9")
        self.lines.write_line("")
        self.assertEqual(self.transport.value(), b"caf\xc3\xa9\n\n")

    def test_lone_surrogates(self):
        """The writer writes characters that UTF-8 cannot encode as question marks."""
        self.lines.write_line("\ud800!")
        self.assertEqual(self.transport.value(), b"?!\n")

    def test_nobody_reads(self):
        """When the reader of standard output closes it, writing and reading end."""
        line = next_of(self.lines)
        self.lines.writeConnectionLost()
        self.lines.write_line("to nobody")
        self.assertEqual(self.transport.value(), b"")
        self.assertFalse(self.lines.is_writable)
        self.failureResultOf(line, StopAsyncIteration)

    def test_slow_down(self):
        """A source is paused and resumed with the reader of standard output."""
        source = RecordingSource()
        self.lines.slow_down(source)
        self.assertTrue(self.transport.streaming)
        self.transport.producer.pauseProducing()
        self.transport.producer.resumeProducing()
        self.assertEqual(source.calls, ["pause", "resume"])

    def test_slow_down_no_more(self):
        """The end of output does not stop a source: its connection must still be closed."""
        source = RecordingSource()
        self.lines.slow_down(source)
        self.transport.producer.stopProducing()
        self.assertEqual(source.calls, ["resume"])

    def test_close(self):
        """Closing waits until all output is written."""
        self.lines.slow_down(RecordingSource())
        self.lines.write_line("the last words")
        closed = self.lines.close()
        self.assertTrue(self.transport.disconnecting)
        self.assertIsNone(self.transport.producer)
        self.assertNoResult(closed)
        self.lines.connectionLost()
        self.successResultOf(closed)
        self.assertFalse(self.lines.is_writable)

    def test_close_when_lost(self):
        """Closing streams that have ended returns at once."""
        self.lines.connectionLost()
        self.successResultOf(self.lines.close())
        self.assertFalse(self.transport.disconnecting)

    def test_close_when_nobody_reads(self):
        """Closing is immediate if the reader has gone: Twisted reports no end."""
        self.lines.slow_down(RecordingSource())
        self.lines.writeConnectionLost()
        self.successResultOf(self.lines.close())
        self.assertTrue(self.transport.disconnecting)
