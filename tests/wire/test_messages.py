"""Headers, by message type: the fields that each accepts, and the faults that it refuses."""

import contextlib
import json
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import ErrorCode, HeaderError, LocalProtocolError, RequestError
from chatd.wire.codec import Codec
from chatd.wire.messages import (
    DEFAULT_CONTENT_TYPE,
    ChatHeader,
    Disconnect,
    Error,
    Heartbeat,
    Message,
    MessageType,
    SessionAck,
    SessionInit,
    as_content,
)
from tests.wire.hostile_json import BAD_HEADERS
from tests.wire.samples import KEY, make_frame, some_examples

CODEC = Codec(KEY)
ID = "7d444840-9dc0-11d1-b245-5ffdce74fad2"
SID = json.dumps(ID)

# For each type: a full header as JSON, and its decoded form.
FULL: dict[int, tuple[str, Any]] = {
    MessageType.SESSION_INIT: (
        f'{{"session_id":{SID},"server":"chatd/1","heartbeat":2.5,"max_content":9,"auth":true}}',
        SessionInit(session_id=ID, server="chatd/1", heartbeat=2.5, max_content=9, auth=True),
    ),
    MessageType.SESSION_ACK: (
        f'{{"session_id":{SID},"name":"ann","password":"pw"}}',
        SessionAck(session_id=ID, name="ann", password="pw"),
    ),
    MessageType.HEARTBEAT: ('{"n":3}', Heartbeat(3)),
    MessageType.MESSAGE: (
        '{"id":"m1","room":"tea","to":"bob","from":"ann","seq":4,"time":1.5,"content_type":"a/b"}',
        ChatHeader(
            id="m1", room="tea", to="bob", sender="ann", seq=4, time=1.5, content_type="a/b"
        ),
    ),
    MessageType.ERROR: (
        '{"code":"bad-name","message":"no","ref":"m1"}',
        Error(code="bad-name", message="no", ref="m1"),
    ),
    MessageType.DISCONNECT: (
        '{"code":"shutting-down","reason":"bye","retry":true}',
        Disconnect(code="shutting-down", reason="bye", retry=True),
    ),
    MessageType.COMMAND: (
        '{"id":"c1","command":"join","room":"tea"}',
        {"id": "c1", "command": "join", "room": "tea"},
    ),
    MessageType.RESULT: ('{"id":"c1","names":["ann"]}', {"id": "c1", "names": ["ann"]}),
    MessageType.EVENT: ('{"event":"joined","name":"ann"}', {"event": "joined", "name": "ann"}),
}

# For each type: the shortest header, and its decoded form.
SHORTEST = {
    MessageType.SESSION_INIT: (f'{{"session_id":{SID}}}', SessionInit(session_id=ID)),
    MessageType.SESSION_ACK: (f'{{"session_id":{SID}}}', SessionAck(session_id=ID)),
    MessageType.MESSAGE: ('{"id":"m1"}', ChatHeader(id="m1")),
    MessageType.ERROR: ('{"code":"x"}', Error(code="x")),
    MessageType.DISCONNECT: ("{}", Disconnect(code="goodbye", reason="", retry=False)),
}

# For each type: headers with a field missing, mistyped or out of bounds.
FAULTY = {
    MessageType.SESSION_INIT: [
        "{}",
        '{"session_id":5}',
        f'{{"session_id":{SID},"server":null}}',
        f'{{"session_id":{SID},"heartbeat":0}}',
        f'{{"session_id":{SID},"heartbeat":"5"}}',
        f'{{"session_id":{SID},"max_content":-1}}',
        f'{{"session_id":{SID},"max_content":1.5}}',
        f'{{"session_id":{SID},"auth":1}}',
    ],
    MessageType.SESSION_ACK: ["{}", '{"session_id":null}', f'{{"session_id":{SID},"name":1}}'],
    MessageType.HEARTBEAT: ["{}", '{"n":"1"}', '{"n":1.5}', '{"n":true}', '{"n":null}'],
    MessageType.MESSAGE: [
        "{}",
        '{"id":1}',
        '{"id":""}',
        f'{{"id":"{65 * "x"}"}}',
        '{"id":"m1","room":["tea"]}',
        '{"id":"m1","to":{}}',
        '{"id":"m1","seq":"1"}',
        '{"id":"m1","time":"now"}',
        '{"id":"m1","content_type":""}',
        f'{{"id":"m1","content_type":"{256 * "x"}"}}',
        '{"id":"m1","content_type":"a/b\\nc"}',
        '{"id":"m1","content_type":"a/b\\n"}',
        '{"id":"m1","content_type":"a/b\\u0085"}',
    ],
    MessageType.DISCONNECT: ['{"code":null}', '{"retry":"yes"}', '{"reason":1}'],
    MessageType.COMMAND: [
        "{}",
        '{"id":"c1"}',
        '{"command":"x"}',
        '{"id":1,"command":"x"}',
        '{"id":"","command":"x"}',
        '{"id":"c1","command":null}',
        f'{{"id":"{65 * "x"}","command":"x"}}',
    ],
    MessageType.RESULT: ["{}", '{"id":null}'],
    MessageType.EVENT: ["{}", '{"event":1}', '{"event":""}'],
}


def decode_header(message_type, header):
    data = header if isinstance(header, bytes) else header.encode()
    return CODEC.decode(make_frame(message_type, data)).header


def encode_header(message_type, header):
    """Return the bytes of the header in a frame without content."""
    return CODEC.encode_parts(message_type, header)[68:]


class ContentTests(SynchronousTestCase):
    def test_text_that_utf_8_cannot_hold(self):
        """A text with half a surrogate pair raises the caller's error at once."""
        with pytest.raises(LocalProtocolError):
            Message.chat("\ud800")


class HeaderTests(SynchronousTestCase):
    def test_full(self):
        """The codec reads and writes each field of each type under its name."""
        for message_type, (text, header) in FULL.items():
            self.assertEqual(decode_header(message_type, text), header)
            self.assertEqual(encode_header(message_type, header), text.encode())

    def test_every_type(self):
        """Each type but the reserved type has a header; only ERROR's header is never refused."""
        self.assertEqual(set(FULL), set(MessageType) - {MessageType.CHUNK})
        self.assertEqual(set(FAULTY), set(FULL) - {MessageType.ERROR})

    def test_shortest(self):
        """Optional fields have their defaults."""
        for message_type, (text, header) in SHORTEST.items():
            self.assertEqual(decode_header(message_type, text), header)

    def test_defaults_are_not_sent(self):
        """The codec does not send fields that a message leaves out as null."""
        for message_type in (MessageType.MESSAGE, MessageType.SESSION_ACK):
            text, header = SHORTEST[message_type]
            self.assertEqual(encode_header(message_type, header), text.encode())

    def test_init_says_all(self):
        """SESSION_INIT has all fields, including those with default values."""
        sent = json.loads(encode_header(MessageType.SESSION_INIT, SessionInit(session_id=ID)))
        self.assertEqual(
            sent,
            {
                "session_id": ID,
                "server": "",
                "heartbeat": 5.0,
                "max_content": 10485760,
                "auth": False,
            },
        )

    def test_longest_fields(self):
        """The codec accepts an id of 64 characters (not bytes) and a content type of 255."""
        header = ChatHeader(id="é" * 64, content_type="x" * 255)
        self.assertEqual(decode_header(4, encode_header(4, header)), header)
        fields = {"id": "é" * 64, "command": "é" * 64}
        self.assertEqual(decode_header(8, encode_header(8, fields)), fields)

    def test_number_that_can_be_repeated(self):
        """A ping's number may be any integer that can be decoded; it is encoded unchanged."""
        for n in (-1, 0, 2**64, 10**4299):
            header = decode_header(3, f'{{"n":{n}}}')
            self.assertEqual(encode_header(3, header), b'{"n":%d}' % n)


class FaultyHeaderTests(SynchronousTestCase):
    def test_missing_or_mistyped(self):
        """A field that is missing, mistyped or out of bounds makes a faulty request."""
        for message_type, headers in FAULTY.items():
            for header in headers:
                with pytest.raises(RequestError) as caught:
                    decode_header(message_type, header)
                self.assertEqual(caught.value.code, ErrorCode.BAD_REQUEST, header)

    def test_ref(self):
        """The error has the id of the faulty frame."""
        for message_type, header in (
            (MessageType.MESSAGE, '{"id":"m1","room":5}'),
            (MessageType.COMMAND, '{"id":"m1"}'),
            (MessageType.HEARTBEAT, '{"id":"m1"}'),
        ):
            with pytest.raises(RequestError) as caught:
                decode_header(message_type, header)
            self.assertEqual(caught.value.ref, "m1")

    def test_ref_of_an_id_at_fault(self):
        """The error repeats an id that is too long."""
        with pytest.raises(RequestError) as caught:
            decode_header(MessageType.MESSAGE, json.dumps({"id": "x" * 65}))
        self.assertEqual(caught.value.ref, "x" * 65)

    def test_faulty_error(self):
        """An ERROR with faulty fields is decoded as an ERROR with little text, and not answered."""
        for header in ("{}", '{"code":5}', '{"code":"c","ref":[]}'):
            self.assertEqual(decode_header(MessageType.ERROR, header).code, "")

    def test_no_ref(self):
        """Without an id, or with an id that is not text, the error has no ref."""
        for header in ("{}", '{"id":5}', '{"id":null}', '{"id":["m1"]}'):
            with pytest.raises(RequestError) as caught:
                decode_header(MessageType.MESSAGE, header)
            self.assertIsNone(caught.value.ref)

    def test_what_is_wrong(self):
        """The error names the field."""
        with pytest.raises(RequestError, match="room"):
            decode_header(MessageType.MESSAGE, '{"id":"m1","room":5}')
        with pytest.raises(RequestError, match="command must be text of 1 to 64 characters"):
            decode_header(MessageType.COMMAND, '{"id":"m1"}')

    def test_broken(self):
        """For each type, a header that is not one JSON object in UTF-8 is a fault in the bytes."""
        for message_type in (*MessageType, 99):
            for name, header in BAD_HEADERS.items():
                with pytest.raises(HeaderError):
                    self.fail(f"{name}: {decode_header(message_type, header)}")

    def test_bad_utf8_in_an_unknown_field(self):
        """The codec ignores an unknown field, unless it is not UTF-8."""
        for header in (b'{"id":"m1","x":"\xff"}', b'{"id":"m1","\xff":1}'):
            with pytest.raises(HeaderError):
                decode_header(MessageType.MESSAGE, header)

    @some_examples
    @given(st.sampled_from([*MessageType, 99]), st.binary(max_size=80))
    def test_hostile_bytes(self, message_type, data):
        """The codec refuses any bytes in a header, or gives a header that it can send again."""
        for header in (data, b"{" + data + b"}", b'{"id":"m1","n":' + data + b"}"):
            with contextlib.suppress(HeaderError, RequestError):
                decoded = decode_header(message_type, header)
                self.assertTrue(encode_header(message_type, decoded).startswith(b"{"))


class MessageTests(SynchronousTestCase):
    def test_chat(self):
        """A message for a room has the given fields, and its text as UTF-8."""
        message = Message.chat("Zoë", id="m1", room="tea", content_type="text/markdown")
        self.assertEqual(message.type, MessageType.MESSAGE)
        self.assertEqual(
            message.header, ChatHeader(id="m1", room="tea", content_type="text/markdown")
        )
        self.assertEqual(message.content, b"Zo\xc3\xab")

    def test_control_characters(self):
        """A content type with a control character is refused before it is sent."""
        for content_type in ("foo\nbar", "foo\n", "\x00", "a\x7f", "a\x9f"):
            with self.assertRaises(LocalProtocolError):
                Message.chat("x", content_type=content_type)
        self.assertEqual(Message.chat("x", content_type="a/ä; b=ß").content_type, "a/ä; b=ß")

    def test_new_id(self):
        """A message without an id gets a new UUID."""
        ids = {Message.chat("x").id for _ in range(3)}
        self.assertEqual(len({uuid.UUID(id) for id in ids}), 3)

    def test_empty_id(self):
        """An empty id stays empty; the other side refuses it."""
        self.assertEqual(Message.chat("x", id="").id, "")

    def test_properties(self):
        """A message's properties are the fields of its header."""
        message = Message(MessageType.MESSAGE, FULL[MessageType.MESSAGE][1], b"hi")
        self.assertEqual((message.id, message.room, message.to), ("m1", "tea", "bob"))
        self.assertEqual((message.sender, message.seq, message.time), ("ann", 4, 1.5))
        self.assertEqual((message.content_type, message.text), ("a/b", "hi"))

    def test_properties_of_other_types(self):
        """Messages of other types have none of these fields."""
        for header in (Heartbeat(1), {"id": "c1", "room": "tea", "content_type": "a/b"}):
            message = Message(MessageType.COMMAND, header)
            self.assertTrue(message.id is message.room is message.to is message.sender is None)
            self.assertIs(message.seq, message.time)
            self.assertIs(message.time, None)
            self.assertEqual(message.content_type, DEFAULT_CONTENT_TYPE)

    def test_default_content_type(self):
        """Without a content type, the content is text."""
        self.assertEqual(Message.chat("x").content_type, "text/plain; charset=utf-8")

    def test_text_of_bytes(self):
        """Bytes that are not UTF-8 become replacement characters."""
        self.assertEqual(Message.chat(b"a\xff").text, "a�")

    def test_command(self):
        """A command has a name and fields, and other messages have neither."""
        asked = Message(MessageType.COMMAND, {"id": "1", "command": "roll", "sides": 6})
        self.assertEqual((asked.command, asked.fields), ("roll", {"sides": 6}))
        for other in (Message.chat("x"), Message(MessageType.RESULT, {"id": "1", "sides": 6})):
            self.assertEqual((other.command, other.fields), (None, {}))

    def test_as_content(self):
        """Text becomes UTF-8; bytes stay unchanged."""
        self.assertEqual(as_content("é"), as_content(b"\xc3\xa9"))
        self.assertEqual(as_content(b"\xc3\xa9"), b"\xc3\xa9")

    def test_numbers_of_types(self):
        """The types have the numbers of the protocol."""
        self.assertEqual(
            [(t.name, t.value) for t in MessageType],
            [
                ("SESSION_INIT", 1),
                ("SESSION_ACK", 2),
                ("HEARTBEAT", 3),
                ("MESSAGE", 4),
                ("ERROR", 5),
                ("DISCONNECT", 6),
                ("CHUNK", 7),
                ("COMMAND", 8),
                ("RESULT", 9),
                ("EVENT", 10),
            ],
        )
