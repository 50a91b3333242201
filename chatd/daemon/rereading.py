"""`RereadingService`: checks at the start that the daemon can read its files again later.

`twistd --uid` reads the options, and with them each file, as root. It gives up root's rights when
the ports are open, before the services start. A file that is unreadable then stays unreadable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.application.service import Service
from twisted.logger import Logger

from chatd.errors import ConfigurationError, StartupError

__all__ = ["RereadingService"]


class RereadingService(Service):
    """Tries to read files at the start, and ignores their content.

    Args:
        anew: Readers of the files that SIGHUP reads again, by their names in the log. The daemon
            can serve without reading them again: their earlier content stays valid.
        needed: Checks the files that the daemon needs for serving.
        told: Gets the name and the error of each file that SIGHUP cannot read.
    """

    log = Logger()

    def __init__(
        self,
        anew: Mapping[str, Callable[[], object]],
        needed: Callable[[], object] | None = None,
        told: Callable[[str, ConfigurationError], None] = lambda *_: None,
    ) -> None:
        self._told = told
        self._anew = anew
        self._needed = needed

    def startService(self) -> None:
        """Try to read all files, and warn of each file that SIGHUP cannot read.

        Raises:
            StartupError: A needed file cannot be read.
        """
        super().startService()
        for what, read in self._anew.items():
            try:
                read()
            except ConfigurationError as error:
                self.log.warn(
                    "{what}: SIGHUP will not read it again: {error}", what=what, error=error
                )
                self._told(what, error)
        if self._needed is not None:
            try:
                self._needed()
            except ConfigurationError as error:
                raise StartupError(f"chatd: {error}") from error
