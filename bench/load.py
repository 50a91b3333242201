"""The load: speakers and members over real sockets, in their own process.

Messages are encoded before the clock starts and checked after it stops. The driver counts its own
CPU time beside the server's, to tell figures that the driver limited from those that the server
limited.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from bench.dialects.base import Line, connect
from bench.process import cpu_seconds

__all__ = ["Crowd", "Flow", "Sample", "join_all", "pipeline", "round_trips"]

READ_BYTES = 1024 * 1024
STALL_S = 30.0
"""Time without any data after which a run has failed, in seconds."""
JOINING = 64
"""Number of clients that join at the same time."""
_QUIET_S = 0.2
_NEXT_S = 0.001


@dataclass(frozen=True)
class Sample:
    """The figures of one run.

    Attributes:
        messages: The number of sent messages.
        deliveries: The number of deliveries.
        seconds: The time from the first byte sent until the last delivery.
        server_cpu_s: The CPU time of the server's processes, in seconds.
        driver_cpu_s: The CPU time of this process, in seconds.
        latencies_s: The time of each round trip, if they were measured one by one.
    """

    messages: int
    deliveries: int
    seconds: float
    server_cpu_s: float
    driver_cpu_s: float
    latencies_s: tuple[float, ...] = ()


@dataclass
class Flow:
    """The messages of one speaker, on their way to its room.

    Attributes:
        speaker: The speaker's line.
        members: The members' lines; the first line is watched.
        chunks: The chunks still to be sent, as bytes and their number of messages.
        total: The number of all messages.
    """

    speaker: Line
    members: Sequence[Line]
    chunks: list[tuple[bytes, int]]
    total: int
    sent: int = 0
    rest: memoryview = field(default_factory=lambda: memoryview(b""))

    @property
    def watched(self) -> Line:
        """The line whose messages are counted."""
        return self.members[0]

    @property
    def is_done(self) -> bool:
        """Whether all members have all messages."""
        return self.watched.seen() >= self.total and _are_even(self.members)


class Crowd:
    """All the lines to one server: some rooms, each with some members and a speaker.

    Args:
        line: The dialect.
        host: The server's host.
        port: The server's port.
        key: The shared key, if there is one.
        rooms: The number of rooms.
        members: The number of members in each room.
        other_ports: The ports of further servers of the same chat. The members of a room connect to
            all servers in turn. The watched member is at a further server, and the speaker at
            the first, so that the speaker waits for messages that cross over.
    """

    def __init__(
        self,
        line: type[Line],
        host: str,
        port: int,
        *,
        key: bytes | None = None,
        rooms: int = 1,
        members: int = 1,
        other_ports: Sequence[int] = (),
    ) -> None:
        ports = (*other_ports, port)
        self._selector = selectors.DefaultSelector()
        self._buffer = memoryview(bytearray(READ_BYTES))
        self.flows: list[Flow] = []
        self.lines: list[Line] = []
        speakers: list[Line] = []
        for number in range(rooms):
            joined = [
                line(
                    connect(host, ports[place % len(ports)]),
                    f"m{number}x{place}",
                    f"#r{number}",
                    key=key,
                    is_watched=place == 0,
                )
                for place in range(members)
            ]
            self.lines += joined
            speaker = joined[len(other_ports)]
            if not line.HEARS_ITSELF:
                speaker = line(connect(host, port), f"s{number}", f"#r{number}", key=key)
                speakers.append(speaker)
            self.flows.append(Flow(speaker, joined, [], 0))
        join_all(self.lines)
        for speaker in speakers:
            speaker.join_to_speak()
        self.lines += speakers
        for joined_line in self.lines:
            joined_line.link.setblocking(False)
            self._selector.register(joined_line.link, selectors.EVENT_READ, joined_line)
        self.drain()

    def close(self) -> None:
        """Close all connections."""
        self._selector.close()
        for line in self.lines:
            line.link.close()

    def drain(self) -> None:
        """Read until no more data arrives."""
        while self.read(_QUIET_S):
            pass

    def learn(self, content: bytes) -> None:
        """Send one message in each room, and wait for it: a line so learns a delivery's length."""
        for number, flow in enumerate(self.flows):
            for member in flow.members:
                member.begin()
            flow.speaker.link.setblocking(True)
            flow.speaker.link.sendall(flow.speaker.encode(0xF0000000 + number, 1, content))
            flow.speaker.link.setblocking(False)
            self.drain()
            for member in flow.members:
                member.first_seen()

    def read(self, timeout_s: float) -> int:
        """Take the data that has arrived, and return its length in bytes."""
        buffer = self._buffer
        total = 0
        for key, _ in self._selector.select(timeout_s):
            line: Line = key.data
            try:
                count = line.link.recv_into(buffer)
            except BlockingIOError:
                continue
            if not count:
                raise ConnectionError(f"{line.name} was disconnected")
            line.feed(buffer[:count])
            total += count
        return total


def join_all(lines: Iterable[Line]) -> None:
    """Let all lines join, many at a time: some servers finish a login only at a full second."""
    with ThreadPoolExecutor(JOINING) as pool:
        for _ in pool.map(lambda line: line.join(), lines):
            pass


def pipeline(
    crowd: Crowd, pid: int, *, messages: int, chunk: int, window: int, content: bytes
) -> Sample:
    """Send messages in all rooms as fast as they arrive.

    Args:
        crowd: The speakers and members.
        pid: The server's process.
        messages: The number of messages in each room.
        chunk: The number of messages written to the socket at once.
        window: The number of messages that may be sent before the room's watched member has them.
        content: The content of each message.
    """
    for flow in crowd.flows:
        flow.chunks = [
            (flow.speaker.encode(first, min(chunk, messages - first), content), chunk)
            for first in range(0, messages, chunk)
        ]
        flow.chunks.reverse()
        flow.total, flow.sent = messages, 0
        for member in flow.members:
            member.begin()
    sample = _timed(crowd.flows, pid, messages, lambda: _run(crowd, window))
    for flow in crowd.flows:
        flow.watched.check(messages)
    return sample


def round_trips(
    crowd: Crowd, pid: int, *, messages: int, content: bytes, room: int = 0, for_all: bool = False
) -> Sample:
    """Send messages one at a time, each after the previous message has come back.

    Args:
        crowd: The speakers and members.
        pid: The server's process.
        messages: The number of messages.
        content: The content of each message.
        room: The number of the room.
        for_all: Whether to wait for each message until everyone in the room has it.
    """
    flow = crowd.flows[room]
    requests = [flow.speaker.encode(number, 1, content) for number in range(messages)]
    watched, send = flow.watched, flow.speaker.link.send
    awaited = flow.members if for_all else flow.members[:1]
    for member in awaited:
        member.begin()
    latencies: list[float] = []

    def run() -> None:
        for number, request in enumerate(requests):
            start = time.perf_counter()
            sent = send(request)
            if sent < len(request):
                _send_rest(crowd, flow.speaker, memoryview(request)[sent:])
            while watched.seen() <= number or not _are_even(awaited):
                if not crowd.read(STALL_S):
                    raise TimeoutError(f"nothing arrived for {STALL_S:g} s: {_standing(flow)}")
            latencies.append(time.perf_counter() - start)

    sample = _timed([flow], pid, messages, run)
    watched.check(messages)
    return Sample(**{**vars(sample), "latencies_s": tuple(latencies)})


def _send_rest(crowd: Crowd, speaker: Line, rest: memoryview) -> None:
    """Write the data that the socket did not take at once, and read meanwhile."""
    while rest:
        try:
            rest = rest[speaker.link.send(rest) :]
        except BlockingIOError:
            crowd.read(_NEXT_S)


def _are_even(members: Sequence[Line]) -> bool:
    """Return whether all lines have received the same number of bytes."""
    first = members[0].stream_bytes
    return all(member.stream_bytes == first for member in members)


def _timed(flows: Sequence[Flow], pid: int, messages: int, run: Callable[[], None]) -> Sample:
    server_cpu_s, driver_cpu_s = cpu_seconds(pid), time.process_time()
    start = time.perf_counter()
    run()
    seconds = time.perf_counter() - start
    return Sample(
        messages * len(flows),
        messages * sum(len(flow.members) for flow in flows),
        seconds,
        cpu_seconds(pid) - server_cpu_s,
        time.process_time() - driver_cpu_s,
    )


def _run(crowd: Crowd, window: int) -> None:
    waiting = list(crowd.flows)
    last_heard = time.perf_counter()
    while waiting:
        for flow in waiting:
            _send(flow, window)
        can_send = any(flow.rest for flow in waiting)
        if crowd.read(_NEXT_S if can_send else 1.0):
            last_heard = time.perf_counter()
        elif time.perf_counter() - last_heard > STALL_S:
            raise TimeoutError(f"nothing arrived for {STALL_S:g} s: {_standing(waiting[0])}")
        waiting = [flow for flow in waiting if not flow.is_done]


def _standing(flow: Flow) -> str:
    heard = sorted({member.stream_bytes for member in flow.members})
    return (
        f"{type(flow.speaker).__name__} heard {flow.watched.seen()} of {flow.total} messages, "
        f"{flow.watched.stream_bytes} bytes; the members {heard[0]} to {heard[-1]}"
    )


def _send(flow: Flow, window: int) -> None:
    """Write as much as the socket takes and the window allows."""
    while True:
        if not flow.rest:
            if not flow.chunks or flow.sent - flow.watched.seen() >= window:
                return
            data, count = flow.chunks.pop()
            flow.rest, flow.sent = memoryview(data), flow.sent + count
        try:
            flow.rest = flow.rest[flow.speaker.link.send(flow.rest) :]
        except BlockingIOError:
            return
