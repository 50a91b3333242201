"""Times of day, and the line that tells of another day."""

import os
import time

from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.days import Days, date_and_time, seconds_to_midnight, time_of_day

NOON = 1_743_246_000.0
"""Noon of 29 March 2025 in Berlin, the day before clocks changed."""
HOUR = 3_600


class DaysTests(SynchronousTestCase):
    def setUp(self):
        self.addCleanup(self.set_zone, os.environ.get("TZ"))
        self.set_zone("CET-1CEST,M3.5.0,M10.5.0/3")

    def set_zone(self, zone):
        os.environ.pop("TZ", None)
        if zone is not None:
            os.environ["TZ"] = zone
        time.tzset()

    def test_line(self):
        """A new day shows its date once, even if it is an earlier day."""
        days = Days(NOON)
        self.assertIsNone(days.line_before(NOON + 11 * HOUR))
        self.assertEqual(days.line_before(NOON + 12 * HOUR), "-- Sun, 30 Mar 2025 --")
        self.assertIsNone(days.line_before(NOON + 13 * HOUR))
        self.assertEqual(days.line_before(NOON), "-- Sat, 29 Mar 2025 --")

    def test_no_calendar(self):
        """A time that no calendar has is of no other day."""
        self.assertIsNone(Days(NOON).line_before(1e300))
        self.assertEqual(time_of_day(1e300), "--:--")
        self.assertEqual(time_of_day(NOON), "12:00")

    def test_date_and_time(self):
        """A time has its date; beside a time of today, only if it is of another day."""
        self.assertEqual(date_and_time(NOON), "2025-03-29 12:00")
        self.assertEqual(date_and_time(NOON, today=NOON + 12 * HOUR - 1), "12:00")
        for today in (NOON + 12 * HOUR, NOON - 24 * HOUR):
            self.assertEqual(date_and_time(NOON, today=today), "2025-03-29 12:00")
        self.assertEqual(date_and_time(1e300, today=NOON), "an unknown date")

    def test_midnight(self):
        """Midnight comes when the local day ends, also on a day of 23 hours."""
        self.assertEqual(seconds_to_midnight(NOON), 12 * HOUR)
        self.assertEqual(seconds_to_midnight(NOON + 12 * HOUR), 23 * HOUR)
        self.assertEqual(seconds_to_midnight(NOON + 12 * HOUR - 1), 1)
