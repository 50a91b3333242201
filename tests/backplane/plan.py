"""The short form of the loop of faults: one fault after the other, whatever time each takes.

A fault lasts until somebody has noticed it, or had receipts in spite of it, and the next begins
when the talk goes on: nothing depends on how fast the machine is. The clients begin at the two
daemons by turns, and go to the other when theirs fails.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from tests.backplane.faults import Daemon, RedisFaults, Wire, at_once

__all__ = ["FAULTS", "Plan"]

FAULTS = ("daemon kill", "daemon freeze", "redis kill", "link cut")
"""The faults of the plan: the part and the kind of each."""
ONE, TWO, BOTH = (0,), (1,), (0, 1)
_LOST, _BACK = "the backplane cannot be used", "the backplane works again"


class Plan:
    """The faults of two daemons, their links and their Redis.

    Args:
        daemons: The daemons.
        wires: Their links to Redis.
        redis: Redis.
        progress: Waits until some senders have some more receipts: all, or those that began at the
            daemon with a number.
        until: Waits until a condition holds.

    Attributes:
        report: What happened.
    """

    def __init__(
        self,
        daemons: Sequence[Daemon],
        wires: Sequence[Wire],
        redis: RedisFaults,
        *,
        progress: Callable[[Sequence[int]], Awaitable[None]],
        until: Callable[[Callable[[], bool]], Awaitable[None]],
    ) -> None:
        self.report: list[str] = []
        self._daemons = daemons
        self._wires = wires
        self._redis = redis
        self._progress = progress
        self._until = until

    async def run(self) -> None:
        """Let one part after the other fail."""
        one, two = self._daemons
        await self._progress(BOTH)
        self.report.append(await two.fail("freeze", lambda: self._progress(ONE)))
        await self._progress(BOTH)
        # The clients of the killed daemon get their names again when its lease ends. Meanwhile,
        # the others have to do with the other faults.
        self.report.append(await one.fail("kill", at_once))
        await self._progress(TWO)
        lost, back = self._says(_LOST, self._daemons), self._says(_BACK, self._daemons)
        self.report.append(await self._redis.fail("kill", lambda: self._until(lost)))
        await self._until(back)
        await self._progress(TWO)
        back = self._says(_BACK, [two])
        self.report.append(await self._wires[1].fail("cut", lambda: self._until(back)))
        await self._progress(BOTH)

    def _says(self, text: str, daemons: Sequence[Daemon]) -> Callable[[], bool]:
        """Return a condition: each of some daemons has logged a text once more."""
        before = [each.log.count(text) for each in daemons]
        return lambda: all(
            each.log.count(text) > count for each, count in zip(daemons, before, strict=True)
        )
