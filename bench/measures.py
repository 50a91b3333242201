"""The measures, their peers, and the targets of chatd.

A measure starts all its servers, lets the crowds join, and then interleaves its rounds: each peer
runs once a round, so that a machine that slows down slows all of them. The ratios count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from bench.dialects.base import PAYLOAD_BYTES, connect, payload
from bench.endurance import ENDURANCE
from bench.figures import Effort, Figures, Note, add
from bench.idle import heartbeats, large_beside
from bench.limit import each_way, limit
from bench.load import Crowd, Sample, join_all, pipeline, round_trips
from bench.peers import PEERS, Peer, Server, running
from bench.pipelined import pipelined
from bench.probe import summarize
from bench.process import apart, cpu_seconds, resident_bytes
from bench.scale import SCALE
from bench.targets import Measure, Target

__all__ = ["MEASURES", "Measure", "Target"]

FIRST_SESSIONS = 100
"""Number of sessions that log in before counting begins: the first logins find a cold server."""
BROKERS = ("nats", "redis", "inspircd", "ngircd", "mosquitto")
ALL = ("chatd", "floor", *BROKERS)


@contextmanager
def _crowd(peer: Peer, server: Server, rooms: int = 1, members: int = 1) -> Iterator[Crowd]:
    crowd = Crowd(peer.line, server.host, server.port, key=server.key, rooms=rooms, members=members)
    try:
        crowd.learn(payload(PAYLOAD_BYTES))
        yield crowd
    finally:
        crowd.close()


def _note_limits(sample: Sample, peer: Peer, note: Note) -> None:
    server, driver = sample.server_cpu_s / sample.seconds, sample.driver_cpu_s / sample.seconds
    if driver > 0.9 > server:
        note(f"{peer.label}: the driver was the limit (its CPU {driver:.0%}, theirs {server:.0%})")


def _fan_out(members: int) -> Callable[[Sequence[Peer], Effort, Note], Figures]:
    def take(peers: Sequence[Peer], effort: Effort, note: Note) -> Figures:
        figures: Figures = {}
        with ExitStack() as stack:
            runs: list[tuple[Peer, Callable[[], Sample]]] = []
            for peer in peers:
                server = stack.enter_context(running(peer))
                crowd = stack.enter_context(_crowd(peer, server, members=members))
                runs.append((peer, pipelined(crowd, server.pid, effort.seconds)))
            for _ in range(effort.rounds):
                for peer, run in runs:
                    sample = run()
                    add(figures, f"fan-out-{members}", peer, sample.deliveries / sample.seconds)
                    add(figures, "server CPU", peer, sample.server_cpu_s / sample.seconds)
                    add(figures, "driver CPU", peer, sample.driver_cpu_s / sample.seconds)
                    _note_limits(sample, peer, note)
        return figures

    return take


def _round_trip(peers: Sequence[Peer], effort: Effort, note: Note) -> Figures:
    figures: Figures = {}
    content = payload(PAYLOAD_BYTES)
    with ExitStack() as stack:
        crowds: list[tuple[Peer, Server, Crowd]] = []
        for peer in peers:
            server = stack.enter_context(running(peer))
            crowds.append((peer, server, stack.enter_context(_crowd(peer, server))))
        stack.enter_context(apart([server.pid for _, server, _ in crowds]))
        for _, server, crowd in crowds:  # the first round trips find a cold server
            round_trips(crowd, server.pid, messages=effort.round_trips, content=content)
        for _ in range(effort.rounds):
            for peer, server, crowd in crowds:
                sample = round_trips(
                    crowd, server.pid, messages=effort.round_trips, content=content
                )
                latencies_ms = summarize(sample.latencies_s)
                add(figures, "p50", peer, 1e3 * latencies_ms.p50)
                add(figures, "p99", peer, 1e3 * latencies_ms.p99)
                cpu_us = 1e6 * sample.server_cpu_s / sample.messages
                add(figures, "server CPU", peer, cpu_us)
    return figures


def _sessions(peers: Sequence[Peer], effort: Effort, note: Note) -> Figures:
    """Log sessions in, ten to a room; the first `FIRST_SESSIONS` are not counted."""
    figures: Figures = {}
    for _ in range(effort.rounds):
        for peer in peers:
            with running(peer) as server, ExitStack() as stack:
                _log_in(peer, server, range(FIRST_SESSIONS), stack)
                before, cpu_s = resident_bytes(server.pid), cpu_seconds(server.pid)
                numbers = range(FIRST_SESSIONS, FIRST_SESSIONS + effort.sessions)
                _log_in(peer, server, numbers, stack)
                cpu_s = cpu_seconds(server.pid) - cpu_s
                grown = resident_bytes(server.pid) - before
                add(figures, "login", peer, 1e3 * cpu_s / effort.sessions)
                add(figures, "memory", peer, grown / 1024 / effort.sessions)
    return figures


def _log_in(peer: Peer, server: Server, numbers: Iterable[int], stack: ExitStack) -> None:
    join_all(
        peer.line(
            stack.enter_context(connect(server.host, server.port)),
            f"m{number}",
            f"#r{number // 10}",
            key=server.key,
        )
        for number in numbers
    )


def _growth(peers: Sequence[Peer], effort: Effort, note: Note) -> Figures:
    figures: Figures = {}
    shapes = [(1, members) for members in (1, 10, 100, 1_000) if members <= effort.crowd]
    shapes += [(rooms, 10) for rooms in (10, 100) if 10 * rooms <= effort.crowd]
    for peer in peers:
        for rooms, members in shapes:
            with running(peer) as server, _crowd(peer, server, rooms, members) as crowd:
                run = pipelined(crowd, server.pid, effort.seconds)
                for _ in range(effort.rounds):
                    sample = run()
                    cost_ns = 1e9 * sample.server_cpu_s / sample.deliveries
                    add(figures, f"{rooms} × {members}", peer, cost_ns)
    return figures


def _large(peers: Sequence[Peer], effort: Effort, note: Note) -> Figures:
    """Send messages of 1 MiB, and compare their throughput with the bare algorithms."""
    figures: Figures = {}
    length = 1024 * 1024
    content = payload(length)
    for peer in peers:
        with running(peer) as server, _crowd(peer, server) as crowd:
            for _ in range(effort.rounds):
                bare = limit(length)
                sending, receiving = each_way(length)
                sample = pipeline(
                    crowd, server.pid, messages=effort.large, chunk=1, window=4, content=content
                )
                add(figures, "limit MB/s", peer, bare / 1e6)
                add(figures, "sending / limit", peer, sending / bare)
                add(figures, "receiving / limit", peer, receiving / bare)
                both_ways = 2 * length * sample.messages / sample.server_cpu_s
                add(figures, "through the server / limit", peer, both_ways / bare)
                add(figures, "large", peer, length * sample.messages / sample.seconds / 1e6)
    return figures


def _by_name(*measures: Measure) -> Mapping[str, Measure]:
    return {measure.name: measure for measure in measures}


MEASURES = _by_name(
    Measure(
        "fan-out-100",
        "to a room of 100",
        "deliveries/s",
        (*ALL, "chatd-pure", "chatd-web"),
        _fan_out(100),
        (
            Target("fan-out-100", "chatd", ("floor", *BROKERS), 1.2),
            Target("fan-out-100", "chatd-web", ("chatd",), 0.7),
        ),
    ),
    Measure(
        "fan-out-10",
        "to a room of 10",
        "deliveries/s",
        (*ALL, "chatd-pure"),
        _fan_out(10),
        (
            Target("fan-out-10", "chatd", ("floor",), 2.0),
            Target("fan-out-10", "chatd-pure", ("floor",), 1.4),
            Target("fan-out-10", "chatd", ("ngircd",), 2.0),
        ),
    ),
    Measure(
        "fan-out-1",
        "to one, pipelined",
        "deliveries/s",
        (*ALL, "chatd-pure", "chatd-sqlite"),
        _fan_out(1),
        (
            Target("fan-out-1", "chatd", ("floor",), 0.65),
            Target("fan-out-1", "chatd", ("mosquitto",), 2.5),
            Target("fan-out-1", "chatd-sqlite", ("chatd",), 0.7),
        ),
    ),
    Measure(
        "round-trip",
        "one at a time",
        "µs",
        ("chatd", "chatd-pure", "chatd-clear", "floor"),
        _round_trip,
        tuple(
            Target(quantity, name, ("floor",), ratio, is_most=True)
            for quantity in ("p50", "p99")
            for name, ratio in (("chatd-clear", 1.5), ("chatd", 1.6))
        ),
    ),
    Measure(
        "large",
        "1 MiB messages",
        "MB/s",
        ("chatd",),
        _large,
        (
            Target("sending / limit", "chatd", (), 0.6),
            Target("receiving / limit", "chatd", (), 0.6),
        ),
    ),
    Measure(
        "sessions",
        "an idle session, and a login",
        "KiB, ms of CPU",
        (*ALL, "chatd-clear"),
        _sessions,
        (
            Target("memory", "chatd", (), 8.0, is_most=True),
            Target("login", "chatd", (), 0.35, is_most=True),
        ),
    ),
    Measure(
        "growth",
        "cost by rooms × members",
        "ns of CPU a delivery",
        ("chatd",),
        _growth,
    ),
    Measure(
        "heartbeats",
        "idle sessions with heartbeats",
        "share of a core, ms",
        ("chatd",),
        heartbeats,
        (
            Target("CPU share", "chatd", (), 0.05, is_most=True),
            Target("round trip longest", "chatd", (), 20.0, is_most=True),
        ),
    ),
    Measure(
        "large-beside",
        "a small message beside those of 10 MiB",
        "ms",
        ("chatd",),
        large_beside,
        (Target("longest", "chatd", (), 10.0, is_most=True),),
    ),
    SCALE,
    *ENDURANCE,
)
"""The measures, by name."""
assert set(ALL) <= set(PEERS)
