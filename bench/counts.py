"""What a soaked daemon counts of itself."""

from __future__ import annotations

import msgspec

__all__ = ["FILE", "Counts"]

FILE = "counts.jsonl"
"""The file in its directory to which the daemon adds a line each time it is asked."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What a daemon holds, after a garbage collection.

    Attributes:
        timers: How many calls the reactor is to make later.
        loops: How many `LoopingCall`s run.
        readers: How many descriptors the reactor listens to.
        sessions: How many sessions are established.
        protocols: How many connections there are objects of, closed or not.
        rooms: How many rooms somebody is in, or something holds.
        deferreds: How many `Deferred`s there are.
        objects: How many objects the garbage collector knows.
    """

    timers: int
    loops: int
    readers: int
    sessions: int
    protocols: int
    rooms: int
    deferreds: int
    objects: int
