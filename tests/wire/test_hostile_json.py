"""The result of decoding hostile headers."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import HeaderError, RequestError
from chatd.wire.codec import MAX_DEPTH, Codec
from chatd.wire.messages import Error, Heartbeat, Message, MessageType
from tests.fakes.handserver import fields_of
from tests.wire.hostile_json import (
    BEYOND,
    NO_ID,
    NO_INTEGER,
    NO_OBJECT,
    NO_TEXT,
    NO_VALUE,
    TAKEN,
    TEXTS,
)
from tests.wire.samples import KEY, make_frame, some_examples

CODEC = Codec(KEY)
TYPES = (*MessageType, 0, 99, 0xFFFF)
WITH_ID = (MessageType.MESSAGE, MessageType.COMMAND, MessageType.RESULT)


def decode(message_type: int, header: bytes, content: bytes = b"") -> Message:
    """Decode a header in an otherwise faultless frame."""
    return CODEC.decode(make_frame(message_type, header, content))


class HostileJsonTests(SynchronousTestCase):
    def assert_bad_header(self, header: bytes, name: str, types=TYPES) -> None:
        for message_type in types:
            with pytest.raises(HeaderError):
                self.fail(f"{name} in {message_type}: {decode(message_type, header)!r:.200}")

    def test_no_object(self):
        """For each type, a header that is not one JSON object is a fault in the bytes."""
        for name, header in NO_OBJECT.items():
            self.assert_bad_header(header, name)

    def test_no_value(self):
        """The codec finds a value that is not JSON at any place, even in unknown fields."""
        for name, value in NO_VALUE.items():
            for header in (b'{"id":%b}', b'{"id":"m1","x":%b}', b'{"id":"m1","x":[{"a":%b}]}'):
                self.assert_bad_header(header % value, name)

    def test_no_text(self):
        """The codec finds a text that is not JSON as a value and as a name, in any field."""
        for name, text in NO_TEXT.items():
            for header in (
                b'{"id":"%b"}',
                b'{"id":"m1","%b":1}',
                b'{"id":"m1","x":"%b"}',
                b'{"id":"m1","x":[{"a":"a%bz"}]}',
                b'{"id":"m1","x":{"%b":1}}',
            ):
                self.assert_bad_header(header % text, name)

    def test_texts(self):
        """Odd texts are decoded to their values, and sent again as the same values."""
        for raw, text in TEXTS.items():
            for message_type in WITH_ID:
                message = decode(message_type, b'{"id":"%b","command":"who"}' % raw)
                header = message.header
                self.assertEqual(header["id"] if isinstance(header, dict) else header.id, text)
                self.assertEqual(CODEC.decode(CODEC.encode(message)), message)

    def test_odd(self):
        """The codec accepts headers that are wide, long, deep to the limit or full of spaces."""
        for name, header in TAKEN.items():
            message = decode(MessageType.MESSAGE, header)
            self.assertEqual(message.id, "m1", name)
            fields = fields_of(decode(MessageType.COMMAND, header))
            self.assertEqual((fields["id"], fields["command"]), ("m1", "who"), name)

    def test_nested(self):
        """Open headers may nest up to the limit; unknown fields may nest deeper."""
        for depth, is_fine in ((MAX_DEPTH - 1, True), (MAX_DEPTH, False), (500, False)):
            header = b'{"id":"m1","command":"who","event":"e","x":%b%b}' % (
                b"[" * depth,
                b"]" * depth,
            )
            self.assertEqual(decode(MessageType.MESSAGE, header).id, "m1")
            for message_type in (MessageType.COMMAND, MessageType.RESULT, MessageType.EVENT):
                if is_fine:
                    decode(message_type, header)
                else:
                    with pytest.raises(HeaderError):
                        decode(message_type, header)

    def test_beyond_any_number(self):
        """A number that no field can hold is an error only where it is decoded."""
        for name, number in BEYOND.items():
            self.assert_bad_header(
                b'{"id":"m1","x":%b}' % number, name, set(TYPES) - {MessageType.MESSAGE}
            )
            for field in ("seq", "time"):
                with pytest.raises((HeaderError, RequestError)):
                    self.fail(decode(4, b'{"id":"m1","%b":%b}' % (field.encode(), number)))
            # A MESSAGE's unknown fields are skipped.
            self.assertEqual(decode(4, b'{"id":"m1","x":%b}' % number).id, "m1")

    def test_name_given_twice(self):
        """A repeated name has one of its values, the same in each decoder."""
        for message_type in (MessageType.MESSAGE, MessageType.COMMAND):
            header = decode(message_type, b'{"command":"who","id":"m1","id":"m2"}').header
            self.assertEqual(header["id"] if isinstance(header, dict) else header.id, "m2")

    def test_no_id(self):
        """An invalid id is a faulty request, and the error has a short text."""
        for message_type in WITH_ID:
            for value in NO_ID:
                with pytest.raises(RequestError) as caught:
                    decode(message_type, b'{"command":"who","id":%b}' % value)
                self.assertEqual(caught.value.code, "bad-request")
                self.assertLess(len(caught.value.message), 200)

    def test_no_integer(self):
        """The codec does not accept a value that is nearly an integer as an integer."""
        for value in NO_INTEGER:
            for message_type, field in ((1, "max_content"), (3, "n")):
                header = b'{"session_id":"s","%b":%b}' % (field.encode(), value)
                with pytest.raises(RequestError, match="bad-request"):
                    self.fail(decode(message_type, header))
            if value != b"null":
                with pytest.raises(RequestError, match="bad-request"):
                    decode(4, b'{"id":"m1","seq":%b}' % value)

    def test_large_integers(self):
        """The codec sends an accepted integer of any size again unchanged."""
        for n in (0, -1, 2**53, 2**63, 2**64, -(2**64), 10**300):
            message = decode(3, b'{"n":%d}' % n, b"ping")
            self.assertEqual(message.header, Heartbeat(n))
            self.assertEqual(CODEC.decode(CODEC.encode(message)), message)
        self.assertEqual(decode(3, b'{"n":-0}').header, Heartbeat(0))

    def test_integer_beyond_any_float(self):
        """An integer too large for a float is a fault in its field."""
        for message_type, header in (
            (1, b'{"session_id":"s","heartbeat":1%b}'),
            (4, b'{"id":"m1","time":1%b}'),
        ):
            with pytest.raises(RequestError, match="bad-request"):
                decode(message_type, header % (b"0" * 400))

    def test_errors(self):
        """The codec accepts an ERROR with any valid JSON."""
        for value in (*NO_ID, *NO_INTEGER):
            header = decode(5, b'{"code":%b,"message":5}' % value).header
            self.assertIsInstance(header, Error)
            self.assertEqual(header.code, "")

    @some_examples
    @given(
        st.sampled_from(TYPES),
        st.recursive(
            st.sampled_from([*TEXTS, *NO_TEXT.values()]).map(lambda text: b'"%b"' % text)
            | st.sampled_from([*NO_VALUE.values(), b"1", b"null", b"1e999", b"-0"]),
            lambda inner: (
                st.lists(inner, max_size=3).map(lambda each: b"[%b]" % b",".join(each))
                | st.tuples(inner, inner).map(lambda each: b"{%b:%b}" % each)
            ),
            max_leaves=6,
        ),
        st.sampled_from(["id", "n", "x", "session_id", "event", "command", "rooms"]),
    )
    def test_any_mixture(self, message_type, value, name):
        """The codec accepts any mixture of these, or gives one of the two errors."""
        header = b'{"id":"m1","%b":%b}' % (name.encode(), value)
        with contextlib.suppress(HeaderError, RequestError):
            message = decode(message_type, header)
            self.assertEqual(CODEC.decode(CODEC.encode(message)), message)
