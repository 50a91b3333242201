"""The destination of `chatd connect`, by options and profiles."""

import argparse
import getpass
import os
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatd import ConfigurationError, write_key_file
from chatd.cli.destination import find_destination
from chatd.cli.directories import state_directory
from chatd.cli.login import Login
from chatd.cli.marks import Mark


class DestinationCase(SynchronousTestCase):
    """Has a configuration directory.

    Attributes:
        directory: That directory.
        environment: The environment variables that name it.
    """

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name, "chatd")
        self.directory.mkdir()
        self.environment = {"XDG_CONFIG_HOME": directory.name, "XDG_STATE_HOME": directory.name}
        self.patch(os, "isatty", lambda _: True)
        self.patch(getpass, "getpass", lambda _: "typed")

    def write(self, name, text):
        """Write a file that only its owner can read."""
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def write_profile(self, *lines):
        """Write a profile called work."""
        return self.write("chatd.toml", "\n".join(["[work]", *lines, ""]))

    def find(self, endpoint="work", **given):
        """Find a destination for some options."""
        options: dict[str, Any] = {
            "endpoint": endpoint,
            "name": None,
            "room": [],
            "key_file": None,
            "password_file": None,
            "password": False,
            **given,
        }
        return find_destination(argparse.Namespace(**options), self.environment)

    def fault(self, **given):
        """Return the error about a destination."""
        with self.assertRaises(ConfigurationError) as caught:
            self.find(**given)
        return str(caught.exception)


class ChoosingTests(DestinationCase):
    def test_endpoint(self):
        """An argument with a colon is an endpoint; the client reads no profile."""
        self.write("chatd.toml", "[[[")
        destination = self.find("tcp:localhost:9999", name="al", room=["ops"])
        self.assertEqual(destination.endpoint, "tcp:localhost:9999")
        self.assertEqual(destination.login, Login(name="al", rooms=("ops",)))

    def test_profile(self):
        """A profile gives the endpoint, the name, the key, the password and the rooms."""
        key = write_key_file(self.directory / "team.key")
        self.write("al.password", "open sesame\n")
        self.write_profile(
            'endpoint = "tcp:a:1"',
            'name = "al"',
            'key_file = "team.key"',
            'password_file = "al.password"',
            'rooms = ["ops"]',
        )
        destination = self.find()
        self.assertEqual(destination.endpoint, "tcp:a:1")
        expected = Login(
            key=key,
            name="al",
            password="open sesame",
            password_from=f"work's password_file {self.directory / 'al.password'}",
            rooms=("ops",),
        )
        self.assertEqual(destination.login, expected)

    def test_options_go_before(self):
        """An option goes before the setting of the profile."""
        self.write_profile(
            'endpoint = "tcp:a:1"',
            'name = "al"',
            'key_file = "missing"',
            'password_file = "missing"',
            'rooms = ["ops"]',
        )
        key_file = self.directory / "other.key"
        key = write_key_file(key_file)
        password_file = self.write("other.password", "from the option\n")
        given = {"key_file": str(key_file), "room": ["attic"]}
        for option, password in (
            ({"password": True}, "typed"),
            ({"password_file": str(password_file)}, "from the option"),
        ):
            login = self.find(**given, **option).login
            self.assertEqual(login.rooms, ("attic",))
            self.assertEqual((login.key, login.name, login.password), (key, "al", password))

    def test_other_name(self):
        """Another name does not get the password of the profile; the same name in capitals does."""
        self.write("al.password", "open sesame\n")
        self.write_profile('endpoint = "tcp:a:1"', 'name = "al"', 'password_file = "al.password"')
        self.assertIsNone(self.find(name="bob").login.password)
        self.assertEqual(self.find(name="AL").login.password, "open sesame")


class FaultTests(DestinationCase):
    def test_files(self):
        """An error about a file of a profile names the profile and the key."""
        for key in ("key_file", "password_file"):
            path = self.write_profile('endpoint = "tcp:a:1"', 'name = "al"', f'{key} = "none"')
            self.assertRegex(self.fault(), rf"\A{path}: profile work: {key}: .*No such file")

    def test_nameless_password(self):
        """A password needs a name, from the profile or from an option."""
        self.write("al.password", "open sesame\n")
        path = self.write_profile('endpoint = "tcp:a:1"', 'password_file = "al.password"')
        what = "a password belongs to a name: give the name with --name"
        self.assertEqual(self.fault(), f"{path}: profile work: password_file: {what}")
        for given in ({"password": True}, {"password_file": "any"}):
            self.assertEqual(self.fault(endpoint="tcp:a:1", **given), what)

    def test_endpoint(self):
        """An error about the endpoint names the profile; one from an argument does not."""
        path = self.write_profile('endpoint = "bogus"')
        with self.assertRaises(ConfigurationError) as caught:
            self.find().check(MemoryReactorClock())
        self.assertRegex(
            str(caught.exception), rf"\A{path}: profile work: endpoint: bad endpoint 'bogus'"
        )
        with self.assertRaises(ConfigurationError) as caught:
            self.find("bogus:x").check(MemoryReactorClock())
        self.assertTrue(str(caught.exception).startswith("bad endpoint 'bogus:x'"))
        self.find("tcp:localhost:9999").check(MemoryReactorClock())


class RejoinTests(DestinationCase):
    def rooms(self, **given):
        """Return the rooms of a login that may remember rooms, and its callback."""
        login = self.find(**given).remembering(self.environment, self.fail).login
        return login.rooms, login.rooms_changed

    def test_rejoin(self):
        """The rooms of the last time go before those of the profile, also if there were none."""
        self.write_profile('endpoint = "tcp:a:1"', 'rooms = ["ops"]', "rejoin = true")
        rooms, changed = self.rooms()
        self.assertEqual(rooms, ("ops",))
        changed(["ops", "attic"])
        rooms, changed = self.rooms()
        self.assertEqual(rooms, ("ops", "attic"))
        login = self.find().remembering(self.environment, self.fail).login
        self.assertIs(login.rooms_are_remembered, True)
        changed([])
        self.assertEqual(self.rooms()[0], ())

    def test_current(self):
        """So does the current room of the last time."""
        self.write_profile('endpoint = "tcp:a:1"', "rejoin = true")
        login = self.find().remembering(self.environment, self.fail).login
        self.assertIsNone(login.current)
        login.rooms_changed(["ops"])
        login.current_changed("ops")
        login = self.find().remembering(self.environment, self.fail).login
        self.assertEqual(login.current, "ops")

    def test_rooms_of_this_time(self):
        """With --room, the client neither joins the last rooms again nor remembers rooms."""
        self.write_profile('endpoint = "tcp:a:1"', "rejoin = true")
        rooms, changed = self.rooms(room=["attic"])
        changed(["cellar"])
        self.assertEqual(rooms, ("attic",))
        self.assertEqual(self.rooms()[0], ())

    def test_direct(self):
        """A profile remembers which direct messages were shown, also without `rejoin`."""
        self.write_profile('endpoint = "tcp:a:1"')
        login = self.find().remembering(self.environment, self.fail).login
        self.assertEqual(login.direct_shown, {})
        login.direct_changed({"bob": "m1"})
        login = self.find().remembering(self.environment, self.fail).login
        self.assertEqual(login.direct_shown, {"bob": "m1"})

    def test_rooms_shown(self):
        """So it does with the last messages shown in rooms; a damaged file counts as none."""
        self.write_profile('endpoint = "tcp:a:1"')
        login = self.find().remembering(self.environment, self.fail).login
        self.assertEqual(login.rooms_shown, {})
        login.rooms_shown_changed({"ops": Mark("e", 3)})
        login = self.find().remembering(self.environment, self.fail).login
        self.assertEqual(login.rooms_shown, {"ops": Mark("e", 3)})
        (file,) = state_directory(self.environment).glob("*.shown.json")
        file.write_text('{"last": {"ops": {"epoch": "e", "seq": -1}}}')
        complaints: list[str] = []
        login = self.find().remembering(self.environment, complaints.append).login
        self.assertEqual(login.rooms_shown, {})
        self.assertEqual(
            complaints, [f"cannot read the messages shown in rooms from {file}: it is damaged"]
        )

    def test_ignored(self):
        """A profile remembers the ignored names, also without `rejoin`; an endpoint does not."""
        self.write_profile('endpoint = "tcp:a:1"')
        self.find().remembering(self.environment, self.fail).ignored.add("bob")
        ignored = self.find().remembering(self.environment, self.fail).ignored
        self.assertEqual((ignored.names, ignored.is_kept), (["bob"], True))
        ignored = self.find("tcp:a:1").remembering(self.environment, self.fail).ignored
        self.assertEqual((ignored.names, ignored.is_kept), ([], False))

    def test_not_wanted(self):
        """Without the setting, the client remembers no rooms."""
        self.write_profile('endpoint = "tcp:a:1"', 'rooms = ["ops"]')
        self.rooms()[1](["attic"])
        self.assertEqual(self.rooms()[0], ("ops",))
        self.assertEqual([path.name for path in self.directory.iterdir()], ["chatd.toml"])
