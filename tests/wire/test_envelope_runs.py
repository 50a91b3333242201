"""Runs of envelopes: each frame passes the same checks as a single frame, in Python and in C."""

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.errors import LocalProtocolError, WireError
from chatd.wire.envelope import MAX_CONTENT, MAX_HEADER, EnvelopeSealer
from chatd.wire.keys import mac_key
from chatd.wire.sealer import NativeSealer
from tests.wire.cases import SealerCase, needs_native
from tests.wire.hostile import flip_bit
from tests.wire.samples import HEADER, KEY, OTHER_KEY, make_frame, some_examples

SEALER = EnvelopeSealer(mac_key(KEY))
GOOD = [make_frame(4, HEADER, b"%d" % number) for number in range(3)]


def is_good(frame: bytes, max_content: int = MAX_CONTENT) -> bool:
    """Return whether a single frame is a good MESSAGE."""
    try:
        return SEALER.open(frame, 4, len(frame), max_content)[0] == 4
    except WireError:
        return False


class RunCase(SealerCase):
    """A case with a run of MESSAGE frames."""

    def opened(
        self, data: bytes, start: int = 0, *, max_content: int = MAX_CONTENT
    ) -> list[tuple[bytes, bytes, int]]:
        """Return headers, contents and ends of the MESSAGE frames with which `data` begins."""
        return list(self.sealer.open_run(data, start, 4, max_content))

    def contents(self, data: bytes, **options: int) -> list[bytes]:
        """Return the contents of these frames."""
        return [content for _, content, _ in self.opened(data, **options)]


class RunTests(RunCase):
    """Good frames of the type."""

    def test_parts(self) -> None:
        """A run has the header, the content and the end of each frame, in order."""
        data = b"before" + b"".join(GOOD)
        ends = [6 + len(GOOD[0]) * count for count in (1, 2, 3)]
        parts = [(HEADER, b"%d" % number, end) for number, end in enumerate(ends)]
        self.assertEqual(self.opened(data, 6), parts)

    def test_cut(self) -> None:
        """An incomplete frame is not part of a run, wherever it is cut."""
        data = b"".join(GOOD)
        for end in range(len(data)):
            self.assertEqual(len(self.opened(data[:end])), end // len(GOOD[0]))
        frame = make_frame(4, HEADER, bytes(300))
        for end in range(len(frame)):
            self.assertEqual(self.opened(frame[:end]), [])

    def test_other_type(self) -> None:
        """A frame of another type ends the run, and a run may begin after it."""
        other = make_frame(8, HEADER, b"")
        data = GOOD[0] + other + GOOD[1]
        self.assertEqual(self.contents(data), [b"0"])
        self.assertEqual(self.contents(other), [])
        self.assertEqual([part[1] for part in self.opened(data, len(GOOD[0] + other))], [b"1"])

    def test_sealed(self) -> None:
        """A sealed run has the frames that `seal` makes one by one."""
        parts = [(4, HEADER, b"one"), (10, b"{}", b""), (4, HEADER, bytes(100_000))]
        self.assertEqual(self.sealer.seal_run(parts), [SEALER.seal(*part) for part in parts])

    def test_faulty_part(self) -> None:
        """A run with a part that cannot be sealed is refused as by `seal`."""
        for faulty in ((4, bytes(MAX_HEADER + 1), b""), (2**16, b"{}", b"")):
            with pytest.raises(LocalProtocolError):
                self.sealer.seal_run([(4, HEADER, b"0"), faulty])


class FaultTests(RunCase):
    """A faulty frame ends a run, and is not part of it."""

    def assert_ends(self, frame: bytes, **options: int) -> None:
        """Assert that a frame ends the run before it, and that it is faulty by itself, too."""
        self.assertEqual(self.contents(GOOD[0] + frame + GOOD[1], **options), [b"0"])
        self.assertFalse(is_good(frame, **options))

    def test_damaged(self) -> None:
        """A frame with any flipped bit, or one wrong CRC under a right MAC, ends the run."""
        frame = make_frame(4, HEADER, b"hello")
        for bit in range(8 * len(frame)):
            self.assertEqual(self.contents(GOOD[0] + flip_bit(frame, bit))[:2], [b"0"])
        for field in ("header_crc", "content_crc"):
            self.assert_ends(make_frame(4, HEADER, b"hello", **{field: crc32(b"else")}))

    def test_forged(self) -> None:
        """A frame with right checksums and the MAC of another key, type or content ends the run."""
        self.assert_ends(make_frame(4, HEADER, b"hello", key=OTHER_KEY))
        mac = make_frame(4, HEADER, b"hello")[36:68]
        self.assert_ends(make_frame(4, HEADER, b"hullo", mac=mac))
        self.assert_ends(make_frame(4, HEADER + b"h", b"ello", mac=mac))

    def test_other_protocol(self) -> None:
        """A frame with another magic or version ends the run, even under a right MAC."""
        self.assert_ends(make_frame(4, HEADER, b"hello", magic=b"\x89CHATX\r\n"))
        self.assert_ends(make_frame(4, HEADER, b"hello", version=2))

    def test_too_long(self) -> None:
        """A frame whose header or content exceeds its limit ends the run."""
        self.assert_ends(make_frame(4, HEADER, b"123456"), max_content=5)
        self.assertEqual(self.contents(make_frame(4, HEADER, b"12345"), max_content=5), [b"12345"])
        self.assert_ends(make_frame(4, b" " * (MAX_HEADER + 1), b""))

    def test_other_lengths(self) -> None:
        """A frame whose lengths contradict its length prefix ends the run."""
        self.assert_ends(make_frame(4, HEADER, b"hello", content_length=4))
        self.assert_ends(make_frame(4, HEADER, b"hello", header_length=2**31))
        self.assert_ends(make_frame(4, HEADER, b"hello", content_length=2**63))

    @some_examples
    @given(st.data())
    def test_any_change(self, data: st.DataObject) -> None:
        """After changes of any bytes, the run has the frames that are good one by one."""
        stream = bytearray(b"".join(GOOD))
        for _ in range(data.draw(st.integers(1, 3))):
            stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
        length = len(GOOD[0])
        frames = [bytes(stream[start : start + length]) for start in range(0, 3 * length, length)]
        goods = [is_good(frame) and frame[:4] == GOOD[0][:4] for frame in frames]
        good = next((index for index, each in enumerate(goods) if not each), 3)
        self.assertEqual(len(self.opened(bytes(stream))), good)


@needs_native
class NativeRunTests(RunTests):
    """The same, in C."""

    sealer_class = NativeSealer


@needs_native
class NativeFaultTests(FaultTests):
    """The same, in C."""

    sealer_class = NativeSealer
