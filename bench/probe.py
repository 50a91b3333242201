"""A session that sends a small message every few milliseconds, and times each round trip.

A single-threaded server does one thing at a time, and a message waits until the server is free. So
the longest round trip bounds the longest time for which the server is busy with something else.

A worker (see `bench.worker`): its task is a `Task`, its answer a `Summary`.
"""

from __future__ import annotations

import gc
import select
import socket
import time
from collections.abc import Callable, Sequence

import msgspec

from bench.dialects.base import connect, payload
from bench.dialects.chatd import ChatdLine
from bench.worker import do_task
from chatd.connection.client import ClientConnection
from chatd.connection.events import Event, PingReceived, Run
from chatd.wire.messages import Message, MessageType

__all__ = ["AnsweringLine", "Probe", "Summary", "Task", "summarize"]

INTERVAL_S = 0.005
"""Time from one message to the next, in seconds."""
STALL_S = 30.0
"""Limit on the wait for the last answers, in seconds."""
_CONTENT = payload(32)
_READ_BYTES = 65536


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """The task of a probe.

    Attributes:
        host: The server's host.
        port: The server's port.
        key: The shared key.
        seconds: The time for which it sends messages.
    """

    host: str
    port: int
    key: bytes
    seconds: float


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a probe: its round-trip times, in milliseconds.

    Attributes:
        count: The number of messages.
        p50: The median.
        p99: The 99th percentile.
        longest: The longest time.
    """

    count: int
    p50: float
    p99: float
    longest: float


def summarize(latencies_s: Sequence[float]) -> Summary:
    """Summarize at least one round trip.

    Percentiles are by nearest rank: the smallest value that so many values do not exceed.
    """
    ordered = sorted(latencies_s)
    count = len(ordered)

    def percentile(percent: int) -> float:
        return 1e3 * ordered[-(-count * percent // 100) - 1]

    return Summary(count=count, p50=percentile(50), p99=percentile(99), longest=1e3 * ordered[-1])


class AnsweringLine(ChatdLine):
    """A chatd session that reads everything, as a client does, and answers pings.

    Attributes:
        answered: The number of times that it answered.
    """

    answered = 0

    @property
    def session(self) -> ClientConnection:
        """The session."""
        return self._session

    def feed(self, data: memoryview) -> None:
        """See `Line`."""
        self.stream_bytes += len(data)
        self.session.receive_data(bytes(data))
        for event in self.session.events():
            if isinstance(event, PingReceived):
                self.session.answer(event)
            elif isinstance(event, Run):
                for message in event.messages:
                    self.event_received(message)
            else:
                self.event_received(event)
        answer = self.session.data_to_send()
        if answer:
            self.answered += 1
            self.link.sendall(answer)

    def event_received(self, event: Event) -> None:
        """Act on an event of the session."""


class Probe(AnsweringLine):
    """A session that sends messages by the clock, even if earlier messages have not returned.

    Args:
        link: See `Line`.
        name: See `Line`.
        room: A room without other members.
        key: See `Line`.
        now: Returns the time, in seconds.

    Attributes:
        latencies_s: The times of the round trips, in seconds.
    """

    def __init__(
        self,
        link: socket.socket,
        name: str,
        room: str,
        *,
        key: bytes | None = None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__(link, name, room, key=key)
        self._now = now
        self._arrived = 0.0
        self._under_way: dict[str, float] = {}
        self._count = 0
        self.latencies_s: list[float] = []

    def say(self) -> None:
        """Send one message."""
        message = Message.chat(_CONTENT, id=f"{self._count:08x}")
        self._count += 1
        self.session.send(message.type, message.header, message.content)
        data = self.session.data_to_send()
        self._under_way[message.id or ""] = self._now()
        self.link.sendall(data)

    def feed(self, data: memoryview) -> None:
        """Take data; its time of arrival is now, however long reading it takes."""
        self._arrived = self._now()
        super().feed(data)

    def event_received(self, event: Event) -> None:
        """Note the time when one of its messages comes back; any other event is a failure.

        Raises:
            ConnectionError: The session ended, or a message was refused.
        """
        if not isinstance(event, Message) or event.type != MessageType.MESSAGE:
            raise ConnectionError(f"the probe was told {event!r}")
        self.latencies_s.append(self._arrived - self._under_way.pop(event.id or ""))

    def run(self, seconds: float) -> Summary:
        """Send messages for some seconds; see `run_while`."""
        end = self._now() + seconds
        return self.run_while(lambda: self._now() < end)

    def run_while(self, is_going_on: Callable[[], bool]) -> Summary:
        """Send messages while a condition holds, wait for the last of them, and summarize.

        Raises:
            TimeoutError: Some messages have not come back.
        """
        due = self._now()
        while is_going_on():
            self.say()
            # Skip missed times instead of catching up: a burst would measure itself.
            due = max(due + INTERVAL_S, self._now())
            while (rest := due - self._now()) > 0:
                self._read(rest)
        deadline = self._now() + STALL_S
        while self._under_way and (rest := deadline - self._now()) > 0:
            self._read(rest)
        if self._under_way:
            raise TimeoutError(f"{len(self._under_way)} messages did not return in {STALL_S:g} s")
        return summarize(self.latencies_s)

    def _read(self, timeout_s: float) -> None:
        if select.select([self.link], [], [], timeout_s)[0]:
            data = self.link.recv(_READ_BYTES)
            if not data:
                raise ConnectionError("the probe was disconnected")
            self.feed(memoryview(data))


def probe(task: Task) -> Summary:
    """Run a probe."""
    with connect(task.host, task.port) as link:
        line = Probe(link, "probe", "#probe", key=task.key)
        line.join()
        gc.collect()
        gc.disable()  # pauses of this process must not look like the server's
        return line.run(task.seconds)


if __name__ == "__main__":
    do_task(Task, probe)
