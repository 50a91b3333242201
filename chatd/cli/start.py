"""The entry of the `chatd` command: from here on, Ctrl+C ends it without a traceback."""

from __future__ import annotations

import os
import signal

__all__ = ["main"]


def main() -> int:
    """Run the `chatd` command, and return its exit status.

    Its imports take some tenths of a second. Python would answer SIGINT there with a traceback.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
        signal.signal(signal.SIGINT, lambda *_: os._exit(128 + signal.SIGINT))
    from chatd.cli.main import main as run  # noqa: PLC0415  (see above)

    return run()
