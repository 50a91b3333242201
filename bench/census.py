"""What a soaked daemon tells of what it holds."""

from __future__ import annotations

import msgspec

__all__ = ["FILE", "Census"]

FILE = "census.jsonl"
"""The file in the daemon's directory to which it adds a line each time it is asked."""


class Census(msgspec.Struct, frozen=True, kw_only=True):
    """What a daemon holds, when what nobody uses was given back.

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
