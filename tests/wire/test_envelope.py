"""Envelopes: the layout, and the error for each fault."""

import struct
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import (
    ChecksumError,
    FrameLengthError,
    FrameTooLargeError,
    LocalProtocolError,
    MagicError,
    SignatureError,
    VersionError,
    WireError,
)
from chatd.wire.envelope import (
    ENVELOPE_BYTES,
    MAX_CONTENT,
    MAX_HEADER,
    EnvelopeSealer,
    check_prelude,
)
from chatd.wire.keys import mac_key
from chatd.wire.sealer import NativeSealer
from tests.wire.cases import SealerCase, needs_native
from tests.wire.hostile import fields_of, flip_bit
from tests.wire.samples import HEADER, KEY, MAGIC, OTHER_KEY, make_frame, some_examples

SEALER = EnvelopeSealer(mac_key(KEY))
CONTENT = b"hello"


def open_frame(frame, *, sealer=SEALER, max_content=MAX_CONTENT):
    """Open the envelope of one complete frame."""
    return sealer.open(frame, 4, len(frame), max_content)


def error_of(frame, **options):
    """Return the class of the error for a frame, or None for a good frame."""
    try:
        open_frame(frame, **options)
    except WireError as error:
        return type(error)
    return None


class LayoutTests(SealerCase):
    def test_vector(self):
        """A sealed frame has exactly the bytes of the table in the protocol's page."""
        prelude = bytes.fromhex(
            "89 43 48 41 54 44 0D 0A"  # magic
            "0001"  # version
            "0004"  # header of 11 bytes
            "0000000B"  # 11 bytes of header
            "7A6CB5CA"  # its CRC32
            "0000000000000005"  # 5 bytes of content
            "3610A686"  # its CRC32
        )
        mac = bytes.fromhex("C28A2F0CBE1AAD366380797855EE268E2CEA0DE6CF5E58C0228127902CFB59E5")
        frame = bytes.fromhex("00000050") + prelude + mac + b'{"id":"m1"}' + b"hello"
        self.assertEqual(self.sealer.seal(4, HEADER, CONTENT), frame)
        self.assertEqual(frame, make_frame(4, HEADER, CONTENT))

    @some_examples
    @given(
        st.integers(0, 0xFFFF),
        st.binary(max_size=200),
        st.binary(max_size=200),
        st.binary(min_size=32, max_size=32),
    )
    def test_any_envelope(self, message_type, header, content, key):
        """Each sealed frame equals a frame made by hand, and opens to the same parts."""
        sealer = self.sealer_class(mac_key(key))
        frame = sealer.seal(message_type, header, content)
        self.assertEqual(frame, make_frame(message_type, header, content, key=key))
        self.assertEqual(open_frame(frame, sealer=sealer), (message_type, header, content))

    def test_empty(self):
        """At the level of the envelope, header and content may both be empty."""
        frame = self.sealer.seal(3, b"", b"")
        self.assertEqual(len(frame), 4 + ENVELOPE_BYTES)
        self.assertEqual(open_frame(frame), (3, b"", b""))

    def test_in_the_midst_of_a_buffer(self):
        """The sealer reads an envelope in the middle of a buffer without the bytes around it."""
        frame = make_frame()
        buffer = MAGIC + frame + frame
        self.assertEqual(SEALER.open(buffer, 12, 8 + len(frame), 5), (4, HEADER, CONTENT))

    def test_sealer_keeps_no_state(self):
        """A sealer seals and opens any number of envelopes, and keeps no state between them."""
        first = self.sealer.seal(4, HEADER, CONTENT)
        self.sealer.seal(4, HEADER, b"other")
        self.assertIsNotNone(error_of(flip_bit(first, 300)))
        self.assertEqual(self.sealer.seal(4, HEADER, CONTENT), first)
        self.assertEqual(open_frame(first), (4, HEADER, CONTENT))


@needs_native
class NativeLayoutTests(LayoutTests):
    """The same, in C."""

    sealer_class = NativeSealer


class DamageTests(SynchronousTestCase):
    def test_every_bit(self):
        """An envelope with any flipped bit gets the error of the changed field."""
        frame = make_frame(4, HEADER, CONTENT)
        fields = fields_of(frame, len(CONTENT))
        self.assertEqual(sum(field.end - field.start for field in fields.values()), len(frame) - 4)
        for name, field in fields.items():
            bits = range(8 * field.start, 8 * field.end)
            found = {error_of(flip_bit(frame, bit)).code for bit in bits}
            self.assertEqual(found, {field.code}, name)

    def test_cut_short_or_too_long(self):
        """The sealer refuses an envelope with missing or added bytes at the end for its lengths."""
        frame = make_frame()
        for end in range(4, len(frame)):
            with pytest.raises(FrameLengthError):
                SEALER.open(frame, 4, end, MAX_CONTENT)
        self.assertIs(error_of(frame + b"\0"), FrameLengthError)

    def test_shorter_than_an_envelope(self):
        """The sealer refuses a frame of fewer than 64 bytes by its length alone."""
        for length in (0, 1, 31, 32, 63):
            with pytest.raises(FrameLengthError, match=f"at least 64 bytes, not {length}$"):
                check_prelude(b"", 0, length, MAX_CONTENT)

    @some_examples
    @given(st.binary(max_size=300))
    def test_hostile_bytes(self, data):
        """The sealer refuses any hostile bytes with a `WireError`."""
        for envelope in (data, MAGIC + data, MAGIC + b"\0\1" + data):
            with pytest.raises(WireError):
                SEALER.open(envelope, 0, len(envelope), MAX_CONTENT)


class ForgeryTests(SynchronousTestCase):
    def test_mac_of_another_key(self):
        """The sealer refuses an envelope with right CRCs and another key's MAC as a forgery."""
        self.assertIs(error_of(make_frame(key=OTHER_KEY)), SignatureError)
        self.assertIs(error_of(make_frame(), sealer=EnvelopeSealer(mac_key(None))), SignatureError)

    def test_crcs_made_to_fit(self):
        """The sealer refuses a changed envelope as a forgery, even with right CRCs and lengths."""
        mac = make_frame(4, HEADER, CONTENT)[36:68]
        forged = {
            "type": make_frame(8, HEADER, CONTENT, mac=mac),
            "header": make_frame(4, b'{"id":"m2"}', CONTENT, mac=mac),
            "content": make_frame(4, HEADER, b"hullo", mac=mac),
            "boundary": make_frame(4, HEADER + CONTENT[:2], CONTENT[2:], mac=mac),
            "content added": make_frame(4, HEADER, CONTENT + b"!", mac=mac),
        }
        for name, frame in forged.items():
            self.assertIs(error_of(frame), SignatureError, name)

    def test_mac_without_the_key_schedule(self):
        """The sealer refuses a MAC under the shared key itself, instead of the derived key."""
        self.assertIs(error_of(make_frame(), sealer=EnvelopeSealer(KEY)), SignatureError)


class OrderOfChecksTests(SynchronousTestCase):
    def test_order(self):
        """Of several faults, the sealer reports the first in the order of the checks."""
        faults: list[tuple[type[WireError], dict[str, Any]]] = [
            (MagicError, {"magic": b"\x89CHATX\r\n"}),
            (VersionError, {"version": 2}),
            (FrameLengthError, {"header_length": len(HEADER) + 1}),
            (ChecksumError, {"content_crc": 0}),
            (SignatureError, {"mac": bytes(32)}),
        ]
        for first, (error, _) in enumerate(faults):
            fields: dict[str, Any] = {}
            for _, fault in faults[first:]:
                fields |= fault
            self.assertIs(error_of(make_frame(**fields)), error)

    def test_length_before_magic(self):
        """A frame too short for an envelope gets the error for that, with any first bytes."""
        with pytest.raises(FrameLengthError):
            SEALER.open(b"X" * 63, 0, 63, MAX_CONTENT)

    def test_lengths_before_limits(self):
        """The sealer reports contradictory lengths before a length that exceeds its limit."""
        frame = make_frame(content_length=2**63, header_length=2**31)
        self.assertIs(error_of(frame), FrameLengthError)

    def test_limits_before_sums(self):
        """The sealer refuses a header or content over its limit before it computes the CRC."""
        frame = make_frame(content=bytes(11), content_crc=1, mac=bytes(32))
        self.assertIs(error_of(frame, max_content=10), FrameTooLargeError)
        frame = make_frame(header=bytes(MAX_HEADER + 1), header_crc=1, mac=bytes(32))
        self.assertIs(error_of(frame), FrameTooLargeError)

    def test_either_crc(self):
        """Each CRC is checked separately, and before the MAC."""
        for field in ("header_crc", "content_crc"):
            self.assertIs(error_of(make_frame(**{field: crc32(b"else")})), ChecksumError)
            self.assertIs(error_of(make_frame(**{field: 0}, mac=bytes(32))), ChecksumError)

    def test_lengths_that_make_up_for_each_other(self):
        """Lengths that move a byte from content to header fail the CRC."""
        fields = {"header_length": len(HEADER) + 1, "content_length": len(CONTENT) - 1}
        self.assertIs(error_of(make_frame(**fields)), ChecksumError)


class LimitTests(SealerCase):
    def test_header(self):
        """A header of 64 KiB passes both ways; the sealer refuses a longer header."""
        header = bytes(64 * 1024)
        frame = self.sealer.seal(4, header, b"")
        self.assertEqual(open_frame(frame), (4, header, b""))
        with pytest.raises(LocalProtocolError, match="65537 bytes exceeds 65536"):
            self.sealer.seal(4, header + b" ", b"")
        with pytest.raises(FrameTooLargeError, match="65537 bytes exceeds 65536"):
            open_frame(make_frame(header=header + b" "))

    def test_content(self):
        """Content of exactly the limit passes; the sealer refuses longer content."""
        self.assertEqual(open_frame(make_frame(content=b"12345"), max_content=5)[2], b"12345")
        with pytest.raises(FrameTooLargeError, match="6 bytes exceeds 5"):
            open_frame(make_frame(content=b"123456"), max_content=5)

    def test_prelude_alone(self):
        """The first 64 bytes are enough to refuse the lengths that an envelope announces."""
        length = 64 + 2 + MAX_CONTENT + 1
        prelude = struct.pack(">8sHHIIQI", MAGIC, 1, 4, 2, 0, MAX_CONTENT + 1, 0) + bytes(32)
        with pytest.raises(FrameTooLargeError):
            check_prelude(prelude, 0, length, MAX_CONTENT)
        self.assertEqual(check_prelude(prelude, 0, length, MAX_CONTENT + 1), (4, 2, 0, 0))
        with pytest.raises(FrameLengthError):
            check_prelude(prelude, 0, length - 1, MAX_CONTENT + 1)


@needs_native
class NativeLimitTests(LimitTests):
    """The same, in C."""

    sealer_class = NativeSealer
