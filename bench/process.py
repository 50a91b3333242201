"""The CPU time, memory, open files and cores of a process (Linux)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

__all__ = ["MIB", "PeakWatch", "apart", "cpu_seconds", "open_descriptors", "resident_bytes"]

MIB = 1024 * 1024
_NANOSECONDS = 1_000_000_000
_LOOK_S = 0.02


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all living threads of a process, in seconds.

    `schedstat` counts nanoseconds, `stat` only ticks of 10 ms.
    """
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):  # the thread ended meanwhile
            continue
    return total / _NANOSECONDS


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def open_descriptors(pid: int) -> int:
    """Return the number of open files and sockets of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


class PeakWatch:
    """Watches the memory of a process; a context manager.

    Args:
        pid: The process.

    Attributes:
        peak_bytes: The largest resident memory seen, in bytes.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._is_over = Event()
        self._thread = Thread(target=self._look_on, daemon=True)
        self.peak_bytes = resident_bytes(pid)

    def __enter__(self) -> PeakWatch:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _look_on(self) -> None:
        while not self._is_over.wait(_LOOK_S):
            try:
                self.peak_bytes = max(self.peak_bytes, resident_bytes(self._pid))
            except (FileNotFoundError, ProcessLookupError):  # the process has ended
                return


@contextmanager
def apart(pids: Sequence[int]) -> Iterator[None]:
    """Pin some processes to one core and this process to the others, within the context.

    The system itself sometimes puts two processes that take turns on one core, which then never
    sleeps: the figures would have two peaks.
    """
    cores = sorted(os.sched_getaffinity(0))
    for pid in pids:
        os.sched_setaffinity(pid, cores[:1])
    os.sched_setaffinity(0, cores[1:] or cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
