"""`KeepingService`: opens and closes the store, and deletes expired messages."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatd._version import __version__
from chatd.config.banfile import BanFile
from chatd.errors import ConfigurationError, StartupError, StoreError
from chatd.server.factory import ChatFactory
from chatd.transport.clock import looping_call

__all__ = ["EXPIRY_INTERVAL_S", "KeepingService"]

EXPIRY_INTERVAL_S = 60.0
"""Seconds between two deletions of expired messages."""


class KeepingService(Service):
    """Opens the store and the bans, and deletes expired messages every `EXPIRY_INTERVAL_S`.

    Args:
        clock: The reactor, or a test's clock.
        factory: The factory with the store and the bans.
        ban_file: Keeps the bans; None if the factory keeps them.
    """

    log = Logger()

    def __init__(
        self, clock: IReactorTime, factory: ChatFactory[Any], ban_file: BanFile | None
    ) -> None:
        self._factory = factory
        self._ban_file = ban_file
        self._loop = looping_call(clock, self._expire)

    def startService(self) -> None:
        """Load the bans and open the store.

        Raises:
            StartupError: The bans cannot be read, or the store cannot be opened.
        """
        self.log.info("chatd {version} starts", version=__version__)
        try:
            if self._ban_file is not None:
                self._factory.bans.replace(self._ban_file.load())
            self._factory.store.open()
        except ConfigurationError as error:
            raise StartupError(f"chatd: {error}") from error
        super().startService()
        self._loop.start(EXPIRY_INTERVAL_S)

    def stopService(self) -> Deferred[None]:
        """Wait until the bans are saved, then close the store. Call this after its last use.

        Returns:
            A Deferred that fires with None when the store is closed, also if it was closed with a
            fault, which is logged.
        """
        super().stopService()
        if self._loop.running:
            self._loop.stop()
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        await self._factory.bans.finish_saving()
        try:
            await self._factory.store.close()
        except StoreError as error:
            self.log.error("the store was closed with a fault: {error}", error=error)

    async def _expire(self) -> None:
        try:
            await self._factory.store.expire()
        except StoreError as error:
            if self.running:  # else the close of the store is the reason
                self._factory.engine.failures.store_failed(error)
        except Exception:  # a store by another author may raise anything; the loop goes on
            self.log.failure("the store failed to delete expired messages")
