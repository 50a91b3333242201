"""Suspending the client, as Ctrl+Z does with other programs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

__all__ = ["LONG_S", "suspend"]

LONG_S = 10.0
"""Time after which the person is told that the server may have given up, in seconds."""


def suspend(seconds: Callable[[], float], tell: Callable[[str], None]) -> None:
    """Stop the processes of the pipeline, and return when they go on.

    A suspended client answers no heartbeat, so the server ends its session after a while.

    Args:
        seconds: Returns the time, in seconds.
        tell: Tells the person of a long time.
    """
    began = seconds()
    os.kill(0, signal.SIGTSTP)  # the whole pipeline
    lasted = seconds() - began
    if lasted >= LONG_S:
        tell(f"the client was suspended for {lasted:.0f} seconds; the session may have ended")
