"""The options on a command line."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.config.optionnames import CommandLine, is_option, meant, unrecognized

TAKES_VALUE = {
    "-h": False,
    "--help": False,
    "-k": True,
    "--key-file": True,
    "--keep-days": True,
    "--keep-bytes": True,
}


class CommandLineTests(SynchronousTestCase):
    """Sorting the arguments of a command."""

    def check(self, text: str, *parts: str, lacking: str = "", any_value: bool = False) -> None:
        """Sort the words of a text, and compare the parts, each a text of words."""
        line = CommandLine.of(text.split(), TAKES_VALUE, any_value=any_value)
        found = (line.options, line.others, line.unknown, line.excess, line.lacking)
        self.assertEqual(found, tuple(each.split() for each in (*parts, lacking)), text)

    def test_order(self) -> None:
        """An option and its value may stand anywhere."""
        for text, options in (
            ("-k f a b", "-k f"),
            ("a -k f b", "-k f"),
            ("a b -kf", "-kf"),
            ("a --key-file f b -h", "--key-file f -h"),
            ("a --key-file=f b", "--key-file=f"),
        ):
            self.check(text, options, "a b", "", "")

    def test_others(self) -> None:
        """A dash, a negative number and all behind `--` are no options."""
        self.check("- -5 -.5 -- -h -- --bogus", "", "- -5 -.5 -h -- --bogus", "", "")

    def test_unknown(self) -> None:
        """Unknown options are named without their values."""
        self.check("a --bogus=1 -x --keep 3", "", "a 3", "--bogus -x --keep", "")

    def test_excess(self) -> None:
        """An option that takes no value may not have a value."""
        self.check("--help=1 a", "--help=1", "a", "", "--help")

    def test_missing_value(self) -> None:
        """An option and `--` are no values, unless any value is allowed."""
        lacking = "--key-file"
        self.check("--key-file -h", "--key-file -h", "", "", "", lacking=lacking)
        self.check("--key-file -x", "--key-file", "", "-x", "", lacking=lacking)
        self.check("--key-file -- x", "--key-file", "x", "", "", lacking=lacking)
        self.check("--key-file -x -h", "--key-file -x -h", "", "", "", any_value=True)
        self.check("--key-file -- x", "--key-file --", "x", "", "", any_value=True)

    def test_missing_value_at_the_end(self) -> None:
        """The last option lacks its value, also behind arguments."""
        self.check("--key-file", "--key-file", "", "", "", lacking="--key-file")
        self.check("a b -k", "-k", "a b", "", "", lacking="-k", any_value=True)
        self.check("a --key-file=", "--key-file=", "a", "", "")

    def test_like_options(self) -> None:
        """An argument looks like an option if a name follows its dashes."""
        self.assertTrue(all(map(is_option, ("-x", "--x", "-5s", "--5"))))
        self.assertFalse(any(map(is_option, ("", "-", "--", "x", "-5", "-0.5"))))


class MeantTests(SynchronousTestCase):
    """The options that were probably meant."""

    def test_shortened(self) -> None:
        """A shortened name is each option that begins with it."""
        self.assertEqual(meant("--keep", TAKES_VALUE), ["--keep-bytes", "--keep-days"])
        self.assertEqual(meant("--key", TAKES_VALUE), ["--key-file"])
        self.assertEqual(meant("-help", TAKES_VALUE), ["--help"])

    def test_mistyped(self) -> None:
        """A mistyped name is the option most like it, if there is a similar option."""
        for name in ("--keep-dayz", "--kep-days", "--keepdays", "--keep_days", "--KEEP-DAYS"):
            self.assertEqual(meant(name, TAKES_VALUE), ["--keep-days"], name)
        for name in ("--zzz", "--", "-z", "--kind", "--pidfile"):
            self.assertEqual(meant(name, TAKES_VALUE), [], name)

    def test_text(self) -> None:
        """The text names all unknown options, and all that were probably meant."""
        for unknown, text in (
            (["--zzz"], "unrecognized option --zzz"),
            (["--zzz", "-q"], "unrecognized options --zzz, -q"),
            (["--z\n\x1bz"], r"unrecognized option '--z\n\x1bz'"),
            (["--hlp"], "unrecognized option --hlp (did you mean --help?)"),
            (
                ["--ke"],
                "unrecognized option --ke (did you mean --keep-bytes, --keep-days or --key-file?)",
            ),
            (["--hlp", "--hep"], "unrecognized options --hlp, --hep (did you mean --help?)"),
        ):
            self.assertEqual(unrecognized(unknown, TAKES_VALUE), text)
