"""Manual pages in roff."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.roff import Item, Page, Section, bold, italic, page_text, plain_text


class RoffTests(SynchronousTestCase):
    def test_plain_text(self):
        """Text stays unchanged: backslashes, hyphens, and a dot or quote at a line's start."""
        for text, escaped in (
            ("a-b", r"a\-b"),
            ("\\n", r"\en"),
            (".sh x", r"\&.sh x"),
            ("'exit'", r"\&'exit'"),
            (f"{'x' * 72} .y", f"{'x' * 72}\n\\&.y"),
            ("", ""),
        ):
            self.assertEqual(plain_text(text), escaped)

    def test_page(self):
        """A page has a heading and sections of paragraphs and items."""
        sections = [
            Section("NAME", ["one", "two"]),
            Section("OPTIONS", [Item(f"{bold('-x')} {italic('Y')}", "text")]),
        ]
        self.assertEqual(
            page_text(Page("tool", 1, "tool 1-0", sections)).splitlines(),
            [
                r'.TH "TOOL" "1" "" "tool 1\-0"',
                ".nh",
                ".ad l",
                '.SH "NAME"',
                "one",
                ".PP",
                "two",
                '.SH "OPTIONS"',
                ".TP",
                r"\fB\-x\fR \fIY\fR",
                "text",
            ],
        )
