"""The arguments of `chatd`: their order, and mistakes in options."""

from chatd.cli.main import _parse, _parser
from chatd.cli.status import Status
from chatd.cli.syntax import Takes, commands_of
from tests.cli.wiring import ENDPOINT, CommandCase


class ParserTests(CommandCase):
    def complaint_of(self, *arguments):
        """Return the line about wrong arguments."""
        status, output, complaint = self.run_command(*arguments)
        self.assertEqual((status, output), (Status.USAGE, ""))
        self.assertEqual(complaint.count("\n"), 1)
        return complaint

    def test_order(self):
        """Options may stand before, between and behind the arguments of each command."""
        for arguments in (
            ["connect", "--name", "al", "--json", ENDPOINT],
            ["connect", "--json", ENDPOINT, "--name", "al"],
            ["connect", ENDPOINT, "--name=al", "--json"],
        ):
            options = _parse(arguments)
            self.assertEqual((options.endpoint, options.name, options.json), (ENDPOINT, "al", True))
        for arguments in (
            ["--delete", "f", "al"],
            ["f", "--delete", "al"],
            ["f", "al", "--delete"],
        ):
            options = _parse(["passwd", *arguments])
            self.assertEqual((options.file, options.name, options.delete), ("f", "al", True))

    def test_arguments_like_options(self):
        """Arguments behind `--` are no options."""
        options = _parse(["passwd", "--delete", "--", "-f", "--list"])
        self.assertEqual((options.file, options.name, options.list), ("-f", "--list", False))

    def test_unknown_option(self):
        """The error names an unknown option alone, also if an argument is missing."""
        for arguments, program, told in (
            (["connect", "--rom", "x", ENDPOINT], "chatd connect", "--rom (did you mean --room?)"),
            (["connect", ENDPOINT, "--rom=x"], "chatd connect", "--rom (did you mean --room?)"),
            (["connect", "--bogus"], "chatd connect", "--bogus"),
            (["keygen", "--bogus"], "chatd keygen", "--bogus"),
            (["backup", "--bogus", "a"], "chatd backup", "--bogus"),
            (["profiles", "--hepl"], "chatd profiles", "--hepl (did you mean --help?)"),
            (["--bogus"], "chatd", "--bogus"),
            (["--bogus", "connect", ENDPOINT], "chatd", "--bogus"),
        ):
            self.assertEqual(
                self.complaint_of(*arguments),
                f"{program}: unrecognized option {told}; see {program} --help\n",
            )

    def test_shortened_option(self):
        """A shortened option is refused, and the error names the whole option."""
        for arguments, program, told in (
            (["connect", ENDPOINT, "--nam", "al"], "chatd connect", "--nam (did you mean --name?)"),
            (["passwd", "f", "al", "--del"], "chatd passwd", "--del (did you mean --delete?)"),
            (["--vers"], "chatd", "--vers (did you mean --version?)"),
        ):
            self.assertEqual(
                self.complaint_of(*arguments),
                f"{program}: unrecognized option {told}; see {program} --help\n",
            )

    def test_unknown_command(self):
        """The error names an unknown command, and the command that was probably meant."""
        for command, told in (
            ("conekt", "conekt (did you mean connect?)"),
            ("con", "con (did you mean connect?)"),
            ("Manual", "Manual (did you mean manual?)"),
            ("bogus", "bogus"),
            ("a b", "'a b'"),
            ("", "''"),
            ("a\n\x1b[31m", r"'a\n\x1b[31m'"),
        ):
            self.assertEqual(
                self.complaint_of(command, ENDPOINT, "--name", "al"),
                f"chatd: unrecognized command {told}; see chatd --help\n",
            )

    def test_missing_arguments(self):
        """The error names missing arguments as the help does, in capitals."""
        _, *commands = commands_of(_parser())
        tried = set()
        for command in commands:
            needed = [each for each in command.positionals if not each.is_optional]
            names = ", ".join(each.metavar for each in needed)
            self.assertEqual(names, names.upper())
            if needed:
                tried.add(command.name)
                self.assertIn(f" are required: {names};", self.complaint_of(command.name))
        self.assertLessEqual({"completion", "connect", "manual"}, tried)

    def test_choices(self):
        """The error about a wrong choice lists all choices, and so does the help."""
        for command, name, choices in (
            ("completion", "SHELL", ("bash", "zsh", "fish")),
            ("manual", "PAGE", ("chatd.1", "chatd.8")),
        ):
            complaint = self.complaint_of(command, "bogus")
            self.assertIn(f"argument {name}: invalid choice: 'bogus' (choose from ", complaint)
            _, help, _ = self.run_command(command, "--help")
            for each in choices:
                self.assertIn(each, complaint)
                self.assertRegex(help, rf"(?m)^  {name} .*{each}")

    def test_values(self):
        """The error names an option without its value, and a flag that has one."""
        self.assertIn(
            "argument --name: expected one argument", self.complaint_of("connect", "--name")
        )
        self.assertIn(
            "connect: --json takes no value;", self.complaint_of("connect", ENDPOINT, "--json=yes")
        )

    def test_missing_value(self):
        """The error names the option without a value, wherever it stands, in each command."""
        _, *commands = commands_of(_parser())
        tried = set()
        for command in commands:
            arguments = [each.choices[0] if each.choices else "x" for each in command.positionals]
            for option in command.options:
                if option.takes is Takes.NOTHING:
                    continue
                name = option.names[-1]
                tried.add((command.name, name))
                for given in (
                    [name],
                    [*arguments, name],
                    [name, "--", *arguments],
                    [name, name, "x", *arguments],
                ):
                    self.assertEqual(
                        self.complaint_of(command.name, *given),
                        f"chatd {command.name}: argument {name}: expected one argument; "
                        f"see chatd {command.name} --help\n",
                    )
        self.assertLessEqual({("connect", "--name"), ("invite", "--room")}, tried)

    def test_help(self):
        """With an unknown option beside `--help`, the help is printed."""
        for option in ("-h", "--help"):
            status, output, complaint = self.run_command("passwd", "--bogus", option)
            self.assertEqual((status, complaint), (Status.DONE, ""))
            self.assertIn("--delete", output)
