"""What headers are taken for whose JSON is meant to break something."""

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
    """Decode a header that comes in a frame without fault."""
    return CODEC.decode(make_frame(message_type, header, content))


class HostileJsonTests(SynchronousTestCase):
    def assert_bad_header(self, header: bytes, name: str, types=TYPES) -> None:
        for message_type in types:
            with pytest.raises(HeaderError):
                self.fail(f"{name} in {message_type}: {decode(message_type, header)!r:.200}")

    def test_no_object(self):
        """What is not one JSON object is a fault in the bytes, whatever its type."""
        for name, header in NO_OBJECT.items():
            self.assert_bad_header(header, name)

    def test_no_value(self):
        """What is no JSON value is found wherever it stands, also where nobody reads it."""
        for name, value in NO_VALUE.items():
            for header in (b'{"id":%b}', b'{"id":"m1","x":%b}', b'{"id":"m1","x":[{"a":%b}]}'):
                self.assert_bad_header(header % value, name)

    def test_no_text(self):
        """What is no text is found as a value and as a name, also where nobody reads it."""
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
        """Odd texts are what JSON says they are, and are sent again as the same."""
        for raw, text in TEXTS.items():
            for message_type in WITH_ID:
                message = decode(message_type, b'{"id":"%b","command":"who"}' % raw)
                header = message.header
                self.assertEqual(header["id"] if isinstance(header, dict) else header.id, text)
                self.assertEqual(CODEC.decode(CODEC.encode(message)), message)

    def test_odd(self):
        """What is wide, long, deep to a measure or spaced out is taken."""
        for name, header in TAKEN.items():
            message = decode(MessageType.MESSAGE, header)
            self.assertEqual(message.id, "m1", name)
            fields = fields_of(decode(MessageType.COMMAND, header))
            self.assertEqual((fields["id"], fields["command"]), ("m1", "who"), name)

    def test_nested(self):
        """What is handed on as it is nests so deep and no deeper; what is passed over may."""
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
        """A number that cannot be held is a fault where it is read, and never more than that."""
        for name, number in BEYOND.items():
            self.assert_bad_header(
                b'{"id":"m1","x":%b}' % number, name, set(TYPES) - {MessageType.MESSAGE}
            )
            for field in ("seq", "time"):
                with pytest.raises((HeaderError, RequestError)):
                    self.fail(decode(4, b'{"id":"m1","%b":%b}' % (field.encode(), number)))
            # A MESSAGE's unknown fields are passed over.
            self.assertEqual(decode(4, b'{"id":"m1","x":%b}' % number).id, "m1")

    def test_name_given_twice(self):
        """A name that is given twice has one of its values, the same for every reader."""
        for message_type in (MessageType.MESSAGE, MessageType.COMMAND):
            header = decode(message_type, b'{"command":"who","id":"m1","id":"m2"}').header
            self.assertEqual(header["id"] if isinstance(header, dict) else header.id, "m2")

    def test_no_id(self):
        """An id that is none is a fault in what was asked, of which a short text can tell."""
        for message_type in WITH_ID:
            for value in NO_ID:
                with pytest.raises(RequestError) as caught:
                    decode(message_type, b'{"command":"who","id":%b}' % value)
                self.assertEqual(caught.value.code, "bad-request")
                self.assertLess(len(caught.value.message), 200)

    def test_no_integer(self):
        """What is no integer is none for being near one."""
        for value in NO_INTEGER:
            for message_type, field in ((1, "max_content"), (3, "n")):
                header = b'{"session_id":"s","%b":%b}' % (field.encode(), value)
                with pytest.raises(RequestError, match="bad-request"):
                    self.fail(decode(message_type, header))
            if value != b"null":
                with pytest.raises(RequestError, match="bad-request"):
                    decode(4, b'{"id":"m1","seq":%b}' % value)

    def test_large_integers(self):
        """An integer of any size that is taken is sent again as the same."""
        for n in (0, -1, 2**53, 2**63, 2**64, -(2**64), 10**300):
            message = decode(3, b'{"n":%d}' % n, b"ping")
            self.assertEqual(message.header, Heartbeat(n))
            self.assertEqual(CODEC.decode(CODEC.encode(message)), message)
        self.assertEqual(decode(3, b'{"n":-0}').header, Heartbeat(0))

    def test_integer_beyond_any_float(self):
        """An integer that is too large for a number with a fraction is a fault in its field."""
        for message_type, header in (
            (1, b'{"session_id":"s","heartbeat":1%b}'),
            (4, b'{"id":"m1","time":1%b}'),
        ):
            with pytest.raises(RequestError, match="bad-request"):
                decode(message_type, header % (b"0" * 400))

    def test_errors(self):
        """An ERROR whose JSON is in order is never at fault, whatever its fields are."""
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
        """Whatever is put together of all that, it is taken, or refused as one of the two."""
        header = b'{"id":"m1","%b":%b}' % (name.encode(), value)
        with contextlib.suppress(HeaderError, RequestError):
            message = decode(message_type, header)
            self.assertEqual(CODEC.decode(CODEC.encode(message)), message)
