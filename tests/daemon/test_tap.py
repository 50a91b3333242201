"""Tests of the daemon's options: good values, and one line for each mistake."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import pwd
import signal
from typing import Any, cast

from twisted.application.service import Application, IService
from twisted.logger import capturedLogs, formatEvent
from twisted.python import usage
from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from chatd import __version__
from chatd.daemon.service import ChatService
from chatd.daemon.tap import Options, makeService
from chatd.errors import StartupError
from chatd.wire.bounds import (
    MAX_HEARTBEAT_S,
    MAX_MAX_CONTENT,
    MIN_HEARTBEAT_S,
    MIN_MAX_CONTENT,
)
from tests.daemon.cases import OptionsCase, hang_up
from tests.fakes.peers import KEY

BAD_HEARTBEATS = ["", " ", "abc", "0", "-1", "nan", "inf", "-inf", "1e400", "5s", "1,5"]
BAD_LIMITS = ["", "abc", "0", "-1", "1.5", "1e6", "10M", "99999999999", "nan", "0x10", "9" * 5000]
BAD_ENDPOINTS = [
    *("", ":", "\\", "9999", "localhost:9999", "tcp", "tcp:", "tcp:abc", "tcp:70000", "tcp:-1"),
    *("tcp:localhost:9999", "tcp:9999:bogus=1", "tcp:9999:backlog=abc", "tcp:9999\\", "http:80"),
    *("unix", "unix:/x:mode=zzz", "ssl", "ssl:9999:privateKey=/no/such/file", "systemd:domain=X"),
    *("haproxy:", "non\nsense:1", "tcp:99\n99", "tcp:\udcff"),
]

OPTIONS = [
    *("auth", "data", "durability", "endpoint", "heartbeat", "keep-bytes", "keep-days"),
    *("keep-messages", "key-file", "max-content", "no-room", "operator", "password-file"),
    *("presence-limit", "room", "version"),
]


class StandardOutputTests(SynchronousTestCase):
    """Standard input and output belong to a session; twistd must not use them."""

    def refusal(self, *of_twistd: str, endpoint: str = "stdio:") -> str:
        """Return the error for an endpoint with some of twistd's options; empty for none."""
        options = ServerOptions()
        try:
            options.parseOptions([*of_twistd, "chatd", "--endpoint", endpoint])
        except StartupError as error:
            return str(error.code)
        return ""

    def test_log(self) -> None:
        """The log of twistd must go elsewhere."""
        for elsewhere in ("--logfile=log", "--syslog", "--logger=tests.daemon.test_tap.a_logger"):
            self.assertEqual(self.refusal("--nodaemon", elsewhere), "")
        for here in ((), ("--logfile=-",), ("--logfile=",)):
            for endpoint in ("stdio:", "stdio", "haproxy:stdio:"):
                said = self.refusal("--nodaemon", *here, endpoint=endpoint)
                self.assertIn("--logfile FILE", said)
        self.assertEqual(self.refusal("--nodaemon", endpoint="unix:/stdio:mode=666"), "")

    def test_any_error(self) -> None:
        """No error is printed to standard output; each is one line, with every endpoint."""
        for wrong in (["--bogus"], ["--heartbeat", "0"], ["x"], ["--key-file", "/no/such/key"]):
            for endpoint in ([], ["--endpoint=stdio:"], ["-estdio:"], ["-e", "haproxy:stdio:"]):
                arguments = ["-n", "--logfile=log", "chatd", *endpoint, *wrong]
                error = self.assertRaises(StartupError, ServerOptions().parseOptions, arguments)
                self.assertRegex(str(error.code), r"\Achatd: [^\n]+\Z")

    def test_background(self) -> None:
        """A daemon in the background has no standard input."""
        self.assertEqual(self.refusal("--logfile=log"), "chatd: stdio: needs twistd's --nodaemon")
        self.assertEqual(self.refusal(endpoint="tcp:0"), "")

    def test_twice(self) -> None:
        """Only one session can have standard input and output."""
        endpoints = ["--endpoint", "stdio:", "-e", "haproxy:stdio:"]
        error = self.assertRaises(usage.UsageError, Options().parseOptions, endpoints)
        self.assertIn("stdio: can be given only once", str(error))

    def test_other_program(self) -> None:
        """The daemon ignores another program's options."""
        options = Options()
        options.parent = usage.Options()
        options.parseOptions(["--endpoint", "stdio:"])
        self.assertEqual(len(options["service"].listeners), 1)


def a_logger() -> None:
    """Stand for an operator's own observer."""


class OfTwistdTests(SynchronousTestCase):
    """Options that twistd uses late, and does not check."""

    def find(self, uid: int) -> object:
        """Find the user 1234, on a machine that has no other."""
        if uid > 2**32:
            raise OverflowError
        if uid != 1234:
            raise KeyError(uid)
        return object()

    def parse(self, *of_twistd: str) -> None:
        ServerOptions().parseOptions([*of_twistd, "chatd", "--endpoint", "tcp:0"])

    def test_wrong(self) -> None:
        """Paths that are no directories and unknown users give an error of one line."""
        self.patch(pwd, "getpwuid", self.find)
        for arguments, said in (
            (["--rundir=/dev/null/x"], "twistd's --rundir /dev/null/x: it takes an existing "),
            (["--chroot=/dev/null"], "twistd's --chroot /dev/null: it takes an existing directory"),
            (["--uid=65432"], "twistd's --uid 65432: there is no such user; give the name or "),
            (["--uid=65432", "--gid=0"], "twistd's --uid 65432: there is no such user; give "),
            (["--uid=99999999999"], "twistd's --uid 99999999999: there is no such user; give "),
        ):
            error = self.assertRaises(StartupError, self.parse, "--pidfile=", *arguments)
            self.assertIn(said, str(error))

    def test_right(self) -> None:
        """The daemon accepts directories, known users, and a user with a group."""
        self.patch(pwd, "getpwuid", self.find)
        for arguments in (["--rundir=/"], ["--uid=1234"], ["--uid=1234", "--gid=0"]):
            self.parse("--pidfile=", *arguments)


class GoodOptionsTests(OptionsCase):
    """The settings have the values of the options."""

    def service(self, *arguments: str) -> Any:
        return makeService(self.parse(*arguments))

    def test_nothing(self) -> None:
        """Each option has a default."""
        service = self.service()
        verifyObject(IService, service)
        self.assertEqual(len(service.listeners), 1)
        self.assertFalse(service.factory.has_key)

    def test_endpoints(self) -> None:
        """Endpoints may be given several times, by either name."""
        path = self.directory / "chat.sock"
        service = self.service("--endpoint", "tcp:9999", f"--endpoint=unix:{path}", "-e", "tcp:0")
        self.assertEqual(len(service.listeners), 3)

    def test_numbers(self) -> None:
        """The interval and the limit become numbers."""
        options = self.parse("--heartbeat", "2.5", "--max-content", "1000")
        self.assertEqual((options["heartbeat"], options["max-content"]), (2.5, 1000))
        self.assertEqual(cast(ChatService, makeService(options)).factory.codec.max_content, 1000)

    def test_bounds(self) -> None:
        """The options take the least and the greatest value that the protocol allows."""
        for least_or_most in (MIN_HEARTBEAT_S, MAX_HEARTBEAT_S):
            options = self.parse("--heartbeat", str(least_or_most))
            self.assertEqual(options["heartbeat"], least_or_most)
        for least_or_most in (MIN_MAX_CONTENT, MAX_MAX_CONTENT):
            options = self.parse("--max-content", str(least_or_most))
            self.assertEqual(options["max-content"], least_or_most)

    def test_key_file(self) -> None:
        """A key file turns on encryption, by either name."""
        path = self.key_file(base64.urlsafe_b64encode(KEY) + b"\n")
        self.assertTrue(self.service("--key-file", path).factory.has_key)
        self.assertTrue(self.service("-k", path).factory.has_key)

    def test_each_for_itself(self) -> None:
        """Parsed options share no state."""
        self.parse("--endpoint", "tcp:1", "--endpoint", "tcp:2")
        self.assertEqual(len(self.service("--endpoint", "tcp:3").listeners), 1)

    def test_version(self) -> None:
        """The version is chatd's own, not Twisted's."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            end = self.assertRaises(SystemExit, self.parse, "--version")
        self.assertEqual((printed.getvalue(), end.code), (f"chatd {__version__}\n", 0))

    def test_help(self) -> None:
        """The help lists every option and the default endpoint."""
        text = Options().getUsage()
        for option in OPTIONS:
            self.assertIn(f"--{option}", text)
        self.assertIn("tcp:9999:interface=localhost", " ".join(text.split()))

    def test_plugin(self) -> None:
        """The plugin through which twistd finds the daemon names this module."""
        from twisted.plugins.chatd_plugin import chatd

        self.assertEqual(chatd.tapname, "chatd")
        self.assertIs(chatd.options, Options)
        self.assertIs(chatd.makeService, makeService)


class ProgramTests(OptionsCase):
    """The options of `twistd` itself count, too."""

    def setUp(self) -> None:
        super().setUp()
        self.pid_file = self.directory / "twistd.pid"
        self.log_file = self.directory / "chatd.log"
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.getsignal(signal.SIGUSR1))

    def parse_all(self, *arguments: str) -> Options:
        """Parse the options of `twistd`, and return its command's options."""
        program = ServerOptions()
        program.parseOptions([f"--pidfile={self.pid_file}", *arguments])
        options: Options = program.subOptions
        return options

    def test_log_file(self) -> None:
        """A log file is reopened at SIGHUP, before the other files are read again."""
        data = self.directory / "data"
        options = self.parse_all("--logfile", str(self.log_file), "chatd", "--data", str(data))
        self.assertFalse(self.log_file.exists())  # twistd first checks that no other daemon runs
        log: Any = makeService(options)
        self.assertEqual(list(log), [options["service"]])
        log.setServiceParent(Application("chatd"))
        self.addCleanup(log._file.close)
        self.log_file.unlink()
        with capturedLogs() as events:
            hang_up(options["service"])
        self.assertTrue(self.log_file.exists())
        lines = list(map(formatEvent, events))
        self.assertEqual(lines[0], "log: reopened")
        self.assertIn("bans: ", lines[1])

    def test_behind_the_word(self) -> None:
        """The error of an option of `twistd` behind the word chatd says where it goes."""
        for option in ("--nodaemon", "--pidfile=x"):
            error = self.assertRaises(StartupError, self.parse_all, "chatd", option, "--bogus")
            name = option.partition("=")[0]
            told = f"{name} is an option of the program, not of chatd: write it before the word"
            self.assertEqual(str(error), f"chatd: {told} chatd")

    def test_no_log_file(self) -> None:
        """If the log is not a file, `twistd` keeps its own log."""
        options = self.parse_all("--nodaemon", "chatd")
        self.assertIs(makeService(options), options["service"])

    def test_pid_file(self) -> None:
        """The check leaves a usable pid file, or none, to `twistd`."""
        self.parse_all("chatd")
        self.parse_all("--pidfile=", "chatd")
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_bad_pid_file(self) -> None:
        """An unusable pid file gives an error of one line, unless there is a chroot."""
        bad = f"--pidfile={self.directory}/no/twistd.pid"
        error = self.assertRaises(StartupError, self.parse_all, bad, "chatd")
        self.assertRegex(str(error), r"^chatd: cannot use the pid file .*--pidfile=$")
        self.parse_all(bad, f"--chroot={self.directory}", "chatd")

    def test_own_process_id(self) -> None:
        """A pid file with this process's id is removed, but not if another option is wrong."""
        self.pid_file.write_text(str(os.getpid()))
        self.assertRaises(StartupError, self.parse_all, "chatd", "--endpoint", "bogus")
        self.assertTrue(self.pid_file.exists())
        self.parse_all("chatd")
        self.assertFalse(self.pid_file.exists())


class MistakesTests(OptionsCase):
    """Each mistake gives a usage error of one line."""

    def test_endpoints(self) -> None:
        """The daemon refuses mistyped endpoint strings."""
        self.check_refused(*(("--endpoint", bad) for bad in BAD_ENDPOINTS))

    def test_one_of_many_endpoints(self) -> None:
        """With one bad endpoint among good ones, the error names the bad one."""
        arguments = ("--endpoint", "tcp:9999", "--endpoint", "tcp:abc", "--endpoint", "tcp:9998")
        error = self.assertRaises(usage.UsageError, self.parse, *arguments)
        self.assertIn("'tcp:abc'", str(error))

    def test_heartbeats(self) -> None:
        """The daemon refuses intervals that are no numbers, or out of range, with the range."""
        beyond = [str(MIN_HEARTBEAT_S / 2), str(MAX_HEARTBEAT_S * 2)]
        self.check_refused(*(("--heartbeat", bad) for bad in BAD_HEARTBEATS + beyond))
        error = self.assertRaises(usage.UsageError, self.parse, "--heartbeat", "abc")
        self.assertIn(f"--heartbeat abc: it takes {MIN_HEARTBEAT_S}", str(error))

    def test_limits(self) -> None:
        """The daemon refuses limits that are no numbers, or out of range."""
        beyond = [str(MIN_MAX_CONTENT - 1), str(MAX_MAX_CONTENT + 1)]
        self.check_refused(*(("--max-content", bad) for bad in BAD_LIMITS + beyond))
        error = self.assertRaises(usage.UsageError, self.parse, "--max-content", "0")
        self.assertIn(
            f"--max-content 0: it takes a whole number from {MIN_MAX_CONTENT} to", str(error)
        )

    def test_values_of_two_lines(self) -> None:
        """A value of two lines gives an error of one line."""
        self.check_refused(
            ("--heartbeat", "5\n6"), ("--max-content", "5\n6"), ("--key-file", "/no\n/such\n/file")
        )

    def test_key_files(self) -> None:
        """The daemon refuses key files that are missing, or not files."""
        missing, directory = str(self.directory / "missing"), str(self.directory)
        names = ["", missing, directory, f"{missing}/key", "/dev/null", "\0", "k" * 5000, "\udcff"]
        self.check_refused(*(("--key-file", name) for name in names))

    def test_contents_of_key_files(self) -> None:
        """The daemon refuses key files without a key."""
        good = base64.urlsafe_b64encode(KEY)
        contents = [b"", b"\n", b"no key", good[:-4], good + good, b"\xff" * 44, KEY, b"=" * 44]
        for content in contents:
            self.check_refused(("--key-file", self.key_file(content)))

    def test_key_file_that_others_can_read(self) -> None:
        """The daemon refuses a key file that others can read, and names the remedy."""
        for mode in (0o640, 0o604, 0o620, 0o602, 0o644, 0o666):
            path = self.key_file(base64.urlsafe_b64encode(KEY), mode)
            error = self.assertRaises(usage.UsageError, self.parse, "--key-file", path)
            self.assertIn(f"chmod 600 {path}", str(error))

    def test_options_that_are_not_there(self) -> None:
        """The daemon refuses unknown options, missing values and stray arguments."""
        self.check_refused(
            ("--bogus",),
            ("--bogus=1",),
            ("-z",),
            ("--endpoint",),
            ("--heartbeat",),
            ("--key-file",),
            ("tcp:9999",),
            ("--heartbeat", "5", "extra"),
            ("--version=1",),
        )

    def test_way_out(self) -> None:
        """The error of an unknown or incomplete option names the list of all options."""
        for mistake in (["--bogus"], ["--max", "5"], ["--endpoint"], ["--no-room=1"], ["-x"]):
            error = self.assertRaises(usage.UsageError, Options().parseOptions, mistake)
            self.assertRegex(str(error), r"; --help lists the options\Z")

    def test_mistyped_and_shortened_options(self) -> None:
        """The error of an unknown option names those that were probably meant."""
        for arguments, told in (
            (["--keep-dayz", "3"], "unrecognized option --keep-dayz (did you mean --keep-days?)"),
            (["--keep-d=3", "extra"], "unrecognized option --keep-d (did you mean --keep-days?)"),
            (
                ["--help-aut"],
                "unrecognized option --help-aut (did you mean --help-auth or --help-auth-type?)",
            ),
            (["--aut", "memory:al:secret"], "unrecognized option --aut (did you mean --auth?)"),
            (["--bogus", "-z"], "unrecognized options --bogus, -z"),
        ):
            error = self.assertRaises(usage.UsageError, Options().parseOptions, arguments)
            self.assertEqual(str(error), f"{told}; --help lists the options")

    def test_values_like_options(self) -> None:
        """The value of an option may begin with a dash."""
        for arguments in (["--key-file", "--bogus"], ["-k", "--bogus"], ["-k--bogus"]):
            error = self.assertRaises(usage.UsageError, self.parse, *arguments)
            self.assertIn("cannot read the key file --bogus: No such file", str(error))

    def test_stray_argument(self) -> None:
        """The error names the first stray argument, and says how options begin."""
        for arguments in (["extra"], ["--heartbeat", "5", "extra", "more"]):
            error = self.assertRaises(usage.UsageError, self.parse, *arguments)
            self.assertEqual(
                str(error), "'extra' is not an option: options begin with --, and --help lists them"
            )
