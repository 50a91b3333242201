"""A member that does not read, and how long the others in its room wait for each message."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

from bench.dialects.base import connect, payload
from bench.figures import Effort, Figures, Note, add
from bench.load import Crowd, round_trips
from bench.peers import Peer, Server, prepare_chatd, running
from bench.probe import summarize
from bench.process import MIB, PeakWatch, apart, resident_bytes

__all__ = ["stalled"]

MEMBERS = 20
"""How many read, in each of the two rooms."""
LENGTH = 64 * 1024
"""How long a message is, in bytes."""
BATCH = 256
"""How many are said past a member: it is cut off only after some more, and another follows it."""
STALLING, CALM = 0, 1
"""The room in which a member does not read, and the one in which all do."""


@dataclass(frozen=True)
class _Scene:
    """Two rooms of one server.

    Attributes:
        peer: What the server is.
        server: The server.
        crowd: Who reads.
    """

    peer: Peer
    server: Server
    crowd: Crowd

    def latencies_s(self, room: int, messages: int) -> tuple[float, ...]:
        """Say messages one at a time, each when everyone who reads has the one before it."""
        sample = round_trips(
            self.crowd,
            self.server.pid,
            messages=messages,
            content=payload(LENGTH),
            room=room,
            for_all=True,
        )
        return sample.latencies_s

    def add_stalled(self, number: int, stack: ExitStack) -> None:
        """Let one more into the stalling room that will not read."""
        link = stack.enter_context(connect(self.server.host, self.server.port))
        line = self.peer.line(link, f"stalled{number}", f"#r{STALLING}", key=self.server.key)
        line.join()


def stalled(peers: Sequence[Peer], effort: Effort, note: Note) -> Figures:
    """Say messages of 64 KiB past a member that does not read, and where all read."""
    figures: Figures = {}
    # Who comes and goes is not told: it would be counted as a message.
    prepare = partial(prepare_chatd, options=("--presence-limit", "0"))
    for peer in peers:
        with running(replace(peer, prepare=prepare)) as server, ExitStack() as stack:
            crowd = Crowd(
                peer.line, server.host, server.port, key=server.key, rooms=2, members=MEMBERS
            )
            stack.callback(crowd.close)
            stack.enter_context(apart([server.pid]))
            scene = _Scene(peer, server, crowd)
            for room in (STALLING, CALM):  # until their histories are full
                scene.latencies_s(room, min(BATCH, effort.past))
            for _ in range(effort.rounds):
                for quantity, figure in _round(scene, effort.past).items():
                    add(figures, quantity, peer, figure)
    return figures


def _round(scene: _Scene, messages: int) -> dict[str, float]:
    before = resident_bytes(scene.server.pid)
    beside: list[float] = []
    without: list[float] = []
    with ExitStack() as stack, PeakWatch(scene.server.pid) as watch:
        for first in range(0, messages, BATCH):
            count = min(BATCH, messages - first)
            scene.add_stalled(first, stack)
            beside += scene.latencies_s(STALLING, count)
            without += scene.latencies_s(CALM, count)
    p99, p99_without = summarize(beside).p99, summarize(without).p99
    return {
        "p99": p99,
        "p99, without it": p99_without,
        "p99 / without it": p99 / p99_without,
        "growth": (watch.peak_bytes - before) / MIB,
    }
