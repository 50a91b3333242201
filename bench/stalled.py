"""The delay of messages in a room with a member that does not read."""

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
"""Number of reading members in each of the two rooms."""
LENGTH = 64 * 1024
"""Length of a message, in bytes."""
BATCH = 256
"""Number of messages for each stalled member, too few to disconnect it; then another joins."""
STALLING, CALM = 0, 1
"""The room with a member that does not read, and the room without."""


@dataclass(frozen=True)
class _Scene:
    """Two rooms of one server.

    Attributes:
        peer: The kind of server.
        server: The server.
        crowd: The reading members.
    """

    peer: Peer
    server: Server
    crowd: Crowd

    def latencies_s(self, room: int, messages: int) -> tuple[float, ...]:
        """Send messages one at a time, each after all reading members have the previous message."""
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
        """Add another member that does not read to the stalling room."""
        link = stack.enter_context(connect(self.server.host, self.server.port))
        line = self.peer.line(link, f"stalled{number}", f"#r{STALLING}", key=self.server.key)
        line.join()


def stalled(peers: Sequence[Peer], effort: Effort, note: Note) -> Figures:
    """Send messages of 64 KiB to a room with a member that does not read, and to one without."""
    figures: Figures = {}
    # No events about joins: they would be counted as messages.
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
