"""The names of other protocols in the errors about bytes that are no frame and no record."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import FrameTooLargeError, RecordError
from chatd.wire.channel import SecureChannel
from chatd.wire.foreign import describe_foreign
from chatd.wire.frames import FrameReader
from tests.docs.pages import first_cells, page, section

PROXY = "; it is a PROXY header, which only a haproxy: endpoint reads"
STARTS = {
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n": PROXY,
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c": PROXY,
    b"\x16\x03\x01\x02\0\x01\0": "; it is TLS, which only a tls: or ssl: endpoint reads",
    b"GET / HTTP/1.1\r\n": "; it is an HTTP request",
    b"nonsense": "",
}


class ForeignTests(SynchronousTestCase):
    """The start of each protocol, as a server without a key and one with a key read it."""

    def test_named(self):
        """The error names the protocol, however many bytes have arrived."""
        for start, words in STARTS.items():
            for size in (4, len(start)):
                reader = FrameReader(1000, lambda *_: None, 8)
                reader.receive_data(start[:size])
                error = self.assertRaises(FrameTooLargeError, next, reader.frames())
                self.assertEqual(str(error).partition("limit of 1000")[2], words, start)
            for size in (2, len(start)):
                channel = SecureChannel(b"k" * 32, initiator=True)
                channel.receive_data(start[:size])
                error = self.assertRaises(RecordError, channel.next_plaintext)
                self.assertEqual(
                    str(error).partition(f"not {int.from_bytes(start[:2], 'big')}")[2], words
                )

    def test_page(self):
        """The page on proxies has the words for what a proxy may send."""
        reasons = first_cells(section(page("docs/how-to/proxies.md"), "If no client gets in"))
        for words in (PROXY, STARTS[b"\x16\x03\x01\x02\0\x01\0"]):
            self.assertIn(f"`… {words.removeprefix('; ')}`", reasons)

    def test_offset(self):
        """The bytes are looked at from the offset, also in a growing buffer."""
        self.assertEqual(describe_foreign(b"12PROXY TCP4", 2), PROXY)
        self.assertEqual(describe_foreign(b"PROXY TCP4", 1), "")
