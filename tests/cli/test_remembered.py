"""Remembering rooms and ignored names from one time to the next."""

import os
import stat
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.remembered import IgnoredNames, Remembered, RememberedRooms


class RememberedTests(SynchronousTestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name, "state", "chatd")
        self.file = self.directory / "work.rooms.json"
        self.complaints: list[str] = []

    def remembered(self):
        return RememberedRooms(self.directory, "work", self.complaints.append)

    def test_nothing(self):
        """At first, the client knows no rooms."""
        self.assertIsNone(self.remembered().load())
        self.assertEqual(self.complaints, [])

    def test_round_trip(self):
        """The next client loads the saved rooms, in order, also none; only the owner can read."""
        for rooms in (("ops", "café"), ()):
            self.remembered().save(rooms)
            self.assertEqual(self.remembered().load(), rooms)
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.directory.stat().st_mode), 0o700)
        self.assertEqual(os.listdir(self.directory), ["work.rooms.json"])

    def test_current(self):
        """The current room is remembered beside the rooms; an older file has none."""
        self.remembered().save(["ops"])
        remembered = self.remembered()
        self.assertEqual((remembered.load(), remembered.current), (("ops",), None))
        remembered.save_current("ops")
        remembered.save(["ops", "attic"])
        remembered = self.remembered()
        self.assertEqual((remembered.load(), remembered.current), (("ops", "attic"), "ops"))
        self.file.write_text('{"rooms": []}')
        self.assertEqual((self.remembered().load(), self.complaints), ((), []))

    def test_left_current(self):
        """The current room is forgotten when the person leaves it, but not while entering it."""
        remembered = self.remembered()
        remembered.save(["ops"])
        remembered.save_current("OPS")
        self.assertIn(b"OPS", self.file.read_bytes())
        remembered.save([])
        self.assertNotIn(b"OPS", self.file.read_bytes())
        remembered.save_current("attic")
        remembered.save(["ops"])
        remembered.save(["ops", "attic"])
        remembered = self.remembered()
        self.assertEqual((remembered.load(), remembered.current), (("ops", "attic"), "attic"))

    def test_unchanged(self):
        """The client does not write known rooms again."""
        remembered = self.remembered()
        remembered.save(["ops"])
        before = self.file.stat().st_ino
        remembered.save(["ops"])
        self.assertEqual(self.file.stat().st_ino, before)

    def test_damaged(self):
        """The client reports a file without rooms in one line, and knows no rooms."""
        self.directory.mkdir(parents=True)
        for content in (b"", b"{}", b'{"rooms": [1]}', b'{"rooms": [], "current": 1}', b"\xff"):
            self.complaints.clear()
            self.file.write_bytes(content)
            self.assertIsNone(self.remembered().load())
            (complaint,) = self.complaints
            start = f"cannot read your rooms from {self.file}: "
            self.assertTrue(complaint.startswith(start), complaint)

    def test_bad_room(self):
        """A room whose name is not allowed is left out with a line, and the others stay."""
        self.directory.mkdir(parents=True)
        self.file.write_bytes(b'{"rooms": ["two words", "ops"]}')
        self.assertEqual(self.remembered().load(), ("ops",))
        (complaint,) = self.complaints
        start = "the room 'two words' of the last time is left out: "
        self.assertTrue(complaint.startswith(start), complaint)

    def test_unreadable(self):
        """The client reports a file that it cannot read in one line."""
        self.file.mkdir(parents=True)
        self.assertIsNone(self.remembered().load())
        self.assertEqual(
            self.complaints,
            [f"cannot read your rooms from {self.file}: Is a directory"],
        )

    def test_unwritable(self):
        """If the client cannot write rooms, it says so in one line, once."""
        self.directory.parent.write_text("a file where the directory should be")
        remembered = self.remembered()
        remembered.save(["ops"])
        remembered.save(["ops", "lobby"])
        self.assertEqual(
            self.complaints, [f"cannot remember your rooms in {self.file}: Not a directory"]
        )

    def test_people(self):
        """The ignored names have a file of their own; one that is damaged counts as none."""
        people = Remembered(self.directory, "work", IgnoredNames, self.complaints.append)
        self.assertIsNone(people.load())
        people.save(IgnoredNames(("bob",)))
        people = Remembered(self.directory, "work", IgnoredNames, self.complaints.append)
        self.assertEqual(people.load(), IgnoredNames(("bob",)))
        self.assertEqual(self.complaints, [])
        file = self.directory / "work.ignored.json"
        file.write_text('{"names": ["two words"]}')
        people = Remembered(self.directory, "work", IgnoredNames, self.complaints.append)
        self.assertIsNone(people.load())
        self.assertEqual(
            self.complaints,
            [f"cannot read the names that you ignore from {file}: it is damaged"],
        )
