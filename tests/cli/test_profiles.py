"""Reading profiles."""

import json
import os
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd import ConfigurationError
from chatd.cli.profiles import KEYS, Profile, find_profile, read_profiles

WHOLE = """
[work]
endpoint = "tcp:chat.example.org:9999"
name = "alice"
key_file = "keys/team.key"
password_file = "~/alice.password"
rooms = ["ops", "lobby"]
rejoin = true

[home]
endpoint = "unix:/run/chat.sock"
"""


def _toml(settings):
    """Return settings as TOML, whose values are like those of JSON but for one character."""
    lines = (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in settings.items())
    return "\n".join(lines).replace("\x7f", "\\u007f")


class ProfileCase(SynchronousTestCase):
    """Has a configuration file.

    Attributes:
        file: Its path.
    """

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.file = Path(directory.name, "chatd.toml")

    def read(self, text):
        """Write the file, and read it."""
        self.file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_profiles(self.file)

    def fault_in(self, text):
        """Return the error about a file, without the file's path, which begins it."""
        with self.assertRaises(ConfigurationError) as caught:
            self.read(text)
        error = str(caught.exception)
        self.assertEqual(len(error.splitlines()), 1)
        self.assertIn(str(self.file), error)
        return error.removeprefix(f"{self.file}: ").replace(str(self.file), "FILE")


class ReadingTests(ProfileCase):
    def test_all_keys(self):
        """A profile has the file's settings; paths are relative to the file, ~ is the home."""
        profiles = self.read(WHOLE)
        self.assertEqual(
            profiles["work"],
            Profile(
                file=self.file,
                title="work",
                endpoint="tcp:chat.example.org:9999",
                name="alice",
                key_file=str(self.file.parent / "keys/team.key"),
                password_file=os.path.expanduser("~/alice.password"),
                rooms=("ops", "lobby"),
                rejoin=True,
            ),
        )
        self.assertEqual(
            profiles["home"],
            Profile(file=self.file, title="home", endpoint="unix:/run/chat.sock"),
        )

    def test_keys_are_fields(self):
        """Each key is a field of a profile."""
        self.assertEqual({*KEYS, "file", "title"}, set(Profile.__dataclass_fields__))

    def test_paths_in_endpoints(self):
        """Relative paths in an endpoint are relative to the file, too."""
        there, home = self.file.parent, os.path.expanduser("~")
        for written, meant in (
            ("unix:chat.sock", f"unix:{there}/chat.sock"),
            ("unix:~/chat.sock", f"unix:{home}/chat.sock"),
            ("unix:path=a\\:b.sock:timeout=3", f"unix:path={there}/a\\:b.sock:timeout=3"),
            ("unix:/a/b", "unix:/a/b"),
            ("unix:", "unix:"),
            ("tls:host:9999:trustRoots=certs", f"tls:host:9999:trustRoots={there}/certs"),
            ("tcp:localhost:9999:bindAddress=~", "tcp:localhost:9999:bindAddress=~"),
        ):
            profiles = self.read(f"[a]\nendpoint = '{written}'")
            self.assertEqual(profiles["a"].endpoint, meant)

    def test_no_file(self):
        """Without a file there are no profiles."""
        self.assertEqual(read_profiles(self.file), {})

    def test_mark(self):
        """A byte order mark is not part of the file."""
        self.assertEqual(self.read(b"\xef\xbb\xbf[a]\nendpoint = 'x:y'")["a"].endpoint, "x:y")


class FaultTests(ProfileCase):
    def test_settings(self):
        """An error names the profile, the key, and the values that it takes, but no given value."""
        for line, expected in (
            ('key_file = "~\\u0000"', "key_file takes the path of a file"),
            ("endpoint = 5", 'endpoint takes an endpoint, such as "tcp:localhost:9999"'),
            ('endpoint = ""', 'endpoint takes an endpoint, such as "tcp:localhost:9999"'),
            ("name = false", 'name takes a name, such as "alice"'),
            ('name = "two words"', "name: a name has 1 to 32 characters, "),
            ("rooms = 'ops'", 'rooms takes a list of rooms, such as ["ops", "lobby"]'),
            ("rooms = [1]", 'rooms takes a list of rooms, such as ["ops", "lobby"]'),
            ("rooms = ['two words']", "rooms: a room's name has "),
            ("rejoin = 'yes'", "rejoin takes true or false"),
            (
                "key_file = 7",
                'key_file takes the path of a file, relative to this file, such as "team.key"',
            ),
            (
                "password_file = ''",
                'password_file takes the path of a file, relative to this file, such as "team.key"',
            ),
            ("room = 'ops'", "'room' is not a key; the keys are endpoint, name, key_file, "),
            (
                "password = 'sesame'",
                "'password' is not a key; write the password into a file, and give its path as "
                "password_file",
            ),
        ):
            fault = self.fault_in(f"[work]\n{line}\n")
            self.assertTrue(fault.startswith(f"profile work: {expected}"), fault)
            self.assertNotIn("sesame", fault)

    def test_no_endpoint(self):
        """A profile needs an endpoint."""
        self.assertEqual(
            self.fault_in("[work]\nname = 'alice'\n"),
            "profile work: the key endpoint is missing; it takes an endpoint, such as "
            '"tcp:localhost:9999"',
        )

    def test_outside(self):
        """A setting outside of a profile is an error."""
        self.assertEqual(
            self.fault_in("endpoint = 'tcp:a:1'\n"),
            "'endpoint' is outside of a profile; begin a profile with a line [NAME]",
        )

    def test_titles(self):
        """The name of a profile cannot look like an endpoint, an option or two words."""
        for title in ("tcp:a:1", "--json", "two words", "", ".", "é", "a\\nb"):
            fault = self.fault_in(f'["{title}"]\nendpoint = "tcp:a:1"\n')
            self.assertIn("a name takes letters, digits and . _ - after the first", fault)

    def test_syntax(self):
        """An error about the syntax names the line."""
        for text, expected in (
            ("[work]\nendpoint\n", r"FILE is not TOML: .*\(at line 2, column 9\)"),
            ("[a]\n[a]\n", r"FILE is not TOML: .*\(at line 2, column 3\)"),
            ("[a.b]\nc = 1\n[a]\nb.d = 2\n", r"FILE is not TOML: .*\(at line 4, column 8\)"),
            ("a = " + "[" * 100_000, "FILE is not TOML: it is nested too deeply"),
            ("a = " + "9" * 10_000, "FILE is not TOML: Exceeds the limit .*"),
        ):
            self.assertRegex(self.fault_in(text), rf"\A{expected}\Z")

    def test_not_utf_8(self):
        """An error about the encoding names the line, or the encoding."""
        self.assertEqual(self.fault_in(b"[a]\nname = '\xff'"), "line 2 is not UTF-8 text")
        self.assertIn("is UTF-16, not UTF-8 text", self.fault_in("\ufeff[a]".encode("utf-16-le")))

    def test_unreadable(self):
        """A file that cannot be read, or that others can write, is an error."""
        self.file.symlink_to("nowhere")
        with self.assertRaises(ConfigurationError) as caught:
            read_profiles(self.file)
        self.assertIn("No such file", str(caught.exception))
        self.file.unlink()
        self.file.mkdir()
        with self.assertRaises(ConfigurationError):
            read_profiles(self.file)
        self.file.rmdir()
        self.read(WHOLE)
        self.file.chmod(0o666)
        with self.assertRaises(ConfigurationError) as caught:
            read_profiles(self.file)
        self.assertIn("others can write the configuration file", str(caught.exception))

    def test_unreachable(self):
        """A file that may exist but cannot be examined is an error."""
        with self.assertRaises(ConfigurationError) as caught:
            read_profiles(Path("/", "x" * 300, "chatd.toml"))
        self.assertIn("File name too long", str(caught.exception))

    @given(
        st.one_of(
            st.binary(),
            st.text().map(str.encode),
            st.dictionaries(
                st.sampled_from([*KEYS, "other"]),
                st.one_of(st.text(), st.integers(), st.lists(st.text()), st.booleans()),
            ).map(lambda settings: f"[work]\n{_toml(settings)}".encode()),
        )
    )
    def test_anything(self, data):
        """Any file gives profiles, or an error of one line."""
        self.file.write_bytes(data)
        try:
            read_profiles(self.file)
        except ConfigurationError as error:
            self.assertEqual(len(str(error).splitlines()), 1)

    def test_too_long(self):
        """The reader does not read a file of unreasonable size as a whole."""
        self.assertIn("more than 1048576 bytes", self.fault_in("#" * 1_048_577))


class FindingTests(ProfileCase):
    def not_found(self):
        """Return the error about a profile that does not exist."""
        with self.assertRaises(ConfigurationError) as caught:
            find_profile(self.file, "play")
        return str(caught.exception).replace(str(self.file), "FILE")

    def test_found(self):
        """The reader finds a profile by its name."""
        self.read(WHOLE)
        self.assertEqual(find_profile(self.file, "home").title, "home")

    def test_not_found(self):
        """The error lists the profiles that exist."""
        what = "'play' is neither a profile nor an endpoint such as tcp:localhost:9999: "
        self.assertEqual(self.not_found(), f"{what}there is no FILE")
        self.read("")
        self.assertEqual(self.not_found(), f"{what}FILE has no profiles")
        self.read(WHOLE)
        self.assertEqual(self.not_found(), f"{what}the profiles in FILE are work, home")
