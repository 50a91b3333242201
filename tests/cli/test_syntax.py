"""The commands and options of a parser."""

import argparse

from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.syntax import Argument, Takes, commands_of


def parser_with_all():
    """Return a parser with each kind of option and argument."""
    parser = argparse.ArgumentParser(prog="tool", description="A tool.", add_help=False)
    parser.add_argument("--version", action="version", version="1", help="print the version")
    commands = parser.add_subparsers()
    talk = commands.add_parser("talk", help="talk", description="Talk.", add_help=False)
    talk.add_argument("endpoint", metavar="ENDPOINT", help="the server")
    talk.add_argument("level", choices=["low", "high"], nargs="?")
    talk.add_argument("-k", "--key-file", metavar="FILE", help="the key")
    talk.add_argument("--room", action="append", help="a room")
    return parser


class SyntaxTests(SynchronousTestCase):
    def test_commands(self):
        """The program comes first, then its commands with their texts."""
        program, talk = commands_of(parser_with_all())
        self.assertEqual((program.name, program.description), ("", "A tool."))
        self.assertEqual((talk.name, talk.help, talk.description), ("talk", "talk", "Talk."))

    def test_arguments(self):
        """Each option and argument has its names, its value and its text."""
        program, talk = commands_of(parser_with_all())
        self.assertEqual(
            program.arguments,
            (Argument(("--version",), "", "print the version", Takes.NOTHING),),
        )
        self.assertEqual(
            talk.options,
            (
                Argument(("-k", "--key-file"), "FILE", "the key", Takes.FILE),
                Argument(("--room",), "ROOM", "a room", Takes.TEXT, is_repeatable=True),
            ),
        )
        self.assertEqual(
            talk.positionals,
            (
                Argument((), "ENDPOINT", "the server", Takes.PROFILE),
                Argument((), "low|high", "", Takes.CHOICE, ("low", "high"), is_optional=True),
            ),
        )
