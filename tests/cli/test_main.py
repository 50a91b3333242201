"""The `chatd` command, from its arguments to its exit status."""

import getpass
import json
import os
import signal
import stat
from typing import Any

from twisted.internet import asyncioreactor
from twisted.internet.defer import Deferred

from chatd import ChatFactory, __version__, load_key, write_key_file
from chatd.cli import batch, terminal
from chatd.cli.links import LastingLink
from chatd.cli.login import Login
from chatd.cli.status import Status
from tests.cli.wiring import ENDPOINT, LOST, CommandCase, CommandReactor, Streams


class UsageTests(CommandCase):
    def test_usage(self):
        """A usage error is one line that refers to the help."""
        for arguments, command in (
            ([], "chatd"),
            (["bogus"], "chatd"),
            (["connect"], "chatd connect"),
            (["connect", ENDPOINT, "--bogus"], "chatd connect"),
            (["connect", ENDPOINT, "--password=sesame"], "chatd connect"),
            (["connect", ENDPOINT, "--password", "sesame"], "chatd connect"),
            (["keygen"], "chatd keygen"),
            (["keygen", "a", "b"], "chatd keygen"),
            (["passwd", "a", "b", "c"], "chatd passwd"),
            (["connect", ENDPOINT, "--json", "--quiet"], "chatd connect"),
            (["connect", ENDPOINT, "--follow", "--quiet"], "chatd connect"),
            (["connect", ENDPOINT, "--follow", "--file", "a"], "chatd connect"),
        ):
            status, output, complaint = self.run_command(*arguments)
            self.assertEqual((status, output), (Status.USAGE, ""))
            self.assertRegex(complaint, rf"\A{command}: .*; see {command} --help\n\Z")

    def test_empty_paths(self):
        """An error about an empty path names its option or argument."""
        for arguments, what in (
            (["connect", ENDPOINT, "--file", ""], "--file"),
            (["connect", ENDPOINT, "--key-file", ""], "--key-file"),
            (["connect", ENDPOINT, "--name", "al", "--password-file", ""], "--password-file"),
            (["keygen", ""], "PATH"),
            (["passwd", "", "alice"], "FILE"),
        ):
            status, output, complaint = self.run_command(*arguments)
            self.assertEqual((status, output), (Status.USAGE, ""))
            command = f"chatd {arguments[0]}"
            self.assertEqual(
                complaint, f"{command}: argument {what}: the path is empty; see {command} --help\n"
            )

    def test_given_password(self):
        """The command refuses a password given as an argument, and does not repeat it."""
        for options in (
            ["--password=sesame"],
            ["--password", "sesame"],
            ["sesame", "--password"],
            ["--password", "--sesame"],
            ["--password", "-sesame"],
        ):
            status, output, complaint = self.run_command("connect", ENDPOINT, *options)
            self.assertEqual((status, output), (Status.USAGE, ""))
            self.assertIn("--password takes no value", complaint)
            self.assertNotIn("sesame", complaint)
            self.assertEqual(complaint.count("\n"), 1)

    def test_given_password_of_mistyped_option(self):
        """The same holds if the option is mistyped or shortened, too."""
        for options in (["--passw=sesame"], ["--passwrd=sesame"], ["--passwrd", "sesame"]):
            status, output, complaint = self.run_command("connect", ENDPOINT, *options)
            self.assertEqual((status, output), (Status.USAGE, ""))
            name = options[0].partition("=")[0]
            self.assertIn(f"unrecognized option {name} (did you mean --password", complaint)
            self.assertNotIn("sesame", complaint)
            self.assertEqual(complaint.count("\n"), 1)

    def test_version(self):
        """`--version` prints the version."""
        self.assertEqual(self.run_command("--version"), (0, f"chatd {__version__}\n", ""))

    def test_help(self):
        """The help names the commands and the options."""
        status, output, _ = self.run_command("--help")
        self.assertEqual(status, 0)
        self.assertIn("connect", output)
        self.assertIn("keygen", output)
        _, output, _ = self.run_command("connect", "--help")
        for option in ("--name", "--room", "--key-file", "--password", "--password-file"):
            self.assertIn(option, output)
        for option in ("--file", "--json"):
            self.assertIn(option, output)

    def test_wrong_values(self):
        """Before connecting, the command reports a fault in a name or a file."""
        self.patch(os, "isatty", lambda descriptor: False)
        nowhere = self.directory / "nowhere"
        for options, why in (
            (["--name", "two words"], "--name 'two words': a name has 1 to 32 characters"),
            (["--name", ""], "--name '': a name has 1 to 32 characters"),
            (["--room", ""], "--room '': a room's name has 1 to 64 characters"),
            (["--room", "ops", "--room", "two words"], "--room 'two words': a room's name has 1"),
            (["--password-file", nowhere], "give the name with --name"),
            (["--name", "al", "--password-file", nowhere], f"{nowhere}: No such file"),
            (["--name", "al", "--password"], "use --password-file"),
            (["--key-file", nowhere], f"{nowhere}: No such file"),
            (["--file", nowhere], f"cannot read {nowhere}: No such file"),
            (["--file", self.directory], f"cannot read {self.directory}: it is a directory"),
            (["--file", "nul\0"], "cannot read nul\ufffd: "),
        ):
            status, output, complaint = self.run_command("connect", ENDPOINT, *options)
            self.assertEqual((status, output), (Status.USAGE, ""))
            self.assertTrue(complaint.startswith("chatd: "))
            self.assertIn(why, complaint)
            self.assertEqual(complaint.count("\n"), 1)


class KeygenTests(CommandCase):
    def test_keygen(self):
        """The command makes a key file that other users cannot read."""
        path = self.directory / "key"
        status, output, _ = self.run_command("keygen", path)
        self.assertEqual(status, Status.DONE)
        self.assertIn(str(path), output)
        self.assertEqual(len(load_key(path)), 32)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)

    def test_existing_file(self):
        """The command does not change an existing file."""
        path = self.directory / "key"
        path.write_text("precious")
        status, _, complaint = self.run_command("keygen", path)
        self.assertEqual(status, Status.USAGE)
        self.assertEqual(
            complaint, f"chatd: {path} exists already; give a path where nothing is yet\n"
        )
        self.assertEqual(path.read_text(), "precious")


class ConnectTests(CommandCase):
    def connect(self, *options, inputs=(b"",), server=True, **server_options):
        """Run `chatd connect` with some input against a server in memory."""
        if not server:
            server_options["server_class"] = None
        self.reactor = CommandReactor(**server_options)
        self.streams = Streams(*inputs)
        self.patch(batch, "StandardIO", self.streams)
        return self.run_command("connect", ENDPOINT, *options, reactor=self.reactor)

    def test_pipe(self):
        """The command sends the lines of a pipe."""
        status, _, complaint = self.connect("--name", "alice", inputs=[b"one\n", b"two\n"])
        self.assertEqual((status, complaint), (Status.DONE, ""))
        self.assertEqual(
            self.streams.written, ["* you are alice, in lobby", "alice: one", "alice: two"]
        )

    def test_file(self):
        """With --file, the command sends the lines of that file."""
        path = self.directory / "lines"
        path.write_bytes(b"one\n")
        sources = []
        streams = Streams(b"")

        def connected(lines, stdin, stdout, reactor):
            sources.append(os.read(stdin, 100))
            streams(lines, stdin, stdout, reactor)

        self.patch(batch, "StandardIO", connected)
        status, _, _ = self.run_command(
            "connect", ENDPOINT, "--file", path, reactor=CommandReactor()
        )
        self.assertEqual(status, Status.DONE)
        self.assertEqual(sources, [b"one\n"])

    def test_options(self):
        """The key, the rooms and --json take effect."""
        key_file = self.directory / "key"
        options = ["--key-file", key_file, "--room", "attic", "--room", "ops", "--json"]
        key = write_key_file(key_file)
        status, _, complaint = self.connect(*options, inputs=[b"one\n"], key=key)
        self.assertEqual((status, complaint), (Status.DONE, ""))
        welcome, message = map(json.loads, self.streams.written)
        self.assertEqual([room["room"] for room in welcome["rooms"]], ["attic", "ops"])
        self.assertEqual((message["room"], message["text"]), ("attic", "one"))

    def test_quiet(self):
        """With --quiet, the command sends lines and prints nothing."""
        self.assertEqual(self.connect("--quiet", inputs=[b"one\n"]), (Status.DONE, "", ""))
        self.assertEqual(self.streams.written, [])

    def test_reconnect(self):
        """With --reconnect, the command goes on after a lost connection."""
        made = []

        def make(*arguments):
            made.append(arguments)
            return LastingLink(*arguments)

        self.patch(batch, "LastingLink", make)
        status, _, complaint = self.connect("--reconnect", inputs=[b"one\n"])
        self.assertEqual((status, complaint, len(made)), (Status.DONE, "", 1))
        self.assertIn("one", self.streams.written[-1])

    def test_follow(self):
        """With --follow, the command reads no input; the server's end is the command's end."""

        class Leaving(ChatFactory):
            def buildProtocol(self, addr):
                self.clock.callLater(1, self.shut_down)
                return super().buildProtocol(addr)

        status, _, complaint = self.connect("--follow", inputs=[b"one\n"], server_class=Leaving)
        self.assertEqual(status, Status.LOST)
        self.assertEqual(complaint, "chatd: the server is shutting down\n")
        self.assertNotIn("one", "".join(self.streams.written))

    def test_nobody_there(self):
        """If no server listens, one line says so."""
        status, _, complaint = self.connect(server=False)
        self.assertEqual(status, Status.LOST)
        self.assertRegex(complaint, rf"\Achatd: cannot connect to {ENDPOINT}: .*running\?\n\Z")

    def test_refused(self):
        """A name in use has its own exit status."""
        status, _, complaint = self.connect("--name", "server")
        self.assertEqual(status, Status.REFUSED)
        self.assertEqual(complaint, "chatd: the name server is in use\n")

    def test_bad_endpoint(self):
        """An invalid endpoint string is a usage error."""
        status, _, complaint = self.run_command("connect", "bogus:x", reactor=CommandReactor())
        self.assertEqual(status, Status.USAGE)
        self.assertRegex(complaint, r"\Achatd: bad endpoint 'bogus:x': .*\n\Z")


class ProfilesTests(CommandCase):
    def setUp(self):
        super().setUp()
        self.patch(
            os,
            "environ",
            {
                **os.environ,
                "XDG_CONFIG_HOME": str(self.directory),
                "XDG_STATE_HOME": str(self.directory),
            },
        )
        self.file = self.directory / "chatd" / "chatd.toml"
        self.file.parent.mkdir()

    def test_list(self):
        """`profiles` lists the profiles with their endpoints."""
        status, output, errors = self.run_command("profiles")
        self.assertEqual((status, output), (Status.DONE, ""))
        self.assertIn("there are no profiles in ", errors)
        self.file.write_text('[work]\nendpoint = "tcp:a:1"\n[home]\nendpoint = "tcp:\\u001b:2"\n')
        listed = "work tcp:a:1\nhome tcp:\ufffd:2\n"
        self.assertEqual(self.run_command("profiles"), (Status.DONE, listed, ""))

    def test_fault(self):
        """A mistake in the file gives one line, for each command that reads the file."""
        self.file.write_text("[work]\nendpoint = 1\n")
        for arguments in (["profiles"], ["connect", "work"]):
            status, output, complaint = self.run_command(*arguments)
            self.assertEqual((status, output), (Status.USAGE, ""))
            self.assertRegex(
                complaint, rf"\Achatd: {self.file}: profile work: endpoint takes .*\n\Z"
            )

    def test_bad_endpoint(self):
        """The same holds for an endpoint that is invalid."""
        self.file.write_text('[work]\nendpoint = "bogus:x"\n')
        status, _, complaint = self.run_command("connect", "work", reactor=CommandReactor())
        self.assertEqual(status, Status.USAGE)
        self.assertRegex(
            complaint,
            rf"\Achatd: {self.file}: profile work: endpoint: bad endpoint 'bogus:x': .*\n\Z",
        )

    def test_pipe(self):
        """A pipe uses a profile, with its rooms: only a terminal joins those of the last time."""
        profile = f'[work]\nendpoint = "{ENDPOINT}"\nname = "al"\nrooms = ["ops"]\nrejoin = true\n'
        self.file.write_text(profile)
        (self.file.parent / "work.rooms.json").write_text('{"rooms": ["attic"]}')
        streams = Streams(b"one\n")
        self.patch(batch, "StandardIO", streams)
        status, _, complaint = self.run_command("connect", "work", reactor=CommandReactor())
        self.assertEqual((status, complaint), (Status.DONE, ""))
        self.assertEqual(streams.written, ["* you are al, in ops", "al: one"])

    def test_terminal(self):
        """A terminal uses the rooms of the last time."""
        self.file.write_text('[work]\nendpoint = "tcp:a:1"\nrooms = ["ops"]\nrejoin = true\n')
        (self.file.parent / "work.rooms.json").write_text('{"rooms": ["attic"]}')
        client = AtTerminal(Status.DONE)
        self.patch(os, "isatty", lambda descriptor: True)
        self.patch(asyncioreactor, "install", lambda: None)
        self.patch(terminal, "Terminal", client)
        status, _, complaint = self.run_command("connect", "work", reactor=CommandReactor(None))
        self.assertEqual((status, complaint), (Status.DONE, ""))
        self.assertEqual((client.made[0], client.made[1].rooms), ("tcp:a:1", ("attic",)))


class AtTerminal:
    """Stands in for the interactive client, and acts as a test sets."""

    def __init__(self, outcome):
        self.outcome = outcome
        self.made: Any = None

    def __call__(self, reactor, endpoint, login, ignored):
        self.made = (endpoint, login)
        return self

    async def run(self):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return await self.outcome if isinstance(self.outcome, Deferred) else self.outcome


class TerminalTests(CommandCase):
    def converse(self, outcome, *options, tty=(0, 1)):
        """Run `chatd connect` at a terminal."""
        self.reactor = CommandReactor(None)
        self.terminal = AtTerminal(outcome)
        self.installed: list[Any] = []
        self.patch(os, "isatty", lambda descriptor: descriptor in tty)
        self.patch(asyncioreactor, "install", lambda: self.installed.append("asyncio"))
        self.patch(terminal, "Terminal", self.terminal)
        return self.run_command("connect", ENDPOINT, *options, reactor=self.reactor)

    def test_terminal(self):
        """At a terminal the interactive client runs, on asyncio's loop, and returns the status."""
        for status in (Status.DONE, Status.INTERRUPTED, Status.REFUSED):
            self.assertEqual(self.converse(status, "--room", "attic"), (status, "", ""))
            self.assertEqual(self.installed, ["asyncio"])
            self.assertEqual(self.terminal.made, (ENDPOINT, Login(rooms=("attic",))))

    def test_password(self):
        """The password comes from a file, or from a prompt, before connecting."""
        path = self.directory / "password"
        path.write_text("open sesame\n")
        path.chmod(0o600)
        self.patch(getpass, "getpass", lambda prompt: "typed")
        for option, password, source in (
            (["--password-file", path], "open sesame", f"the password file {path}"),
            (["--password"], "typed", ""),
        ):
            shown = self.converse(Status.DONE, "--name", "al", *option)
            self.assertEqual(shown, (Status.DONE, "", ""))
            self.assertEqual(
                self.terminal.made[1], Login(name="al", password=password, password_from=source)
            )

    def test_signal_where_a_password_is_asked_for(self):
        """A signal at the prompt ends its line and the command."""
        number = signal.SIGTERM
        self.addCleanup(signal.signal, number, signal.signal(number, signal.SIG_DFL))
        self.patch(getpass, "getpass", lambda prompt: signal.raise_signal(number))
        options = ["--name", "al", "--password"]
        status, _, complaint = self.converse(Status.DONE, *options, tty=(0, 1, 2))
        self.assertEqual((status, complaint), (Status.TERMINATED, "\n"))
        self.assertIsNone(self.terminal.made)
        self.assertIs(signal.getsignal(number), signal.SIG_DFL)

    def test_error(self):
        """The command reports an error of the interactive client in one line."""
        self.assertEqual(self.converse(LOST), (Status.LOST, "", "chatd: the connection was lost\n"))

    def test_no_terminal(self):
        """With an option for scripts, or an end without a terminal, no person converses."""
        path = self.directory / "lines"
        path.write_bytes(b"")
        for options, tty in (
            (["--json"], (0, 1)),
            (["--quiet"], (0, 1)),
            (["--follow"], (0, 1)),
            (["--file", path], (0, 1)),
            ([], (0,)),
            ([], (1,)),
        ):
            status, _, complaint = self.converse(Status.DONE, *options, tty=tty)
            self.assertEqual(status, Status.LOST)  # no server listens
            self.assertIn("cannot connect", complaint)
            self.assertIsNone(self.terminal.made)
