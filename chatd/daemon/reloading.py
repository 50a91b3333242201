"""`Reloading`: reads the operator's files again while the daemon runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from chatd.errors import ConfigurationError

__all__ = ["Reloading", "Step"]

Step = Callable[[], "Awaitable[None] | None"]
"""Reads a file again; returns an awaitable if it must wait."""


class Reloading:
    """Reads files again, each independently: if a file is wrong, its earlier content stays valid.

    Args:
        steps: The steps, by their names in the log. They do not wait for each other.
    """

    log = Logger()

    def __init__(self, steps: Mapping[str, Step] = MappingProxyType({})) -> None:
        self._steps: list[tuple[str, Step, str]] = []
        self._checks: list[Callable[[], None]] = []
        self._told: dict[str, str] = {}
        self._still_wrong: list[str] = []
        for what, step in steps.items():
            self.add(what, step)

    def add(self, what: str, step: Step, done: str = "read again") -> None:
        """Add a step, after the earlier steps.

        Args:
            what: Its name in the log.
            step: The step. It raises `ConfigurationError` if the file is wrong.
            done: The log's words for a success.
        """
        self._steps.append((what, step, done))

    def add_check(self, check: Callable[[], None]) -> None:
        """Add a check of the files together; it runs when all steps have begun."""
        self._checks.append(check)

    def told(self, what: str, error: ConfigurationError) -> None:
        """Note that the log already has the error of the step of that name.

        All steps that fail with such an error again share one line.
        """
        self._told[what] = str(error)

    def __call__(self) -> None:
        """Run all steps, and log the result of each."""
        self._still_wrong.clear()
        for what, step, done in self._steps:
            Deferred.fromCoroutine(self._take(what, step, done))
        if self._still_wrong:
            self.log.error(
                "not read again, for the reasons in the warnings of the start: {whats}",
                whats=", ".join(self._still_wrong),
            )
        for check in self._checks:
            check()

    async def _take(self, what: str, step: Step, done: str) -> None:
        try:
            reading = step()
            if reading is not None:
                await reading
        except ConfigurationError as error:
            if self._told.get(what) == str(error):
                self._still_wrong.append(what)
                return
            self.log.error(
                "{what}: not {done}, nothing changes: {error}",
                what=what,
                done=done,
                error=error,
            )
        except Exception:  # the other files must be read all the same
            self.log.failure("{what}: not {done}, nothing changes", what=what, done=done)
        else:
            self.log.info("{what}: {done}", what=what, done=done)
