"""The person's own directories."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.directories import configuration_file, state_directory


class DirectoryTests(SynchronousTestCase):
    def test_given(self):
        """The XDG variables name the directories."""
        given = {"XDG_CONFIG_HOME": "/etc/al", "XDG_STATE_HOME": "/var/al"}
        self.assertEqual(configuration_file(given), Path("/etc/al/chatd/chatd.toml"))
        self.assertEqual(state_directory(given), Path("/var/al/chatd"))

    def test_defaults(self):
        """Without a variable, or with a relative path in it, the directories are at home."""
        for given in ({}, {"XDG_CONFIG_HOME": "", "XDG_STATE_HOME": "relative"}):
            self.assertEqual(
                configuration_file(given), Path("~/.config/chatd/chatd.toml").expanduser()
            )
            self.assertEqual(state_directory(given), Path("~/.local/state/chatd").expanduser())
