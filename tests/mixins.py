"""The base of cases that are mixed into test cases: to mypy a test case, to the runners nothing.

As a test case of its own, such a case would be run without what it is mixed into.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["CaseMixin"]

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as CaseMixin
else:

    class CaseMixin:
        """Has no tests, and is no test case."""
