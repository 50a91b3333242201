"""Daemons, links and a Redis that fail at random, and recover."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.task import deferLater

from tests.backplane.redis.servers import RedisServer
from tests.integration.processes import FOREGROUND, Process
from tests.integration.proxy import Link, Proxy, Script, Step

__all__ = ["Daemon", "Fallible", "Pace", "Pause", "RedisFaults", "Wire", "at_once"]

READY_S = 60.0
"""Limit on the time in which a daemon starts, in seconds."""
TURN_S = 0.05
TRACES = ("Traceback", "Unhandled error", "Unhandled Error")

Pause = Callable[[], Awaitable[None]]
"""Waits while a fault lasts."""


async def at_once() -> None:
    """Let a fault end at once."""


@dataclass(frozen=True)
class Pace:
    """How often something fails, and for how long, in seconds.

    Attributes:
        calm_s: The shortest and the longest time between two faults of one part.
        down_s: The shortest and the longest time of a fault.
    """

    calm_s: tuple[float, float] = (3.0, 30.0)
    down_s: tuple[float, float] = (1.0, 15.0)

    def calm(self, chance: Random) -> float:
        """Choose a time until the next fault."""
        return chance.uniform(*self.calm_s)

    def down(self, chance: Random) -> float:
        """Choose a time for a fault."""
        return chance.uniform(*self.down_s)


class Fallible:
    """A part that fails.

    Each of its `kinds` is a method that takes a `Pause`, fails, recovers, and returns a text that
    says what happened; an empty text if nothing did.

    Args:
        reactor: The reactor.
        chance: The source of the choices.
        pace: How often it fails at random.

    Attributes:
        part: The name of parts of its class.
        kinds: The names of its faults.
        done: The number of faults that took place, by kind.
    """

    part = ""
    kinds: Sequence[str] = ()

    def __init__(self, reactor: Any, chance: Random, pace: Pace) -> None:
        self.reactor = reactor
        self.done: Counter[str] = Counter()
        self._chance = chance
        self._pace = pace

    async def fail_at_random(self, is_over: Any) -> None:
        """Fail and recover, until a function says that it is over."""
        while True:
            await self.sleep(self._pace.calm(self._chance), is_over)
            if is_over():
                return
            seconds = self._pace.down(self._chance)

            async def pause(seconds: float = seconds) -> None:
                await self.sleep(seconds)

            await self.fail(self._chance.choice(self.kinds), pause)

    async def fail(self, kind: str, pause: Pause) -> str:
        """Fail and recover; return what happened."""
        told: str = await getattr(self, kind)(pause)
        self.done[kind] += bool(told)
        return told

    async def sleep(self, seconds: float, is_over: Any = lambda: False) -> None:
        """Wait some seconds, or until it is over."""
        until = self.reactor.seconds() + seconds
        while not is_over() and (left := until - self.reactor.seconds()) > 0:
            await deferLater(self.reactor, min(left, TURN_S))


class Daemon(Fallible):
    """A daemon's process on a UNIX socket.

    Args:
        reactor: The reactor.
        chance: The source of the choices.
        pace: How often it fails.
        path: The path of its socket.
        options: Its other options.
        program: Runs `twistd`.

    Attributes:
        path: The path of its socket.
        faults: What it did that no daemon may do.
    """

    part = "daemon"
    kinds = ("kill", "freeze")

    def __init__(
        self,
        reactor: Any,
        chance: Random,
        pace: Pace,
        path: str,
        options: Sequence[str],
        program: Sequence[str] = FOREGROUND,
    ) -> None:
        super().__init__(reactor, chance, pace)
        self.path = path
        self._command = (*program, "chatd", "--endpoint", f"unix:{path}")
        self._options = options
        self._process: Process | None = None
        self._logs: list[str] = []
        self.faults: list[str] = []

    @property
    def log(self) -> str:
        """The log of its present process."""
        return "" if self._process is None else self._process.output.text

    async def start(self) -> None:
        """Start it, and wait until it listens; try again while it cannot use Redis."""
        until = self.reactor.seconds() + READY_S
        process = None
        while self.reactor.seconds() < until:
            if process is None:
                process = self._process = Process(*self._command, *self._options)
            await self.sleep(TURN_S)
            if "listening on" in process.output.text:
                return
            if process.output.is_at_end:
                self.end()
                process = None
        raise AssertionError(f"no daemon at {self.path}: {self._logs[-1]}")

    def end(self) -> int:
        """End the process if it still runs, keep its log, and return its status."""
        process = self._process
        assert process is not None
        with process:
            process.send_signal(signal.SIGKILL)
            status = process.wait()
        self._logs.append(process.output.text + process.errors.text)
        self._process = None
        return status

    async def finish(self) -> int:
        """Let the process end by itself, and return its status.

        Its way to Redis is in this process, so nothing here may block meanwhile.
        """
        process = self._process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        await self.sleep(READY_S, lambda: process.output.is_at_end)
        return self.end()

    async def kill(self, pause: Pause) -> str:
        """Be killed, and start again later."""
        status = self.end()
        if status != -signal.SIGKILL:
            self.faults.append(f"{self.path} had ended by itself, with status {status}")
        await pause()
        await self.start()
        return f"{Path(self.path).stem} was killed (status {status}), and listens again"

    async def freeze(self, pause: Pause) -> str:
        """Stand still, and go on."""
        process = self._process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        try:
            stopped = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            await pause()
        finally:
            process.send_signal(signal.SIGCONT)
        has_stopped = stopped is not None and stopped.si_status == signal.SIGSTOP
        return f"{Path(self.path).stem} stood still, and goes on" if has_stopped else ""

    def stop(self) -> None:
        """End the process at the end of a test, if it still runs."""
        if self._process is not None:
            self.end()

    def bad_lines(self) -> list[str]:
        """Return the parts of the logs that show an error of the program."""
        return [
            log[max(0, log.index(trace) - 500) : log.index(trace) + 3000]
            for log in self._logs
            for trace in TRACES[:1]
            if trace in log
        ] + [f"{trace} in a log" for log in self._logs for trace in TRACES[1:] if trace in log]

    def keep_logs(self, directory: Path) -> None:
        """Write the logs into a directory."""
        for number, log in enumerate(self._logs):
            (directory / f"{Path(self.path).stem}.{number}.log").write_text(log)


class _PassOn(Script):
    """Lets all data pass as it comes."""

    def disturb(self, data: bytes, *, to_server: bool) -> list[Step]:
        """See `Script`."""
        return [Step(data)]


class Wire(Fallible, Proxy):
    """The way between one daemon and Redis.

    Args:
        reactor: The reactor.
        chance: The source of the choices.
        pace: How often it fails.
        there: The endpoint string of Redis.
    """

    part = "link"
    kinds = ("cut", "drop", "delay", "be_silent", "silence_half")

    def __init__(self, reactor: Any, chance: Random, pace: Pace, there: str) -> None:
        Fallible.__init__(self, reactor, chance, pace)
        Proxy.__init__(self, reactor, there, _PassOn(0))
        self._is_down = False

    @property
    def url(self) -> str:
        """The URL for the daemon."""
        return "redis://127.0.0.1:" + self.endpoint.rpartition(":")[2]

    def connect(self, link: Link) -> None:
        """Connect a link to the server, unless the way is down."""
        if self._is_down:
            link.far.is_gone = True
            link.near.transport.abortConnection()
        else:
            super().connect(link)

    def _open_links(self) -> list[Link]:
        self.links = [link for link in self.links if not link.is_over]
        return self.links

    async def cut(self, pause: Pause) -> str:
        """Reset all connections once."""
        links = self._open_links()
        for link in links:
            link.reset()
        await pause()
        return f"{len(links)} connections to Redis were reset" if links else ""

    async def drop(self, pause: Pause) -> str:
        """Reset all connections, and refuse new ones for some time."""
        self._is_down = True
        told = await self.cut(pause)
        self._is_down = False
        return told

    async def delay(self, pause: Pause) -> str:
        """Hold the data of all connections back for some time, and then pass it on."""
        links = list(self._open_links())
        for link in links:
            self._let_flow(link, "pauseProducing")
        await pause()
        for link in links:
            self._let_flow(link, "resumeProducing")
        return f"{len(links)} connections to Redis were late" if links else ""

    def _let_flow(self, link: Link, method: str) -> None:
        for end in (link.near, link.far):
            if end.transport is not None and not end.is_gone:
                getattr(end.transport, method)()

    async def be_silent(self, pause: Pause) -> str:
        """Swallow all data of the connections that there are; new ones work."""
        return await self._swallow(list(self._open_links()), pause)

    async def silence_half(self, pause: Pause) -> str:
        """Swallow all data of one connection, such as the subscription."""
        links = self._open_links()
        return await self._swallow([self._chance.choice(links)] if links else [], pause)

    async def _swallow(self, links: list[Link], pause: Pause) -> str:
        for link in links:
            link.swallow()
        await pause()
        for link in links:
            link.reset()
        return f"{len(links)} connections to Redis were silent" if links else ""


class RedisFaults(Fallible):
    """The faults of a Redis server.

    Args:
        reactor: The reactor.
        chance: The source of the choices.
        pace: How often it fails.
        server: The server.
    """

    part = "redis"
    kinds = ("kill", "restart", "freeze")

    def __init__(self, reactor: Any, chance: Random, pace: Pace, server: RedisServer) -> None:
        super().__init__(reactor, chance, pace)
        self._server = server

    async def kill(self, pause: Pause) -> str:
        """Be killed, and start again later."""
        self._server.kill()
        await pause()
        self._server.start()
        return "Redis was killed, and answers again"

    async def restart(self, pause: Pause) -> str:
        """Be killed, and start again at once."""
        return await self.kill(at_once)

    async def freeze(self, pause: Pause) -> str:
        """Stand still, and go on."""
        self._server.freeze()
        try:
            await pause()
        finally:
            self._server.thaw()
        return "Redis stood still, and goes on"
