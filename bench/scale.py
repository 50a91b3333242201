"""Several daemons of one chat on one Redis, beside a daemon that keeps its messages in memory.

Redis writes each change to disk before it answers (`appendfsync always`). A speaker is in a room
and hears itself. With two daemons, a member at the other daemon hears it too, and a message has
arrived when both have it. So with two daemons, a latency is the time from one daemon to the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench.dialects.base import PAYLOAD_BYTES, payload
from bench.figures import Effort, Figures, Note, add
from bench.load import Crowd, Sample, round_trips
from bench.peers import PEERS, Launch, Peer, Server, prepare_chatd, running
from bench.pipelined import pipelined
from bench.probe import summarize
from bench.process import apart, cpu_seconds
from bench.targets import Measure, Target
from chatd.config.keyfile import load_key, write_key_file

__all__ = ["SCALE", "scale"]

DAEMONS = {"chatd": 1, "chatd-redis": 1, "chatd-redis-two": 2}
"""The number of daemons of each peer."""
IN_MEMORY = "chatd"
"""The peer without Redis."""


@dataclass(frozen=True)
class _Chat:
    """The daemons of one chat, and the clients.

    Attributes:
        peer: The kind of chat.
        daemons: The daemons; the speaker is at the first daemon.
        redis: The Redis of the daemons, if they have one.
        crowd: The speaker, and a member at each other daemon.
    """

    peer: Peer
    daemons: Sequence[Server]
    redis: Server | None
    crowd: Crowd

    @property
    def processes(self) -> dict[str, int]:
        """The processes by the names of their figures."""
        names = "daemon CPU", "other daemon CPU"
        found = {name: each.pid for name, each in zip(names, self.daemons, strict=False)}
        return found if self.redis is None else {**found, "Redis CPU": self.redis.pid}

    def cost_us(self, run: Callable[[], Sample]) -> tuple[Sample, dict[str, float]]:
        """Run, and return the CPU time of each process, in microseconds a message."""
        before = {name: cpu_seconds(pid) for name, pid in self.processes.items()}
        sample = run()
        return sample, {
            name: 1e6 * (cpu_seconds(pid) - before[name]) / sample.messages
            for name, pid in self.processes.items()
        }

    def one_at_a_time(self, messages: int) -> Sample:
        """Send messages, each after every member has the previous message."""
        return round_trips(
            self.crowd,
            self.daemons[0].pid,
            messages=messages,
            content=payload(PAYLOAD_BYTES),
            for_all=True,
        )


def scale(peers: Sequence[Peer], effort: Effort, note: Note) -> Figures:
    """Send messages as fast as they arrive, and then one at a time."""
    figures: Figures = {}
    with ExitStack() as stack:
        chats = [stack.enter_context(_chat(peer)) for peer in peers]
        runs = [pipelined(chat.crowd, chat.daemons[0].pid, effort.seconds) for chat in chats]
        for _ in range(effort.rounds):
            in_memory_us = None
            for chat, run in zip(chats, runs, strict=True):
                sample, costs_us = chat.cost_us(run)
                add(figures, "messages/s", chat.peer, sample.messages / sample.seconds)
                for name, cost_us in costs_us.items():
                    add(figures, name, chat.peer, cost_us)
                if chat.peer.name == IN_MEMORY:
                    in_memory_us = costs_us["daemon CPU"]
                elif in_memory_us is not None:
                    more_us = costs_us["daemon CPU"] - in_memory_us
                    add(figures, "daemon CPU beyond memory", chat.peer, more_us)
        stack.enter_context(apart([pid for chat in chats for pid in chat.processes.values()]))
        for chat in chats:  # the first round trips find a cold server
            chat.one_at_a_time(effort.round_trips)
        for _ in range(effort.rounds):
            for chat in chats:
                latencies_ms = summarize(chat.one_at_a_time(effort.round_trips).latencies_s)
                add(figures, "p50", chat.peer, 1e3 * latencies_ms.p50)
                add(figures, "p99", chat.peer, 1e3 * latencies_ms.p99)
    return figures


@contextmanager
def _chat(peer: Peer) -> Iterator[_Chat]:
    """Start the daemons of a chat, and their Redis; connect the clients."""
    with ExitStack() as stack:
        redis = None
        daemon = peer
        if peer.name != IN_MEMORY:
            redis = stack.enter_context(running(peer))
            daemon = replace(PEERS[IN_MEMORY], prepare=partial(_prepare_daemon, redis=redis))
        daemons = [stack.enter_context(running(daemon)) for _ in range(DAEMONS[peer.name])]
        first, *others = daemons
        crowd = Crowd(
            peer.line,
            first.host,
            first.port,
            key=first.key,
            members=len(daemons),
            other_ports=[each.port for each in others],
        )
        stack.callback(crowd.close)
        crowd.learn(payload(PAYLOAD_BYTES))
        yield _Chat(peer, daemons, redis, crowd)


def _prepare_daemon(work: Path, port: int, *, redis: Server) -> Launch:
    """Prepare a daemon on a Redis; the daemons share the key file in that server's directory."""
    key_file = redis.work / "key"
    key = load_key(key_file) if key_file.exists() else write_key_file(key_file)
    url = f"redis://{redis.host}:{redis.port}/0"
    options = "--key-file", str(key_file), "--backplane", url
    return replace(prepare_chatd(work, port, has_key=False, options=options), key=key)


SCALE = Measure(
    "scale",
    "several daemons on one Redis",
    "messages/s, µs of CPU a message, µs",
    tuple(DAEMONS),
    scale,
    (
        Target("daemon CPU beyond memory", "chatd-redis", (), 2.0, is_most=True),
        *(
            Target(quantity, name, (), bound, is_most=True)
            for name in ("chatd-redis", "chatd-redis-two")
            for quantity, bound in (("Redis CPU", 4.5), ("p50", 600.0))
        ),
    ),
)
"""The measure."""
