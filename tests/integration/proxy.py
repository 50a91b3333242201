"""A proxy between clients and a server that imitates every fault of a network.

A `Script` decides, from a seed, what happens to each piece of data: it is cut into smaller pieces,
held back for some reactor turns, doubled, damaged or cut off, or the connection is reset.
`Script.disturb` only decides, so that tests in memory can use the same faults.
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
    """An event that ends a connection, or damages its data."""

    RESET = "reset"
    """Both sides lose the connection at once; held-back data is lost."""
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
    """The next action on a link.

    Attributes:
        data: The data that passes.
        turns: The number of reactor turns for which it is held back first.
        fault: The fault that ends the link afterwards, or None.
    """

    __slots__ = ("data", "fault", "turns")

    def __init__(self, data: bytes, turns: int = 0, fault: Fault | None = None) -> None:
        self.data = data
        self.turns = turns
        self.fault = fault


class Script:
    """Decides what happens to data that passes.

    Args:
        seed: The seed of the random choices.
        faults: The possible faults.
        number: Limit on the number of faults; after them everything passes, in pieces.
        chance: The probability of a fault, for each piece of data.

    Attributes:
        done: The faults so far.
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
        """Decide what happens to a piece of data in one direction."""
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
        other: The other end, once it is connected.
    """

    def __init__(self, link: Link) -> None:
        self.link = link
        self.other: _End | None = None
        self.queue: deque[Step] = deque()  # steps towards the other end
        self.is_closed = False  # whether its peer sends no more data
        self.is_gone = False

    def connectionMade(self) -> None:
        """Note the connection."""
        self.transport.setTcpNoDelay(True)
        self.link.end_made(self)

    def dataReceived(self, data: bytes) -> None:
        """Take received data."""
        self.link.arrived(self, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note the connection's end."""
        self.is_gone = self.is_closed = True
        self.link.end_lost(self)


class Link:
    """A pair of connections through the proxy: from a client, and to the server.

    Attributes:
        is_black_hole: Whether received data is dropped, and the news of an end's close too.
    """

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self.is_black_hole = False
        self.near = _End(self)
        self.far = _End(self)
        self.near.other, self.far.other = self.far, self.near

    @property
    def is_over(self) -> bool:
        """Whether both ends are closed."""
        return all(end.is_gone or end.transport is None for end in (self.near, self.far))

    def swallow(self) -> None:
        """Drop all data from now on: no side learns that the other has vanished."""
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
        """Close both ends after sending the passed data."""
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
        """Do the due actions of this turn; return whether there are more."""
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
        script: Decides what happens to the data.

    Attributes:
        script: The same; it may be changed.
        links: All links so far, the oldest first.
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
        """Stop listening, and reset the remaining links; return when all have ended."""
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
        """Pass waiting data on, turn by turn, until none waits."""
        if not self._loop.running:
            self._loop.start(0)

    def check_over(self) -> None:
        """Wake the waiter of `stop` when all links have ended."""
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
    """Run a proxy within a context.

    Args:
        reactor: The reactor.
        there: The client endpoint string of the server.
        script: Decides what happens to the data; without a script, all data passes unchanged.
    """
    proxy = Proxy(reactor, there, Script(0) if script is None else script)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
