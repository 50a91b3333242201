"""Several daemons on one Redis that are killed, frozen and cut off at random, and their promises.

Senders and readers move between the daemons meanwhile. At the end, each receipt is in the history
once, and all clients heard one order. A run in which nothing is delivered, or a kind of fault never
takes place, fails.

By hand, for as long as you like, or in the short form, which has one fault after the other::

    python -m tests.backplane.loop --minutes 10 --seed 1
    python -m tests.backplane.loop --minutes 10 --seed 1 --fsync everysec
    python -m tests.backplane.loop --short
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

import chatd
from chatd import Message
from tests.backplane.faults import Daemon, Fallible, Pace, RedisFaults, Wire
from tests.backplane.plan import FAULTS, Plan
from tests.backplane.redis.servers import RedisServer
from tests.backplane.talkers import ROOM, InTurn, Talker
from tests.backplane.verdict import Order, empty_parts
from tests.integration.processes import FOREGROUND

__all__ = ["Loop", "run_loop", "run_short"]

SENDERS = 4
READERS = 3
REST_S = 90.0
"""Limit on the time in which all clients have everything, after the last fault, in seconds."""
NAMES_S = 20.0
"""Limit on the time in which all names are free again, in seconds."""
PACE = Pace()
SHORT_LEASE = (
    "python",
    "-c",
    "from functools import partial\n"
    "from chatd.backplane.redis import link\n"
    "link.Times = partial(link.Times, lease_s=3.0, heartbeat_s=0.5)\n"
    "from twisted.scripts.twistd import run; run()",
    *FOREGROUND[1:],
)
"""A daemon of the short form: the names of its sessions are free again soon after it is killed."""
STEP = 5
"""How many more receipts each sender has between two faults of the short form."""
KEEP = ("--keep-messages", "10000000", "--keep-bytes", "1000000000")


class Loop:
    """A conversation over daemons that fail.

    Args:
        reactor: The reactor.
        directory: The directory for the sockets.
        server: The Redis server.
        seed: The seed of the choices.
        fsync: The server's `appendfsync`.
        pace: How often each part fails; None for the short form.

    Attributes:
        violations: What is wrong.
        report: What happened, in the short form.
    """

    def __init__(
        self,
        reactor: Any,
        directory: Path,
        server: RedisServer,
        seed: int,
        fsync: str,
        pace: Pace | None,
    ) -> None:
        self._reactor = reactor
        self._is_over = False
        self._may_lose = fsync != "always"
        chance = Random(seed)
        count = chance.choice((2, 3)) if pace else 2
        self._is_short = pace is None
        pace = pace or Pace()

        def own() -> Random:
            return Random(chance.random())

        durability = "normal" if self._may_lose else "full"
        there = f"unix:{server.path}"
        self.wires = [Wire(reactor, own(), pace, there) for _ in range(count)]
        self.paths = [str(directory / f"daemon{number}.sock") for number in range(count)]
        self._own = own
        self._pace = pace
        heartbeat = "0.5" if self._is_short else "1"
        self._options = ("--heartbeat", heartbeat, "--durability", durability, *KEEP)
        self.daemons: list[Daemon] = []
        self.redis = RedisFaults(reactor, own(), pace, server)

        def talkers(kind: str, number: int) -> list[Talker]:
            choices = [InTurn(n) if self._is_short else None for n in range(number)]
            return [
                Talker(reactor, f"{kind}{n}", self.paths, own(), choose)
                for n, choose in enumerate(choices)
            ]

        self.senders, self.readers = talkers("sender", SENDERS), talkers("reader", READERS)
        self.report: list[str] = []
        self.history: list[Message] = []
        self.epoch = ""
        self.violations: list[str] = []

    @property
    def talkers(self) -> list[Talker]:
        """All clients."""
        return [*self.senders, *self.readers]

    async def run(self, seconds: float) -> None:
        """Let the clients talk for some seconds while parts fail; then check everything.

        The short form takes the time that its faults need.
        """
        try:
            await self._talk(seconds)
        finally:
            for daemon in self.daemons:
                daemon.stop()
            for wire in self.wires:
                await wire.stop()
        for daemon in self.daemons:
            self.violations += [*daemon.bad_lines(), *daemon.faults]
        self._check_not_empty()

    async def _talk(self, seconds: float) -> None:
        for wire, path in zip(self.wires, self.paths, strict=True):
            await wire.start()
            options = (*self._options, "--backplane", wire.url)
            program = SHORT_LEASE if self._is_short else FOREGROUND
            chance = self._own()
            self.daemons.append(Daemon(self._reactor, chance, self._pace, path, options, program))
        await gatherResults([_begun(daemon.start()) for daemon in self.daemons])
        for reader in self.readers:  # first, so that they hear everything
            reader.service.startService()
            await reader.service.whenConnected()
        for sender in self.senders:
            sender.service.startService()
        taking = [_begun(talker.drain()) for talker in self.talkers]
        speaking = [_begun(sender.speak(self._over)) for sender in self.senders]
        if self._is_short:
            await self._fail_as_planned()
        else:
            await self._fail_at_random(seconds)
        self._is_over = True
        if await self._until(lambda: all(each.called for each in speaking), REST_S):
            await self._finish()
        else:
            self.violations.append("some messages have no receipt, though nothing fails any more")
        for talker in self.talkers:
            await talker.service.stopService()
        for talker, taken in zip(self.talkers, await gatherResults(taking), strict=True):
            self._check_taken(talker, taken)
        await self._check_names()
        for daemon in self.daemons:
            if await daemon.finish() != -signal.SIGTERM:
                self.violations.append(f"{daemon.path} did not end by itself")

    @property
    def parts(self) -> list[Fallible]:
        """All that can fail."""
        return [*self.daemons, *self.wires, self.redis]

    async def _fail_at_random(self, seconds: float) -> None:
        work = [_begun(part.fail_at_random(self._over)) for part in self.parts]
        longest_s = self._pace.calm_s[1]
        work += [_begun(talker.wander(self._over, longest_s)) for talker in self.talkers]
        await deferLater(self._reactor, seconds)
        self._is_over = True
        await gatherResults(work)

    async def _fail_as_planned(self) -> None:
        plan = Plan(
            self.daemons, self.wires, self.redis, progress=self._progress, until=self._wait_until
        )
        try:
            await plan.run()
        except TimeoutError:
            after = plan.report[-1] if plan.report else "the beginning"
            self.violations.append(f"nothing goes on after: {after}")
        self.report += plan.report

    async def _progress(self, begun_at: Sequence[int]) -> None:
        """Wait until the senders that began at some daemons have some more receipts."""
        senders = [each for n, each in enumerate(self.senders) if n % len(self.paths) in begun_at]
        goals = [(sender, len(sender.receipts) + STEP) for sender in senders]
        await self._wait_until(lambda: all(len(each.receipts) >= goal for each, goal in goals))

    async def _wait_until(self, condition: Callable[[], bool]) -> None:
        if not await self._until(condition, REST_S):
            raise TimeoutError

    async def _finish(self) -> None:
        await self._read_all()
        last = len(self.history)
        if not await self._until(lambda: all(t.seq == last for t in self.talkers), REST_S):
            places = {talker.name: talker.seq for talker in self.talkers}
            self.violations.append(f"the room stands at {last}, and the clients at {places}")
        order = Order(self.history, self.epoch, may_lose=self._may_lose)
        order.check_receipts([each for sender in self.senders for each in sender.receipts])
        for talker in self.talkers:
            order.check_heard(talker.name, talker.stretches)
            self.violations += talker.faults
        self.violations += order.violations

    def _over(self) -> bool:
        return self._is_over

    async def _until(self, condition: Any, seconds: float) -> bool:
        """Wait until a condition holds; return whether it held in time."""
        until = self._reactor.seconds() + seconds
        while not condition():
            if self._reactor.seconds() > until:
                return False
            await deferLater(self._reactor, 0.05)
        return True

    async def _read_all(self) -> None:
        client = await chatd.connect(self._reactor, f"unix:{self.paths[0]}", name="historian")
        is_complete = False
        while not is_complete:
            page = await client.history(ROOM, after=len(self.history), limit=500)
            self.history += page.messages
            self.epoch = page.epoch
            is_complete = page.complete
        await client.disconnect()

    def _check_taken(self, talker: Talker, taken: list[Message]) -> None:
        heard = [each for stretch in talker.stretches for each in stretch.messages]
        if taken != [message for message in heard if message.sender != talker.name]:
            self.violations.append(f"the library did not give {talker.name} what it received")

    async def _check_names(self) -> None:
        """Check that somebody else can take each name, at any daemon."""
        for number, talker in enumerate(self.talkers):
            path = self.paths[number % len(self.paths)]
            until = self._reactor.seconds() + NAMES_S
            is_free = False
            while not is_free and self._reactor.seconds() < until:
                try:
                    client = await chatd.connect(self._reactor, f"unix:{path}", name=talker.name)
                except chatd.SessionRefused:
                    await deferLater(self._reactor, 0.2)
                    continue
                is_free = client.name == talker.name
                await client.disconnect()
            if not is_free:
                self.violations.append(f"the name {talker.name} is not free again")

    @property
    def done(self) -> Counter[str]:
        """How often each kind of fault took place."""
        done: Counter[str] = Counter()
        for part in self.parts:
            done.update({f"{part.part} {kind}": count for kind, count in part.done.items()})
        return done

    def _check_not_empty(self) -> None:
        """Check that the run proves something."""
        all_kinds = [f"{part.part} {kind}" for part in self.parts for kind in part.kinds]
        faults = FAULTS if self._is_short else list(dict.fromkeys(all_kinds))
        receipts = sum(len(sender.receipts) for sender in self.senders)
        heard = {
            talker.name: sum(len(stretch.messages) for stretch in talker.stretches)
            for talker in self.talkers
        }
        self.violations += empty_parts(faults, self.done, receipts, heard)

    def summary(self) -> str:
        """Return the figures of the run."""
        receipts = sum(len(sender.receipts) for sender in self.senders)
        refused = sum(sender.refused for sender in self.senders)
        sessions = sum(talker.sessions for talker in self.talkers)
        losses = sum(len(talker.stretches) - 1 for talker in self.talkers)
        longest_s = max(sender.longest_s for sender in self.senders)
        faults = ", ".join(f"{kind} {count}" for kind, count in sorted(self.done.items()))
        told = "".join(f"{line}\n" for line in self.report)
        return told + (
            f"{len(self.daemons)} daemons: {faults}\n"
            f"{len(self.history)} messages, {receipts} receipts, {refused} not-stored, "
            f"{sessions} sessions, {losses} told losses; longest wait {longest_s:.1f} s\n"
            f"{len(self.violations)} violations"
        )


def _begun(coroutine: Any) -> Deferred[Any]:
    return Deferred.fromCoroutine(coroutine)


async def run_loop(
    reactor: Any, seconds: float, seed: int, fsync: str = "always", pace: Pace | None = PACE
) -> Loop:
    """Run a loop in a directory of its own, and return it with its violations.

    Args:
        reactor: The reactor.
        seconds: How long parts fail.
        seed: See `Loop`.
        fsync: See `Loop`.
        pace: See `Loop`.
    """
    server = RedisServer("--appendonly", "yes", "--appendfsync", fsync)
    with tempfile.TemporaryDirectory(prefix="chatd-") as name:
        try:
            server.start()
            loop = Loop(reactor, Path(name), server, seed, fsync, pace)
            await loop.run(seconds)
        finally:
            server.remove()
    return loop


async def run_short(reactor: Any, seed: int, fsync: str = "always") -> Loop:
    """Run the short form of the loop, and return it with its violations."""
    return await run_loop(reactor, 0.0, seed, fsync, None)


def main() -> None:
    """Run the loop by hand."""
    from twisted.internet.task import react

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fsync", default="always", choices=["always", "everysec"])
    parser.add_argument("--short", action="store_true", help="one fault after the other")
    parser.add_argument("--logs", type=Path, help="directory for the logs of the daemons")
    options = parser.parse_args()

    async def run(reactor: Any) -> None:
        pace = None if options.short else PACE
        seconds = options.minutes * 60
        loop = await run_loop(reactor, seconds, options.seed, options.fsync, pace)
        if options.logs is not None:
            options.logs.mkdir(parents=True, exist_ok=True)
            for daemon in loop.daemons:
                daemon.keep_logs(options.logs)
        for violation in loop.violations[:50]:
            print(violation, file=sys.stderr)
        print(loop.summary())
        if loop.violations:
            sys.exit(1)

    react(lambda reactor: Deferred.fromCoroutine(run(reactor)))


if __name__ == "__main__":
    main()
