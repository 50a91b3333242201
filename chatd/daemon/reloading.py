"""Reading anew what an operator has changed, while the daemon runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from chatd.errors import ConfigurationError

__all__ = ["Reloading", "Step"]

Step = Callable[[], "Awaitable[None] | None"]
"""Reads a file anew; it returns an awaitable where it has to wait for something first."""


class Reloading:
    """Reads files anew, each for itself: where one is wrong, what it said before stays in force.

    Args:
        steps: What reads them, by what each is called; the next one waits for none.
    """

    log = Logger()

    def __init__(self, steps: Mapping[str, Step] = MappingProxyType({})) -> None:
        self._steps: list[tuple[str, Step, str]] = []
        for what, step in steps.items():
            self.add(what, step)

    def add(self, what: str, step: Step, done: str = "read anew") -> None:
        """Take one more step at each reload, after those that were added before.

        Args:
            what: What the log calls it.
            step: What does it. It raises ConfigurationError where something is wrong with the file.
            done: What the log says was done.
        """
        self._steps.append((what, step, done))

    def __call__(self) -> None:
        """Read all of them, and log what became of each."""
        for what, step, done in self._steps:
            Deferred.fromCoroutine(self._take(what, step, done))

    async def _take(self, what: str, step: Step, done: str) -> None:
        try:
            reading = step()
            if reading is not None:
                await reading
        except ConfigurationError as error:
            self.log.error(
                "{what}: not {done}, what was in force stays: {error}",
                what=what,
                done=done,
                error=error,
            )
        except Exception:  # the others are to be read all the same
            self.log.failure("{what}: not {done}, what was in force stays", what=what, done=done)
        else:
            self.log.info("{what}: {done}", what=what, done=done)
