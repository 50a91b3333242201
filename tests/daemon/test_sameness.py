"""Whether the daemons of a chat have the same key, accounts and operators."""

from typing import Any

from twisted.logger import ILogObserver, LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from chatd.daemon.sameness import Sameness

KEY = bytes(32)


class SamenessTests(SynchronousTestCase):
    def setUp(self):
        self.warned: list[str] = []

        @implementer(ILogObserver)
        def note(event: Any) -> None:
            if event.get("log_level") is LogLevel.warn and "what" in event:
                self.warned.append(event["what"])

        globalLogPublisher.addObserver(note)
        self.addCleanup(globalLogPublisher.removeObserver, note)

    def test_same(self):
        """The same things in another order, and names in another spelling, are the same."""
        one = Sameness(KEY, {"ann": "h1", "bob": "h2"}, ["Eve", "dan"])
        two = Sameness(KEY, {"bob": "h2", "ann": "h1"}, ["dan", "eve"])
        one.compare({"n": two.digests()})
        self.assertEqual(self.warned, [])

    def test_differences(self):
        """Each difference is warned of once, and again when it comes back."""
        own = Sameness(KEY, {"ann": "h1"}, ["eve"])
        other = Sameness(KEY, {"ann": "h2"}, ["dan"]).digests()
        own.compare({"n": other, "m": own.digests()})
        own.compare({"n": other})
        self.assertEqual(self.warned, ["list of operators", "password file"])
        own.compare({})
        own.compare({"n": Sameness(KEY, {"ann": "h2"}, ["eve"]).digests()})
        self.assertEqual(self.warned, ["list of operators", "password file", "password file"])

    def test_key(self):
        """With another key, everything has other digests; only the key is warned of."""
        own = Sameness(KEY, {}, [])
        own.compare({"n": Sameness(None, {"ann": "h"}, ["eve"]).digests()})
        self.assertEqual(self.warned, ["key file"])

    def test_other_versions(self):
        """What another version tells otherwise is left out."""
        own = Sameness(KEY, {}, [])
        own.compare({"n": b"", "m": b"{}", "o": b'{"colour": "blue"}', "p": b"[1]"})
        self.assertEqual(self.warned, [])

    def test_digests_hide(self):
        """A digest has nothing of what it is made from."""
        told = Sameness(KEY, {"ann": "$argon2$hash"}, ["eve"]).digests()
        for word in (b"ann", b"argon2", b"eve", KEY):
            self.assertNotIn(word, told)
