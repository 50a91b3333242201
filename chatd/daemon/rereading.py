"""Seeing at the start whether what a daemon reads later can be read with the rights that it keeps.

`twistd --uid` reads the options, and with them each file, as root. It gives up root's rights when
the ports are open, before the services start: what cannot be read then cannot be read anew either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.application.service import Service
from twisted.logger import Logger

from chatd.errors import ConfigurationError, StartupError

__all__ = ["RereadingService"]


class RereadingService(Service):
    """Tries to read files at the start, and does nothing with what is in them.

    Args:
        anew: What reads the files that SIGHUP has read anew, by what each is called. Without them
            the daemon can serve: what was read goes on to be in force.
        needed: What looks at the files without which the daemon cannot serve.
    """

    log = Logger()

    def __init__(
        self, anew: Mapping[str, Callable[[], object]], needed: Callable[[], object] | None = None
    ) -> None:
        self._anew = anew
        self._needed = needed

    def startService(self) -> None:
        """Try, and warn of each file that cannot be read anew.

        Raises:
            StartupError: One that is needed cannot be read.
        """
        super().startService()
        for what, read in self._anew.items():
            try:
                read()
            except ConfigurationError as error:
                self.log.warn(
                    "{what}: SIGHUP will not read it anew: {error}", what=what, error=error
                )
        if self._needed is not None:
            try:
                self._needed()
            except ConfigurationError as error:
                raise StartupError(f"chatd: {error}") from error
