"""Calls functions when the tests of this process are over, whichever program runs them."""

from __future__ import annotations

import atexit
from contextlib import ExitStack

__all__ = ["at_end", "end"]

_stack = ExitStack()

at_end = _stack.callback
"""Calls a function when the tests are over, even if another such function fails."""
end = atexit.register(_stack.close)
"""Makes the calls; pytest's workers must do so at their end, because they skip `atexit`."""
