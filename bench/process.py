"""What the operating system knows of a process: its CPU time and its memory (Linux)."""

from __future__ import annotations

from pathlib import Path

__all__ = ["cpu_seconds", "resident_bytes"]

_NANOSECONDS = 1_000_000_000


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process that live now, in seconds.

    `schedstat` counts nanoseconds, where `stat` counts ticks of 10 ms.
    """
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):  # the thread ended meanwhile
            continue
    return total / _NANOSECONDS


def resident_bytes(pid: int) -> int:
    """Return how much memory a process holds, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)
