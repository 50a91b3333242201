"""Delays of small messages: by the heartbeats of thousands of sessions, and by large messages.

A probe (see `bench.probe`) sends small messages in its own room all the while. It also does so
before, when the server is idle: this tells the server's delays from the machine's.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from subprocess import Popen

from bench.dialects.base import Line, connect, payload
from bench.figures import Effort, Figures, Note, add
from bench.load import READ_BYTES, join_all
from bench.peers import Peer, Server, prepare_chatd, running
from bench.probe import AnsweringLine, Summary, Task
from bench.process import cpu_seconds, resident_bytes
from bench.worker import answer_of, started

__all__ = ["IdleCrowd", "heartbeats", "large_beside"]

ROOM_MEMBERS = 10
LARGE_BYTES = 10 * 1024 * 1024
"""The default limit of chatd for a message's content, in bytes."""
BESIDE_RUNS = 5.0
"""Length of a probe's run beside large messages, as a multiple of the usual length of a run."""
_BATCH = 250
"""Number of sessions that connect before they log in, all within the time for a handshake."""
_WAIT_S = 0.05


class IdleCrowd:
    """Sessions that only answer the server's pings.

    Attributes:
        lost: The number of disconnected sessions.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._lines: list[AnsweringLine] = []
        self.lost = 0

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def answered(self) -> int:
        """The number of answers of all sessions."""
        return sum(line.answered for line in self._lines)

    def add(self, line: AnsweringLine) -> None:
        """Add a session that has logged in."""
        line.link.setblocking(False)
        self._lines.append(line)
        self._selector.register(line.link, selectors.EVENT_READ, line)

    def answer(self, timeout_s: float) -> None:
        """Answer all pings that have arrived, or arrive within a time."""
        for key, _ in self._selector.select(timeout_s):
            line: AnsweringLine = key.data
            try:
                count = line.link.recv_into(self._buffer)
                line.feed(self._buffer[:count])
            except BlockingIOError:
                continue
            except ConnectionError:
                count = 0
            if not count or line.session.is_over:
                self.lost += 1
                self._selector.unregister(line.link)

    def answer_while(self, is_going_on: Callable[[], bool]) -> None:
        """Answer pings while a condition holds."""
        while is_going_on():
            self.answer(_WAIT_S)

    def close(self) -> None:
        """Close all connections."""
        self._selector.close()
        for line in self._lines:
            line.link.close()

    def log_in(self, server: Server, count: int) -> None:
        """Log sessions in, `ROOM_MEMBERS` to a room, and answer the earlier sessions' pings."""
        for first in range(0, count, _BATCH):
            lines = [
                AnsweringLine(
                    connect(server.host, server.port),
                    f"m{number}",
                    f"#r{number // ROOM_MEMBERS}",
                    key=server.key,
                )
                for number in range(first, min(first + _BATCH, count))
            ]
            join_all(lines)
            for line in lines:
                self.add(line)
            self.answer(0)


def heartbeats(peers: Sequence[Peer], effort: Effort, note: Note) -> Figures:
    """Measure the server's cost of thousands of sessions that only answer pings."""
    figures: Figures = {}
    for peer in peers:
        beating = replace(peer, prepare=partial(prepare_chatd, heartbeat_s=effort.heartbeat_s))
        with running(beating) as server:
            crowd = IdleCrowd()
            try:
                figures_of = _heartbeats(crowd, server, effort)
            finally:
                crowd.close()
        for quantity, figure in figures_of.items():
            add(figures, quantity, peer, figure)
    return figures


def _heartbeats(crowd: IdleCrowd, server: Server, effort: Effort) -> dict[str, float]:
    alone, share_alone = _probe(server, effort.idle_s, crowd)
    before = resident_bytes(server.pid)
    crowd.log_in(server, effort.idle_sessions)
    settled = time.monotonic() + 2 * effort.heartbeat_s
    crowd.answer_while(lambda: time.monotonic() < settled)
    grown = resident_bytes(server.pid) - before
    answered, start = crowd.answered, time.monotonic()
    beside, share = _probe(server, effort.idle_s, crowd)
    beats = (time.monotonic() - start) / effort.heartbeat_s
    return {
        "CPU share": share - share_alone,  # the probe costs something too
        "CPU share, probe alone": share_alone,
        "memory, KiB a session": grown / 1024 / len(crowd),
        "round trip p50": beside.p50,
        "round trip p99": beside.p99,
        "round trip longest": beside.longest,
        "longest, alone": alone.longest,
        "sessions lost": float(crowd.lost),
        "pings answered": (crowd.answered - answered) / beats / len(crowd),
    }


def large_beside(peers: Sequence[Peer], effort: Effort, note: Note) -> Figures:
    """Measure the delays of small messages while messages of 10 MiB are sent one by one."""
    figures: Figures = {}
    content = payload(LARGE_BYTES)
    seconds = BESIDE_RUNS * effort.seconds
    for peer in peers:
        with running(peer) as server, connect(server.host, server.port) as link:
            speaker = peer.line(link, "large", "#large", key=server.key)
            speaker.join()
            for _ in range(effort.rounds):
                with _probing(server, seconds) as probe:
                    alone = answer_of(probe, Summary)
                with _probing(server, seconds) as probe:
                    start, said = time.monotonic(), 0
                    while said == 0 or probe.poll() is None:
                        _say_large(speaker, said, content)
                        said += 1
                    rate = said * LARGE_BYTES / (time.monotonic() - start) / 1e6
                    beside = answer_of(probe, Summary)
                for quantity, figure in (
                    ("p99", beside.p99),
                    ("longest", beside.longest),
                    ("p99, alone", alone.p99),
                    ("longest, alone", alone.longest),
                ):
                    add(figures, quantity, peer, figure)
                note(f"{peer.label}: large messages at {rate:,.0f} MB/s beside the small ones")
    return figures


def _say_large(speaker: Line, number: int, content: bytes) -> None:
    """Send one message, and read until it has come back, except for less than its header."""
    rest = memoryview(speaker.encode(number, 1, content))
    speaker.begin()
    buffer = memoryview(bytearray(READ_BYTES))
    with selectors.DefaultSelector() as selector:
        selector.register(speaker.link, selectors.EVENT_READ | selectors.EVENT_WRITE)
        speaker.link.setblocking(False)
        while speaker.stream_bytes < len(content):
            for _, ready in selector.select():
                if ready & selectors.EVENT_WRITE:
                    rest = rest[speaker.link.send(rest) :]
                    if not rest:
                        selector.modify(speaker.link, selectors.EVENT_READ)
                if ready & selectors.EVENT_READ:
                    count = speaker.link.recv_into(buffer)
                    if not count:
                        raise ConnectionError(f"{speaker.name} was disconnected")
                    speaker.feed(buffer[:count])


def _probe(server: Server, seconds: float, crowd: IdleCrowd) -> tuple[Summary, float]:
    """Run a probe beside an idle crowd; return also the server's share of a core."""
    cpu_s, start = cpu_seconds(server.pid), time.monotonic()
    with _probing(server, seconds) as probe:
        crowd.answer_while(lambda: probe.poll() is None)
        share = (cpu_seconds(server.pid) - cpu_s) / (time.monotonic() - start)
        return answer_of(probe, Summary), share


def _probing(server: Server, seconds: float) -> AbstractContextManager[Popen[bytes]]:
    """Start a probe."""
    assert server.key is not None
    task = Task(host=server.host, port=server.port, key=server.key, seconds=seconds)
    return started("bench.probe", task)
