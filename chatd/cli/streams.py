"""The standard streams of a command, which may be closed, a broken pipe or a full disk."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TextIO

from chatd.cli.printable import plain
from chatd.config.ownfile import why

__all__ = ["complain", "flush_standard_streams", "open_standard_streams", "tell", "write"]


def open_standard_streams() -> None:
    """Make the three standard streams usable, in any state.

    A closed stream gets a descriptor of /dev/null. Otherwise the next file or socket would get its
    number, and the stream's output.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
    if sys.stdout is None:
        sys.stdout = _lead_to(1)
    if sys.stderr is None:  # otherwise print() would write to standard output
        sys.stderr = _lead_to(2)
    if isinstance(sys.stdout, io.TextIOWrapper):  # its encoding may lack characters
        sys.stdout.reconfigure(errors="replace")


def tell(text: str, end: str = "\n") -> bool:
    """Write text to standard output.

    If that fails, standard error gets one line about it, unless the reader of a pipe has gone, as
    `head` does when it has enough.

    Returns:
        Whether the text was written, or the reader has gone.
    """
    error = write(sys.stdout, text + end)
    if error is None or error.errno == errno.EPIPE:
        return True
    complain(f"cannot write to standard output: {why(error)}")
    return False


def complain(text: str) -> None:
    """Write an error to standard error, one line; ignore a failure to write it."""
    write(sys.stderr, f"chatd: {plain(text)}\n")


def flush_standard_streams() -> None:
    """Write the output that is still buffered, so that Python does not fail to at its exit."""
    for stream in (sys.stdout, sys.stderr):
        write(stream, "")


def write(stream: TextIO, text: str) -> OSError | None:
    """Write text at once; if that fails, return the error, and discard all later output."""
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # Python writes the buffered rest at exit
        os.close(nowhere)
        return error
    return None


def _lead_to(descriptor: int) -> TextIO:
    return open(descriptor, "w", encoding="utf-8", errors="replace", closefd=False)
