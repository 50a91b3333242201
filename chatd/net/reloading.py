"""Reading anew what an operator has changed, while the daemon runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.logger import Logger

from chatd.errors import ConfigurationError

__all__ = ["Reloading"]


class Reloading:
    """Reads files anew, each for itself: where one is wrong, what it said before stays in force.

    Args:
        steps: What reads them, by what each is called.
    """

    log = Logger()

    def __init__(self, steps: Mapping[str, Callable[[], None]]) -> None:
        self._steps = steps

    def __call__(self) -> None:
        """Read all of them, and log what became of each."""
        for what, step in self._steps.items():
            try:
                step()
            except ConfigurationError as error:
                self.log.error(
                    "{what}: not read anew, what was in force stays: {error}",
                    what=what,
                    error=error,
                )
            except Exception:  # the others are to be read all the same
                self.log.failure("{what}: not read anew, what was in force stays", what=what)
            else:
                self.log.info("{what}: read anew", what=what)
