"""Tests that `bench.receipts` finds confirmed messages that the history lacks or misplaces."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from bench.receipts import Findings, Ledger, Receipt, compare

HISTORY = [Receipt("r", seq, f"m{seq}") for seq in range(1, 6)] + [Receipt("s", 1, "m1")]


class CompareTests(SynchronousTestCase):
    """The history must hold each confirmed message once, at its place, without gaps."""

    def found(self, history: list[Receipt], receipts: list[Receipt] = HISTORY) -> Findings:
        return compare(receipts, history)

    def test_all_well(self) -> None:
        """A complete history has no faults; it may hold messages without a receipt."""
        none = Findings(missing=0, duplicates=0, misplaced=0, gaps=0)
        self.assertEqual(self.found(HISTORY), none)
        self.assertEqual(self.found([*HISTORY, Receipt("r", 6, "m6")]), none)

    def test_missing(self) -> None:
        """A confirmed message that the history lacks is missing, and leaves a gap."""
        found = self.found(HISTORY[:2] + HISTORY[3:])
        self.assertEqual((found.missing, found.gaps), (1, 1))

    def test_missing_at_the_end(self) -> None:
        """At the end it leaves no gap, but is missing too."""
        found = self.found(HISTORY[:4] + HISTORY[5:])
        self.assertEqual((found.missing, found.gaps), (1, 0))

    def test_duplicate(self) -> None:
        """The ledger finds a message that is there twice."""
        self.assertEqual(self.found([*HISTORY, Receipt("r", 6, "m5")]).duplicates, 1)

    def test_misplaced(self) -> None:
        """The bench finds a message at another place than its receipt says."""
        moved = [*HISTORY[:4], Receipt("r", 6, "m5"), Receipt("r", 5, "m6"), HISTORY[5]]
        self.assertEqual(self.found(moved).misplaced, 1)

    def test_two_at_a_place(self) -> None:
        """The bench finds two messages at the same place."""
        self.assertEqual(self.found([*HISTORY, Receipt("r", 5, "other")]).gaps, 1)


class LedgerTests(SynchronousTestCase):
    """The ledger counts the clients' notes."""

    def test_notes(self) -> None:
        """The ledger keeps receipts, and counts ends and refusals by kind."""
        ledger = Ledger()
        ledger.confirm(HISTORY[0])
        for end in ("left", "left", "died"):
            ledger.session_ended(end)
        ledger.refused("not-stored")
        self.assertEqual(ledger.receipts, HISTORY[:1])
        self.assertEqual((ledger.ends["left"], ledger.ends["died"]), (2, 1))
        self.assertEqual(ledger.refusals["not-stored"], 1)
