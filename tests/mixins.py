"""The base class of mixins for test cases: for mypy a test case, for the runners a plain class.

If it were a test case at run time, the runners would run each mixin by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["CaseMixin"]

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as CaseMixin
else:

    class CaseMixin:
        """An empty base, which is not a test case."""
