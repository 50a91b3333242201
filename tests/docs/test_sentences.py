"""The sentences of the documents, the changelog's fragments and the help: plain English."""

import re

from twisted.trial.unittest import SynchronousTestCase

from tests.docs.pages import ROOT, page, page_names

_CLAUSE = re.compile(r"(?:What|Who|Whoever|Whatever|Whichever)\b")
_BLOCK = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_MARKS = re.compile(r"^(?:[-*>|#\d.:!{}]+ )*[*_\"“(]*")


def sentences(text):
    """Return the sentences of a Markdown text that end with a full stop."""
    prose = re.sub(r"`[^`]+`", "CODE", _BLOCK.sub("", text))
    parts = re.split(r"\n\s*\n|\n(?=\s*(?:[-*] |\d+\. |\|))|\|", prose)
    words = (" ".join(part.split()) for part in parts)
    found = [each for part in words for each in re.split(r"(?<=[.?!:])\*{0,2} ", part)]
    return [_MARKS.sub("", each) for each in found if each.rstrip('*_)”"').endswith(".")]


class ClausesTests(SynchronousTestCase):
    def test_finder(self):
        """The test finds a clause as a subject, and no question, title, answer or name of code."""
        found = (
            "What people say is text.",
            "- *Whoever holds\n  it reads.*",
            "It is so. **Who has it reads.**",
        )
        for text in found:
            self.assertTrue([each for each in sentences(text) if _CLAUSE.match(each)], text)
        for text in (
            "# What it is\n\nA page.",
            "What is it?",
            "`What` is a class.",
            "| What | x |",
        ):
            self.assertFalse([each for each in sentences(text) if _CLAUSE.match(each)], text)

    def test_subjects(self):
        """No sentence has a clause such as "who has the key" for its subject."""
        fragments = sorted((ROOT / "changelog.d").glob("*.md"))
        names = [*page_names(), *(str(each.relative_to(ROOT)) for each in fragments)]
        self.assertGreater(len(names), 30)
        faults = [
            f"{name}: {each}"
            for name in names
            for each in sentences(page(name))
            if _CLAUSE.match(each)
        ]
        self.assertEqual(faults, [])
