"""What the scripts and Python both write: formats, marks, answers, names of keys and fields."""

import re
from importlib.resources import files
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.backplane.redis import attachment, bans, generation, keys, names, packing, streams, words
from chatd.chat import presence
from chatd.storage.privateroom import PrivateRoom
from chatd.storage.streamkeys import ROOM_PREFIX, direct_stream
from tests.backplane.redis.scripttexts import SCRIPTS

TIME = packing._KEPT.format[:2]
FORMATS = {
    "append.lua": {TIME, packing._SHORT.format, packing._LENGTH.format, packing._PLACES.format},
    "claim.lua": {bans._END.format},
    "dropban.lua": {bans._END.format},
    "inbox.part.lua": {words._NUMBER.format},
    "keepban.lua": {bans._END.format},
    "streams.part.lua": {packing._KEPT.format},
}
"""The formats of each file that packs or unpacks."""
LETTERS = {"I8": "Q", "I4": "I", "I2": "H"}
"""What Python calls the numbers in the formats of scripts."""

EVENT: Any = presence.joined("", "").header
LEFT: Any = presence.left("", "").header
DIRECT_PREFIX = direct_stream("a", "b").removesuffix("a b")
SHARED = {
    *(ROOM_PREFIX, f"^{ROOM_PREFIX}(.*)"),
    *(DIRECT_PREFIX, f"^{DIRECT_PREFIX}(.-) (.*)"),
    *(keys.room_channel(""), keys.node_channel("")),
    keys.channel("", "").removeprefix(keys.key("")).removesuffix(":"),
    *(EVENT["event"], LEFT["event"]),
    *(streams._AFTER, streams._RESUME, streams._NEWEST),
    *(code for code in attachment._ENDING if code in {"FENCED", "STALE"}),
    generation._OTHER_LAYOUT,
    "".join(f"\\{byte}" for byte in packing.EVENT_MARK),
    words._DIRECT.decode(),
}
"""The texts that Python makes or compares, as a script writes them."""
OWN = {
    *("0", "1", "", " ", ".", ":", r"\0", "^(.-)%z(.*)$", "%z(.*)$", "^{.-}", "^work:"),
    *("(", "+", "-", "-inf", "COUNT", "LIMIT", "PX", "%.17g", "table"),
}
"""The texts that mean something to Lua and Redis alone, or are flags and marks between texts."""

FILES = sorted(path.name for path in SCRIPTS.iterdir() if path.name != "rights.lua")
"""The files of the scripts, except the one that names all commands of Redis."""
DOCUMENTED = set(re.findall(r"`(\w+)(?::\w+)?`", keys.__doc__))
"""The kinds of keys and the fields that the table of the keys has."""


def code(name):
    """Return the code of a file, without comments."""
    return re.sub(r"--.*", "", (SCRIPTS / name).read_text())


def texts(name):
    """Return the texts in the code of a file, except the commands of Redis and formats.

    Of a refusal, it is the first word.
    """
    rest = re.sub(r"(call|in_chunks|pack)\('[^']+'", "", code(name))
    found = re.findall(r"'((?:[^'\\]|\\.)*)'", rest)
    return {re.sub(r"^([A-Z]{4,}) .*", r"\1", text) for text in found}


def number(name, constant):
    """Return the value of a constant of a script."""
    for found in re.findall(r"(?m)^local ([A-Z_, ]+) = ([-\d, ]+?) *$", code(name)):
        values = dict(zip(*(each.split(", ") for each in found), strict=True))
        if constant in values:
            return int(values[constant])
    raise AssertionError(f"{name} has no {constant}")


class LiteralTests(SynchronousTestCase):
    def test_texts(self):
        """Each text of a script is its own, or Python has it, too; a new one must be put here."""
        for name in FILES:
            unknown = texts(name) - OWN - SHARED
            self.assertEqual({text.rstrip(":") for text in unknown} - DOCUMENTED, set(), name)

    def test_used(self):
        """The scripts use all texts that they share with Python."""
        self.assertEqual(SHARED - set().union(*map(texts, FILES)), set())

    def test_formats(self):
        """The scripts and Python pack in the same formats."""
        found = {name: re.findall(r"pack\('(>[^']*)'", code(name)) for name in FILES}
        used = {
            name: {re.sub(r"I\d", lambda size: LETTERS[size[0]], each) for each in formats}
            for name, formats in found.items()
            if formats
        }
        self.assertEqual(used, FORMATS)
        self.assertEqual(packing._KEPT.format, TIME + packing._LENGTHS.format.removeprefix(">"))

    def test_numbers(self):
        """The scripts answer with the numbers that Python knows."""
        self.assertEqual(number("claim.lua", "BANNED"), names._BANNED)
        self.assertEqual(number("claim.lua", "TOO_MANY"), names._TOO_MANY)
        self.assertEqual(number("expire.lua", "AT_ONCE"), streams._EXPIRED_AT_ONCE)

    def test_events(self):
        """The EVENTs of the scripts have the fields of those of a single daemon."""
        (made,) = re.findall(r"announce\([^{]*\{(.*)\}", code("enter.lua"))
        fields = set(re.findall(r"(\w+) =", made))
        added = set(re.findall(r"\bevent\.(\w+)", code("people.part.lua")))
        self.assertEqual(fields | {"room"}, set(EVENT))
        self.assertEqual(added, set(EVENT))

    def test_private_rooms(self):
        """The script that changes private rooms reads fields that they have."""
        fields = set(re.findall(r"\broom\.(\w+)", code("changeprivate.lua")))
        self.assertTrue(fields)
        self.assertLessEqual(fields, set(PrivateRoom.__struct_fields__))

    def test_keys(self):
        """Python uses only keys that the table of the keys has."""
        package = files("chatd.backplane.redis")
        sources = [path.read_text() for path in package.iterdir() if path.name.endswith(".py")]
        used = {kind for text in sources for kind in re.findall(r'\bkeys\.key\("(\w+)"', text)}
        self.assertIn("run", used)
        self.assertLessEqual(used - {"probe"}, DOCUMENTED)
