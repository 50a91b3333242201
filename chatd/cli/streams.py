"""The standard streams of a command, whatever they lead to: a full disk, a closed pipe, nowhere."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TextIO

from chatd.cli.display import plain
from chatd.config.ownfile import why

__all__ = ["complain", "flush_standard_streams", "open_standard_streams", "tell", "write"]


def open_standard_streams() -> None:
    """Make the three standard streams bear whatever comes.

    Those that are closed get a descriptor that leads nowhere: otherwise the next file or socket
    that is opened would be taken for one of them.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
    if sys.stdout is None:
        sys.stdout = _lead_to(1)
    if sys.stderr is None:  # or else what is printed there would go to standard output
        sys.stderr = _lead_to(2)
    if isinstance(sys.stdout, io.TextIOWrapper):  # whose encoding may not have every character
        sys.stdout.reconfigure(errors="replace")


def tell(text: str, end: str = "\n") -> bool:
    """Write to standard output what the command has to say.

    Where it cannot be written, that is told in one line on standard error; not where a reader like
    `head` has gone, who wanted no more.

    Returns:
        Whether it was written, or nobody wanted it.
    """
    error = write(sys.stdout, text + end)
    if error is None or error.errno == errno.EPIPE:
        return True
    complain(f"cannot write to standard output: {why(error)}")
    return False


def complain(text: str) -> None:
    """Write one line of what went wrong to standard error, if it can be written there."""
    write(sys.stderr, f"chatd: {plain(text)}\n")


def flush_standard_streams() -> None:
    """Write out what others have printed, so that Python does not fail to at its own end."""
    for stream in (sys.stdout, sys.stderr):
        write(stream, "")


def write(stream: TextIO, text: str) -> OSError | None:
    """Write text at once; where that fails, return why, and write nothing there any more."""
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # what is still buffered is written at the end
        os.close(nowhere)
        return error
    return None


def _lead_to(descriptor: int) -> TextIO:
    return open(descriptor, "w", encoding="utf-8", errors="replace", closefd=False)
