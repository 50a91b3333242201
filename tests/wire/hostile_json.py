"""JSON that no honest peer sends, and the right result for each."""

from __future__ import annotations

import json

DEEP = 30_000
"""The nesting of deep samples; it crashes a parser that recurses without a limit."""
FINE = 30
"""A nesting that is always allowed in a header."""
HUGE = b"9" * 60_000
LONG = "x" * 60_000

NO_OBJECT = {
    "nothing": b"",
    "white space": b" \t\r\n ",
    "an array": b'[{"id":"m1"}]',
    "text": b'"id"',
    "a number": b"-0",
    "true": b"true",
    "null": b"null",
    "NaN": b"NaN",
    "two objects": b'{"id":"m1"} {"id":"m2"}',
    "an object and more": b'{"id":"m1"}x',
    "an object and NUL": b'{"id":"m1"}\0',
    "an object and a comma": b'{"id":"m1"},',
    "an object and a comment": b'{"id":"m1"}//x',
    "a comment": b'/**/{"id":"m1"}',
    "cut short": b'{"id":"m1"',
    "cut in a text": b'{"id":"m1',
    "cut in an escape": b'{"id":"\\u00',
    "a brace": b"{",
    "a comma at the end": b'{"id":"m1",}',
    "a comma too many": b'{"id":"m1",,"x":1}',
    "no colon": b'{"id" "m1"}',
    "no name": b'{:"m1"}',
    "a name that is no text": b'{1:"m1"}',
    "a name without quotes": b'{id:"m1"}',
    "single quotes": b"{'id':'m1'}",
    "a byte order mark": b'\xef\xbb\xbf{"id":"m1"}',
    "UTF-16": '{"id":"m1"}'.encode("utf-16"),
    "UTF-16 without a mark": '{"id":"m1"}'.encode("utf-16-le"),
    "UTF-32": '{"id":"m1"}'.encode("utf-32"),
    "zeros": bytes(300),
    "deep arrays": b"[" * DEEP + b"]" * DEEP,
    "arrays without an end": b"[" * 65_000,
    "objects without an end": b'{"a":' * 13_000,
    "deep arrays in an object": b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
}
"""Headers that are not one JSON object, or are nested too deep."""

NO_VALUE = {
    "NaN": b"NaN",
    "infinity": b"-Infinity",
    "a word": b"undefined",
    "a leading zero": b"01",
    "a plus": b"+1",
    "a minus": b"-",
    "no digit before the point": b".5",
    "no digit after the point": b"5.",
    "no exponent": b"1e",
    "hex": b"0x10",
    "other digits": b"\xd9\xa1",
}
"""Values that are not JSON."""

NO_TEXT = {
    "a high surrogate": b"\\ud800",
    "a low surrogate": b"\\udfff",
    "surrogates the wrong way round": b"\\udc00\\ud800",
    "two high surrogates": b"\\ud83d\\ud83d",
    "a high surrogate and text": b"\\ud83dx",
    "a surrogate as bytes": b"\xed\xa0\x80",
    "a pair of surrogates as bytes": b"\xed\xa0\xbd\xed\xb8\x80",
    "NUL in two bytes": b"\xc0\x80",
    "a slash in two bytes": b"\xc0\xaf",
    "a slash in three bytes": b"\xe0\x80\xaf",
    "a slash in four bytes": b"\xf0\x80\x80\xaf",
    "beyond Unicode": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "a byte that goes on": b"\x80",
    "a byte that does not": b"\xe2\x82",
    "the byte 255": b"\xff",
    "Latin-1": b"Zo\xeb",
    "NUL": b"\0",
    "a line end": b"\n",
    "an escape that is none": b"\\x41",
    "an escape of a quote": b"\\'",
    "an escape that is too short": b"\\u12",
    "an escape that is no hex": b"\\u12g4",
}
"""Texts that are not JSON texts: not UTF-8, not allowed in JSON, or half a character."""

TEXTS = {
    b"\\u0000": "\0",
    b"\\ud83d\\ude00": "😀",
    b"\\uD83D\\uDE00": "😀",
    "😀".encode(): "😀",
    b'\\"\\\\\\/\\b\\f\\n\\r\\t': '"\\/\b\f\n\r\t',
    b"\\ufffe\\uffff": "\ufffe\uffff",
    b"\\ufeff": "\ufeff",
    b"\\u202e": "\u202e",
    b"\x7f": "\x7f",
    b"\\u0041" * 64: "A" * 64,
    "😀".encode() * 64: "😀" * 64,
    b"\\ud83d\\ude00" * 64: "😀" * 64,
}
"""Odd but valid texts, and their values; each is a valid id."""

TAKEN = {
    "white space": b' \t\r\n{ "id" :\t"m1" ,\n"command":"who"}\r\n ',
    "many names": json.dumps(
        {"id": "m1", "command": "who", **{f"k{n}": n for n in range(4_000)}}
    ).encode(),
    "a long array": b'{"id":"m1","command":"who","x":[' + b"0," * 30_000 + b"0]}",
    "a name many times": b'{"id":"m1","command":"who"' + b',"x":1' * 10_000 + b"}",
    "an id many times": b'{"command":"who"' + b',"id":"m1"' * 6_000 + b"}",
    "a long name": f'{{"id":"m1","command":"who","{LONG}":1}}'.encode(),
    "a long text": f'{{"id":"m1","command":"who","x":"{LONG}"}}'.encode(),
    "a long text of escapes": b'{"id":"m1","command":"who","x":"' + b"\\u0041" * 10_000 + b'"}',
    "a long fraction": b'{"id":"m1","command":"who","x":0.' + HUGE + b"}",
    "a long fraction of zeros": b'{"id":"m1","command":"who","x":1.' + b"0" * 60_000 + b"}",
    "a number near nothing": b'{"id":"m1","command":"who","x":1e-400}',
    "a number of 64 bits and more": b'{"id":"m1","command":"who","x":18446744073709551616}',
    "minus zero": b'{"id":"m1","command":"who","x":[-0,-0.0]}',
    "arrays": b'{"id":"m1","command":"who","x":' + b"[" * FINE + b"]" * FINE + b"}",
    "objects": b'{"id":"m1","command":"who","x":' + b'{"x":' * FINE + b"1" + b"}" * FINE + b"}",
    "empty names": b'{"":{"":[]},"id":"m1","command":"who"}',
}
"""Headers of MESSAGE and COMMAND with the id `m1` that are odd, but accepted."""

BEYOND = {
    "an exponent": b"1e999",
    "a negative exponent": b"-1e999",
    "an exponent beyond 64 bits": b"1e99999999999999999999",
    "digits": HUGE,
    "negative digits": b"-" + HUGE,
    "digits with an exponent": HUGE + b"e1",
}
"""Numbers that are valid JSON, but that programs need not be able to hold."""

BAD_HEADERS = {
    **NO_OBJECT,
    **{f"a value: {name}": b'{"id":"m1","x":%b}' % value for name, value in NO_VALUE.items()},
    **{f"text: {name}": b'{"id":"m1","x":"%b"}' % text for name, text in NO_TEXT.items()},
}
"""Headers that are `bad-header` for each message type."""

NO_ID = [b'""', b"5", b"null", b"true", b'["m1"]', b'{"id":"m1"}', b'"' + b"x" * 65 + b'"']
NO_ID.append(f'"{LONG}"'.encode())
"""Values that are not valid ids."""

NO_INTEGER = [b"1.0", b"1e2", b"-0.0", b'"1"', b"true", b"null", b"[]", b"{}"]
"""Values that are not accepted as integers."""
