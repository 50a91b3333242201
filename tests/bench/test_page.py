"""`python -m bench.page`: its options, what it says without Chromium, and one short run."""

import contextlib
import importlib.util
import io
import os
import re
import shutil
from unittest import SkipTest
from unittest.mock import patch

import pytest
from twisted.trial.unittest import SynchronousTestCase

from bench import page


class PageTests(SynchronousTestCase):
    def run_page(self, *arguments):
        """Run the program; return its status, its output and its errors."""
        told, complaints = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(complaints):
            status = page.main(arguments)
        return status, told.getvalue(), complaints.getvalue()

    def test_missing(self):
        """Without Chromium or Selenium, it says in one line what it needs."""
        with patch.object(shutil, "which", lambda _: None):
            status, told, complaint = self.run_page()
        self.assertEqual((status, told, complaint.count("\n")), (1, "", 1))
        self.assertIn("the page is not measured: it needs ", complaint)
        with patch.object(importlib.util, "find_spec", lambda _: None):
            self.assertIn("Selenium", self.run_page()[2])

    def test_numbers(self):
        """It refuses a number below 1."""
        complaints = io.StringIO()
        with contextlib.redirect_stderr(complaints), pytest.raises(SystemExit) as caught:
            page.main(["--keys", "0"])
        self.assertEqual(caught.value.code, 2)
        self.assertIn("each number is at least 1", complaints.getvalue())

    def test_run(self):
        """It loads the page and presses keys as often as it is told, and prints the times."""
        if (missing := page.missing_tools()) is not None:
            self.assertNotEqual(os.environ.get("CHATD_TOOLS"), "all", f"needs {missing}")
            raise SkipTest(f"needs {missing}")
        status, told, complaint = self.run_page("--loads", "2", "--keys", "3", "--rate", "100")
        self.assertEqual((status, complaint), (0, ""))
        counts = re.findall(r"(?m)^[a-z].+? {2,}(\d+)(?: +[\d.]+){3}$", told)
        self.assertEqual(counts, ["2", "2", "3", "3"])
