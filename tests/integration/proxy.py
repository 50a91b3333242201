"""A proxy between clients and a server, which does to what passes whatever a network can do.

A `Script` decides, from a seed, what becomes of each piece that passes: it is cut into smaller
ones, held back for some turns of the reactor, doubled, damaged or cut off, or the connection is
reset. `Script.disturb` does no more than decide, so that the same faults can be had in memory.
"""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from chatd.client.endpoints import client_endpoint
from tests.wire.hostile import flip_bit

__all__ = ["Fault", "Link", "Proxy", "Script", "Step", "running_proxy"]


class Fault(Enum):
    """What ends a connection, or damages what passes."""

    RESET = "reset"
    """Both sides lose the connection at once; what was held back is gone."""
    TRUNCATE = "truncate"
    """A part of a piece passes, and then the connection is closed in both directions."""
    DOUBLE = "double"
    """A piece passes twice."""
    DAMAGE = "damage"
    """A bit is wrong."""


ENDING = frozenset({Fault.RESET, Fault.TRUNCATE})
MAX_PIECES = 8
MAX_TURNS = 3


class Step:
    """What is to be done with a link next.

    Attributes:
        data: What passes.
        turns: For how many turns of the reactor it is held back first.
        fault: What ends the link after it, if anything.
    """

    __slots__ = ("data", "fault", "turns")

    def __init__(self, data: bytes, turns: int = 0, fault: Fault | None = None) -> None:
        self.data = data
        self.turns = turns
        self.fault = fault


class Script:
    """Decides what becomes of what passes.

    Args:
        seed: What the faults are chosen by.
        faults: Those that there may be.
        number: How many there are at most; after them everything passes, in pieces.
        chance: How likely one is, for each piece that arrives.

    Attributes:
        done: The faults that there were.
    """

    def __init__(
        self, seed: int, faults: Sequence[Fault] = (), number: int = 0, chance: float = 0.1
    ) -> None:
        self._random = random.Random(seed)
        self._faults = list(faults)
        self._number = number
        self._chance = chance
        self.done: list[Fault] = []

    def disturb(self, data: bytes, *, to_server: bool) -> list[Step]:
        """Decide what becomes of a piece that goes one way, here whichever that is."""
        random_ = self._random
        fault = None
        if len(self.done) < self._number and random_.random() < self._chance:
            fault = random_.choice(self._faults)
            self.done.append(fault)
        if fault is Fault.DAMAGE:
            data = flip_bit(data, random_.randrange(8 * len(data)))
        elif fault is Fault.DOUBLE:
            start = random_.randrange(len(data))
            end = random_.randrange(start, len(data)) + 1
            data = data[:end] + data[start:]
        elif fault is Fault.TRUNCATE:
            data = data[: random_.randrange(len(data))]
        steps = [Step(piece, random_.randrange(MAX_TURNS)) for piece in self._pieces(data)]
        if fault in ENDING:
            steps.append(Step(b"", 0, fault))
        return steps

    def _pieces(self, data: bytes) -> list[bytes]:
        """Cut a piece at random places."""
        number = self._random.randrange(MAX_PIECES)
        cuts = sorted(self._random.randrange(len(data) + 1) for _ in range(number))
        places = [0, *cuts, len(data)]
        pieces = [data[start:end] for start, end in itertools.pairwise(places)]
        return [piece for piece in pieces if piece]


class _End(Protocol):
    """One end of a link.

    Attributes:
        other: The other end, once it is there.
    """

    def __init__(self, link: Link) -> None:
        self.link = link
        self.other: _End | None = None
        self.queue: deque[Step] = deque()  # what is to pass to the other end
        self.is_closed = False  # whether its peer says nothing more
        self.is_gone = False

    def connectionMade(self) -> None:
        """Take note of it."""
        self.transport.setTcpNoDelay(True)
        self.link.end_made(self)

    def dataReceived(self, data: bytes) -> None:
        """Take what arrived."""
        self.link.arrived(self, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Take note of it."""
        self.is_gone = self.is_closed = True
        self.link.end_lost(self)


class Link:
    """One connection through the proxy: one from a client, one to the server.

    Attributes:
        is_black_hole: Whether what arrives vanishes, as does the news that an end is gone.
    """

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self.is_black_hole = False
        self.near = _End(self)
        self.far = _End(self)
        self.near.other, self.far.other = self.far, self.near

    @property
    def is_over(self) -> bool:
        """Whether both ends are gone."""
        return all(end.is_gone or end.transport is None for end in (self.near, self.far))

    def swallow(self) -> None:
        """Let whatever is sent vanish from now on: neither side learns that the other is gone."""
        self.is_black_hole = True
        self.near.queue.clear()
        self.far.queue.clear()

    def reset(self) -> None:
        """Reset both ends."""
        for end in (self.near, self.far):
            end.queue.clear()
            if end.transport is not None and not end.is_gone:
                transport: Any = end.transport
                transport.abortConnection()

    def close(self) -> None:
        """Close both ends, once what was passed on is sent."""
        for end in (self.near, self.far):
            end.queue.clear()
            if end.transport is not None and not end.is_gone:
                end.transport.loseConnection()

    # From its ends

    def end_made(self, end: _End) -> None:
        if end is self.near:
            self._proxy.connect(self)
        else:
            self._proxy.wake()

    def arrived(self, end: _End, data: bytes) -> None:
        if not self.is_black_hole:
            end.queue.extend(self._proxy.script.disturb(data, to_server=end is self.near))
            self._proxy.wake()

    def end_lost(self, end: _End) -> None:
        if not self.is_black_hole:
            self._proxy.wake()
        self._proxy.check_over()

    # From the proxy

    def pass_on(self) -> bool:
        """Do what is due in this turn; say whether there is more to do."""
        for end in (self.near, self.far):
            other = end.other
            assert other is not None
            if other.transport is None:
                continue
            self._pass(end, other)
        return any(
            end.queue or (end.is_gone and not end.other.is_gone and not self.is_black_hole)
            for end in (self.near, self.far)
        )

    def _pass(self, end: _End, other: _End) -> None:
        queue = end.queue
        while queue and queue[0].turns == 0:
            step = queue.popleft()
            if step.data and not other.is_gone:
                other.transport.write(step.data)
            if step.fault is Fault.RESET:
                self.reset()
            elif step.fault is Fault.TRUNCATE:
                self.close()
        if queue:
            queue[0].turns -= 1
        elif end.is_gone and not other.is_gone and not self.is_black_hole:
            other.transport.loseConnection()


class Proxy:
    """A TCP proxy; see `running_proxy`.

    Args:
        reactor: The reactor.
        there: The client endpoint string of the server.
        script: What becomes of what passes.

    Attributes:
        script: The same; it may be changed.
        links: The connections that there were, the oldest first.
        endpoint: The client endpoint string of the proxy itself.
    """

    def __init__(self, reactor, there: str, script: Script) -> None:
        self._reactor = reactor
        self._there = client_endpoint(reactor, there)
        self.script = script
        self.links: list[Link] = []
        self.endpoint = ""
        self._loop = LoopingCall(self._turn)
        self._loop.clock = reactor
        self._port: Any = None
        self._connecting: list[Deferred[Any]] = []
        self._over: Deferred[None] | None = None

    async def start(self) -> None:
        """Listen on a free port of this machine."""
        listening = TCP4ServerEndpoint(self._reactor, 0, interface="127.0.0.1")
        factory = _EndFactory(self)
        self._port = await listening.listen(factory)
        host = self._port.getHost()
        assert isinstance(host, IPv4Address)
        self.endpoint = f"tcp:127.0.0.1:{host.port}"

    async def stop(self) -> None:
        """Listen no more, and reset what is left; return when all of it is gone."""
        await self._port.stopListening()
        await gatherResults(self._connecting, consumeErrors=True)
        for link in self.links:
            link.reset()
        over = self._over = Deferred()
        self.check_over()
        await over
        if self._loop.running:
            self._loop.stop()

    def new_end(self) -> _End:
        """Begin a link."""
        link = Link(self)
        self.links.append(link)
        return link.near

    def connect(self, link: Link) -> None:
        """Connect a link to the server."""

        def refused(_: Failure) -> None:
            link.far.is_gone = True
            link.near.transport.loseConnection()

        factory = Factory.forProtocol(lambda: link.far)
        factory.noisy = False
        connecting = self._there.connect(factory).addErrback(refused)
        self._connecting.append(connecting)

    def wake(self) -> None:
        """Pass on what is there, turn by turn, until nothing is left."""
        if not self._loop.running:
            self._loop.start(0)

    def check_over(self) -> None:
        """Tell who stops the proxy when all is gone."""
        if self._over is not None and all(link.is_over for link in self.links):
            over, self._over = self._over, None
            over.callback(None)

    def _turn(self) -> None:
        has_more = [link.pass_on() for link in self.links if not link.is_over]
        if not any(has_more):
            self._loop.stop()


class _EndFactory(Factory):
    noisy = False

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    def buildProtocol(self, addr: object) -> _End:
        """Begin a link."""
        return self._proxy.new_end()


@asynccontextmanager
async def running_proxy(reactor, there: str, script: Script | None = None) -> AsyncIterator[Proxy]:
    """Run a proxy for the time of a context.

    Args:
        reactor: The reactor.
        there: The client endpoint string of the server.
        script: What becomes of what passes; everything passes as it is cut where there is none.
    """
    proxy = Proxy(reactor, there, Script(0) if script is None else script)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
