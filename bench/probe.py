"""One session that says a small message every few milliseconds, and how long each takes to return.

A server of one thread does one thing at a time: whatever it is busy with when a message arrives,
the message waits for. So the longest round trip bounds the longest time for which the server is
busy with something else.

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
from chatd.connection.events import Event, PingReceived
from chatd.wire.messages import Message, MessageType

__all__ = ["AnsweringLine", "Probe", "Summary", "Task", "summarize"]

INTERVAL_S = 0.005
"""From one message to the next, in seconds."""
STALL_S = 30.0
"""For how long the last answers are waited for, in seconds."""
_CONTENT = payload(32)
_READ_BYTES = 65536


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe is told.

    Attributes:
        host: Where the server is.
        port: Where the server is.
        key: The shared key.
        seconds: For how long it says messages.
    """

    host: str
    port: int
    key: bytes
    seconds: float


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe answers: how long its messages took to return, in milliseconds.

    Attributes:
        count: How many there were.
        p50: No more for half of them.
        p99: No more for 99 of 100.
        longest: No more for any.
    """

    count: int
    p50: float
    p99: float
    longest: float


def summarize(latencies_s: Sequence[float]) -> Summary:
    """Sum up some round trips, at least one.

    A percentile is the smallest of the values that so many are no larger than: the nearest rank.
    """
    ordered = sorted(latencies_s)
    count = len(ordered)

    def percentile(percent: int) -> float:
        return 1e3 * ordered[-(-count * percent // 100) - 1]

    return Summary(count=count, p50=percentile(50), p99=percentile(99), longest=1e3 * ordered[-1])


class AnsweringLine(ChatdLine):
    """A chatd session that reads all it is sent, as a client does, and answers the pings.

    Attributes:
        answered: How many times it had something to answer.
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
            else:
                self.event_received(event)
        answer = self.session.data_to_send()
        if answer:
            self.answered += 1
            self.link.sendall(answer)

    def event_received(self, event: Event) -> None:
        """Take what the session tells."""


class Probe(AnsweringLine):
    """A session that says messages by the clock, whether the ones before have returned or not.

    Args:
        link: See `Line`.
        name: See `Line`.
        room: A room in which nobody else is.
        key: See `Line`.
        now: What tells the time, in seconds.

    Attributes:
        latencies_s: How long each message took that has returned.
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
        """Say one message."""
        message = Message.chat(_CONTENT, id=f"{self._count:08x}")
        self._count += 1
        self.session.send(message.type, message.header, message.content)
        data = self.session.data_to_send()
        self._under_way[message.id or ""] = self._now()
        self.link.sendall(data)

    def feed(self, data: memoryview) -> None:
        """Take what arrived: it arrived now, however long it takes to read."""
        self._arrived = self._now()
        super().feed(data)

    def event_received(self, event: Event) -> None:
        """Note when a message of its own comes back; everything else that happens is a failure.

        Raises:
            ConnectionError: The session ended, or a message was refused.
        """
        if not isinstance(event, Message) or event.type != MessageType.MESSAGE:
            raise ConnectionError(f"the probe was told {event!r}")
        self.latencies_s.append(self._arrived - self._under_way.pop(event.id or ""))

    def run(self, seconds: float) -> Summary:
        """Say messages for so long; see `run_while`."""
        end = self._now() + seconds
        return self.run_while(lambda: self._now() < end)

    def run_while(self, is_going_on: Callable[[], bool]) -> Summary:
        """Say messages as long as something goes on, wait for the last of them, and sum up.

        Raises:
            TimeoutError: Some have not come back.
        """
        due = self._now()
        while is_going_on():
            self.say()
            # What is missed is not caught up: a burst would measure itself.
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
    """Do a task."""
    with connect(task.host, task.port) as link:
        line = Probe(link, "probe", "#probe", key=task.key)
        line.join()
        gc.collect()
        gc.disable()  # its own pauses are not the server's
        return line.run(task.seconds)


if __name__ == "__main__":
    do_task(Task, probe)
