"""The scripts, as they are given to Redis, and the names of keys."""

import re

from twisted.trial.unittest import SynchronousTestCase

from chatd.backplane.redis import keys, script
from chatd.backplane.redis.script import load
from tests.backplane.redis.scripttexts import NAMES, SCRIPTS

UNFENCED = {"attach", "generation", "rights"}  # what the fence checks is not there yet


def keys_of(name):
    """Return what the comment of a script says of its keys, and the numbers of those it uses.

    A script that counts its keys has `each` in place of the numbers.
    """
    text = (SCRIPTS / f"{name}.lua").read_text()
    (comment,) = re.findall(r"(?m)^-- KEYS  (.*)$", text)
    code = re.sub(r"(?m)^--.*$", "", text)
    if "#KEYS" in code:
        return comment, ["each"]
    return comment, sorted(set(re.findall(r"KEYS\[(\d)\]", code)))


class ScriptTests(SynchronousTestCase):
    def test_all(self):
        """Each script begins with what makes Redis heed its memory limit, and names its keys."""
        self.assertIn("append", NAMES)
        for name in NAMES:
            text = load(name).text
            self.assertRegex(text, r"\A#!lua( flags=(allow-oom|no-writes))?\n-- [A-Z]", name)
            comment, used = keys_of(name)
            if used:
                self.assertEqual(re.findall(r"(?:^|  )(\d|each) ", comment), used, name)
            else:
                self.assertRegex(comment, r"\A(of the fence only|none)\b", name)
            if "ARGV[" in text.partition("local now =")[2]:
                self.assertRegex(text, r"(?m)^-- ARGV  ", name)

    def test_fence(self):
        """Each script has the fence before its first command."""
        fence = (SCRIPTS / "fence.part.lua").read_text()
        for name in set(NAMES) - UNFENCED:
            before, _, after = load(name).text.partition(fence)
            self.assertTrue(after, name)
            self.assertNotIn("redis.call", before, name)
            self.assertNotRegex(after, r"(?m)^--# ", name)

    def test_loaded(self):
        """A script is read once, and is known by the name that Redis computes."""
        self.assertIs(load("append"), load("append"))
        self.assertIn(load("append"), script.loaded())
        self.assertRegex(load("append").sha, r"\A[0-9a-f]{40}\Z")

    def test_no_shebang(self):
        """A script without its first line is refused."""
        self.patch(script, "_read", lambda name: "return 1\n")
        self.assertRaises(ValueError, load, "without its first line")


class KeyTests(SynchronousTestCase):
    def test_tag(self):
        """All keys and channels have one tag, so that a cluster keeps them together."""
        names = keys.key("rooms"), keys.key("m", "room {lobby}"), keys.channel("g", "all")
        self.assertEqual(names, ("{chatd}rooms", "{chatd}m:room {lobby}", "{chatd}c:g:all"))

    def test_documented(self):
        """The scripts use only keys that the table has."""
        table = set(re.findall(r"(?m)^`(\w+)(?::[A-Z]+)?`", keys.__doc__))
        text = "".join(load(name).text for name in NAMES)
        used = set(re.findall(r"TAG \.\. '(\w+)'", text)) | set(
            re.findall(r"name_of\('(\w+)'", text)
        )
        self.assertLessEqual(used, table)
        self.assertIn("ages", used)
