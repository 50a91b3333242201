"""Tests that the page on security and the list of defences agree, and that both are complete."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.defences.claims import DEFENCES, claims_table
from tests.docs.promises import missing

ROOT = Path(__file__).parent.parent


class ClaimsTests(SynchronousTestCase):
    """``python -m tests.defences`` removes the defences; these tests check that it can."""

    def test_table(self) -> None:
        """The page has each claim with its test, and no other claims."""
        _, _, table = (ROOT / "docs/explanation/security.md").read_text().partition("hold them\n\n")
        self.assertEqual(table, claims_table())

    def test_defences(self) -> None:
        """The code of each defence is in its file, once."""
        for each in DEFENCES:
            self.assertEqual((ROOT / each.path).read_text().count(each.before), 1, each.claim)
            self.assertNotEqual(each.before, each.after)

    def test_tests(self) -> None:
        """The test of each defence exists."""
        self.assertEqual(missing(each.test for each in DEFENCES), [])

    def test_each_once(self) -> None:
        """No claim is repeated."""
        claims = [each.claim for each in DEFENCES]
        self.assertEqual(len(set(claims)), len(claims))
