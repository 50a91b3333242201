"""`Counts`: the figures that a soaked daemon counts itself."""

from __future__ import annotations

import msgspec

__all__ = ["FILE", "Counts"]

FILE = "counts.jsonl"
"""The file in the daemon's directory to which it adds a line for each SIGUSR1."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """The number of objects in a daemon, by kind, after a garbage collection.

    Attributes:
        timers: The reactor's delayed calls.
        loops: The running `LoopingCall`s.
        readers: The descriptors that the reactor reads.
        sessions: The established sessions.
        protocols: The protocol objects of connections, closed connections included.
        rooms: The room objects.
        deferreds: The `Deferred`s.
        objects: All objects that the garbage collector tracks.
    """

    timers: int
    loops: int
    readers: int
    sessions: int
    protocols: int
    rooms: int
    deferreds: int
    objects: int
