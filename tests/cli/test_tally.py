"""Counting lines that were sent and confirmed."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.tally import Tally


def tally_of(*, sent=(), confirmed=(), refused=(), passed=()):
    """Return a tally after some lines of 10 bytes."""
    tally = Tally()
    for number in sorted({*sent, *passed}):
        if number in passed:
            tally.pass_over(number)
        else:
            tally.sent(number, 10)
    for number in confirmed:
        tally.answered(number, is_confirmed=True)
    for number in refused:
        tally.answered(number, is_confirmed=False)
    return tally


class TallyTests(SynchronousTestCase):
    def test_waiting(self):
        """The lines and bytes without an answer wait."""
        tally = tally_of(sent=range(1, 6), confirmed=[1, 2], refused=[3])
        self.assertEqual((tally.waiting, tally.waiting_bytes, tally.confirmed), (2, 20, 2))

    def test_reports(self):
        """A report has the confirmed lines, the lines that may have arrived, and the next line."""
        for tally, has_more, expected in (
            (Tally(), True, "no line is confirmed, the next is line 1"),
            (tally_of(sent=[1], confirmed=[1]), True, "1 line is confirmed, the next is line 2"),
            (
                tally_of(sent=range(1, 6), confirmed=[1, 2]),
                True,
                "2 lines are confirmed, lines 3-5 were sent but not confirmed, the next is line 6",
            ),
            (
                tally_of(sent=[1, 2], confirmed=[1]),
                False,
                "1 line is confirmed, line 2 was sent but not confirmed, no other line is left",
            ),
            (
                tally_of(sent=range(1, 9), refused=[2], confirmed=[1, 5], passed=[9]),
                True,
                "2 lines are confirmed, lines 3-4, 6-8 were sent but not confirmed, "
                "the next is line 10",
            ),
        ):
            self.assertEqual(tally.report(has_more=has_more), expected)

    def test_many_ranges(self):
        """A report stays short, with any number of gaps."""
        tally = tally_of(sent=range(1, 1_000), confirmed=range(2, 1_000, 2))
        self.assertIn(
            "lines 1, 3, 5, 7, 9, 11, 13, some of 15-999 were sent", tally.report(has_more=False)
        )
